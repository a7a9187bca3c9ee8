/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <config.h>

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void on_closed(uv_handle_t *handle)
{
    struct aero_child *child = handle->data;

    close(child->pidfd);
    child->pid = 0;
}

/* A pidfd is readable once its process has ended. */
static void on_end(uv_poll_t *poll, int status, int events)
{
    struct aero_child *child = poll->data;
    int how = 0;

    (void)status;
    (void)events;
    if (waitpid(child->pid, &how, WNOHANG) == 0)
        return;
    uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, on_closed);
    if (child->ended)
        child->ended(child, how);
}

/* What we ignore or block, the child gets as it should be. */
static int start(pid_t *pid, const char *path, char *const argv[])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t set;
    int rc;

    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attr, &set);
    sigfillset(&set);
    posix_spawnattr_setsigdefault(&attr, &set);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn(pid, path, &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -rc;
}

static int follow(uv_loop_t *loop, struct aero_child *child)
{
    int rc;

    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd < 0)
        return -errno;
    rc = uv_poll_init(loop, &child->poll, child->pidfd);
    if (rc) {
        close(child->pidfd);
        return rc;
    }
    child->poll.data = child;
    return uv_poll_start(&child->poll, UV_READABLE, on_end);
}

int aero_child_start(uv_loop_t *loop, struct aero_child *child, const char *path,
               char *const argv[], struct lxe_err *err)
{
    int rc;

    if (child->pid)
        return lxe_fail(err, -EBUSY, "%s still runs as process %d", argv[0],
                        (int)child->pid);
    rc = start(&child->pid, path, argv);
    if (rc) {
        child->pid = 0;
        return lxe_fail(err, rc, "cannot run %s: %s", path, strerror(-rc));
    }
    rc = follow(loop, child);
    if (!rc)
        return 0;
    /* Nobody would hear of its end. */
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
    return lxe_fail(err, rc, "cannot follow %s: %s", argv[0], strerror(-rc));
}
