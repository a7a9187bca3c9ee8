/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A run of the policy on its way through its steps, and for them alone:
 *
 *   policy.c        takes the guests in: bounds, who is short, who is late
 *   policy_share.c  due, want: where each should come to
 *   policy_nodes.c  want: of equals, those of a short node give
 *   policy_bound.c  next: how far this tick goes
 *   policy_stay.c   next: who had better stay as it is
 *   policy_reason.c the answer, with its price and reason
 */
#ifndef AERO_POLICY_PLAN_H
#define AERO_POLICY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/u64.h"
#include "base/units.h"
#include "policy.h"
#include "water.h"

/* Targets are whole superpages: a smaller step would only split one. */
#define AERO_STEP_PAGES 512u

/* A movable guest. All in pages. As small as may be: there is one a guest, and
 * each step goes through all of them. */
struct aero_slot {
    unsigned index; /* of the guest */
    unsigned shares;
    uint64_t lo, hi;
    uint64_t demand; /* between them */
    uint64_t need;   /* of it, without margin */
    uint64_t knee;   /* its demand as it is: what it pays no tax for */
    uint64_t held, target;
    uint64_t due;   /* by shares, then after tax and aid */
    uint64_t want;  /* where it should come to in the end */
    uint64_t next;  /* what this tick comes to */
    double price;   /* for what it holds */
    bool hastened;
    bool takes;    /* what is free, if there is enough */
    bool is_short; /* its margin is as good as used up */
    bool starves;  /* it has less than that, too */
    bool is_late;  /* it does not give what it was asked for */
    bool near_gave; /* in an equal's place, being on a short node */
};

struct aero_plan {
    const struct aero_policy_host *host;
    const struct aero_policy_guest *guests;
    struct aero_slot *slots;
    struct aero_vessel *vessels; /* of the slots, for one step at a time */
    size_t n;                    /* of each */
    uint64_t pool;    /* pages */
    uint64_t bottoms; /* sum, pages */
    uint64_t most;    /* pages that a target goes beyond what is held */
    uint64_t back;    /* held back of the surplus, pages */
    bool any_short;
};

static inline uint64_t aero_whole_steps(uint64_t pages)
{
    return pages - pages % AERO_STEP_PAGES;
}

static inline uint64_t aero_whole_steps_up(uint64_t pages)
{
    return aero_whole_steps(pages + AERO_STEP_PAGES - 1);
}

static inline uint64_t aero_pages_up(uint64_t kib)
{
    return (kib + LXE_KIB_PER_PAGE - 1) / LXE_KIB_PER_PAGE;
}

/* What a guest will hold soon that is on its way to a size. */
static inline uint64_t aero_slot_counted(const struct aero_slot *s,
                                         uint64_t to)
{
    return s->is_late ? lxe_max(to, s->lo) : to;
}

#endif
