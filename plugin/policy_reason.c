/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_reason.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "base/units.h"
#include "median.h"
#include "reason.h"

/* The price that a guest pays for what it holds: shares for each page. */
static double price(const struct aero_plan *p, const struct aero_slot *s)
{
    uint64_t active = lxe_min(s->held, s->knee);
    double idle = (double)(s->held - active);
    double cost = (double)active +
                  idle * AERO_TAX_ALL / (AERO_TAX_ALL - p->host->tax);

    return (double)s->shares / (cost > 1 ? cost : 1);
}

/* Prices say something beside others only. */
static int find_prices(struct aero_plan *p, double *median)
{
    _cleanup_free_ double *all = malloc((p->n + 1) * sizeof(*all));

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++)
        all[i] = p->slots[i].price = price(p, &p->slots[i]);
    *median = aero_median(all, p->n);
    return 0;
}

static enum aero_cause cause(const struct aero_plan *p,
                             const struct aero_slot *s)
{
    const struct aero_policy_guest *g = &p->guests[s->index];

    if (g->stuck_shrink && s->want == s->lo)
        return AERO_CAUSE_STUCK_SHRINK;
    if (g->stuck_grow && s->want == s->hi)
        return AERO_CAUSE_STUCK_GROW;
    if (s->is_late)
        return AERO_CAUSE_LATE;
    if (p->bottoms > p->pool)
        return AERO_CAUSE_MINIMA;
    if (!g->demand_known && s->lo == s->hi)
        return s->want == s->target ? AERO_CAUSE_LEFT : AERO_CAUSE_FOUND;
    if (s->want + AERO_STEP_PAGES <= s->demand)
        return AERO_CAUSE_SHORT;
    return s->want < s->demand + AERO_STEP_PAGES ? AERO_CAUSE_WANTS
                                                 : AERO_CAUSE_SURPLUS;
}

/* The tax decides where a guest has neither its minimum nor its maximum. */
static bool tax_decides(const struct aero_plan *p, const struct aero_slot *s,
                        unsigned idle)
{
    return p->host->tax && idle >= 10 && p->n > 1 && s->want > s->lo &&
           s->want < s->hi;
}

static void explain(const struct aero_plan *p, const struct aero_slot *s,
                    struct aero_policy_target *out)
{
    const struct aero_policy_guest *g = &p->guests[s->index];

    out->reason = (struct aero_reason){
        .cause = cause(p, s),
        .why = g->why,
        .demand_kib = g->demand_kib,
        .goal_kib = out->goal_kib,
        .shares = s->shares,
        .at_min = s->want == s->lo,
        .cannot_give = g->keep_kib > g->min_kib,
        .at_max = s->want == s->hi,
        .for_node = s->near_gave,
        .hastened = s->hastened,
        .on_the_way = s->next != s->want && s->next != s->target,
    };
    if (!tax_decides(p, s, out->idle))
        return;
    out->reason.idle = out->idle;
    out->reason.price = out->price;
}

static void answer(const struct aero_plan *p, const struct aero_slot *s,
                   double median, struct aero_policy_target *out)
{
    /* Not a whole number of pages only where somebody else set it. */
    out->target_kib = s->next == s->target
                          ? p->guests[s->index].target_kib
                          : s->next * LXE_KIB_PER_PAGE;
    out->goal_kib = s->want * LXE_KIB_PER_PAGE;
    out->idle = s->held > s->knee
                    ? (unsigned)((s->held - s->knee) * 1000 / s->held)
                    : 0;
    out->price = median > 0 ? s->price / median : 1;
    explain(p, s, out);
}

int aero_plan_answer(struct aero_plan *p, struct aero_policy_target *out)
{
    double median;
    int rc = find_prices(p, &median);

    for (size_t i = 0; i < p->n && !rc; i++)
        answer(p, &p->slots[i], median, &out[p->slots[i].index]);
    return rc;
}
