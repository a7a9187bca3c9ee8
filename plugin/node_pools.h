/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who gets how much where memory of a NUMA node is kept for somebody: guests
 * that may have theirs there are then a pool of their own. Pure.
 *
 *   the node's pool = free on it + what its movable guests hold - what is kept
 *                     - what its guests that are not touched may still take
 *
 * Xen does not tell how much of a guest lies on which node. So all of it is
 * taken to be where its affinity allows it to be: of one that turns out to
 * have less there, as of all of them, more is asked for in the next tick.
 */
#ifndef AERO_NODE_POOLS_H
#define AERO_NODE_POOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "policy.h"

struct aero_node_pool {
    uint64_t free_kib;
    uint64_t keep_kib; /* of it, for whom holds it and who waits for it */
};

struct aero_node_pools {
    unsigned count; /* of nodes; 0 where nothing is kept of any */
    struct aero_node_pool nodes[LXE_NODES_MAX];
};

/* Whether a guest's memory may come from a node; of an unknown one it may. */
bool aero_may_be_on(uint64_t guest_nodes, unsigned node);

/*
 * As aero_policy_run(), but for each node of which memory is kept: where its
 * guests would come to more together than its pool bears, they share that, and
 * all others what is left of the host's. A guest that may have memory on
 * several such nodes is with those of the first.
 * @pools  may be NULL
 */
int aero_node_pools_run(const struct aero_policy_host *host,
                        const struct aero_node_pools *pools,
                        const struct aero_policy_guest *guests, size_t count,
                        struct aero_policy_target *out);

/*
 * Leaves those of an array that may have memory on a node, in their order.
 * Returns how many.
 */
size_t aero_node_guests(struct aero_policy_guest *guests, size_t count,
                        unsigned node);

#endif
