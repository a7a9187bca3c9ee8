/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "numa.h"

uint64_t aero_numa_short(const struct lxe_numa *numa,
                         const struct aero_numa_want *wants, size_t count)
{
    uint64_t wanted[LXE_NODES_MAX] = { 0 }, nodes = 0;

    for (size_t i = 0; i < count; i++)
        for (unsigned n = 0; n < numa->count; n++)
            if (wants[i].nodes == UINT64_C(1) << n)
                wanted[n] += wants[i].kib;
    for (unsigned n = 0; numa->count > 1 && n < numa->count; n++)
        if (wanted[n] > numa->nodes[n].free_kib)
            nodes |= UINT64_C(1) << n;
    return nodes;
}
