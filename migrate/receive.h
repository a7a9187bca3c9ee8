/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The target's side of one migration: makes sure that the guest can come,
 * holds memory for it, lets the stock `xl migrate-receive` take it in, and
 * leaves nothing behind if that dies.
 */
#ifndef MIG_RECEIVE_H
#define MIG_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

struct mig_receive_config {
    int in_fd, out_fd;  /* to the source; xl's stdin and stdout afterwards */
    const char *xl;     /* the stock xl: a path, or looked up in PATH */
    const char *journal_dir; /* MIG_JOURNAL_DIR, or another in tests */
    bool debug;         /* xl migrate-receive -d: the source verifies */
    uint64_t idle_ns;   /* nothing came and moved for so long: it is removed;
                           0: waits without end */
};

/* Returns the exit status: xl's, or 1 if the guest was refused. */
int mig_receive_run(const struct mig_receive_config *config);

#endif
