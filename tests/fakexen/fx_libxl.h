/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's side of a save or restore helper: starts it, answers it, and waits
 * for its end, as libxl_save_callout.c does.
 */
#ifndef FX_LIBXL_H
#define FX_LIBXL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "status.h"

#define FX_ROUNDS 64

struct fx_helper_config {
    const char *program;  /* NULL: this very program, started again */
    const char *preload;  /* $LD_PRELOAD; may be NULL */
    const char *argv[12]; /* from argv[1] on; NULL ends it */
    const char *limits;   /* $AEROSTAT_MIGRATE; may be NULL */
    int stream_fd;        /* inherited; stays the caller's */
    uint32_t domid;       /* whom `suspend` is about */
    uint32_t suspend_us;  /* so long the guest runs on when asked to suspend, */
    uint32_t frozen_us;   /* and so long it stands still before it answers */
    bool refuse_suspend;  /* answer that the guest did not suspend */
    bool die_at_suspend;  /* libxl is killed instead of answering */
    bool die_after_suspend; /* likewise, when the guest is suspended */
};

/* What a helper holds: of its own, and with programs and libraries. */
struct fx_memory {
    uint64_t own_kib, with_files_kib;
};

struct fx_helper {
    struct fx_helper_config config;
    pid_t pid;
    int to, from, status; /* descriptors; -1 once closed */
    int control;          /* where limits may be changed */

    bool completed;
    int retval, errnum;   /* of `complete` */
    bool suspend_asked, suspended;
    unsigned qemu_on, qemu_off;
    uint64_t suspend_ns;  /* when it asked */
    struct fx_memory memory; /* the most that was seen at a call of its */
    char error[256];      /* the last that it logged */
    bool started;         /* it told its status START */
    struct mig_status end; /* its last words, where end.kind is END */
    char stop_reason[MIG_STATUS_REASON];
    struct mig_round rounds[FX_ROUNDS];
    unsigned round_count;
    int bad_messages;     /* that could not be parsed */

    int exit_status;      /* as of waitpid */
    struct rusage usage;

    char line[2 * MIG_STATUS_MAX_LINE];
    size_t line_len;
};

/* Returns false where it could not be started. */
bool fx_helper_start(struct fx_helper *h, const struct fx_helper_config *c);

/* Serves all of them until `first` has hung up. */
void fx_helpers_serve(struct fx_helper **helpers, unsigned count,
                      struct fx_helper *first);

/* Waits for its end, and fetches its exit status. Nobody may use its pid or
 * its control descriptor from then on. */
void fx_helper_reap(struct fx_helper *h);

#endif
