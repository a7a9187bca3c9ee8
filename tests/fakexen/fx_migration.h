/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One migration of a fake guest: guest, writers, saver, wire and restorer,
 * what goes wrong meanwhile, and what has to hold afterwards.
 */
#ifndef FX_MIGRATION_H
#define FX_MIGRATION_H

#include "fx_guest.h"
#include "fx_libxl.h"
#include "fx_wire.h"

/* Domids. The source's is this process's own: a save helper refuses where
 * another process saves a domain of that number, as a test beside this may. */
#define FX_SOURCE  fx_source()
#define FX_TARGET  2u

uint32_t fx_source(void);

#define FX_WRITERS 2
#define FX_LIMITS  384

enum fx_saver {
    FX_SAVER_OURS,  /* the save helper, in this program */
    FX_SAVER_PLAIN, /* xc_domain_save() and its own policy */
    FX_SAVER_BUILT, /* the save helper that was built */
    FX_SAVER_STOCK, /* Xen's own save helper */
};

/* A signal to the helper; it comes `after_us` after its start. */
struct fx_kill {
    int signal; /* 0: none */
    uint32_t after_us;
    bool after_start; /* counts from when pre-copy began */
};

/* What a sink had got when; the last one also stands for what had no room. */
struct fx_arrivals {
    struct fx_arrival {
        uint64_t at_ns, bytes; /* since the begin */
    } *list;
    size_t room, count;
};

struct fx_migration {
    struct fx_guest_config guest; /* its domid is filled in */
    struct fx_writer_config writers[FX_WRITERS];
    unsigned writer_count;
    char limits[FX_LIMITS];
    bool verify;           /* xl migrate --debug */
    enum fx_saver saver;
    bool stock_restore;    /* by Xen's own helper */
    bool sink;             /* no restorer: somebody reads it, and that is all */
    struct fx_arrivals *arrivals; /* of a sink; NULL: nobody asks */
    bool wired;            /* through the wire; else straight */
    struct fx_wire_config wire;
    int socket_bytes;      /* SO_SNDBUF of the saver's end; 0: the default */
    uint32_t log_us;       /* that a CLEAN or PEEK takes */
    struct fx_fault faults[FX_FAULTS];
    struct fx_kill kill;
    char change[FX_LIMITS];  /* limits that change on the way, */
    uint32_t change_us;      /* so long after pre-copy began */
    uint32_t storm_us;     /* a signal without meaning so often; 0: none */
    uint32_t suspend_us;   /* the guest runs on so long, once it is asked, */
    uint32_t frozen_us;    /* and stands still so long before it says so */
    bool refuse_suspend, die_at_suspend, die_after_suspend;
    bool kill_restorer;    /* it gets the kill, and not the saver */
};

struct fx_outcome {
    struct fx_helper save, restore;
    bool saved;     /* the helper said so, and ended well */
    bool restored;  /* the restorer ended well */
    bool killed;    /* the helper died of SIGKILL */
    bool early;     /* it died before it had turned log-dirty mode on */
    struct fx_wire_seen wire;
    unsigned calls[FX_CALLS]; /* that the source was asked */
    bool held_left; /* the guest was left paused or capped */
    bool log_dirty_left, suspended_left; /* before the toolstack put it right */
    uint64_t written; /* pages, by the writers, while it went on */
    uint64_t start_ns, end_ns;
    unsigned busy, stray;
    int leaked_buffers, leaked_maps;
    unsigned unknown; /* the number of a hypercall that fakexen lacks */
    bool alive;     /* the guest wrote on, at the source */
    unsigned differences;
    char difference[128];
};

/* From the request to suspend to the end of the restore; 0: not restored. */
uint64_t fx_downtime_ns(const struct fx_outcome *o);

/* Defaults: a small guest without writers. */
void fx_migration_init(struct fx_migration *m, uint64_t seed);

/* Runs it in a world of its own. */
void fx_migrate(const struct fx_migration *m, struct fx_outcome *o);

/*
 * What has to hold however it went: nothing is lost or half moved, the guest
 * goes on at one end, log-dirty mode is off, nothing leaked.
 * Returns NULL, or what does not.
 */
const char *fx_check(const struct fx_migration *m,
                     const struct fx_outcome *o);

/* Whether the two Xen helpers and our library to load into them are there. */
bool fx_have_stock(void);

/* Whether this build has sanitizers, which no preloaded library suits. */
bool fx_sanitized(void);

/* Prints how it went, for whoever reads of a failure. */
void fx_explain(const struct fx_migration *m, const struct fx_outcome *o);

#endif
