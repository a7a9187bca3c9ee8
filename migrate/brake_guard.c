/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "brake_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define LOOK_MS 250 /* how often the guard looks for a pause that lasts */

/*
 * Seen by both processes: since when the brake is on; 0: it is not. In one
 * word, so that the guard cannot clear what was put on after it looked.
 */
struct shared {
    _Atomic uint64_t since_ns;
};

struct mig_guard {
    struct mig_guard_config config;
    struct shared *shared;
    pid_t pid; /* 0 when it has ended */
    int fd;    /* closed: the guard ends */
};

/* ---- the child ---- */

/*
 * It must hold nothing of ours open: libxl and the far end wait for the end
 * of what we write to.
 */
static void let_go_of_files(int keep)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (keep > 3)
        close_range(3, (unsigned)keep - 1, 0);
    close_range((unsigned)keep + 1, ~0u, 0);
}

static void undo(struct mig_guard *g, struct lxe_guest_brake *guest)
{
    uint64_t since_ns = atomic_load(&g->shared->since_ns);
    int rc;

    if (!since_ns)
        return;
    if (g->config.pauses)
        rc = guest->ops->unpause(guest, NULL);
    else
        rc = guest->ops->cap_set(guest, g->config.original_cap, NULL);
    if (!rc || rc == -ESRCH || rc == -EINVAL) /* else it is tried again */
        atomic_compare_exchange_strong(&g->shared->since_ns, &since_ns, 0);
}

static bool lasts_too_long(const struct mig_guard *g)
{
    uint64_t since_ns = atomic_load(&g->shared->since_ns);

    return g->config.pauses && since_ns &&
           lxe_now_ns() - since_ns > MIG_GUARD_LONGEST_PAUSE_NS;
}

static void watch(struct mig_guard *g, struct lxe_guest_brake *guest)
{
    struct pollfd pfd = { .fd = g->fd, .events = POLLIN };

    while (!pfd.revents) {
        poll(&pfd, 1, LOOK_MS);
        if (lasts_too_long(g))
            undo(g, guest);
    }
    undo(g, guest);
}

static void __attribute__((noreturn)) guard_main(struct mig_guard *g)
{
    /* Ctrl-Z would stop us along with who is to be watched. */
    static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT,
                                   SIGTSTP };
    struct lxe_guest_brake *guest;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    let_go_of_files(g->fd);
    if (g->config.open_guest(g->config.domid, &guest, NULL) ||
        write(g->fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
    watch(g, guest);
    _exit(EXIT_SUCCESS);
}

/* ---- the parent ---- */

static int start_child(struct mig_guard *g, struct lxe_err *err)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return lxe_fail(err, -errno, "cannot make a socket: %m");
    g->pid = fork();
    if (g->pid == 0) {
        g->fd = fds[1];
        close(fds[0]);
        guard_main(g);
    }
    close(fds[1]);
    if (g->pid < 0) {
        close(fds[0]);
        g->pid = 0;
        return lxe_fail(err, -errno, "cannot start the brake's guard: %m");
    }
    g->fd = fds[0];
    return 0;
}

static int wait_until_ready(struct mig_guard *g, struct lxe_err *err)
{
    char byte;
    ssize_t n;

    do
        n = read(g->fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : lxe_fail(err, -EIO, "the brake's guard cannot reach "
                                 "domain %u", g->config.domid);
}

int mig_guard_start(const struct mig_guard_config *config,
                    struct mig_guard **out, struct lxe_err *err)
{
    struct mig_guard *g = calloc(1, sizeof(*g));
    int rc;

    *out = NULL;
    if (!g)
        return lxe_fail(err, -ENOMEM, "out of memory");
    g->config = *config;
    g->fd = -1;
    g->shared = mmap(NULL, sizeof(*g->shared), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g->shared == MAP_FAILED) {
        free(g);
        return lxe_fail(err, -ENOMEM, "out of memory");
    }
    rc = start_child(g, err);
    if (!rc)
        rc = wait_until_ready(g, err);
    if (rc)
        mig_guard_end(g);
    else
        *out = g;
    return rc;
}

void mig_guard_engage(struct mig_guard *guard)
{
    atomic_store(&guard->shared->since_ns, lxe_now_ns());
}

void mig_guard_disengage(struct mig_guard *guard)
{
    atomic_store(&guard->shared->since_ns, 0);
}

bool mig_guard_engaged(const struct mig_guard *guard)
{
    return atomic_load(&guard->shared->since_ns);
}

bool mig_guard_alive(struct mig_guard *guard)
{
    if (guard->pid && waitpid(guard->pid, NULL, WNOHANG) == guard->pid)
        guard->pid = 0;
    return guard->pid;
}

void mig_guard_end(struct mig_guard *guard)
{
    if (!guard)
        return;
    if (guard->fd >= 0)
        close(guard->fd);
    /* With nothing to undo it is not waited for: it may have been stopped. */
    if (guard->pid && !mig_guard_engaged(guard))
        kill(guard->pid, SIGKILL);
    while (guard->pid && waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    munmap(guard->shared, sizeof(*guard->shared));
    free(guard);
}
