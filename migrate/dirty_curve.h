/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many pages a guest has written since the last CLEAN, against the time
 * that it has run since then: counts taken while a round is sent, joined by
 * straight lines. Time in which the guest was held back does not count, so
 * what is learnt from a guest that is slowed holds for one that is not. Pure.
 */
#ifndef MIG_DIRTY_CURVE_H
#define MIG_DIRTY_CURVE_H

#include <stdint.h>

#define MIG_DIRTY_CURVE_POINTS 24

struct mig_dirty_point {
    uint64_t run_ns;
    uint64_t pages;
};

struct mig_dirty_curve {
    struct mig_dirty_point points[MIG_DIRTY_CURVE_POINTS];
    unsigned count; /* 0: nothing is known but (0, 0) */
};

/*
 * Adds a count; the points come by rising time. One that is no later than the
 * last replaces it, as does one too many. A count below the last is taken for
 * the last: nothing becomes clean but by CLEAN.
 */
void mig_dirty_curve_add(struct mig_dirty_curve *curve, uint64_t run_ns,
                         uint64_t pages);

/*
 * Pages expected to be dirty after the guest has run so long. Beyond the last
 * point the line goes on at its last slope, an upper bound for a guest that
 * writes as before. Below 0: unknown, since there is no point.
 */
double mig_dirty_curve_pages(const struct mig_dirty_curve *curve,
                             double run_ns);

/* How long the guest may run, in ns, until so many pages are dirty; INFINITY
 * where it never writes that many. */
double mig_dirty_curve_run_ns(const struct mig_dirty_curve *curve,
                              double pages);

/* Pages a second that become dirty when it has run so long; below 0:
 * unknown. */
double mig_dirty_curve_slope_pps(const struct mig_dirty_curve *curve,
                                 double run_ns);

#endif
