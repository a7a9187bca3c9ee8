/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The source's part of what is said around the stream
 * (docs/migration-protocol.md): the hello, and the commit.
 */
#ifndef MIG_HANDSHAKE_H
#define MIG_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hello.h"
#include "report.h"
#include "transport.h"

struct mig_greeting {
    bool aerostat;         /* the target runs aerostat-receive */
    uint64_t reserved_kib; /* that it holds; 0: none */
    bool gives_back;       /* a guest that comes smaller is made whole */
    bool packed;           /* the stream has to be packed */
};

/*
 * Greets whoever answers, up to xl's banner: the stream may be sent then.
 * @hello      of the guest; a stock receiver is not told. Where it says that
 *             the stream will be packed and the target cannot unpack, then
 * @must_pack  that is an error; else it goes as it is
 * Returns 0; -EREMOTEIO with the target's reason where it refuses; -EPROTO
 * where that is no receiver; -EOPNOTSUPP; the transport's errors.
 */
int mig_handshake_begin(struct mig_transport *t,
                        const struct mig_hello *hello, bool must_pack,
                        struct mig_greeting *out, struct lxe_err *err);

/* Waits until the target has received all. Returns as the above. */
int mig_handshake_ready(struct mig_transport *t, uint64_t timeout_ms,
                        struct lxe_err *err);

/*
 * Gives the guest away, and hears whether it runs there. From the first byte
 * on nothing cancels it.
 * @timeout_ms  for each of the target's words
 * Returns MIG_MOVED; MIG_FAILED where nothing was sent, or the target gave it
 * back; MIG_UNKNOWN where nobody here can tell.
 */
enum mig_outcome mig_handshake_commit(struct mig_transport *t,
                                      uint64_t timeout_ms,
                                      struct lxe_err *err);

#endif
