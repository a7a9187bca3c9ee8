/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What counts of the dirty pages tell about a guest while rounds are sent: a
 * curve of each round (dirty_curve.h), and how fast it writes at the end of
 * it. The first count after a CLEAN is due in 5 ms, each later one when twice
 * as much time has gone by. Pure.
 *
 * Times are those that the guest could run, in ns since whenever.
 */
#ifndef MIG_DIRTY_COUNTS_H
#define MIG_DIRTY_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dirty_curve.h"

/* All zero before the first CLEAN. */
struct mig_dirty_counts {
    struct mig_dirty_curve curve;  /* since the last CLEAN */
    struct mig_dirty_curve before; /* from the one before it to the last */
    uint64_t clean_run_ns; /* when the last was */
    uint64_t next_ns;      /* so long after it the next count is due */
    double first_pps;      /* right after the last CLEAN of which that is
                              known; 0: of none */
};

/* A CLEAN: a round is over, and another begins. */
void mig_dirty_counts_clean(struct mig_dirty_counts *c, uint64_t run_ns);

/*
 * Whether a count is due; if so, the next one is later.
 * @ran_ns  gets the time since the last CLEAN
 */
bool mig_dirty_counts_due(struct mig_dirty_counts *c, uint64_t run_ns,
                          uint64_t *ran_ns);

/* So many pages are dirty now. */
void mig_dirty_counts_add(struct mig_dirty_counts *c, uint64_t run_ns,
                          uint64_t pages);

/*
 * Pages/s that the guest writes at the end of a round. Of one in which it
 * hardly ran, since the round was short or the guest was slowed, no curve
 * tells that: there it writes as it did right after a CLEAN before.
 * @curve  of that round: one of the two in c
 * Returns 0 or below where it is not known.
 */
double mig_dirty_counts_pps(const struct mig_dirty_counts *c,
                            const struct mig_dirty_curve *curve);

#endif
