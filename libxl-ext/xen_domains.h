/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's facts, from what Xen says and what xenstore holds. */
#ifndef LXE_XEN_DOMAINS_H
#define LXE_XEN_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#include "host.h"
#include "xen_compat.h"

/*
 * What xenstore says of a domain. Whoever watches its keys may keep it, and
 * takes back what a watch tells to have changed; zeroed, nothing was read.
 */
struct lxe_xen_keys {
    uint8_t uuid[16];  /* whose they are */
    bool has_facts;    /* was read: all of dom but its report */
    bool has_report;
    bool has_request;
    bool has_meminfo;  /* memory/meminfo is there */
    uint64_t writes;   /* by the guest, of keys without a sequence (Qubes,
                          XenServer): the report's seq changes with each */
    struct lxe_domain dom; /* but for what Xen says at each look */
    struct lxe_move_request request;
};

/*
 * Fills in a domain, and reads what it needs of the keys and is not there.
 * @info  what Xen says of it
 * @keys  of this domid; those of another domain, before it, are dropped
 * Returns 0, or -EIO where xenstored is gone. A domain that has vanished
 * meanwhile has no name and no target: it counts as building.
 */
int lxe_xen_fill_domain(struct xs_handle *xs, const libxl_dominfo *info,
                        struct lxe_xen_keys *keys, struct lxe_domain *out,
                        struct lxe_err *err);

/*
 * memory/videoram of a domain in KiB, as libxl_set_memory_target() will read
 * it: with atoi(), so that an unset "-1" counts as -1. 0 where there is none.
 */
int lxe_xen_videoram(struct xs_handle *xs, uint32_t domid, int64_t *out_kib,
                     struct lxe_err *err);

#endif
