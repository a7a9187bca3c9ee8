/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holds a guest back by a share of its speed, and lets it go again: by the
 * scheduler's cap, or by pauses of at most 50 ms. Whatever happens to this
 * process, the guest is let go (brake_guard.h).
 */
#ifndef MIG_BRAKE_H
#define MIG_BRAKE_H

#include <stdint.h>

#include "base/err.h"
#include "brake_guard.h"
#include "limits.h"

struct mig_brake;

struct mig_brake_config {
    uint32_t domid;
    enum mig_throttle_way way; /* not MIG_THROTTLE_NONE */
    mig_open_guest_fn *open_guest;
};

/*
 * Opens it, released. Forks the guard and starts a thread: to be called
 * before other threads are there. Returns 0, -EOPNOTSUPP where the scheduler
 * has no cap, or what else keeps it from working.
 */
int mig_brake_open(const struct mig_brake_config *config,
                   struct mig_brake **out, struct lxe_err *err);

/*
 * Holds the guest back from now on. A cap is taken from what the guest has
 * used since the brake was opened or last released; it is not below 1 % of a
 * CPU. What fails is logged, and the guest is let go.
 * @slowed  share of its speed that is taken, 0 to below 1; 0 releases
 */
void mig_brake_set(struct mig_brake *brake, double slowed);

/* The share that is taken now. NULL: 0, likewise below. */
double mig_brake_slowed(struct mig_brake *brake);

/* Lets the guest go; it runs, and its cap is as it was, on return. */
void mig_brake_release(struct mig_brake *brake);

/*
 * How long the guest could run at its own speed since CLOCK_MONOTONIC began,
 * in ns: that clock without the share of time that was taken. NULL: the clock.
 */
uint64_t mig_brake_run_ns(struct mig_brake *brake);

/* Releases it and ends the guard. */
void mig_brake_close(struct mig_brake *brake);

#endif
