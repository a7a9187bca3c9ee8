/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one save to its end: libxl's blocking call in a thread of its own, the
 * helper's status and the wish to cancel in ours.
 */
#ifndef MIG_SAVE_RUN_H
#define MIG_SAVE_RUN_H

#include <stdint.h>

#include "base/err.h"
#include "host.h"
#include "limits.h"
#include "status.h"
#include "transport.h"

struct mig_save_run {
    struct lxe_host *host;
    struct lxe_save_args args;
    const struct mig_limits *limits;
    struct mig_transport *transport; /* ended if nothing else cancels */
    uint64_t first_bps; /* as mig_save_run_rate(), from the start */
    uint64_t stall_ns; /* nothing written for so long is a failure; 0: never */
    uint64_t patience_ns; /* between one way to end it and the next, harder
                             one; 0: 5 s */
    /* Called for each status; a negative return cancels the save. */
    int (*on_status)(void *data, const struct mig_status *status);
    void *data;
    int control_fd; /* ours: to the helper, while it runs; else -1 */
};

/*
 * Returns 0 with the guest suspended and its stream written; else
 * -ECANCELED, -ETIMEDOUT where it stalled, or what failed, in the words of whoever knew it best.
 */
int mig_save_run(struct mig_save_run *run, struct lxe_err *err);

/*
 * Changes the rate at which the helper may send. To be called from on_status.
 * @max_bps  bytes/s; 0 for what the limits say
 * What cannot be sent now is lost, and logged.
 */
void mig_save_run_rate(struct mig_save_run *run, uint64_t max_bps);

#endif
