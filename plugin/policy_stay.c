/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_stay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "base/units.h"
#include "water.h"

/* A guest that has its demand takes surplus when that is 1/n of its target, or
 * as much as a tick allows. */
#define SURPLUS_PART 3u

/* One that lacks memory gets no less than so much more, or 1/n of its own, or
 * 1/n of that where it is free and its margin is gone. */
#define GROWTH_MIN_KIB   (192u << 10)
#define GROWTH_PART      8u
#define GROWTH_FREE_PART 4u

static uint64_t growth_step(const struct aero_slot *s)
{
    return lxe_min(GROWTH_MIN_KIB / LXE_KIB_PER_PAGE,
                   s->target / GROWTH_PART);
}

/*
 * How much more must be to be had in the end that it is worth a change. A
 * margin is there to be used: who has some of it left stays, and who has all
 * of it takes surplus only.
 */
static uint64_t band(const struct aero_slot *s)
{
    if (!s->is_short)
        return UINT64_MAX;
    return lxe_max(growth_step(s), (s->demand - s->need) / 16);
}

/*
 * Whether a target may stay that is not the one by right. Memory that nobody
 * lacks may stay with who has it. Who lacks some takes what a tick allows,
 * where it is worth it for all that is to come.
 */
static bool may_stay(const struct aero_plan *p, const struct aero_slot *s)
{
    uint64_t least = p->host->dead_band_kib / LXE_KIB_PER_PAGE;
    uint64_t aim = s->is_short ? lxe_max(s->want, s->next) : s->next;

    if (s->is_late)
        return true;
    if (!least || s->hastened || s->target < s->lo || s->target > s->hi)
        return false;
    return lxe_less(s->next, s->target) < least ||
           lxe_less(aim, s->target) < band(s);
}

/* Whether so much of what is free is worth a change. */
static bool is_worth_it(const struct aero_plan *p, const struct aero_slot *s,
                        uint64_t to)
{
    uint64_t band = lxe_min(s->target / SURPLUS_PART, p->most);
    uint64_t least = p->host->dead_band_kib / LXE_KIB_PER_PAGE;

    if (s->starves)
        band = growth_step(s) / GROWTH_FREE_PART;
    return lxe_less(to, s->target) >= lxe_max(lxe_max(least, band), 1);
}

/* Whether it has its demand, or starves, and there is more for it by right. */
static bool would_take(const struct aero_plan *p, const struct aero_slot *s)
{
    return (s->target >= s->demand || s->starves) && !s->is_late &&
           is_worth_it(p, s, s->next);
}

/*
 * What is free, and not held back, goes to those who would take it; of them
 * to those who have least for their shares. Surplus comes from nowhere else:
 * those who have some would trade it without an end.
 */
static int share_free(struct aero_plan *p, uint64_t sum)
{
    uint64_t pool = lxe_less(p->pool, lxe_min(sum + p->back, p->pool));
    int rc;

    for (size_t i = 0; i < p->n; i++) {
        const struct aero_slot *s = &p->slots[i];

        p->vessels[i] = (struct aero_vessel){
            .lo = s->takes ? s->target : 0,
            .hi = s->takes ? s->next : 0,
            .shares = s->shares,
        };
        pool += p->vessels[i].lo;
    }
    rc = aero_water_fill(p->vessels, p->n, pool);
    for (size_t i = 0; i < p->n && !rc; i++) {
        struct aero_slot *s = &p->slots[i];
        uint64_t x = p->vessels[i].x;

        if (s->takes && x != s->hi)
            x = aero_whole_steps(x);
        if (s->takes)
            s->next = is_worth_it(p, s, x) ? x : s->target;
    }
    return rc;
}

static uint64_t excess(const struct aero_slot *s)
{
    return lxe_less(s->target, s->next);
}

static int compare_excess(const void *pa, const void *pb)
{
    uint64_t a = excess(*(const struct aero_slot *const *)pa);
    uint64_t b = excess(*(const struct aero_slot *const *)pb);

    return a < b ? 1 : a > b ? -1 : 0;
}

/* Equals give together: the order of guests must not matter. */
static bool is_tie(struct aero_slot *const *above, size_t i)
{
    return i && excess(above[i]) == excess(above[i - 1]);
}

int aero_plan_leave_out(struct aero_plan *p)
{
    _cleanup_free_ struct aero_slot **above =
        malloc((p->n + 1) * sizeof(struct aero_slot *));
    size_t n = 0, first = 0;
    uint64_t sum = 0;
    bool any_takes = false;

    if (!above)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        struct aero_slot *s = &p->slots[i];
        bool stays = may_stay(p, s);
        uint64_t to = stays ? s->target : s->next;

        s->takes = stays && would_take(p, s);
        any_takes |= s->takes;
        sum += aero_slot_counted(s, to);
        /* It stays asked for that, and not for more. */
        if (s->is_late)
            s->next = s->target;
        else if (stays && excess(s))
            above[n++] = s;
        else if (stays && !s->takes)
            s->next = s->target;
    }
    if (sum > p->pool)
        qsort(above, n, sizeof(struct aero_slot *), compare_excess);
    while (first < n && (sum > p->pool || is_tie(above, first)))
        sum = lxe_less(sum, excess(above[first++]));
    for (size_t i = first; i < n; i++)
        above[i]->next = above[i]->target;
    return any_takes ? share_free(p, sum) : 0;
}
