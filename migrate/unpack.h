/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unpacks at the target what pack.h packed at the source. Only libxc's stream
 * is packed, since only that one passes through our helper; xl's header and
 * libxl's records around it come as they are:
 *
 *   xl header, configuration | libxl header, records, LIBXC_CONTEXT |
 *   one zstd frame: libxc's stream | libxl's records, xl's messages
 *
 * So all up to LIBXC_CONTEXT is passed on and read on the way, then the frame
 * is unpacked, and what follows it is passed on unread. Nothing is trusted:
 * of xl's and libxl's headers only lengths are used, which are counted down,
 * and zstd is given a bound for its memory.
 */
#ifndef MIG_UNPACK_H
#define MIG_UNPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pack.h"

struct mig_unpack;

enum mig_unpack_from {
    MIG_UNPACK_XL,    /* what comes begins with xl's header */
    MIG_UNPACK_LIBXC, /* or with the packed stream */
};

/* Returns 0 or -ENOMEM. */
int mig_unpack_open(enum mig_unpack_from from, struct mig_unpack **out,
                    struct lxe_err *err);

void mig_unpack_free(struct mig_unpack *unpack);

/*
 * Takes the next bytes, in pieces of any size, and gives what comes of them
 * to the sink at once.
 * Returns 0, what the sink returned, or -EPROTO; an error is final.
 */
int mig_unpack_feed(struct mig_unpack *unpack, const void *data, size_t len,
                    mig_pack_sink *sink, void *sink_data, struct lxe_err *err);

/* Whether the packed stream came to its end. */
bool mig_unpack_done(const struct mig_unpack *unpack);

#endif
