/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When to look which pages are dirty again: as often as it pays. Pure; the
 * caller brings the time.
 *
 * A PEEK costs its time twice, since the guest stands still and so do we. It
 * brings the time that the pages left out by it would have taken on the wire,
 * batch by batch, until the next one. What brought less than it cost doubles
 * the time to the next, up to 64 times; what brought more sets it back. So
 * PEEKs that do not pay soon become rare, and their chance comes again.
 *
 * The least interval is 50 ms for a small guest, 100 ms for one of 64 GiB or
 * more, and 20 times what the last PEEK took in any case.
 */
#ifndef MIG_PEEK_POLICY_H
#define MIG_PEEK_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define MIG_PEEK_MAX_BACKOFF 64u

struct mig_peek_policy {
    uint64_t base_ns;  /* least interval */
    uint64_t round_ns; /* when this round began */
    uint64_t next_ns;  /* when the next may be */
    unsigned backoff;  /* 1: they pay */
    bool open;         /* one has been, and is not judged yet */
    uint64_t cost_ns;  /* of that one */
    uint64_t saved_ns; /* by it, so far */
};

/* @log_pages  bits in the log: highest frame + 1 */
void mig_peek_init(struct mig_peek_policy *p, uint64_t log_pages);

/*
 * A round begins, and what was seen is forgotten. A PEEK may be due at once;
 * since little is dirty again so soon, what it brings is not held against it.
 */
void mig_peek_round(struct mig_peek_policy *p, uint64_t now_ns);

/* Whether one is due; if so, the one before it is judged. */
bool mig_peek_due(struct mig_peek_policy *p, uint64_t now_ns);

/* One was made, and took so long. */
void mig_peek_done(struct mig_peek_policy *p, uint64_t now_ns,
                   uint64_t took_ns);

/* What was left out of a batch would have taken so long to send. */
void mig_peek_saved(struct mig_peek_policy *p, uint64_t saved_ns);

#endif
