/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Packs a stream with zstd as it is sent. All that came in is out when a call
 * returns, so that what the engine counts as sent can be unpacked at the
 * target; and all of it makes one zstd frame, whose window reaches back over
 * earlier pages: one that is sent again takes little more than what changed
 * in it. The frame ends with a checksum of all that went in.
 */
#ifndef MIG_PACK_H
#define MIG_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

#define MIG_PACK_LEVEL_MAX      19  /* zstd's; beyond it wants much memory */
#define MIG_PACK_WINDOW_MIN_LOG 17u /* 128 KiB */
#define MIG_PACK_WINDOW_MAX_LOG 27u /* 128 MiB: the target has to keep it */

struct mig_pack;

/* Takes some of what comes out. Returns 0 or a negative errno. */
typedef int mig_pack_sink(void *data, const void *bytes, size_t len);

/*
 * @level         1 to MIG_PACK_LEVEL_MAX: fast to small
 * @window_bytes  how far back it may look, rounded up to a power of 2 and
 *                within the limits above; 0: as is usual at that level
 * Returns 0 or -ENOMEM.
 */
int mig_pack_open(unsigned level, uint64_t window_bytes,
                  struct mig_pack **out, struct lxe_err *err);

void mig_pack_free(struct mig_pack *pack);

/*
 * Packs pieces, in their order.
 * @end  the frame ends with them; nothing may follow
 * Returns 0, what the sink returned, or -ENOMEM.
 */
int mig_pack_take(struct mig_pack *pack, const struct iovec *iov, int count,
                  bool end, mig_pack_sink *sink, void *data);

#endif
