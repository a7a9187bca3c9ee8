/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "control_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct mig_control {
    struct mig_control_config config;
    pthread_t thread;
    int wake[2]; /* closed [1] ends the thread */
    char line[MIG_LIMITS_TEXT];
    size_t len;
    bool too_long; /* what comes until the next newline is not kept */
};

static void take_line(struct mig_control *c)
{
    struct mig_limits limits = c->config.limits;
    struct lxe_err err = { 0 };

    c->line[c->len] = '\0';
    if (c->too_long) {
        lxe_warn("control: a line is longer than %d bytes",
                 MIG_LIMITS_TEXT - 1);
    } else if (mig_limits_parse(c->line, &limits, &err)) {
        lxe_warn("control: %s; the limits stay as they are", err.text);
    } else {
        c->config.limits = limits;
        c->config.changed(c->config.data, &limits);
    }
    c->len = 0;
    c->too_long = false;
}

static void take_bytes(struct mig_control *c, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n')
            take_line(c);
        else if (c->len + 1 < sizeof(c->line))
            c->line[c->len++] = data[i];
        else
            c->too_long = true;
    }
}

/* Returns false at the end of the file, or where it cannot be read. */
static bool read_some(struct mig_control *c)
{
    char buf[512];
    ssize_t n = read(c->config.fd, buf, sizeof(buf));

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    take_bytes(c, buf, (size_t)n);
    return n > 0;
}

static void *control_main(void *data)
{
    struct mig_control *c = data;
    struct pollfd fds[] = {
        { .fd = c->wake[0], .events = POLLIN },
        { .fd = c->config.fd, .events = POLLIN },
    };

    while (!fds[0].revents) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents && !read_some(c))
            fds[1].fd = -1;
    }
    return NULL;
}

static int start_thread(struct mig_control *c, struct lxe_err *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&c->thread, NULL, control_main, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc ? lxe_fail(err, -rc, "cannot start a thread: %s", strerror(rc))
              : 0;
}

static void close_control(struct mig_control *c)
{
    close(c->wake[0]);
    if (c->wake[1] >= 0)
        close(c->wake[1]);
    free(c);
}

int mig_control_start(const struct mig_control_config *config,
                      struct mig_control **out, struct lxe_err *err)
{
    struct mig_control *c = calloc(1, sizeof(*c));
    int rc;

    *out = NULL;
    if (!c)
        return lxe_fail(err, -ENOMEM, "out of memory");
    c->config = *config;
    if (pipe2(c->wake, O_CLOEXEC)) {
        rc = lxe_fail(err, -errno, "cannot make a pipe: %m");
        free(c);
        return rc;
    }
    fcntl(config->fd, F_SETFL, fcntl(config->fd, F_GETFL) | O_NONBLOCK);
    rc = start_thread(c, err);
    if (rc)
        close_control(c);
    else
        *out = c;
    return rc;
}

void mig_control_stop(struct mig_control *control)
{
    if (!control)
        return;
    close(control->wake[1]);
    control->wake[1] = -1;
    pthread_join(control->thread, NULL);
    close_control(control);
}
