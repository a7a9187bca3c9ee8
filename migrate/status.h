/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the save helper tells the migration that it serves: one JSON object a
 * line over an inherited descriptor ($AEROSTAT_STATUS_FD). Times are
 * CLOCK_MONOTONIC, which both share. Under a plain `xl migrate` nobody
 * listens, and nothing is sent.
 */
#ifndef MIG_STATUS_H
#define MIG_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

#define MIG_STATUS_MAX_LINE 4096
#define MIG_STATUS_REASON   200

enum mig_status_kind {
    MIG_STATUS_START,     /* log-dirty mode is on; pid is the helper's */
    MIG_STATUS_PROGRESS,  /* a few times a second within a round */
    MIG_STATUS_ROUND,     /* a round is over, and all of it was written */
    MIG_STATUS_STOP,      /* pre-copy ends, and why */
    MIG_STATUS_SUSPENDED, /* the guest runs no more */
    MIG_STATUS_END,       /* the last byte was written, or it failed */
};

/* One pass over pages. The final one follows the suspend. */
struct mig_round {
    unsigned index;
    bool final;
    uint64_t dirty_pages;   /* that it had to send when it began */
    uint64_t sent_pages;
    uint64_t skipped_pages; /* left for later */
    uint64_t bytes;         /* of the stream */
    uint64_t wire_bytes;    /* written for them: less, where it is packed */
    uint64_t start_ns, end_ns;
    uint64_t limit_bps;     /* bytes/s; 0 is unlimited */
    double dirty_pps;       /* pages/s that the guest dirtied before it */
    uint64_t predicted_downtime_ns;
    uint64_t left_pages;    /* dirty once it was sent; 0: not counted */
    double slowed_percent;  /* of its speed, taken from the guest */
    uint64_t downtime_limit_ns; /* max-downtime, or as far as it is relaxed */
    double wire_bps;        /* bytes/s at which pages went lately, but for the
                               waits for the rate; 0: not known */
};

/* How exactly the rate was kept, over seconds in which it was the limit. */
struct mig_limiter_error {
    unsigned seconds;
    double mean, worst; /* |sent - allowed| / allowed */
};

struct mig_status {
    enum mig_status_kind kind;
    uint64_t at_ns;
    uint64_t pid;              /* START */
    uint64_t domain_pages;     /* START */
    struct mig_round round;    /* PROGRESS, ROUND */
    uint64_t remaining_pages;  /* PROGRESS: of this round */
    double rate_bps;           /* PROGRESS: bytes/s written lately, */
    double stream_bps;         /* PROGRESS: and of the stream */
    uint64_t request_ns;       /* SUSPENDED: when suspending was asked for */
    bool ok;                   /* SUSPENDED, END */
    uint64_t bytes;            /* END: all of the stream */
    uint64_t wire_bytes;       /* END: written for it */
    uint64_t pack_ns;          /* END: packing it; in idle_ns too */
    struct mig_limiter_error limiter; /* END */
    uint64_t peeks, peek_ns;   /* END: what skipping cost */
    uint64_t skip_saved_ns;    /* END: and what it saved, in time to send */
    uint64_t idle_ns, held_ns, blocked_ns; /* END: as in pump.h */
    double slowed_mean_percent;       /* END: over all of pre-copy */
    char reason[MIG_STATUS_REASON];   /* STOP, END */
};

/* Writes one line to the descriptor. Returns 0, -EPIPE, -ENOMEM. */
int mig_status_send(int fd, const struct mig_status *status);

/*
 * Reads one line without its newline. Returns 0 or -EPROTO with a word.
 */
int mig_status_parse(const char *line, size_t len, struct mig_status *out,
                     struct lxe_err *err);

/*
 * Writes what the daemon and who reads --json are told of a PROGRESS, as
 * members of the object that is open; null is what is not known.
 */
void mig_status_put_progress(struct lxe_jw *w, const struct mig_status *s);

#endif
