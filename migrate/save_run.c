/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "save_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* So long the helper may take to tell its pid before we cut the transport. */
#define PID_WAIT_NS (5 * LXE_NS_PER_SEC)

struct state {
    struct mig_save_run *run;
    int status_fd;            /* we read */
    char buf[2 * MIG_STATUS_MAX_LINE];
    size_t have;
    pid_t helper;             /* 0 until it told */
    uint64_t cancel_ns;       /* when it was asked for; 0 if not */
    bool cancel_sent;
    char helper_error[MIG_STATUS_REASON];

    int done_fd[2];           /* the thread closes [1] at its end */
    int rc;
    struct lxe_err err;
};

static void *save_thread(void *data)
{
    struct state *s = data;

    s->rc = s->run->host->ops->save(s->run->host, &s->run->args, &s->err);
    close(s->done_fd[1]);
    return NULL;
}

/* The helper turns log-dirty mode off on its way out, so it is asked first;
 * one that never told its pid (it is not ours) loses its transport. */
static void push_cancel(struct state *s)
{
    if (!s->cancel_ns || s->cancel_sent)
        return;
    if (s->helper) {
        kill(s->helper, SIGTERM);
        s->cancel_sent = true;
    } else if (lxe_now_ns() - s->cancel_ns > PID_WAIT_NS) {
        if (s->run->transport->pid > 0)
            kill(s->run->transport->pid, SIGTERM);
        s->cancel_sent = true;
    }
}

static void cancel(struct state *s)
{
    if (!s->cancel_ns)
        s->cancel_ns = lxe_now_ns();
    push_cancel(s);
}

static void take_line(struct state *s, const char *line, size_t len)
{
    struct mig_status status;
    struct lxe_err err = { 0 };

    if (mig_status_parse(line, len, &status, &err)) {
        lxe_warn("%s", err.text);
        return;
    }
    if (status.kind == MIG_STATUS_START)
        s->helper = (pid_t)status.pid;
    if (status.kind == MIG_STATUS_END) {
        s->helper = 0; /* it is about to end, and its pid to be free */
        if (!status.ok)
            memcpy(s->helper_error, status.reason, sizeof(s->helper_error));
    }
    if (s->run->on_status(s->run->data, &status))
        cancel(s);
}

/* Returns 1 when it read some, 0 when none waits, -1 at their end. */
static int read_status(struct state *s)
{
    ssize_t n = read(s->status_fd, s->buf + s->have,
                     sizeof(s->buf) - s->have);
    char *line = s->buf, *end;

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        return -1;
    s->have += (size_t)n;
    while ((end = memchr(line, '\n', s->have - (size_t)(line - s->buf)))) {
        take_line(s, line, (size_t)(end - line));
        line = end + 1;
    }
    s->have -= (size_t)(line - s->buf);
    memmove(s->buf, line, s->have);
    if (s->have == sizeof(s->buf)) /* no line is that long */
        s->have = 0;
    return 1;
}

static void watch(struct state *s)
{
    struct pollfd fds[] = {
        { .fd = s->done_fd[0], .events = POLLIN },
        { .fd = s->status_fd, .events = POLLIN },
        { .fd = s->run->transport->cancel_fd, .events = POLLIN },
    };

    while (!fds[0].revents) {
        if (poll(fds, 3, 500) < 0)
            continue;
        if (fds[1].revents && read_status(s) < 0)
            fds[1].fd = -1;
        if (fds[2].revents & POLLIN) {
            cancel(s);
            fds[2].fd = -1; /* it stays readable */
        }
        push_cancel(s);
    }
    while (fds[1].fd >= 0 && read_status(s) > 0)
        ;
}

/* Statuses go to the helper through libxl, which passes on our environment
 * and the descriptors that are open across exec. */
static int prepare(struct state *s, int *write_fd, struct lxe_err *err)
{
    char text[MIG_LIMITS_TEXT], number[16];
    int fds[2];

    if (pipe2(s->done_fd, O_CLOEXEC))
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    if (pipe2(fds, O_CLOEXEC)) {
        lxe_fail(err, -errno, "cannot make a pipe: %m");
        close(s->done_fd[0]);
        close(s->done_fd[1]);
        return -EMFILE;
    }
    fcntl(fds[1], F_SETFD, 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    s->status_fd = fds[0];
    *write_fd = fds[1];
    mig_limits_format(s->run->limits, text);
    snprintf(number, sizeof(number), "%d", fds[1]);
    setenv(MIG_LIMITS_ENV, text, 1);
    setenv(MIG_STATUS_FD_ENV, number, 1);
    return 0;
}

static int outcome(struct state *s, struct lxe_err *err)
{
    if (!s->rc)
        return 0;
    if (s->cancel_ns)
        return lxe_fail(err, -ECANCELED, "cancelled during pre-copy");
    return lxe_fail(err, s->rc, "%s",
                    *s->helper_error ? s->helper_error : s->err.text);
}

int mig_save_run(struct mig_save_run *run, struct lxe_err *err)
{
    struct state *s = calloc(1, sizeof(*s));
    pthread_t thread;
    int rc, write_fd = -1;

    if (!s)
        return lxe_fail(err, -ENOMEM, "out of memory");
    s->run = run;
    rc = prepare(s, &write_fd, err);
    if (rc)
        goto out;
    rc = pthread_create(&thread, NULL, save_thread, s);
    if (rc) {
        rc = lxe_fail(err, -rc, "cannot start a thread: %s", strerror(rc));
        close(s->done_fd[1]);
    } else {
        watch(s);
        pthread_join(thread, NULL);
        rc = outcome(s, err);
    }
    close(write_fd);
    close(s->status_fd);
    close(s->done_fd[0]);
out:
    free(s);
    return rc;
}
