/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "fx_libxl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "fx_guest.h"
#include "fx_program.h"
#include "limits.h"
#include "save_ipc.h"

/* ---- starting ---- */

static void set_env(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void set_fd_env(const char *name, int fd)
{
    char number[16];

    snprintf(number, sizeof(number), "%d", fd);
    setenv(name, number, 1);
}

static int spawn(struct fx_helper *h, int in, int out, int status,
                 int control)
{
    const char *program = h->config.program ? h->config.program
                                            : fx_program_path();
    posix_spawn_file_actions_t actions;
    char *argv[14] = { (char *)program };
    int rc;

    for (unsigned i = 0; i < 12 && h->config.argv[i]; i++)
        argv[i + 1] = (char *)h->config.argv[i];
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    /* On itself it clears FD_CLOEXEC. */
    posix_spawn_file_actions_adddup2(&actions, status, status);
    posix_spawn_file_actions_adddup2(&actions, control, control);
    posix_spawn_file_actions_adddup2(&actions, h->config.stream_fd,
                                     h->config.stream_fd);
    set_fd_env(MIG_STATUS_FD_ENV, status);
    set_fd_env(MIG_CONTROL_FD_ENV, control);
    set_env(MIG_LIMITS_ENV, h->config.limits);
    set_env("LD_PRELOAD", h->config.preload);
    rc = posix_spawn(&h->pid, program, &actions, NULL, argv, environ);
    unsetenv("LD_PRELOAD");
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

bool fx_helper_start(struct fx_helper *h, const struct fx_helper_config *c)
{
    int in[2], out[2], status[2], control[2], rc;

    memset(h, 0, sizeof(*h));
    h->config = *c;
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) ||
        pipe2(status, O_CLOEXEC) || pipe2(control, O_CLOEXEC))
        abort();
    rc = spawn(h, in[0], out[1], status[1], control[0]);
    close(in[0]);
    close(out[1]);
    close(status[1]);
    close(control[0]);
    h->to = in[1];
    h->from = out[0];
    h->status = status[0];
    h->control = control[1];
    fcntl(h->status, F_SETFL, O_NONBLOCK);
    if (!rc)
        return true;
    close(h->to);
    close(h->from);
    close(h->status);
    close(h->control);
    h->to = h->from = h->status = h->control = -1;
    return false;
}

/* ---- the IPC ---- */

static bool read_exactly(int fd, void *to, size_t len)
{
    uint8_t *p = to;

    while (len) {
        ssize_t n = read(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void hang_up(struct fx_helper *h)
{
    if (h->to >= 0)
        close(h->to);
    if (h->from >= 0)
        close(h->from);
    h->to = h->from = -1;
}

static void reply(struct fx_helper *h, int value)
{
    if (write(h->to, &value, sizeof(value)) != sizeof(value))
        hang_up(h);
}

static uint64_t status_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* While it waits for an answer. What it mapped of a guest is shared memory,
 * and left out. */
static void look_at_memory(struct fx_helper *h)
{
    struct fx_memory m;
    char path[64], text[4096];
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)h->pid);
    f = fopen(path, "r");
    if (f) {
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
    }
    text[n] = '\0';
    m.own_kib = status_kib(text, "RssAnon:");
    m.with_files_kib = m.own_kib + status_kib(text, "RssFile:");
    if (m.with_files_kib > h->memory.with_files_kib)
        h->memory = m;
}

static void suspend(struct fx_helper *h)
{
    h->suspend_asked = true;
    h->suspend_ns = fx_now_ns();
    if (h->config.die_at_suspend) {
        hang_up(h);
        return;
    }
    fx_sleep_us(h->config.suspend_us);
    if (h->config.refuse_suspend) {
        reply(h, 0);
        return;
    }
    fx_suspend(fx_domain(h->config.domid));
    h->suspended = true;
    fx_sleep_us(h->config.frozen_us);
    if (h->config.die_after_suspend)
        hang_up(h);
    else
        reply(h, 1);
}

static void take_save(struct fx_helper *h, const struct lxe_ipc_message *msg)
{
    switch (msg->number) {
    case LXE_IPC_LOG:
        if (msg->level >= XTL_ERROR)
            snprintf(h->error, sizeof(h->error), "%s", msg->text);
        if (getenv("FX_VERBOSE"))
            fprintf(stderr, "  helper: %s\n", msg->text);
        break;
    case LXE_IPC_SUSPEND:
        look_at_memory(h);
        suspend(h);
        break;
    case LXE_IPC_SWITCH_QEMU_LOGDIRTY:
        h->qemu_on += msg->enable != 0;
        h->qemu_off += msg->enable == 0;
        reply(h, 0);
        break;
    case LXE_IPC_COMPLETE:
        h->completed = true;
        h->retval = msg->retval;
        h->errnum = msg->complete_errno;
        look_at_memory(h);
        reply(h, 0);
        break;
    default:
        break;
    }
}

/* Of a restore only the numbers matter here. */
static bool take_restore(struct fx_helper *h, const uint8_t *body, size_t len)
{
    uint16_t number;
    int32_t retval;

    memcpy(&number, body, sizeof(number));
    if (number == LXE_IPC_STATIC_DATA_DONE) {
        reply(h, 0);
        return true;
    }
    if (number == LXE_IPC_COMPLETE && len >= 6) {
        memcpy(&retval, body + 2, sizeof(retval));
        h->completed = true;
        h->retval = retval;
        reply(h, 0);
        return true;
    }
    return number == LXE_IPC_RESTORE_RESULTS;
}

static void read_message(struct fx_helper *h)
{
    static uint8_t body[LXE_IPC_MAX_BODY];
    struct lxe_ipc_message msg;
    struct lxe_err err = { 0 };
    uint16_t len;

    if (!read_exactly(h->from, &len, sizeof(len)) || len < 2 ||
        !read_exactly(h->from, body, len)) {
        hang_up(h);
        return;
    }
    if (!strcmp(h->config.argv[0], "--restore-domain") &&
        take_restore(h, body, len))
        return;
    if (lxe_ipc_decode(body, len, &msg, &err))
        h->bad_messages++;
    else
        take_save(h, &msg);
}

/* ---- its status ---- */

static void take_line(struct fx_helper *h, const char *line, size_t len)
{
    struct mig_status status;
    struct lxe_err err = { 0 };

    if (mig_status_parse(line, len, &status, &err)) {
        h->bad_messages++;
        return;
    }
    if (status.kind == MIG_STATUS_START)
        h->started = true;
    if (status.kind == MIG_STATUS_END)
        h->end = status;
    if (status.kind == MIG_STATUS_STOP)
        snprintf(h->stop_reason, sizeof(h->stop_reason), "%s", status.reason);
    if (status.kind == MIG_STATUS_ROUND && h->round_count < FX_ROUNDS)
        h->rounds[h->round_count++] = status.round;
}

static void read_status(struct fx_helper *h)
{
    ssize_t n = read(h->status, h->line + h->line_len,
                     sizeof(h->line) - h->line_len);
    char *line = h->line, *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close(h->status);
        h->status = -1;
        return;
    }
    h->line_len += (size_t)n;
    while ((end = memchr(line, '\n',
                         h->line_len - (size_t)(line - h->line)))) {
        take_line(h, line, (size_t)(end - line));
        line = end + 1;
    }
    h->line_len -= (size_t)(line - h->line);
    memmove(h->line, line, h->line_len);
}

/* ---- all of them ---- */

static void serve_once(struct fx_helper **helpers, unsigned count)
{
    struct pollfd fds[8];

    for (unsigned i = 0; i < count; i++) {
        fds[2 * i] = (struct pollfd){ helpers[i]->from, POLLIN, 0 };
        fds[2 * i + 1] = (struct pollfd){ helpers[i]->status, POLLIN, 0 };
    }
    if (poll(fds, 2 * count, -1) < 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        if (fds[2 * i + 1].revents)
            read_status(helpers[i]);
        if (fds[2 * i].revents)
            read_message(helpers[i]);
    }
}

void fx_helpers_serve(struct fx_helper **helpers, unsigned count,
                      struct fx_helper *first)
{
    while (first->from >= 0 || first->status >= 0)
        serve_once(helpers, count);
}

void fx_helper_reap(struct fx_helper *h)
{
    while (wait4(h->pid, &h->exit_status, 0, &h->usage) < 0 && errno == EINTR)
        ;
    close(h->control);
    h->control = -1;
}
