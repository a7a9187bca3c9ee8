/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's facts, from what Xen says and what xenstore holds. */
#ifndef LXE_XEN_DOMAINS_H
#define LXE_XEN_DOMAINS_H

#include "host.h"
#include "xen_compat.h"

#include <xenstore.h>

/*
 * Fills in a domain.
 * @info    what Xen says of it
 * @writes  how often its guest has written a key without a sequence (Qubes,
 *          XenServer) since we watch: makes the report's seq change with each
 * Returns 0, or -EIO where xenstored is gone. A domain that has vanished
 * meanwhile has no name and no target: it counts as building.
 */
int lxe_xen_fill_domain(struct xs_handle *xs, const libxl_dominfo *info,
                        uint64_t writes, struct lxe_domain *out,
                        struct lxe_err *err);

/*
 * memory/videoram of a domain in KiB, as libxl_set_memory_target() will read
 * it: with atoi(), so that an unset "-1" counts as -1. 0 where there is none.
 */
int lxe_xen_videoram(struct xs_handle *xs, uint32_t domid, int64_t *out_kib,
                     struct lxe_err *err);

#endif
