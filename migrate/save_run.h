/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one save to its end: libxl's blocking call in a thread of its own, the
 * helper's status and the wish to cancel in ours.
 */
#ifndef MIG_SAVE_RUN_H
#define MIG_SAVE_RUN_H

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
    /* Called for each status; a negative return cancels the save. */
    int (*on_status)(void *data, const struct mig_status *status);
    void *data;
};

/*
 * Returns 0 with the guest suspended and its stream written; else
 * -ECANCELED, or what failed, in the words of whoever knew it best.
 */
int mig_save_run(struct mig_save_run *run, struct lxe_err *err);

#endif
