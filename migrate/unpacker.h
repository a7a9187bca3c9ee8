/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that unpacks what comes from the source, and gives it to xl
 * through a pipe. It holds nothing but its two ends, since zstd works on what
 * another host sent; and like xl it goes on when aerostat-receive is killed.
 */
#ifndef MIG_UNPACKER_H
#define MIG_UNPACKER_H

#include <sys/types.h>

#include "base/err.h"
#include "unpack.h"

struct mig_unpacker {
    pid_t pid; /* 0: there is none */
    int fd;    /* where its output is read */
};

/*
 * Starts it.
 * @in_fd  where the source's bytes are read
 * @from   what they begin with
 * Returns 0 or a negative errno; there is none then.
 */
int mig_unpacker_start(int in_fd, enum mig_unpack_from from,
                       struct mig_unpacker *out, struct lxe_err *err);

/* Its reader has the other end now: closes ours, so that the reader's is the
 * last. Does nothing where there is none. */
void mig_unpacker_hand_over(struct mig_unpacker *unpacker);

/* Ends it once its reader has. May be called where there is none. */
void mig_unpacker_stop(struct mig_unpacker *unpacker);

#endif
