/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the stream leaves for the target, no faster than the rate.
 *
 * Where it is a TCP socket, the kernel is told the rate as well
 * (SO_MAX_PACING_RATE), so that what is written in pieces leaves evenly. A
 * pipe is given room for more than it has at first.
 *
 * One thread writes; any may change the rate and ask for the figures.
 */
#ifndef MIG_OUTLET_H
#define MIG_OUTLET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "rate.h"
#include "status.h"

struct mig_outlet_stats {
    uint64_t bytes;      /* written */
    uint64_t idle_ns;    /* waited for input, as mig_outlet_idle() was told */
    uint64_t held_ns;    /* waited for the rate */
    uint64_t blocked_ns; /* waited for the descriptor, and wrote */
    struct mig_limiter_error limiter;
};

/* A second in which to see how exactly the rate was kept. */
struct mig_outlet_window {
    uint64_t start_ns, bytes;
    uint64_t idle_ns, blocked_ns; /* as in the figures */
    double error_sum;
};

struct mig_outlet {
    int fd;
    const atomic_bool *stopped; /* true: write nothing more */

    pthread_mutex_t lock; /* for all below */
    uint64_t rate_bps;
    struct mig_bucket bucket;
    struct mig_outlet_stats stats;
    struct mig_outlet_window window;
};

/*
 * @fd        blocking; stays the caller's
 * @rate_bps  bytes/s; 0 is unlimited
 * @stopped   looked at before each write
 */
void mig_outlet_init(struct mig_outlet *o, int fd, uint64_t rate_bps,
                     const atomic_bool *stopped);
void mig_outlet_deinit(struct mig_outlet *o);

/* From the next write on; 0 is unlimited. */
void mig_outlet_set_rate(struct mig_outlet *o, uint64_t rate_bps);

/* There was nothing to write for so long. */
void mig_outlet_idle(struct mig_outlet *o, uint64_t ns);

/*
 * Writes all.
 * @iov  is used up
 * Returns 0, what writev() failed with, or -ECANCELED when stopped.
 */
int mig_outlet_write(struct mig_outlet *o, struct iovec *iov, int count);

/*
 * Waits until what was written has left the socket or the pipe; of any other
 * kind of file nothing is known, and nothing awaited.
 * @limit_ns  for so long at most
 */
void mig_outlet_drain(struct mig_outlet *o, uint64_t limit_ns);

void mig_outlet_stats(struct mig_outlet *o, struct mig_outlet_stats *out);

#endif
