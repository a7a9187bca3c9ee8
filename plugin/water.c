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

/* What one of the two fillings may do with a vessel, above its offset. */
struct span {
    uint64_t lo, hi, offset;
};

static size_t list_edges(const struct span *spans,
                         const struct aero_vessel *v, size_t count,
                         struct edge *edges)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (spans[i].lo == spans[i].hi)
            continue;
        edges[n++] = (struct edge){ spans[i].lo, v[i].shares, false };
        edges[n++] = (struct edge){ spans[i].hi, v[i].shares, true };
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

/* Fills to one level; the pool is without the offsets. */
static void fill(struct aero_vessel *v, const struct span *spans,
                 size_t count, uint64_t pool, struct edge *edges)
{
    uint64_t bottoms = 0, tops = 0, water, shares;
    size_t n;

    for (size_t i = 0; i < count; i++) {
        bottoms += spans[i].lo;
        tops += spans[i].hi;
    }
    for (size_t i = 0; i < count; i++)
        v[i].x = spans[i].offset + (tops <= pool ? spans[i].hi : spans[i].lo);
    if (tops <= pool || bottoms >= pool)
        return;
    n = list_edges(spans, v, count, edges);
    find_level(edges, n, bottoms, pool, &water, &shares);
    for (size_t i = 0; i < count; i++)
        v[i].x = spans[i].offset + clamp((wide)water * v[i].shares / shares,
                                         spans[i].lo, spans[i].hi);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Returns what all need that their bases are full, or their bottoms. */
static uint64_t spans_to_base(const struct aero_vessel *v, size_t count,
                              struct span *spans)
{
    uint64_t tops = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t base = min_u64(v[i].base, v[i].hi);

        spans[i] = (struct span){ v[i].lo, base > v[i].lo ? base : v[i].lo,
                                  0 };
        tops += spans[i].hi;
    }
    return tops;
}

/* Returns the sum of the bases. */
static uint64_t spans_above(const struct aero_vessel *v, size_t count,
                            struct span *spans)
{
    uint64_t bases = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t base = min_u64(v[i].base, v[i].hi);

        spans[i] = (struct span){ less(v[i].lo, base), v[i].hi - base, base };
        bases += base;
    }
    return bases;
}

int aero_water_fill(struct aero_vessel *vessels, size_t count, uint64_t pool)
{
    _cleanup_free_ struct edge *edges = calloc(2 * count + 1, sizeof(*edges));
    _cleanup_free_ struct span *spans = calloc(count + 1, sizeof(*spans));

    if (!edges || !spans)
        return -ENOMEM;
    if (spans_to_base(vessels, count, spans) <= pool)
        pool -= spans_above(vessels, count, spans);
    fill(vessels, spans, count, pool, edges);
    return 0;
}
