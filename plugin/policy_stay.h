/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which changes are worth it: who had better stay as it is. Pure. */
#ifndef AERO_POLICY_STAY_H
#define AERO_POLICY_STAY_H

#include "policy_plan.h"

/*
 * Lets stay who may, so that targets change when somebody gains by it: changes
 * next of each slot. Where that does not fit, those that are furthest above
 * their right go down to it, as few as will do.
 * Returns 0 or -ENOMEM.
 */
int aero_plan_leave_out(struct aero_plan *plan);

#endif
