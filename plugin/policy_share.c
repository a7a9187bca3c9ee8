/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_share.h"

#include <stdbool.h>

#include "base/u64.h"
#include "mul_div.h"
#include "water.h"

/* Each guest's part of the pool by its shares alone: the vessels' x. */
static int entitle(struct aero_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct aero_slot *s = &p->slots[i];

        p->bottoms += s->lo;
        p->vessels[i] = (struct aero_vessel){
            .lo = s->lo, .hi = s->hi, .shares = s->shares,
        };
    }
    return aero_water_fill(p->vessels, p->n, p->pool);
}

/* What the tax leaves of it: all that is in use, and a part of what is not. */
static uint64_t taxed(const struct aero_plan *p, const struct aero_slot *s,
                      uint64_t right)
{
    uint64_t idle = lxe_less(right, s->demand);

    return right - idle / AERO_TAX_ALL * p->host->tax -
           idle % AERO_TAX_ALL * p->host->tax / AERO_TAX_ALL;
}

/* What the tax raises goes to those whose demand is above their part. */
static int meet_demands(struct aero_plan *p)
{
    bool any = false;

    for (size_t i = 0; i < p->n; i++) {
        const struct aero_slot *s = &p->slots[i];
        struct aero_vessel *v = &p->vessels[i];

        v->x = v->lo = taxed(p, s, v->x);
        v->hi = lxe_max(v->lo, s->demand);
        any |= s->demand > v->lo;
    }
    return any ? aero_water_fill(p->vessels, p->n, p->pool) : 0;
}

/* What is left then goes to all. */
static int share_rest(struct aero_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct aero_slot *s = &p->slots[i];
        struct aero_vessel *v = &p->vessels[i];

        s->due = v->lo = v->base = v->x;
        v->hi = s->hi;
    }
    return aero_water_fill(p->vessels, p->n, p->pool);
}

/* In whole steps, but for its bounds. */
static uint64_t rounded(const struct aero_slot *s, uint64_t want)
{
    return want == s->hi ? want : lxe_max(aero_whole_steps(want), s->lo);
}

/*
 * Where each guest should come to: to what it got, less a part of what is
 * beyond its demand. That is held back, at most half of it, for those who will
 * ask next: without it each wish would move many guests a little.
 */
static void hold_back(struct aero_plan *p)
{
    uint64_t beyond = 0;

    for (size_t i = 0; i < p->n; i++)
        beyond += lxe_less(p->vessels[i].x, p->slots[i].demand);
    if (p->host->slack_part)
        p->back = lxe_min(p->pool / p->host->slack_part, beyond / 2);
    for (size_t i = 0; i < p->n; i++) {
        struct aero_slot *s = &p->slots[i];
        uint64_t want = p->vessels[i].x;

        if (p->back)
            want -= aero_mul_div(lxe_less(want, s->demand), p->back, beyond);
        s->want = rounded(s, want);
    }
}

int aero_plan_share(struct aero_plan *p)
{
    int rc = entitle(p);

    if (!rc)
        rc = meet_demands(p);
    if (!rc)
        rc = share_rest(p);
    if (!rc)
        hold_back(p);
    return rc;
}
