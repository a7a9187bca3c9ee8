/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells a restore that works from one that waits for bytes over a link that
 * was cut without a word: only of the latter do all of these stand still for
 * as long as one likes.
 *
 *   the stream's pipe      as full: nothing came, and nothing was read
 *   xl and its children    the same ones, which read and wrote nothing, and
 *                          used no CPU time
 */
#ifndef MIG_IDLE_H
#define MIG_IDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MIG_IDLE_UNKNOWN UINT64_MAX

/* All zero at first. */
struct mig_idle {
    uint64_t since_ns; /* 0: not yet */
    uint64_t activity;
};

/*
 * Pure: takes a look in; false while something moves, or is not known.
 * @activity  a number that changes whenever something moves; unknown likewise
 * @limit_ns  for so long nothing may move; 0: without end
 * Returns whether nothing has moved for that long.
 */
bool mig_idle_look(struct mig_idle *idle, uint64_t activity, uint64_t now_ns,
                   uint64_t limit_ns);

/*
 * The activity of a process and all below it, of which @fd is the input.
 * MIG_IDLE_UNKNOWN where /proc does not tell.
 */
uint64_t mig_idle_activity(pid_t pid, int fd);

struct mig_idle_wait {
    pid_t pid;         /* a child of ours that leads a process group */
    int fd;            /* its input */
    uint64_t limit_ns; /* for so long nothing may move; 0: without end */
    void (*meanwhile)(void *data); /* called some ten times a second */
    void *data;
};

/*
 * Waits until it ends. Where nothing has moved for too long its whole group is
 * ended, by SIGTERM, and by SIGKILL two seconds later.
 * @gave_up  gets whether that was done
 * Returns its status as waitpid() gives it, or -1.
 */
int mig_idle_wait(const struct mig_idle_wait *wait, bool *gave_up);

#endif
