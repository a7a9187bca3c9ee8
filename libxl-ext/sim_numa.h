/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which node a simulated host's memory lies. Pure.
 *
 * All nodes have the same size. A guest that belongs to one has its memory
 * there as far as it fits, those with lower domids first. All else (Xen's,
 * dom0's, what does not fit, what belongs nowhere) is spread over what is
 * left, by how much of it a node has.
 */
#ifndef LXE_SIM_NUMA_H
#define LXE_SIM_NUMA_H

#include "sim_world.h"

/*
 * Tells the nodes.
 * @remote_kib  gets, where it is not NULL, how much of a domain's memory does
 *              not lie on its node
 */
void lxe_sim_numa(const struct lxe_sim_world *w, struct lxe_numa *out,
                  uint32_t domid, uint64_t *remote_kib);

#endif
