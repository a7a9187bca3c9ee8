/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packs a sample of a guest's pages, to see how well its memory packs. */
#ifndef MIG_PACK_SAMPLE_H
#define MIG_PACK_SAMPLE_H

#include <stdint.h>

#include "base/err.h"
#include "host.h"
#include "limits.h"
#include "packing.h"

/*
 * Packs 512 random pages of a guest as a migration would for the first time:
 * 2 MiB, which take a processor 5 ms or so at level 1. The guest runs on.
 * @level       of zstd, from 1
 * @window_kib  as in limits.h
 * @out         zeroed where that fails
 * Returns 0, an error of page_sample.h, -ENOMEM, or -ENODATA where the guest
 * has too few pages.
 */
int mig_pack_sample(struct lxe_host *host, uint32_t domid, unsigned level,
                    uint64_t window_kib, struct mig_packing *out,
                    struct lxe_err *err);

/*
 * Likewise at the level that a migration's limits have, or ours where they
 * leave it to us. Then it sets the level, if packing pays (packing.h).
 * @max_bps  that may be sent, in bytes/s; 0: no limit
 */
int mig_pack_choose(struct lxe_host *host, uint32_t domid, uint64_t max_bps,
                    struct mig_limits *limits, struct mig_packing *out,
                    struct lxe_err *err);

#endif
