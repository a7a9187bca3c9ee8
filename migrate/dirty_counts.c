/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dirty_counts.h"

#include <math.h>

#include "base/clock.h"

#define FIRST_NS (5 * LXE_NS_PER_MS)

/* Whether the guest ran long enough for a curve to tell how fast it writes. */
static bool tells(const struct mig_dirty_curve *curve)
{
    return curve->count &&
           curve->points[curve->count - 1].run_ns >= FIRST_NS;
}

void mig_dirty_counts_clean(struct mig_dirty_counts *c, uint64_t run_ns)
{
    c->before = c->curve;
    if (tells(&c->before))
        c->first_pps = mig_dirty_curve_slope_pps(&c->before, 0);
    c->curve.count = 0;
    c->clean_run_ns = run_ns;
    c->next_ns = FIRST_NS;
}

bool mig_dirty_counts_due(struct mig_dirty_counts *c, uint64_t run_ns,
                          uint64_t *ran_ns)
{
    *ran_ns = run_ns - c->clean_run_ns;
    if (*ran_ns < c->next_ns)
        return false;
    c->next_ns = 2 * *ran_ns;
    return true;
}

void mig_dirty_counts_add(struct mig_dirty_counts *c, uint64_t run_ns,
                          uint64_t pages)
{
    mig_dirty_curve_add(&c->curve, run_ns - c->clean_run_ns, pages);
}

double mig_dirty_counts_pps(const struct mig_dirty_counts *c,
                            const struct mig_dirty_curve *curve)
{
    return tells(curve) ? mig_dirty_curve_slope_pps(curve, INFINITY)
                        : c->first_pps;
}
