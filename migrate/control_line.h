/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits that change while the save helper runs: lines of text over an
 * inherited descriptor ($AEROSTAT_CONTROL_FD), each as mig_limits_parse()
 * reads them, over the limits that hold then:
 *
 *   max-rate=20MB
 *   max-downtime=500ms timeout=60s
 *
 * A line that cannot be read, or that is longer than MIG_LIMITS_TEXT, changes
 * nothing; the log says why. The end of the file means nothing.
 */
#ifndef MIG_CONTROL_LINE_H
#define MIG_CONTROL_LINE_H

#include "base/err.h"
#include "limits.h"

struct mig_control;

struct mig_control_config {
    int fd;                   /* the caller's; made non-blocking */
    struct mig_limits limits; /* that hold at the start */
    /* The new limits; called from a thread of its own. */
    void (*changed)(void *data, const struct mig_limits *limits);
    void *data;
};

/*
 * Starts a thread that listens; it takes no signals. Returns 0, -ENOMEM,
 * -EMFILE or -EAGAIN.
 */
int mig_control_start(const struct mig_control_config *config,
                      struct mig_control **out, struct lxe_err *err);

/* Ends it; after that `changed` is not called. NULL is nothing. */
void mig_control_stop(struct mig_control *control);

#endif
