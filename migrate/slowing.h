/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slows a guest while it is sent, within the user's limits and only where
 * that helps: by as much as throttle.h thinks right, with brake.h.
 */
#ifndef MIG_SLOWING_H
#define MIG_SLOWING_H

#include <stdbool.h>
#include <stdint.h>

#include "brake.h"
#include "dirty_curve.h"
#include "limits.h"
#include "precopy.h"

/* All zero but for the first two: pre-copy has not begun. */
struct mig_slowing {
    struct mig_brake *brake;   /* NULL: the guest may not be slowed */
    enum mig_throttle_way way; /* that the brake was opened for */
    uint64_t begin_ns, end_ns; /* of pre-copy; 0: not yet */
    uint64_t begin_run_ns, end_run_ns; /* as mig_brake_run_ns() */
    double before; /* the share that was taken when the round began */
    bool told_futile;
};

/* What is known where it is decided anew. */
struct mig_slowing_in {
    const struct mig_limits *limits;
    uint64_t downtime_limit_ns;  /* in force now */
    struct mig_precopy_in costs; /* of the last pass, and its rate; no counts */
    const struct mig_dirty_curve *curve; /* as in throttle.h, */
    double ran_ns, round_pages;          /* and these */
    double left_pages; /* that the rest of the round sends, */
    double round_bps;  /* and the bytes/s to expect of it; 0: not known */
};

/* Pre-copy begins. */
void mig_slowing_begin(struct mig_slowing *s);

/*
 * Slows the guest, or lets it go. Says once where it is no use, since
 * suspending the guest alone takes longer than is allowed.
 * Returns the share of its speed that is taken now.
 */
double mig_slowing_adjust(struct mig_slowing *s,
                          const struct mig_slowing_in *in);

/* Whether it is slowed as much as is allowed, or may not be. */
bool mig_slowing_is_full(const struct mig_slowing *s,
                         const struct mig_limits *limits);

/*
 * Pre-copy ends, and the guest is let go: it has to run to suspend itself.
 * Does nothing the second time.
 */
void mig_slowing_end(struct mig_slowing *s);

/* The mean over pre-copy, which has ended, in percent. */
double mig_slowing_mean_percent(const struct mig_slowing *s);

#endif
