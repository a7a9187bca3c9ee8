/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy's answer for each guest, with its price and reason. Pure. */
#ifndef AERO_POLICY_REASON_H
#define AERO_POLICY_REASON_H

#include "policy_plan.h"

/*
 * Answers for the guest of each slot, once all steps are done.
 * @out  of all guests, movable or not
 * Returns 0 or -ENOMEM.
 */
int aero_plan_answer(struct aero_plan *plan, struct aero_policy_target *out);

#endif
