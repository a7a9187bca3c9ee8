/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child process that does nothing until it is written down who it is, so
 * that whoever finds us dead can tell whether it works on. Where we are killed
 * before that, or cannot write it down, it ends and has done nothing.
 */
#ifndef MIG_HELD_CHILD_H
#define MIG_HELD_CHILD_H

#include <sys/types.h>

#include "base/err.h"
#include "journal.h"

struct mig_held_child {
    /* In the parent: writes it down. Returns 0 or a negative errno. */
    int (*note)(void *data, const struct mig_process *child,
                struct lxe_err *err);
    /* In the child, with all that was open. Returns its exit status. */
    int (*work)(void *data);
    void *data; /* for both */
};

/*
 * Starts it. SIGPIPE is ignored by the caller.
 * @pid  gets its process, which is the caller's to wait for
 * Returns 0; what note() did; -ESRCH where it died before it was let go;
 * another negative errno. With an error there is no child any more.
 */
int mig_held_child_start(const struct mig_held_child *how, pid_t *pid,
                         struct lxe_err *err);

#endif
