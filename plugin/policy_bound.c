/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_bound.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "base/units.h"
#include "hasten.h"
#include "water.h"

/* A part of a small guest is less than the balloon driver's own steps. */
#define SHRINK_MIN_KIB (16u << 10)

/* So much more of a donor, where somebody lacks memory. */
#define FOR_SHORT_TIMES 2u

/*
 * Most that a guest is asked to give in one tick: more for one that lacks
 * memory, unless those of a node shall have the time to give first.
 */
static uint64_t most_down(const struct aero_plan *p, const struct aero_slot *s)
{
    uint64_t down;

    if (!p->host->shrink_part)
        return p->most;
    down = lxe_max(s->held / p->host->shrink_part,
                   SHRINK_MIN_KIB / LXE_KIB_PER_PAGE);
    if (p->any_short && !p->host->short_nodes)
        down *= FOR_SHORT_TIMES;
    return lxe_min(p->most, down);
}

/* Goes ahead of what a guest holds by no more than one tick's change. */
static void bound_change(struct aero_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct aero_slot *s = &p->slots[i];

        s->next = lxe_max(s->want, lxe_less(s->held, most_down(p, s)));
        /* What was promised already is not taken back for this bound. */
        s->next = lxe_min(s->next, lxe_max(s->held + p->most,
                                           lxe_min(s->target, s->want)));
    }
}

static uint64_t pages_s(uint64_t kib_s)
{
    return kib_s == UINT64_MAX ? kib_s : kib_s / LXE_KIB_PER_PAGE;
}

/* Somebody waits: who can give at once stands in for who is slow. */
static int hasten(struct aero_plan *p)
{
    _cleanup_free_ struct aero_donor *d = NULL;
    int rc;

    if (!p->host->missing_kib)
        return 0;
    d = calloc(p->n + 1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        const struct aero_slot *s = &p->slots[i];
        const struct aero_policy_guest *g = &p->guests[s->index];

        d[i] = (struct aero_donor){
            .held = s->held,
            .least = g->demand_known ? s->demand : s->lo,
            .base = s->due,
            .shares = s->shares,
            .speed = pages_s(g->speed_kib_s),
            .next = s->next,
        };
    }
    rc = aero_hasten(d, p->n, aero_pages_up(p->host->missing_kib), p->most);
    for (size_t i = 0; i < p->n && !rc; i++) {
        p->slots[i].hastened = d[i].next < p->slots[i].next;
        p->slots[i].next = d[i].next;
    }
    return rc;
}

/* Those who grow share a part of the pool; each has x of it so far. */
static int grow_within(struct aero_plan *p, uint64_t rest, bool to_demands)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct aero_slot *s = &p->slots[i];
        uint64_t top = to_demands ? lxe_max(s->demand, s->held) : UINT64_MAX;
        bool grows = s->next > s->held;

        p->vessels[i].hi = grows ? lxe_min(s->next, top) : 0;
        p->vessels[i].lo = grows ? lxe_max(p->vessels[i].x, s->held) : 0;
        p->vessels[i].base = 0;
    }
    return aero_water_fill(p->vessels, p->n, rest);
}

/*
 * While some guests have not shrunk far enough yet, the others share what is
 * left of the pool for growing: first to their demands.
 */
static int bound_growth(struct aero_plan *p)
{
    uint64_t rest = p->pool, wanted = 0;
    int rc;

    for (size_t i = 0; i < p->n; i++) {
        const struct aero_slot *s = &p->slots[i];

        if (s->next <= s->held)
            rest = lxe_less(rest, aero_slot_counted(s, s->next));
        else
            wanted += s->next;
    }
    if (wanted <= rest)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        p->vessels[i].x = 0;
    rc = grow_within(p, rest, true);
    if (!rc)
        rc = grow_within(p, rest, false);
    for (size_t i = 0; i < p->n && !rc; i++) {
        struct aero_slot *s = &p->slots[i];
        uint64_t x = p->vessels[i].x;

        if (s->next > s->held)
            s->next = x == s->next ? x : lxe_max(aero_whole_steps(x), s->held);
    }
    return rc;
}

int aero_plan_bound(struct aero_plan *p)
{
    int rc;

    bound_change(p);
    rc = hasten(p);
    return rc ? rc : bound_growth(p);
}
