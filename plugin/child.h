/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts a program and says when it has ended, without SIGCHLD, whose handler
 * is libxl's in this process (so not uv_spawn()).
 */
#ifndef AERO_CHILD_H
#define AERO_CHILD_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

/* One child at a time. Zeroed: none. Must stay while the loop runs. */
struct aero_child {
    pid_t pid; /* 0: none */
    uv_poll_t poll;
    int pidfd;
    void (*ended)(struct aero_child *child, int status); /* as waitpid's */
    void *data;
};

/*
 * Starts it, with our environment and standard error, and nothing else open.
 * @path  the program; argv[0] is its name
 * Returns 0; -EBUSY while the last one runs; a negative errno.
 */
int aero_child_start(uv_loop_t *loop, struct aero_child *child, const char *path,
               char *const argv[], struct lxe_err *err);

#endif
