/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries out what the policy decided: sets the guests' targets, in the order
 * of apply.h, and says why.
 */
#ifndef AERO_MOVES_H
#define AERO_MOVES_H

#include "counters.h"
#include "guests.h"
#include "host.h"
#include "node_pools.h"
#include "policy.h"
#include "trouble.h"

/* By whom and on whom; nothing of it is owned. */
struct aero_moves {
    struct lxe_host *host;
    struct aero_guests *guests;
    struct aero_counters *counters; /* of the targets that were set */
    struct aero_trouble *trouble;   /* gets what fails: it is left out */
};

/*
 * Sets the targets that are to change, wakes the drivers that sleep, and notes
 * with each guest why it has what it has.
 * @in, @out     of each guest, given to the policy and answered by it
 * @host, @pools as the policy was given them
 */
void aero_moves_carry_out(const struct aero_moves *moves,
                          const struct aero_policy_guest *in,
                          const struct aero_policy_target *out,
                          const struct aero_policy_host *host,
                          const struct aero_node_pools *pools);

/* Asks no guest for more than it has given. */
void aero_moves_stop_shrinking(const struct aero_moves *moves);

#endif
