/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "save_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Between one way to end a save and the next, harder one. */
#define PATIENCE_NS (5 * LXE_NS_PER_SEC)
/* libxl itself gives up on a guest that does not suspend within a minute. */
#define PUSHES      4 /* to end a save that is cancelled */
#define SUSPEND_NS  (65 * LXE_NS_PER_SEC)
#define LEAST_BPS   UINT64_C(100000) /* limits.c takes no less */

struct state {
    struct mig_save_run *run;
    int status[2];            /* we read [0] */
    int control[2];           /* we write [1] */
    char buf[2 * MIG_STATUS_MAX_LINE];
    size_t have;
    pid_t helper;             /* 0 until it told */
    uint64_t cancel_ns;       /* when it was asked for; 0 if not */
    unsigned pushed;          /* how hard; see push_cancel() */
    uint64_t moved_ns;        /* when something was last written */
    uint64_t round_bytes;     /* in this round */
    bool suspending, stalled;
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

static void end_transport(struct state *s, int signal)
{
    if (s->run->transport->pid > 0)
        kill(s->run->transport->pid, signal);
}

/*
 * The helper turns log-dirty mode off on its way out, so it is asked first.
 * One that never told its pid (it is not ours), or cannot hear, loses its
 * transport: its writes fail then. One that still does not end is stopped, or
 * stuck, and is killed: the undo does the rest. A guest that was asked to
 * suspend has until libxl's patience is over, since it is seen to do so there.
 */
static void push_cancel(struct state *s)
{
    uint64_t waited_ns = lxe_now_ns() - s->cancel_ns;
    uint64_t patience_ns = s->run->patience_ns ? s->run->patience_ns
                                               : PATIENCE_NS;

    uint64_t due_ns = s->pushed * patience_ns;

    if (s->pushed == PUSHES - 1 && s->suspending)
        due_ns += SUSPEND_NS;
    if (!s->cancel_ns || waited_ns < due_ns || s->pushed == PUSHES)
        return;
    switch (s->pushed++) {
    case 0:
        if (s->helper)
            kill(s->helper, SIGTERM);
        break;
    case 1:
        end_transport(s, SIGTERM);
        break;
    case 2:
        end_transport(s, SIGKILL);
        break;
    case PUSHES - 1:
        if (s->helper)
            kill(s->helper, SIGKILL);
        break;
    }
}

static void cancel(struct state *s)
{
    if (!s->cancel_ns)
        s->cancel_ns = lxe_now_ns();
    push_cancel(s);
}

/* A peer that neither takes anything nor goes away would hold us for ever. */
static void check_stall(struct state *s)
{
    uint64_t limit_ns = s->run->stall_ns + (s->suspending ? SUSPEND_NS : 0);

    if (!s->run->stall_ns || s->cancel_ns ||
        lxe_now_ns() - s->moved_ns < limit_ns)
        return;
    s->stalled = true;
    cancel(s);
}

static void note_progress(struct state *s, const struct mig_status *status)
{
    if (status->kind == MIG_STATUS_PROGRESS &&
        status->round.bytes == s->round_bytes)
        return;
    s->round_bytes = status->round.bytes;
    s->moved_ns = lxe_now_ns();
    if (status->kind == MIG_STATUS_STOP)
        s->suspending = true;
    if (status->kind == MIG_STATUS_SUSPENDED)
        s->suspending = false;
}

static void take_line(struct state *s, const char *line, size_t len)
{
    struct mig_status status;
    struct lxe_err err = { 0 };

    if (mig_status_parse(line, len, &status, &err)) {
        lxe_warn("%s", err.text);
        return;
    }
    note_progress(s, &status);
    if (status.kind == MIG_STATUS_START && status.pid > 1 &&
        status.pid <= INT32_MAX)
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
    ssize_t n = read(s->status[0], s->buf + s->have,
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
        { .fd = s->status[0], .events = POLLIN },
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
        check_stall(s);
        push_cancel(s);
    }
    while (fds[1].fd >= 0 && read_status(s) > 0)
        ;
}

/* Limits to a part of the host's rate; 0: to their own. */
static void limit_rate(struct mig_limits *limits, uint64_t max_bps)
{
    struct mig_rate_limits *rate = &limits->rate;

    if (!max_bps)
        return;
    rate->max_bps = max_bps < LEAST_BPS ? LEAST_BPS : max_bps;
    if (rate->min_bps > rate->max_bps)
        rate->min_bps = rate->max_bps;
}

/* A pipe of which the save helper inherits one end, by its number. */
static int open_pipe(int fds[2], int inherited, const char *variable,
                     struct lxe_err *err)
{
    char number[16];

    if (pipe2(fds, O_CLOEXEC))
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    fcntl(fds[inherited], F_SETFD, 0);
    fcntl(fds[!inherited], F_SETFL, O_NONBLOCK);
    snprintf(number, sizeof(number), "%d", fds[inherited]);
    setenv(variable, number, 1);
    return 0;
}

/* The helper hears and speaks through libxl, which passes on our environment
 * and the descriptors that are open across exec. */
static int prepare(struct state *s, struct lxe_err *err)
{
    struct mig_limits limits = *s->run->limits;
    char text[MIG_LIMITS_TEXT];
    int rc = 0;

    if (pipe2(s->done_fd, O_CLOEXEC))
        rc = lxe_fail(err, -errno, "cannot make a pipe: %m");
    if (!rc)
        rc = open_pipe(s->status, 1, MIG_STATUS_FD_ENV, err);
    if (!rc)
        rc = open_pipe(s->control, 0, MIG_CONTROL_FD_ENV, err);
    limit_rate(&limits, s->run->first_bps);
    mig_limits_format(&limits, text);
    setenv(MIG_LIMITS_ENV, text, 1);
    s->run->control_fd = s->control[1];
    s->moved_ns = lxe_now_ns();
    return rc;
}

void mig_save_run_rate(struct mig_save_run *run, uint64_t max_bps)
{
    struct mig_limits limits = *run->limits;
    char text[MIG_LIMITS_RATE_TEXT], line[MIG_LIMITS_RATE_TEXT + 1];
    int len;

    limit_rate(&limits, max_bps);
    mig_limits_format_rate(&limits.rate, text);
    len = snprintf(line, sizeof(line), "%s\n", text);
    if (run->control_fd >= 0 && write(run->control_fd, line, (size_t)len) < 0)
        lxe_warn("cannot tell the save helper its rate: %m");
}

static int outcome(struct state *s, struct lxe_err *err)
{
    if (!s->rc)
        return 0;
    if (s->stalled)
        return lxe_fail(err, -ETIMEDOUT, "nothing could be sent for %u s: the"
                        " target, or the way to it, hangs",
                        (unsigned)(s->run->stall_ns / LXE_NS_PER_SEC));
    if (s->cancel_ns)
        return lxe_fail(err, -ECANCELED, "cancelled during pre-copy");
    return lxe_fail(err, s->rc, "%s",
                    *s->helper_error ? s->helper_error : s->err.text);
}

static void close_pipes(struct state *s)
{
    s->run->control_fd = -1;
    for (int i = 0; i < 2; i++) {
        if (s->status[i] >= 0)
            close(s->status[i]);
        if (s->control[i] >= 0)
            close(s->control[i]);
    }
    if (s->done_fd[0] >= 0)
        close(s->done_fd[0]);
}

int mig_save_run(struct mig_save_run *run, struct lxe_err *err)
{
    struct state *s = calloc(1, sizeof(*s));
    pthread_t thread;
    int rc;

    if (!s)
        return lxe_fail(err, -ENOMEM, "out of memory");
    *s = (struct state){ .run = run, .done_fd = { -1, -1 },
                         .status = { -1, -1 }, .control = { -1, -1 } };
    rc = prepare(s, err);
    if (rc) {
        if (s->done_fd[1] >= 0)
            close(s->done_fd[1]);
        goto out;
    }
    rc = pthread_create(&thread, NULL, save_thread, s);
    if (rc) {
        rc = lxe_fail(err, -rc, "cannot start a thread: %s", strerror(rc));
        close(s->done_fd[1]);
    } else {
        watch(s);
        pthread_join(thread, NULL);
        rc = outcome(s, err);
    }
out:
    close_pipes(s);
    free(s);
    return rc;
}
