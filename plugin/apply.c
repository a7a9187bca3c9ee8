/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apply.h"

#include "base/u64.h"
#include "base/units.h"

/*
 * A smaller part of a larger growth waits until more is free: each would be a
 * move of its own. No small guest waits for more than 1/n of what it has.
 */
#define PART_MIN_KIB (192u << 10)
#define PART_OF_OWN  8u

static bool shrinks(const struct aero_apply_guest *g)
{
    return g->movable && g->want_kib < g->target_kib;
}

static bool grows(const struct aero_apply_guest *g)
{
    return g->movable && g->want_kib > g->target_kib;
}

/* New memory that a growth needs: up to what it holds or was promised, none. */
static uint64_t needs(const struct aero_apply_guest *g)
{
    return lxe_less(g->want_kib, lxe_max(g->target_kib, g->held_kib));
}

static uint64_t grow_to(const struct aero_apply_guest *g, uint64_t budget,
                        uint64_t needed)
{
    uint64_t need = needs(g), own = lxe_max(g->target_kib, g->held_kib), part;

    if (needed <= budget)
        return g->want_kib;
    part = (uint64_t)((unsigned __int128)need * budget / needed);
    part -= part % LXE_KIB_PER_PAGE;
    if (need && part < lxe_min(PART_MIN_KIB, own / PART_OF_OWN))
        part = 0;
    return own + part;
}

static bool may_be_on(const struct aero_apply_guest *g, uint64_t nodes)
{
    return !nodes || !g->nodes || g->nodes & nodes;
}

/* What there is for those who grow, and what they need; in KiB. */
struct means {
    uint64_t budget, needed;
};

/* Of the memory of some nodes, or (0) of the host. */
static struct means means_of(const struct aero_apply_guest *guests,
                             size_t count, uint64_t nodes, uint64_t free_kib,
                             uint64_t keep_free_kib)
{
    uint64_t promised = keep_free_kib, needed = 0;

    for (size_t i = 0; i < count; i++) {
        const struct aero_apply_guest *g = &guests[i];
        uint64_t stands = shrinks(g) ? g->want_kib : g->target_kib;

        if (!may_be_on(g, nodes))
            continue;
        promised += lxe_less(stands, g->held_kib);
        if (grows(g))
            needed += needs(g);
    }
    return (struct means){ lxe_less(free_kib, promised), needed };
}

void aero_apply_cut(struct aero_apply_guest *guests, size_t count,
                    unsigned node, uint64_t free_kib, uint64_t keep_free_kib)
{
    uint64_t bit = UINT64_C(1) << node;
    struct means m = means_of(guests, count, bit, free_kib, keep_free_kib);

    for (size_t i = 0; i < count; i++) {
        struct aero_apply_guest *g = &guests[i];

        if (grows(g) && may_be_on(g, bit))
            g->want_kib = lxe_min(g->want_kib,
                                  grow_to(g, m.budget, m.needed));
    }
}

size_t aero_apply_plan(const struct aero_apply_guest *guests, size_t count,
                       uint64_t free_kib, uint64_t keep_free_kib,
                       struct aero_apply_step *steps)
{
    struct means m = means_of(guests, count, 0, free_kib, keep_free_kib);
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (shrinks(&guests[i]))
            steps[n++] = (struct aero_apply_step){ i, guests[i].want_kib };
    for (size_t i = 0; i < count; i++) {
        const struct aero_apply_guest *g = &guests[i];
        uint64_t to;

        if (!grows(g))
            continue;
        to = lxe_min(grow_to(g, m.budget, m.needed), g->want_kib);
        if (to > g->target_kib)
            steps[n++] = (struct aero_apply_step){ i, to };
    }
    return n;
}
