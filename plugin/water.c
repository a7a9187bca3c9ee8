/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * With q = keep and levels counted in q L, the edges of a vessel lie at whole
 * numbers over its shares:
 *
 *   cost(x) = q x                             below the knee
 *             q knee + 1000 (x - knee)        above it
 *
 * and 1000 q x is linear in the level between them:
 *
 *   1000 shares level                         below the knee
 *   q (1000 - q) knee + q shares level        above it
 *
 * So the sum over all vessels is kept as two whole numbers, and each edge
 * changes them.
 */
#include "water.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define ALL AERO_KEEP_ALL

typedef __int128 wide;

/* A level (cost / shares) at which a vessel begins, bends, or is full. */
struct edge {
    uint64_t cost;
    uint64_t shares;
    wide still;    /* what it adds to the sum's constant part */
    int64_t speed; /* and to its growth with the level */
};

struct line {
    wide still;
    int64_t speed;
};

static int compare_edges(const void *pa, const void *pb)
{
    const struct edge *a = pa, *b = pb;
    wide left = (wide)a->cost * b->shares, right = (wide)b->cost * a->shares;

    return left < right ? -1 : left > right;
}

static uint64_t cost(const struct aero_vessel *v, uint64_t x, unsigned q)
{
    return x <= v->knee ? x * q : v->knee * q + (x - v->knee) * ALL;
}

static struct line resting(uint64_t x, unsigned q)
{
    return (struct line){ (wide)x * q * ALL, 0 };
}

static struct line below(const struct aero_vessel *v)
{
    return (struct line){ 0, (int64_t)(v->shares * ALL) };
}

static struct line above(const struct aero_vessel *v, unsigned q)
{
    return (struct line){ (wide)v->knee * q * (ALL - q),
                          (int64_t)(v->shares * q) };
}

static struct edge edge_at(const struct aero_vessel *v, uint64_t x, unsigned q,
                           struct line from, struct line to)
{
    return (struct edge){ cost(v, x, q), v->shares, to.still - from.still,
                          to.speed - from.speed };
}

static size_t add_edges(const struct aero_vessel *v, unsigned q,
                        struct edge *e)
{
    struct line first = v->lo < v->knee ? below(v) : above(v, q);
    struct line last = v->hi <= v->knee ? below(v) : above(v, q);
    size_t n = 0;

    if (v->lo == v->hi)
        return 0;
    e[n++] = edge_at(v, v->lo, q, resting(v->lo, q), first);
    if (v->lo < v->knee && v->knee < v->hi)
        e[n++] = edge_at(v, v->knee, q, first, last);
    e[n++] = edge_at(v, v->hi, q, last, resting(v->hi, q));
    return n;
}

/* Finds the level at which the vessels hold the pool, as water / speed. */
static void find_level(const struct edge *edges, size_t n, struct line sum,
                       wide pool, wide *water, wide *speed)
{
    for (size_t i = 0; i < n; i++) {
        const struct edge *e = &edges[i];

        if (sum.still * e->shares + (wide)sum.speed * e->cost >=
            pool * e->shares)
            break;
        sum.still += e->still;
        sum.speed += e->speed;
    }
    *water = pool - sum.still;
    *speed = sum.speed;
}

static uint64_t height(const struct aero_vessel *v, unsigned q, wide water,
                       wide speed)
{
    wide knee = (wide)v->knee * q * speed, x = water * v->shares;

    if (x <= knee)
        x = x / (speed * q);
    else
        x = v->knee + (x - knee) / (speed * ALL);
    if (x <= (wide)v->lo)
        return v->lo;
    return x >= (wide)v->hi ? v->hi : (uint64_t)x;
}

int aero_water_fill(struct aero_vessel *vessels, size_t count, uint64_t pool,
                    unsigned keep)
{
    _cleanup_free_ struct edge *edges = calloc(3 * count + 1, sizeof(*edges));
    uint64_t bottoms = 0, tops = 0;
    wide water, speed;
    size_t n = 0;

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
    for (size_t i = 0; i < count; i++)
        n += add_edges(&vessels[i], keep, &edges[n]);
    qsort(edges, n, sizeof(*edges), compare_edges);
    find_level(edges, n, resting(bottoms, keep), (wide)pool * keep * ALL,
               &water, &speed);
    for (size_t i = 0; i < count; i++)
        vessels[i].x = height(&vessels[i], keep, water, speed);
    return 0;
}
