/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NUMA nodes, as libxl tells them. */
#ifndef LXE_XEN_NUMA_H
#define LXE_XEN_NUMA_H

#include <libxl.h>

#include "host.h"

/* Returns 0, or -EIO. */
int lxe_xen_numa(libxl_ctx *ctx, struct lxe_numa *out, struct lxe_err *err);

/*
 * The nodes of a domain's affinity, as in struct lxe_domain; 0 where libxl
 * does not tell, as for one that has gone.
 * @count  of the host's nodes
 */
uint64_t lxe_xen_domain_nodes(libxl_ctx *ctx, uint32_t domid, unsigned count);

#endif
