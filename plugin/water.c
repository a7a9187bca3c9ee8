/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "water.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"

typedef unsigned __int128 wide;

/* The level at which a vessel begins to rise, or is full: units / shares. */
struct edge {
    uint64_t units;
    uint64_t shares;
    bool full;
};

static int compare_edges(const void *pa, const void *pb)
{
    const struct edge *a = pa, *b = pb;
    wide left = (wide)a->units * b->shares, right = (wide)b->units * a->shares;

    return left < right ? -1 : left > right;
}

static size_t list_edges(const struct aero_vessel *v, size_t count,
                         struct edge *edges)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (v[i].lo == v[i].hi)
            continue;
        edges[n++] = (struct edge){ v[i].lo, v[i].shares, false };
        edges[n++] = (struct edge){ v[i].hi, v[i].shares, true };
    }
    qsort(edges, n, sizeof(*edges), compare_edges);
    return n;
}

/*
 * Finds the level as a fraction water / shares: `still` units lie in vessels
 * that do not move at this level, the rest of the pool in those that do.
 */
static void find_level(const struct edge *edges, size_t n, uint64_t still,
                       uint64_t pool, uint64_t *water, uint64_t *shares)
{
    uint64_t moving = 0;

    for (size_t i = 0; i < n; i++) {
        const struct edge *e = &edges[i];

        if ((wide)still * e->shares + (wide)moving * e->units >=
            (wide)pool * e->shares)
            break;
        if (e->full) {
            still += e->units;
            moving -= e->shares;
        } else {
            still -= e->units;
            moving += e->shares;
        }
    }
    *water = pool - still;
    *shares = moving;
}

static uint64_t clamp(wide x, uint64_t lo, uint64_t hi)
{
    if (x <= lo)
        return lo;
    return x >= hi ? hi : (uint64_t)x;
}

int aero_water_fill(struct aero_vessel *vessels, size_t count, uint64_t pool)
{
    _cleanup_free_ struct edge *edges = calloc(2 * count + 1, sizeof(*edges));
    uint64_t bottoms = 0, tops = 0, water, shares;
    size_t n;

    if (!edges)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        bottoms += vessels[i].lo;
        tops += vessels[i].hi;
    }
    for (size_t i = 0; i < count; i++)
        vessels[i].x = tops <= pool ? vessels[i].hi : vessels[i].lo;
    if (tops <= pool || bottoms >= pool)
        return 0;
    n = list_edges(vessels, count, edges);
    find_level(edges, n, bottoms, pool, &water, &shares);
    for (size_t i = 0; i < count; i++)
        vessels[i].x = clamp((wide)water * vessels[i].shares / shares,
                             vessels[i].lo, vessels[i].hi);
    return 0;
}
