/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of what the guests should come to is done in this tick. Pure. */
#ifndef AERO_POLICY_BOUND_H
#define AERO_POLICY_BOUND_H

#include "policy_plan.h"

/*
 * Sets next of each slot: as near to its want as one tick's change goes,
 * nearer where somebody waits (hasten.h), and no growth beyond what the pool
 * can bear while others have not shrunk yet.
 * Returns 0 or -ENOMEM.
 */
int aero_plan_bound(struct aero_plan *plan);

#endif
