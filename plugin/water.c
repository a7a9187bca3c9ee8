/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "water.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "mul_div.h"

typedef unsigned __int128 wide;

/* The level at which a vessel begins to rise, or is full: units / shares. */
struct edge {
    uint64_t units;
    uint32_t shares;
    bool full;
};

/* What a filling may do with a vessel, above its offset. */
struct span {
    uint64_t lo, hi, offset;
};

/* In one of the two fillings: up to the bases, or above them. */
static inline struct span span_of(const struct aero_vessel *v, bool above)
{
    uint64_t base = lxe_min(v->base, v->hi);

    if (above)
        return (struct span){ lxe_less(v->lo, base), v->hi - base, base };
    return (struct span){ v->lo, base > v->lo ? base : v->lo, 0 };
}

static bool is_below(const struct edge *a, const struct edge *b)
{
    if (a->shares == b->shares) /* as mostly: spares two long products */
        return a->units < b->units;
    return (wide)a->units * b->shares < (wide)b->units * a->shares;
}

static void swap(struct edge *a, struct edge *b)
{
    struct edge was = *a;

    *a = *b;
    *b = was;
}

/* Units that do not move at a level, and the shares of those that do. */
struct sum {
    uint64_t still, moving;
};

static struct sum pass(struct sum s, const struct edge *edges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct edge *e = &edges[i];

        if (e->full) {
            s.still += e->units;
            s.moving -= e->shares;
        } else {
            s.still -= e->units;
            s.moving += e->shares;
        }
    }
    return s;
}

/* Brings those below the pivot to the front, and its equals behind them. */
static void split(struct edge *edges, size_t count, struct edge pivot,
                  size_t *below, size_t *up_to)
{
    size_t low = 0, high = count, i = 0;

    while (i < high) {
        if (is_below(&edges[i], &pivot))
            swap(&edges[i++], &edges[low++]);
        else if (is_below(&pivot, &edges[i]))
            swap(&edges[i], &edges[--high]);
        else
            i++;
    }
    *below = low;
    *up_to = high;
}

/*
 * Finds the level as a fraction, water / shares: the sum of all sizes is a
 * line between two edges. The edge at which it reaches the pool is looked for
 * as in a quick-select: half of the rest is dropped in each round, on average,
 * and what was below is summed up once.
 */
static void find_level(struct edge *edges, size_t n, uint64_t bottoms,
                       uint64_t pool, uint64_t *water, uint64_t *shares)
{
    struct sum s = { bottoms, 0 };
    uint64_t random = n;

    while (n) {
        struct edge pivot;
        struct sum at;
        size_t below, up_to;

        random = random * UINT64_C(6364136223846793005) + 1;
        pivot = edges[(random >> 32) % n];
        split(edges, n, pivot, &below, &up_to);
        at = pass(s, edges, below);
        if ((wide)at.still * pivot.shares + (wide)at.moving * pivot.units >=
            (wide)pool * pivot.shares) {
            n = below;
        } else {
            s = pass(at, edges + below, up_to - below);
            edges += up_to;
            n -= up_to;
        }
    }
    *water = pool - s.still;
    *shares = s.moving;
}

static size_t list_edges(const struct aero_vessel *v, size_t count,
                         bool above, struct edge *edges)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct span s = span_of(&v[i], above);

        if (s.lo == s.hi)
            continue;
        edges[n++] = (struct edge){ s.lo, (uint32_t)v[i].shares, false };
        edges[n++] = (struct edge){ s.hi, (uint32_t)v[i].shares, true };
    }
    return n;
}

/* The pool is without the offsets; what all need at least does not fill it. */
static int fill_to_level(struct aero_vessel *v, size_t count, bool above,
                         uint64_t bottoms, uint64_t pool)
{
    _cleanup_free_ struct edge *edges = malloc(2 * count * sizeof(*edges));
    uint64_t water, shares;
    size_t n;

    if (!edges)
        return -ENOMEM;
    n = list_edges(v, count, above, edges);
    find_level(edges, n, bottoms, pool, &water, &shares);
    for (size_t i = 0; i < count; i++) {
        struct span s = span_of(&v[i], above);
        uint64_t x = aero_mul_div(water, v[i].shares, shares);

        v[i].x = s.offset + lxe_min(lxe_max(x, s.lo), s.hi);
    }
    return 0;
}

/* What one of the two fillings has to do with all vessels. */
struct extent {
    uint64_t bottoms, tops, offsets;
};

static inline void extend(struct extent *e, struct span s)
{
    e->bottoms += s.lo;
    e->tops += s.hi;
    e->offsets += s.offset;
}

int aero_water_fill(struct aero_vessel *vessels, size_t count, uint64_t pool)
{
    struct extent to_bases = { 0 }, beyond = { 0 }, e;
    bool above, all;

    for (size_t i = 0; i < count; i++) {
        extend(&to_bases, span_of(&vessels[i], false));
        extend(&beyond, span_of(&vessels[i], true));
    }
    above = to_bases.tops <= pool;
    e = above ? beyond : to_bases;
    pool -= e.offsets;
    all = e.tops <= pool;
    if (!all && e.bottoms < pool)
        return fill_to_level(vessels, count, above, e.bottoms, pool);
    for (size_t i = 0; i < count; i++) {
        struct span s = span_of(&vessels[i], above);

        vessels[i].x = s.offset + (all ? s.hi : s.lo);
    }
    return 0;
}
