/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "held_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* By a byte; no more can come where the parent gave up or was killed. */
static bool is_let_go(int go_fd)
{
    char byte;
    ssize_t n;

    do
        n = read(go_fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    close(go_fd);
    return n == 1;
}

static int note_and_let_go(const struct mig_held_child *how, pid_t pid,
                           int go_fd, struct lxe_err *err)
{
    struct mig_process child;
    int rc = mig_process_find(pid, &child);

    if (rc)
        return lxe_fail(err, rc, "process %d, just started, died", (int)pid);
    rc = how->note(how->data, &child, err);
    if (!rc && write(go_fd, "", 1) != 1)
        rc = lxe_fail(err, -ESRCH, "process %d, just started, died",
                      (int)pid);
    return rc;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int mig_held_child_start(const struct mig_held_child *how, pid_t *pid,
                         struct lxe_err *err)
{
    int go[2], rc;

    if (pipe2(go, O_CLOEXEC))
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    *pid = fork();
    if (!*pid) {
        close(go[1]);
        _exit(is_let_go(go[0]) ? how->work(how->data) : EXIT_FAILURE);
    }
    rc = *pid < 0 ? lxe_fail(err, -errno, "cannot start a process: %m") : 0;
    close(go[0]); /* so that we see it die */
    if (!rc) {
        rc = note_and_let_go(how, *pid, go[1], err);
        if (rc)
            end(*pid);
    }
    close(go[1]);
    return rc;
}
