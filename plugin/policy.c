/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "base/units.h"
#include "policy_bound.h"
#include "policy_nodes.h"
#include "policy_plan.h"
#include "policy_reason.h"
#include "policy_share.h"
#include "policy_stay.h"
#include "water.h"

/* A margin is there to be used, down to 1/n of it, but not below this. */
#define MARGIN_LEFT_PART 8u
#define MARGIN_LEFT_KIB  (16u << 10)

/* What a tick allows, where somebody waits or is short. */
#define HURRY_TIMES 4u

/* How far below its target a guest may rest. */
#define RESTS_BELOW_KIB (16u << 10)

/* Who will not have given in so many seconds what it was asked for is late. */
#define LATE_S 2u

/*
 * What a guest that does not grow is left at, in pages. One that rests a little
 * below any target, as what its driver leaves out was learnt wrongly, would
 * follow a target of what it holds down, again and again.
 */
static uint64_t where_stuck(const struct aero_policy_guest *g)
{
    uint64_t kib = g->held_kib;

    if (g->target_kib > kib && g->target_kib - kib <= RESTS_BELOW_KIB)
        kib = g->target_kib;
    return kib / LXE_KIB_PER_PAGE;
}

/* The bounds that hold for a guest now, in pages. */
static void bounds(const struct aero_policy_guest *g, uint64_t *lo,
                   uint64_t *hi)
{
    uint64_t held = g->held_kib / LXE_KIB_PER_PAGE;
    uint64_t top = g->max_kib / LXE_KIB_PER_PAGE;

    *lo = lxe_min(aero_pages_up(g->min_kib), top);
    *hi = lxe_max(aero_whole_steps(top), *lo);
    if (!g->demand_known) {
        uint64_t left = lxe_min(g->demand_kib / LXE_KIB_PER_PAGE, top);

        /* Who is left as it is keeps each page; a top is in whole steps. */
        if (!g->min_is_set)
            *lo = *hi = lxe_max(left, *lo);
        else
            *hi = lxe_max(aero_whole_steps(left), *lo);
    }
    *lo = lxe_max(*lo, lxe_min(aero_pages_up(g->keep_kib), *hi));
    if (g->stuck_shrink) {
        *lo = lxe_max(*lo, lxe_min(held, top));
        *hi = lxe_max(*hi, *lo);
    }
    if (g->stuck_grow) {
        *hi = lxe_min(*hi, where_stuck(g));
        *lo = lxe_min(*lo, *hi);
    }
}

static void fill_slot(const struct aero_policy_guest *g, size_t index,
                      bool no_surplus, struct aero_slot *s)
{
    *s = (struct aero_slot){ .index = (unsigned)index, .shares = g->shares };
    bounds(g, &s->lo, &s->hi);
    s->knee = aero_pages_up(g->demand_kib);
    /* In whole steps, or a little more would be rounded to less. */
    s->demand = lxe_min(lxe_max(aero_whole_steps_up(s->knee), s->lo), s->hi);
    s->need = g->demand_known ? lxe_min(aero_pages_up(g->need_kib), s->demand)
                              : s->demand;
    if (no_surplus)
        s->hi = s->demand;
    s->held = g->held_kib / LXE_KIB_PER_PAGE;
    s->target = g->target_kib / LXE_KIB_PER_PAGE;
}

/* What there is for all, and what of it is gone; in KiB. */
struct pool {
    uint64_t have, gone;
};

static struct pool begin_pool(const struct aero_policy_host *host)
{
    return (struct pool){ host->free_kib, host->keep_free_kib };
}

static void count_in(struct pool *pool, const struct aero_policy_guest *g)
{
    if (g->movable)
        pool->have += g->held_kib;
    else
        pool->gone += lxe_less(g->target_kib, g->held_kib);
}

/* Whether a guest lacks memory, or is about to, beyond what was promised. */
static bool is_short(const struct aero_plan *p, const struct aero_slot *s)
{
    uint64_t margin = s->demand - s->need;
    uint64_t left = lxe_max(margin / MARGIN_LEFT_PART,
                            MARGIN_LEFT_KIB / LXE_KIB_PER_PAGE);

    left = lxe_max(left, aero_pages_up(p->guests[s->index].rise_kib));
    return s->target < s->demand && s->target < s->need + left;
}

/* Somebody lacks memory: what this one needed a while ago may go to it. */
static void forget_past(const struct aero_plan *p, struct aero_slot *s)
{
    const struct aero_policy_guest *g = &p->guests[s->index];
    uint64_t fresh;

    if (!g->demand_known || s->is_short)
        return;
    fresh = aero_whole_steps_up(aero_pages_up(g->fresh_kib));
    s->demand = lxe_min(s->demand, lxe_max(fresh, lxe_max(s->lo, s->need)));
}

/* Whether what was asked of a guest may stay asked. */
static bool may_give(const struct aero_plan *p, const struct aero_slot *s)
{
    if (s->target < s->lo || s->target > s->hi)
        return false;
    /* Where a reservation waits, until it has come down to its need. */
    return !s->is_short || (p->host->missing_kib && s->held >= s->need);
}

/*
 * Somebody lacks memory, and this one does not give what it was asked for: it
 * is taken to keep what its balloon will not have given soon.
 */
static void find_late(const struct aero_plan *p, struct aero_slot *s)
{
    const struct aero_policy_guest *g = &p->guests[s->index];
    uint64_t gives = g->speed_kib_s / LXE_KIB_PER_PAGE * LATE_S, soon;

    if (g->speed_kib_s == UINT64_MAX || !may_give(p, s))
        return;
    soon = lxe_min(lxe_less(s->held, gives), g->max_kib / LXE_KIB_PER_PAGE);
    s->is_late = soon > s->target;
    if (!s->is_late)
        return;
    s->lo = soon;
    s->hi = lxe_max(s->hi, soon);
    s->demand = lxe_max(s->demand, soon);
}

/*
 * How far a target goes beyond what a guest holds: further where somebody
 * waits or is short, as each step would be a move of its own, unless those of
 * a node shall have the time to give first.
 */
static uint64_t most_change(const struct aero_plan *p)
{
    uint64_t most = lxe_max(p->host->change_kib / LXE_KIB_PER_PAGE, 1);
    bool hurry = p->any_short && !p->host->short_nodes;

    return p->host->missing_kib || hurry ? most * HURRY_TIMES : most;
}

/* The answer for a guest that is left alone. */
static struct aero_policy_target unmoved(const struct aero_policy_guest *g)
{
    return (struct aero_policy_target){
        .target_kib = g->target_kib,
        .goal_kib = g->target_kib,
        .price = 1,
    };
}

static void collect(struct aero_plan *p, size_t count,
                    struct aero_policy_target *out)
{
    struct pool pool = begin_pool(p->host);

    for (size_t i = 0; i < count; i++) {
        const struct aero_policy_guest *g = &p->guests[i];
        struct aero_slot *s = &p->slots[p->n];

        count_in(&pool, g);
        if (!g->movable) {
            out[i] = unmoved(g);
            continue;
        }
        p->n++;
        fill_slot(g, i, p->host->no_surplus, s);
        s->is_short = is_short(p, s);
        s->starves = s->is_short &&
                     s->target < s->need + MARGIN_LEFT_KIB / LXE_KIB_PER_PAGE;
        p->any_short |= s->is_short;
    }
    p->pool = lxe_less(pool.have, pool.gone) / LXE_KIB_PER_PAGE;
    p->most = most_change(p);
    for (size_t i = 0; i < p->n && p->any_short; i++) {
        forget_past(p, &p->slots[i]);
        find_late(p, &p->slots[i]);
    }
}

int aero_policy_run(const struct aero_policy_host *host,
                    const struct aero_policy_guest *guests, size_t count,
                    struct aero_policy_target *out)
{
    _cleanup_free_ struct aero_slot *slots =
        malloc((count + 1) * sizeof(*slots));
    _cleanup_free_ struct aero_vessel *vessels =
        malloc((count + 1) * sizeof(*vessels));
    struct aero_plan p = { .host = host, .guests = guests, .slots = slots,
                           .vessels = vessels };
    int rc;

    if (!slots || !vessels)
        return -ENOMEM;
    collect(&p, count, out);
    rc = aero_plan_share(&p);
    if (!rc)
        rc = aero_plan_prefer_nodes(&p);
    if (!rc)
        rc = aero_plan_bound(&p);
    if (!rc)
        rc = aero_plan_leave_out(&p);
    return rc ? rc : aero_plan_answer(&p, out);
}

/* What is left where each movable guest goes down to its least. */
static uint64_t left_kib(const struct aero_policy_host *host,
                         const struct aero_policy_guest *guests, size_t count,
                         bool leave_needs)
{
    struct pool pool = begin_pool(host);
    uint64_t lo, hi;

    for (size_t i = 0; i < count; i++) {
        count_in(&pool, &guests[i]);
        if (!guests[i].movable)
            continue;
        bounds(&guests[i], &lo, &hi);
        if (leave_needs && guests[i].demand_known)
            lo = lxe_min(lxe_max(aero_pages_up(guests[i].need_kib), lo), hi);
        lo = lxe_max(lo, guests[i].floor_kib / LXE_KIB_PER_PAGE);
        pool.gone += lo * LXE_KIB_PER_PAGE;
    }
    return lxe_less(pool.have, pool.gone);
}

uint64_t aero_policy_obtainable_kib(const struct aero_policy_host *host,
                                    const struct aero_policy_guest *guests,
                                    size_t count)
{
    return left_kib(host, guests, count, false);
}

uint64_t aero_policy_spare_kib(const struct aero_policy_host *host,
                               const struct aero_policy_guest *guests,
                               size_t count)
{
    return left_kib(host, guests, count, true);
}
