/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd_io.h"
#include "base/log.h"
#define CHUNK (128 * 1024)

static int write_out(void *data, const void *bytes, size_t len)
{
    (void)data;
    return lxe_write_all(STDOUT_FILENO, bytes, len);
}

/* Returns 0 at the end of what comes. */
static int unpack_all(struct mig_unpack *u, uint8_t *chunk,
                      struct lxe_err *err)
{
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, CHUNK);
        int rc;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lxe_fail(err, -errno, "cannot read what comes: %m");
        if (!n && !mig_unpack_done(u))
            return lxe_fail(err, -EPIPE, "the source ended within the packed"
                            " stream");
        if (!n)
            return 0;
        rc = mig_unpack_feed(u, chunk, (size_t)n, write_out, NULL, err);
        if (rc)
            return rc; /* without a word where xl ended: it says why */
    }
}

static int run(enum mig_unpack_from from)
{
    uint8_t *chunk = malloc(CHUNK);
    struct mig_unpack *u = NULL;
    struct lxe_err err = { 0 };
    int rc = chunk ? mig_unpack_open(from, &u, &err)
                   : lxe_fail(&err, -ENOMEM, "out of memory");

    if (!rc)
        rc = unpack_all(u, chunk, &err);
    if (err.code)
        lxe_error("%s", err.text);
    mig_unpack_free(u);
    free(chunk);
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Only its ends stay open, so that nobody waits for what it would hold. */
static void be_unpacker(int in_fd, int out_fd, enum mig_unpack_from from)
{
    if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
        _exit(126);
    close_range(STDERR_FILENO + 1, ~0u, 0);
    /* As xl does, which would starve if a signal to the group ended us. */
    setpgid(0, 0);
    signal(SIGPIPE, SIG_IGN);
    _exit(run(from));
}

int mig_unpacker_start(int in_fd, enum mig_unpack_from from,
                       struct mig_unpacker *out, struct lxe_err *err)
{
    int fds[2];
    pid_t pid;

    *out = (struct mig_unpacker){ 0, -1 };
    if (pipe2(fds, O_CLOEXEC))
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    pid = fork();
    if (!pid)
        be_unpacker(in_fd, fds[1], from);
    close(fds[1]);
    if (pid < 0) {
        lxe_fail(err, -errno, "cannot start the unpacker: %m");
        close(fds[0]);
        return -EAGAIN;
    }
    *out = (struct mig_unpacker){ pid, fds[0] };
    return 0;
}

void mig_unpacker_hand_over(struct mig_unpacker *unpacker)
{
    if (unpacker->pid)
        close(unpacker->fd);
    unpacker->fd = -1;
}

void mig_unpacker_stop(struct mig_unpacker *unpacker)
{
    if (!unpacker->pid)
        return;
    kill(unpacker->pid, SIGKILL);
    waitpid(unpacker->pid, NULL, 0);
    unpacker->pid = 0;
}
