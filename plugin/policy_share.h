/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where each guest should come to: by shares, tax and demand. Pure. */
#ifndef AERO_POLICY_SHARE_H
#define AERO_POLICY_SHARE_H

#include "policy_plan.h"

/*
 * Shares the pool out, as policy.h tells and docs/policy.md derives: sets due
 * and want of each slot, and what is held back.
 * Returns 0 or -ENOMEM.
 */
int aero_plan_share(struct aero_plan *plan);

#endif
