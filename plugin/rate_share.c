/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "rate_share.h"

#include "base/u64.h"

static uint64_t weight_of(const struct aero_rate_want *w)
{
    return (uint64_t)w->weight * (w->suspended ? AERO_RATE_STOPPED : 1);
}

/* total * part / whole without overflow, rounded down; part <= whole. */
static uint64_t part_of(uint64_t total, uint64_t part, uint64_t whole)
{
    return total / whole * part + total % whole * part / whole;
}

/* The most that it can make use of. */
static uint64_t limit_bps(const struct aero_rate_want *w, uint64_t total_bps)
{
    uint64_t limit = w->max_bps ? lxe_min(w->max_bps, total_bps) : total_bps;

    if (!w->sending)
        return 0;
    if (!w->suspended && w->used_bps && w->used_bps < w->share_bps / 2) {
        uint64_t twice = 2 * w->used_bps;

        limit = lxe_min(limit, twice > AERO_RATE_MIN_BPS ? twice
                                                         : AERO_RATE_MIN_BPS);
    }
    return limit;
}

/*
 * Water-filling: who cannot use its part of what is left is given its limit
 * and taken out, until all that are left can use theirs.
 */
void aero_rate_share(uint64_t total_bps, struct aero_rate_want *wants,
                     size_t count)
{
    uint64_t left_bps = total_bps, weights = 0;
    bool again = true;

    for (size_t i = 0; i < count; i++) {
        wants[i].max_bps = limit_bps(&wants[i], total_bps);
        wants[i].share_bps = UINT64_MAX; /* not yet known */
        weights += weight_of(&wants[i]);
    }
    while (again) {
        again = false;
        for (size_t i = 0; i < count; i++) {
            struct aero_rate_want *w = &wants[i];

            if (w->share_bps != UINT64_MAX ||
                w->max_bps > part_of(left_bps, weight_of(w), weights))
                continue;
            w->share_bps = w->max_bps;
            left_bps -= w->max_bps;
            weights -= weight_of(w);
            again = true;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (wants[i].share_bps == UINT64_MAX)
            wants[i].share_bps = part_of(left_bps, weight_of(&wants[i]),
                                         weights);
}

bool aero_rate_suffices(uint64_t total_bps,
                        const struct aero_rate_want *wants, size_t count)
{
    uint64_t weights = 0;

    for (size_t i = 0; i < count; i++)
        weights += wants[i].weight;
    for (size_t i = 0; i < count; i++)
        if (part_of(total_bps, wants[i].weight, weights) < AERO_RATE_MIN_BPS)
            return false;
    return true;
}
