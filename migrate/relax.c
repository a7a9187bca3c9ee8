/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "relax.h"

#include <math.h>

#include "base/clock.h"

void mig_relax_init(struct mig_relax *relax)
{
    *relax = (struct mig_relax){ .fewest_pages = UINT64_MAX };
}

void mig_relax_round(struct mig_relax *relax, uint64_t dirty_pages)
{
    if (dirty_pages >= relax->fewest_pages - relax->fewest_pages / 10 &&
        relax->step < MIG_RELAX_STEPS)
        relax->step++;
    if (dirty_pages < relax->fewest_pages)
        relax->fewest_pages = dirty_pages;
}

bool mig_relax_is_full(const struct mig_relax *relax, uint64_t limit_ns,
                       uint64_t max_ns)
{
    return max_ns <= limit_ns || relax->step >= MIG_RELAX_STEPS;
}

uint64_t mig_relax_limit_ns(const struct mig_relax *relax, uint64_t limit_ns,
                            uint64_t max_ns)
{
    double from = limit_ns ? (double)limit_ns : (double)LXE_NS_PER_MS;
    double share = (double)relax->step / MIG_RELAX_STEPS, ns;

    if (!relax->step || max_ns <= limit_ns)
        return limit_ns;
    if (relax->step >= MIG_RELAX_STEPS)
        return max_ns;
    ns = from * pow((double)max_ns / from, share);
    if (!(ns < (double)max_ns))
        return max_ns;
    return ns > (double)limit_ns ? (uint64_t)ns : limit_ns;
}
