/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tick that is over, as the balancer shows it to whoever keeps or counts
 * decisions. Pure.
 */
#ifndef AERO_TICK_H
#define AERO_TICK_H

#include <stddef.h>
#include <stdint.h>

#include "decision.h"
#include "guests.h"
#include "node_pools.h"
#include "policy.h"

/* Nothing of it is owned. */
struct aero_tick {
    uint64_t number;
    uint64_t now_ns;  /* by the host's clock */
    uint64_t time_ms; /* since 1970, for people */
    uint64_t reserve_kib;                 /* the part of keep_free that stays */
    const struct aero_policy_host *host;
    const struct aero_node_pools *pools;  /* may be NULL: nothing is kept */
    struct aero_host_facts host_facts;
    const struct aero_guest *guests;
    const struct aero_policy_guest *in;   /* count of each */
    const struct aero_policy_target *out;
    size_t count;
};

/* Takes the decision for one guest out of a tick. */
void aero_tick_decision(const struct aero_tick *tick, size_t index,
                        struct aero_decision *out);

#endif
