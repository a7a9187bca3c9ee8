/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the policy is told: guests, host and NUMA nodes as values, from what is
 * known of them and what was promised to whom.
 */
#ifndef AERO_POLICY_INPUT_H
#define AERO_POLICY_INPUT_H

#include <stdint.h>

#include "daemon_config.h"
#include "guests.h"
#include "host.h"
#include "host_state.h"
#include "migrations.h"
#include "node_pools.h"
#include "policy.h"
#include "reservations.h"

/* Where it comes from; nothing of it is owned. */
struct aero_known {
    const struct aero_config *config;
    const struct aero_guests *guests;
    const struct aero_reservations *reservations;
    const struct aero_migrations *migrations;
    const struct lxe_host_memory *memory;
    const struct lxe_numa *numa; /* count 0: not known */
    enum aero_host_state state;
    uint64_t short_nodes;        /* as in policy.h */
};

/* Makes the policy's input of one of the guests. */
void aero_policy_input_guest(const struct aero_known *known,
                             const struct aero_guest *guest,
                             struct aero_policy_guest *out);

/*
 * The same of all, in their order. Returns an array that the caller frees, or
 * NULL where memory is short.
 */
struct aero_policy_guest *aero_policy_input_guests(
    const struct aero_known *known);

/* Makes the policy's input of the host. */
struct aero_policy_host aero_policy_input_host(const struct aero_known *known);

/* What is kept of which node; where there is but one, of none. */
void aero_policy_input_pools(const struct aero_known *known,
                             struct aero_node_pools *out);

/*
 * Finds the nodes that are short, by what guests lack and what is reserved.
 * @guests  of all, as by aero_policy_input_guests()
 * Returns 0 or -ENOMEM.
 */
int aero_policy_input_short_nodes(const struct aero_known *known,
                                  const struct aero_policy_guest *guests,
                                  uint64_t *nodes);

/* What is free and promised to nobody, in KiB. */
uint64_t aero_unpromised_kib(const struct aero_known *known);

/* The same of a node: whoever may take from it is taken to do so. */
uint64_t aero_unpromised_on_kib(const struct aero_known *known, unsigned node);

#endif
