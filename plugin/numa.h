/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which NUMA nodes memory is wanted and not free. Pure.
 *
 * Xen takes a guest's new pages from the nodes of its affinity, and elsewhere
 * only when these have none left. So memory that is to be given to a guest of
 * one node is best taken from guests of that node.
 */
#ifndef AERO_NUMA_H
#define AERO_NUMA_H

#include <stddef.h>
#include <stdint.h>

#include "host.h"

/* So much more is wanted, by one who has its memory from these nodes. */
struct aero_numa_want {
    uint64_t nodes; /* as in host.h; only a want on one node counts */
    uint64_t kib;
};

/* Returns the nodes that have less free than is wanted of them, bit by bit. */
uint64_t aero_numa_short(const struct lxe_numa *numa,
                         const struct aero_numa_want *wants, size_t count);

#endif
