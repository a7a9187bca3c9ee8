/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "water.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "mul_div.h"

typedef unsigned __int128 wide;

/* What a filling may do with a vessel, above its offset. */
struct span {
    uint64_t lo, hi, offset, shares;
};

/* In one of the two fillings: up to the bases, or above them. */
static inline struct span span_of(const struct aero_vessel *v, bool above)
{
    uint64_t base = lxe_min(v->base, v->hi);

    if (above)
        return (struct span){ lxe_less(v->lo, base), v->hi - base, base,
                              v->shares };
    return (struct span){ v->lo, base > v->lo ? base : v->lo, 0, v->shares };
}

/* A level as a fraction: water for so many shares. */
struct level {
    uint64_t water, shares;
};

/* Whether a level lets a vessel stay at its bottom, or fills it. */
static inline bool is_dry(const struct span *s, struct level at)
{
    return (wide)s->lo * at.shares >= (wide)at.water * s->shares;
}

static inline bool is_full(const struct span *s, struct level at)
{
    return (wide)s->hi * at.shares <= (wide)at.water * s->shares;
}

/* How much more all would have at a level than the water that there is; below
 * 0 where they have less. In units of 1 / at.shares. */
static __int128 excess(const struct span *spans, size_t count,
                       struct level at)
{
    uint64_t units = 0, shares = 0;

    for (size_t i = 0; i < count; i++) {
        const struct span *s = &spans[i];
        bool dry = is_dry(s, at), full = !dry && is_full(s, at);

        units += (dry ? s->lo : 0) + (full ? s->hi : 0);
        shares += dry || full ? s->shares : 0;
    }
    return (__int128)((wide)units * at.shares) -
           (__int128)((wide)at.water * shares);
}

/*
 * Finds the level at which all is shared out. If the water were level among
 * those that may still move, and that is too high, who stays at its bottom
 * even so stays there; if it is too low, who is full is full. These are taken
 * out with what they have, until the level is right for the rest.
 */
static struct level find_level(struct span *spans, size_t count,
                               struct level at)
{
    __int128 more;

    while ((more = excess(spans, count, at)) != 0) {
        struct level rest = at;
        size_t kept = 0;

        for (size_t i = 0; i < count; i++) {
            struct span s = spans[i];
            bool out = more > 0 ? is_dry(&s, at) : is_full(&s, at);

            rest.water -= out ? (more > 0 ? s.lo : s.hi) : 0;
            rest.shares -= out ? s.shares : 0;
            spans[kept] = s;
            kept += !out;
        }
        count = kept;
        at = rest;
    }
    return at;
}

/* The pool is without the offsets; it is more than what all need at least, and
 * less than they can take. */
static int fill_to_level(struct aero_vessel *v, size_t count, bool above,
                         uint64_t pool)
{
    _cleanup_free_ struct span *spans = malloc(count * sizeof(*spans));
    struct level at = { pool, 0 };

    if (!spans)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        spans[i] = span_of(&v[i], above);
        at.shares += v[i].shares;
    }
    at = find_level(spans, count, at);
    for (size_t i = 0; i < count; i++) {
        struct span s = span_of(&v[i], above);
        uint64_t x = aero_mul_div(at.water, s.shares, at.shares);

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
        return fill_to_level(vessels, count, above, pool);
    for (size_t i = 0; i < count; i++) {
        struct span s = span_of(&vessels[i], above);

        vessels[i].x = s.offset + (all ? s.hi : s.lo);
    }
    return 0;
}
