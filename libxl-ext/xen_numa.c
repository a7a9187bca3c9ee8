/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen_numa.h"

#include <errno.h>
#include <libxl_utils.h>

static uint64_t kib_of(uint64_t bytes)
{
    return bytes == LIBXL_NUMAINFO_INVALID_ENTRY ? 0 : bytes / 1024;
}

int lxe_xen_numa(libxl_ctx *ctx, struct lxe_numa *out, struct lxe_err *err)
{
    int count = 0;
    libxl_numainfo *info = libxl_get_numainfo(ctx, &count);

    *out = (struct lxe_numa){ .count = 1 };
    if (!info)
        return lxe_fail(err, -EIO, "Xen does not tell its NUMA nodes");
    if (count > 1 && count <= LXE_NODES_MAX)
        out->count = (unsigned)count;
    for (unsigned i = 0; out->count > 1 && i < out->count; i++) {
        out->nodes[i].size_kib = kib_of(info[i].size);
        out->nodes[i].free_kib = kib_of(info[i].free);
    }
    libxl_numainfo_list_free(info, count);
    return 0;
}

uint64_t lxe_xen_domain_nodes(libxl_ctx *ctx, uint32_t domid, unsigned count)
{
    uint64_t nodes = 0;
    libxl_bitmap map;

    libxl_bitmap_init(&map);
    if (!libxl_node_bitmap_alloc(ctx, &map, 0) &&
        !libxl_domain_get_nodeaffinity(ctx, domid, &map))
        for (unsigned i = 0; i < count; i++)
            if (libxl_bitmap_test(&map, (int)i))
                nodes |= UINT64_C(1) << i;
    libxl_bitmap_dispose(&map);
    return nodes;
}
