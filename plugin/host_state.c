/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host_state.h"

static uint64_t level_kib(const struct aero_host_levels *levels, int state,
                          uint64_t total_kib)
{
    return (uint64_t)((unsigned __int128)total_kib * levels->level[state] /
                      1000);
}

enum aero_host_state aero_host_state_next(
    enum aero_host_state was, uint64_t spare_kib, uint64_t total_kib,
    const struct aero_host_levels *levels)
{
    int state = was;

    while (state < AERO_HOST_LOW &&
           spare_kib < level_kib(levels, state + 1, total_kib))
        state++;
    while (state > AERO_HOST_HIGH &&
           spare_kib >= level_kib(levels, state - 1, total_kib))
        state--;
    return (enum aero_host_state)state;
}

const char *aero_host_state_name(enum aero_host_state state)
{
    static const char *const names[] = {
        [AERO_HOST_HIGH] = "high",
        [AERO_HOST_SOFT] = "soft",
        [AERO_HOST_HARD] = "hard",
        [AERO_HOST_LOW] = "low",
    };

    return names[state];
}

/* Whether a is the better one to move. */
static bool better(const struct aero_mover *a, const struct aero_mover *b,
                   uint64_t lack_kib)
{
    bool enough = a->need_kib >= lack_kib;

    if (enough != (b->need_kib >= lack_kib))
        return enough;
    if (a->need_kib == b->need_kib)
        return a->domid < b->domid;
    return enough ? a->need_kib < b->need_kib : a->need_kib > b->need_kib;
}

const struct aero_mover *aero_host_should_move(
    const struct aero_mover *movers, size_t count, uint64_t lack_kib)
{
    const struct aero_mover *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (!best || better(&movers[i], best, lack_kib))
            best = &movers[i];
    return best;
}

uint64_t aero_host_lack_kib(uint64_t spare_kib, uint64_t total_kib,
                            const struct aero_host_levels *levels)
{
    uint64_t well = level_kib(levels, AERO_HOST_HIGH, total_kib);

    return well > spare_kib ? well - spare_kib : 0;
}
