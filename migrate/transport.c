/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h> /* PIPE_BUF; limits.h is ours */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_io.h"

#define STOP_NS (2 * LXE_NS_PER_SEC)

/* What is to be run on the other host. sbin is not always in ssh's PATH. */
static const char *remote_command(enum mig_receiver receiver, bool debug)
{
    switch (receiver) {
    case MIG_RECEIVER_AEROSTAT:
        return debug ? "PATH=$PATH:/usr/sbin exec aerostat-receive --debug"
                     : "PATH=$PATH:/usr/sbin exec aerostat-receive";
    case MIG_RECEIVER_XL:
        return debug ? "exec xl migrate-receive -d"
                     : "exec xl migrate-receive";
    case MIG_RECEIVER_AUTO:
        break;
    }
    return debug ? "PATH=$PATH:/usr/sbin; command -v aerostat-receive"
                   " >/dev/null && exec aerostat-receive --debug;"
                   " exec xl migrate-receive -d"
                 : "PATH=$PATH:/usr/sbin; command -v aerostat-receive"
                   " >/dev/null && exec aerostat-receive;"
                   " exec xl migrate-receive";
}

/*
 * A name, an address, user@ in front: nothing that a shell or ssh would take
 * for more. Bytes beyond ASCII are a name in another script.
 */
static bool is_host_name(const char *host)
{
    if (!*host || *host == '-')
        return false;
    for (const char *p = host; *p; p++)
        if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') &&
            !(*p >= '0' && *p <= '9') && !(*p & 0x80) &&
            !strchr("._-@:/%", *p))
            return false;
    return true;
}

int mig_transport_command(const char *how, const char *host,
                          enum mig_receiver receiver, bool debug, char *out,
                          size_t size, struct lxe_err *err)
{
    int n;

    if (!*how) {
        n = snprintf(out, size, "%s", host);
    } else {
        if (!is_host_name(host))
            return lxe_fail(err, -EINVAL, "'%.60s' is not a host's name",
                            host);
        n = snprintf(out, size, "exec %s %s '%s'", how, host,
                     remote_command(receiver, debug));
    }
    if (n < 0 || (size_t)n >= size)
        return lxe_fail(err, -ENAMETOOLONG, "the command is too long");
    return 0;
}

static void run_child(const char *command, int in_fd, int out_fd)
{
    sigset_t none;

    /*
     * A Ctrl-C is for us, as is the end of the terminal; the command ends when
     * we close its input. It stays in our process group, so that ssh may ask
     * for a password.
     */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(in_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0)
        _exit(126);
    execlp("sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

int mig_transport_start(struct mig_transport *t, const char *command,
                        int cancel_fd, struct lxe_err *err)
{
    int to[2], from[2];

    *t = (struct mig_transport){ 0, -1, -1, cancel_fd };
    if (pipe2(to, O_CLOEXEC))
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    if (pipe2(from, O_CLOEXEC)) {
        close(to[0]);
        close(to[1]);
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    }
    t->pid = fork();
    if (!t->pid)
        run_child(command, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    t->send_fd = to[1];
    t->recv_fd = from[0];
    if (t->pid < 0) {
        lxe_fail(err, -errno, "cannot start the transport: %m");
        t->pid = 0;
        mig_transport_stop(t);
        return err ? err->code : -EAGAIN;
    }
    return 0;
}

static int wait_readable(struct mig_transport *t, const char *what,
                         uint64_t deadline_ns, struct lxe_err *err)
{
    for (;;) {
        struct pollfd fds[] = {
            { .fd = t->recv_fd, .events = POLLIN },
            { .fd = t->cancel_fd, .events = POLLIN },
        };
        uint64_t now_ns = lxe_now_ns();

        if (deadline_ns && now_ns >= deadline_ns)
            return lxe_fail(err, -ETIMEDOUT, "no %s came in time", what);
        if (poll(fds, 2, 500) < 0 && errno != EINTR)
            return lxe_fail(err, -errno, "cannot wait for %s: %m", what);
        if (fds[1].revents & POLLIN)
            return lxe_fail(err, -ECANCELED, "cancelled while waiting for %s",
                            what);
        if (fds[0].revents)
            return 0;
    }
}

static ssize_t read_some(struct mig_transport *t, void *buf, size_t len,
                         const char *what, uint64_t deadline_ns,
                         struct lxe_err *err)
{
    ssize_t n;
    int rc = wait_readable(t, what, deadline_ns, err);

    if (rc)
        return rc;
    n = read(t->recv_fd, buf, len);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0)
        return lxe_fail(err, -ECONNRESET,
                        "the target ended before it sent %s", what);
    return n;
}

static uint64_t deadline(uint64_t timeout_ms)
{
    return timeout_ms ? lxe_now_ns() + timeout_ms * LXE_NS_PER_MS : 0;
}

int mig_transport_read(struct mig_transport *t, void *buf, size_t len,
                       const char *what, uint64_t timeout_ms,
                       struct lxe_err *err)
{
    uint64_t deadline_ns = deadline(timeout_ms);

    for (char *at = buf; len;) {
        ssize_t n = read_some(t, at, len, what, deadline_ns, err);

        if (n < 0)
            return (int)n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Byte by byte: what follows the line is for somebody else. */
int mig_transport_read_line(struct mig_transport *t, char *buf, size_t size,
                            const char *what, uint64_t timeout_ms,
                            struct lxe_err *err)
{
    uint64_t deadline_ns = deadline(timeout_ms);

    for (size_t len = 0; len < size;) {
        ssize_t n = read_some(t, buf + len, 1, what, deadline_ns, err);

        if (n < 0)
            return (int)n;
        len += (size_t)n;
        if (n && buf[len - 1] == '\n') {
            buf[len - 1] = '\0';
            return 0;
        }
    }
    return lxe_fail(err, -EMSGSIZE, "%s is too long a line", what);
}

/* Where there is room what is sent goes out, cancelled or not. */
static int wait_writable(struct mig_transport *t, const char *what,
                         uint64_t deadline_ns, struct lxe_err *err)
{
    for (;;) {
        struct pollfd fds[] = {
            { .fd = t->send_fd, .events = POLLOUT },
            { .fd = t->cancel_fd, .events = POLLIN },
        };

        if (poll(fds, 2, 500) < 0 && errno != EINTR)
            return lxe_fail(err, -errno, "cannot wait to send %s: %m", what);
        if (fds[0].revents)
            return 0;
        if (fds[1].revents & POLLIN)
            return lxe_fail(err, -ECANCELED, "cancelled while sending %s",
                            what);
        if (deadline_ns && lxe_now_ns() >= deadline_ns)
            return lxe_fail(err, -ETIMEDOUT, "the target did not take %s in"
                            " time", what);
    }
}

/* A pipe with room takes PIPE_BUF bytes at once: no write waits. */
int mig_transport_write(struct mig_transport *t, const void *data, size_t len,
                        const char *what, uint64_t timeout_ms,
                        struct lxe_err *err)
{
    uint64_t deadline_ns = deadline(timeout_ms);

    for (const char *at = data; len;) {
        size_t part = len < PIPE_BUF ? len : PIPE_BUF;
        int rc = wait_writable(t, what, deadline_ns, err);

        if (rc)
            return rc;
        rc = lxe_write_all(t->send_fd, at, part);
        if (rc)
            return lxe_fail(err, -ECONNRESET, "cannot send %s: %s", what,
                            strerror(-rc));
        at += part;
        len -= part;
    }
    return 0;
}

/* Whether it ended within STOP_NS. */
static bool reap(pid_t pid)
{
    uint64_t end_ns = lxe_now_ns() + STOP_NS;

    while (!waitpid(pid, NULL, WNOHANG)) {
        if (lxe_now_ns() > end_ns)
            return false;
        lxe_sleep_ns(10 * LXE_NS_PER_MS);
    }
    return true;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void mig_transport_stop(struct mig_transport *t)
{
    close_fd(&t->send_fd);
    close_fd(&t->recv_fd);
    if (t->pid <= 0)
        return;
    if (!reap(t->pid)) {
        kill(t->pid, SIGTERM);
        if (!reap(t->pid)) {
            kill(t->pid, SIGKILL);
            waitpid(t->pid, NULL, 0);
        }
    }
    t->pid = 0;
}
