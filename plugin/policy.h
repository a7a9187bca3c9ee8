/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who gets how much: a snapshot of all guests in, targets and reasons out.
 * Pure. A few passes over the guests; those above their right are sorted where
 * some have to give.
 *
 * Water-filling by shares, in whole pages, with a tax on idle memory
 * (docs/policy.md has the derivation):
 *
 *   1. entitlement: the pool by shares, between minima and maxima;
 *   2. of what a guest is entitled to beyond its demand it keeps 1 - tax; the
 *      rest is there for those whose demand is beyond their entitlement;
 *   3. what these did not need goes to all, by shares.
 *
 *   pool = free + what movable guests hold - what is kept free
 *          - what guests that are not touched may still take
 *
 * Then the change of a tick is bounded, growth is cut to what the pool can
 * bear meanwhile, and changes that nobody gains by are left out, so that a
 * constant input converges and stays.
 *
 * All sizes are in units of the balloon target.
 */
#ifndef AERO_POLICY_H
#define AERO_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

#define AERO_SHARES_MIN     1u
#define AERO_SHARES_MAX     100000u
#define AERO_SHARES_DEFAULT 100u

#define AERO_TAX_ALL       1000u
#define AERO_TAX_MAX       999u

/* New members of the input go into decision.c's tables, one line each. */
struct aero_policy_guest {
    bool movable;          /* else only its outstanding growth counts */
    bool min_is_set;       /* somebody wrote min_kib down for this guest */
    bool demand_known;     /* else it takes no more than its minimum, and gives
                              only down to one that is set */
    bool stuck_shrink;
    bool stuck_grow;
    unsigned shares;       /* AERO_SHARES_MIN to AERO_SHARES_MAX */
    uint64_t min_kib;
    uint64_t max_kib;      /* not above static_max; not below min_kib */
    uint64_t demand_kib;
    uint64_t need_kib;     /* its working set, where demand_known */
    uint64_t rise_kib;     /* with less beyond its need it lacks memory */
    uint64_t fresh_kib;    /* its demand by the last seconds alone */
    uint64_t keep_kib;     /* it gives no more, or its programs die; 0: not
                              known */
    const char *why;       /* where the demand comes from */
    uint64_t target_kib;
    uint64_t held_kib;
    uint64_t floor_kib;   /* it stopped short there; 0: not known to */
    uint64_t speed_kib_s; /* of its balloon, shrinking; LXE_UNKNOWN */
    uint64_t nodes; /* NUMA nodes that its memory is from, as in host.h */
};

struct aero_policy_host {
    uint64_t free_kib;
    uint64_t keep_free_kib; /* host reserve and reservations */
    uint64_t change_kib;    /* most a target may go beyond what is held */
    unsigned shrink_part;   /* and down, by 1/n of that; 0: no such bound */
    uint64_t dead_band_kib; /* a smaller change is not worth it */
    unsigned slack_part;    /* up to 1/n of the pool is held back of the
                               surplus; 0: nothing */
    unsigned tax;           /* on idle memory, in thousandths: 0 to 999 */
    uint64_t missing_kib;   /* of what somebody waits for, not free yet */
    bool no_surplus;        /* nobody is given more than its demand */
    uint64_t short_nodes;   /* NUMA nodes on which memory is wanted and not
                               free, bit by bit; of equals, those give who have
                               theirs there */
};

struct aero_policy_target {
    uint64_t target_kib; /* for now */
    uint64_t goal_kib;   /* where it shall come to in the end */
    unsigned idle;       /* part of what it holds, in thousandths */
    double price;        /* in terms of the median of all movable guests */
    struct aero_reason reason;
};

/*
 * Computes the target of each guest; a guest that is not movable keeps its
 * own. out has room for count targets.
 *
 * If the minima do not fit, each guest gets its minimum and apply.c lets none
 * grow. A bound that the change of one tick does not reach is approached.
 * Returns 0 or -ENOMEM.
 */
int aero_policy_run(const struct aero_policy_host *host,
                    const struct aero_policy_guest *guests, size_t count,
                    struct aero_policy_target *out);

/*
 * How much could be had for a reservation, in KiB, if every movable guest
 * went down to its lower bound.
 */
uint64_t aero_policy_obtainable_kib(const struct aero_policy_host *host,
                                    const struct aero_policy_guest *guests,
                                    size_t count);

/*
 * How much of that takes nothing that a guest needs, in KiB: each keeps its
 * working set. One that does not tell it gives down to a minimum that was
 * written down.
 */
uint64_t aero_policy_spare_kib(const struct aero_policy_host *host,
                               const struct aero_policy_guest *guests,
                               size_t count);

#endif
