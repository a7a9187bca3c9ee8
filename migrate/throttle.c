/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "throttle.h"

#define SHRINK     0.7 /* of a round's pages that the next may have */
#define MARGIN     0.8 /* of what the final pass may have */
#define MIN_RUN_NS 1e6 /* the guest is let run at least so long, if it can be */
#define MIN_CYCLE_NS 1e7

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

double mig_throttle_next(const struct mig_throttle_in *in)
{
    double goal = most(MARGIN * in->final_pages, SHRINK * in->round_pages);
    double share = 1;

    if (in->round_ns > 0 &&
        mig_dirty_curve_pages(in->curve, in->ran_ns + in->round_ns) > goal)
        share = (mig_dirty_curve_run_ns(in->curve, goal) - in->ran_ns) /
                in->round_ns;
    share = least(share, 2 * (1 - in->before));
    share = most(share, (1 - in->slowed) / 2);
    share = most(share, 1 - in->max_slowed);
    return share < 1 ? 1 - share : 0;
}

uint64_t mig_throttle_pause_ns(double slowed, int64_t owed_ns,
                               uint64_t *cycle_ns)
{
    double longest = (double)MIG_THROTTLE_MAX_PAUSE_NS, cycle, pause;

    cycle = slowed < 1 ? most(MIN_RUN_NS / (1 - slowed), MIN_CYCLE_NS)
                       : longest;
    cycle = least(cycle, longest);
    *cycle_ns = (uint64_t)cycle;
    pause = slowed * cycle + most(least((double)owed_ns, longest), -longest);
    return (uint64_t)most(least(pause, longest), 0);
}
