/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of equals, those give who have their memory on a short NUMA node. Pure. */
#ifndef AERO_POLICY_NODES_H
#define AERO_POLICY_NODES_H

#include "policy_plan.h"

/*
 * Where memory is wanted on a node, of equals those give who have theirs
 * there: changes their want. Equals are guests whose right agrees in its first
 * three binary digits.
 * Returns 0 or -ENOMEM.
 */
int aero_plan_prefer_nodes(struct aero_plan *plan);

#endif
