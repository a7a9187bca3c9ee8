/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "control.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_seats.h"
#include "seldom.h"

#define READ_BYTES (16u << 10)

static const struct aero_pace_limit usual_limit = { AERO_CONTROL_RATE,
                                                   AERO_CONTROL_BYTES };

struct client {
    uv_pipe_t pipe;
    uv_timer_t timer; /* runs while it is not read */
    unsigned open;    /* of these two */
    struct aero_control *control;
    struct client *next;
    struct aero_peer peer;
    bool seated, turned_away;
    bool closing;
    bool tell; /* the handlers, once it is closed */
    struct aero_pace pace;
    size_t len;
    char buffer[AERO_CONTROL_LINE + READ_BYTES];
};

struct aero_control {
    uv_pipe_t pipe;
    struct aero_control_handlers handlers;
    struct client *clients;
    struct aero_seats seats;
    struct aero_seldom turned_away, blamed;
    bool closed; /* its own pipe is; it is freed with the last client */
    uv_pipe_t refused; /* a connection for which there is no memory */
    bool refusing;     /* it is open */
    bool turning_away; /* a client for whom there is no seat */
    bool unaccepted;   /* another waits behind one of these */
    uint64_t last_client;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct out_line {
    uv_write_t req;
    char text[];
};

static void free_unused(struct aero_control *control)
{
    if (control->closed && !control->clients && !control->refusing)
        free(control);
}

static void on_server_closed(uv_handle_t *handle)
{
    struct aero_control *control = handle->data;

    control->closed = true;
    free_unused(control);
}

static void on_connection(uv_stream_t *server, int status);

static void take_waiting(struct aero_control *control)
{
    bool waits = control->unaccepted && !control->closed &&
                 !uv_is_closing((uv_handle_t *)&control->pipe);

    control->unaccepted = false;
    if (waits)
        on_connection((uv_stream_t *)&control->pipe, 0);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *c = handle->data, **p = &c->control->clients;
    struct aero_control *control = c->control;

    if (--c->open)
        return;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    if (c->seated)
        aero_seats_leave(&control->seats, c->peer.uid);
    if (c->tell)
        control->handlers.gone(c->peer.client, control->handlers.data);
    if (c->turned_away) {
        control->turning_away = false;
        take_waiting(control);
    }
    free(c);
    free_unused(control);
}

/* The handlers hear of it from the loop, not in the middle of a call. */
static void cut_off(struct client *c, bool tell)
{
    if (c->closing)
        return;
    c->closing = true;
    c->tell = tell;
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
    uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *c = handle->data;

    (void)suggested;
    *buf = uv_buf_init(c->buffer + c->len,
                       (unsigned)(sizeof(c->buffer) - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static int start_reading(struct client *c)
{
    int rc = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);

    return rc == UV_EALREADY ? 0 : rc;
}

/* Hands over whole lines while they may be taken; false: one has to wait. */
static bool take_lines(struct client *c)
{
    struct aero_control *control = c->control;
    char *line = c->buffer, *end = c->buffer + c->len, *newline;
    bool paced = false;

    while (!c->closing &&
           (newline = memchr(line, '\n', (size_t)(end - line)))) {
        size_t len = (size_t)(newline - line);

        if (len > AERO_CONTROL_LINE)
            break;
        paced = !aero_pace_take(&c->pace, control->handlers.limit, len + 1,
                                lxe_now_ns());
        if (paced)
            break;
        *newline = '\0';
        control->handlers.line(&c->peer, line, len, control->handlers.data);
        line = newline + 1;
    }
    c->len = (size_t)(end - line);
    memmove(c->buffer, line, c->len);
    return !paced;
}

static void on_second_over(uv_timer_t *timer);

/* Who is cut off may come again at once, and do the same. */
static void blame(struct client *c, const char *what)
{
    unsigned count = aero_seldom(&c->control->blamed, lxe_now_ns());

    if (count)
        lxe_warn("control: process %d of user %u %s (%u cut off)",
                 (int)c->peer.pid, (unsigned)c->peer.uid, what, count);
}

/* Takes what was read; reads on only where none of it has to wait. */
static void go_on(struct client *c)
{
    bool all = take_lines(c);

    if (c->closing)
        return;
    if (!all) {
        uv_read_stop((uv_stream_t *)&c->pipe);
        uv_timer_start(&c->timer, on_second_over,
                       aero_pace_wait_ms(&c->pace, lxe_now_ns()), 0);
    } else if (c->len > AERO_CONTROL_LINE) {
        blame(c, "sends a request of more than 16 KiB");
        cut_off(c, true);
    } else if (start_reading(c)) {
        cut_off(c, true);
    }
}

/* Whether it has closed its end, of which libuv tells only who reads. */
static bool has_hung_up(const struct client *c)
{
    struct pollfd p = { .events = 0 }; /* the kernel adds POLLHUP itself */

    return uv_fileno((const uv_handle_t *)&c->pipe, &p.fd) ||
           (poll(&p, 1, 0) == 1 && p.revents & POLLHUP);
}

static void on_second_over(uv_timer_t *timer)
{
    struct client *c = timer->data;

    /* What it holds is free now, not when all that it asked is answered. */
    if (has_hung_up(c))
        cut_off(c, true);
    else
        go_on(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;

    (void)buf;
    if (n < 0) {
        cut_off(c, true);
        return;
    }
    c->len += (size_t)n;
    go_on(c);
}

static int peer_of(struct client *c)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return -EIO;
    c->peer = (struct aero_peer){ ++c->control->last_client, cred.uid,
                                  cred.pid };
    return 0;
}

static void on_refused_closed(uv_handle_t *handle)
{
    struct aero_control *control = handle->data;

    control->refusing = false;
    take_waiting(control);
    free_unused(control);
}

/* libuv listens no more until a connection that it announced was accepted. */
static void refuse_connection(struct aero_control *control)
{
    lxe_warn("control: out of memory; a connection is refused");
    if (control->refusing) {
        control->unaccepted = true;
        return;
    }
    uv_pipe_init(control->pipe.loop, &control->refused, 0);
    control->refused.data = control;
    control->refusing = true;
    uv_accept((uv_stream_t *)&control->pipe, (uv_stream_t *)&control->refused);
    uv_close((uv_handle_t *)&control->refused, on_refused_closed);
}

/* Anybody can come as often as he likes, and is not to fill the log. */
static void turn_away(struct client *c)
{
    struct aero_control *control = c->control;
    unsigned count = aero_seldom(&control->turned_away, lxe_now_ns());

    if (count)
        lxe_warn("control: too many clients (%u; %u of them not root's);"
                 " %u turned away, process %d of user %u the last",
                 control->seats.taken, control->seats.others, count,
                 (int)c->peer.pid, (unsigned)c->peer.uid);
    control->handlers.full(&c->peer, control->handlers.data);
    c->turned_away = control->turning_away = true;
    cut_off(c, false);
}

/* Takes the connection that waits into c. */
static void accept_client(struct aero_control *control, struct client *c)
{
    uv_pipe_init(control->pipe.loop, &c->pipe, 0);
    uv_timer_init(control->pipe.loop, &c->timer);
    c->pipe.data = c->timer.data = c;
    c->open = 2;
    c->control = control;
    c->next = control->clients;
    control->clients = c;
    if (uv_accept((uv_stream_t *)&control->pipe, (uv_stream_t *)&c->pipe) ||
        peer_of(c)) {
        cut_off(c, false);
        return;
    }
    c->seated = aero_seats_take(&control->seats, c->peer.uid);
    if (!c->seated)
        turn_away(c);
    else if (start_reading(c))
        cut_off(c, false);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct aero_control *control = server->data;
    struct client *c;

    if (status < 0) {
        lxe_warn("control: cannot take a connection: %s",
                 uv_strerror(status));
        return;
    }
    /* One in a turn of the loop: who comes on and on is not all it does. */
    if (control->turning_away) {
        control->unaccepted = true;
        return;
    }
    c = calloc(1, sizeof(*c));
    if (!c) {
        refuse_connection(control);
        return;
    }
    accept_client(control, c);
}

static void on_written(uv_write_t *req, int status)
{
    (void)status; /* a broken connection also ends the reading */
    free(req->data);
}

/* What cannot be kept until the client reads it goes at once, or with it. */
static void send_unkept(struct client *c, const char *text, size_t len)
{
    char newline = '\n';
    uv_buf_t bufs[] = { uv_buf_init((char *)text, (unsigned)len),
                        uv_buf_init(&newline, 1) };

    if (uv_try_write((uv_stream_t *)&c->pipe, bufs, 2) == (int)len + 1)
        return;
    lxe_warn("control: out of memory; process %d is cut off",
             (int)c->peer.pid);
    cut_off(c, true);
}

void aero_control_send(struct aero_control *control, uint64_t client,
                       const char *text, size_t len)
{
    struct client *c = control->clients;
    struct out_line *out;
    uv_buf_t buf;

    while (c && (c->peer.client != client || c->closing))
        c = c->next;
    if (!c)
        return;
    /* One answer may be longer than that: a status of all guests. */
    if (uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe) >
        AERO_CONTROL_UNREAD) {
        blame(c, "does not read its answers");
        cut_off(c, true);
        return;
    }
    out = malloc(sizeof(*out) + len + 1);
    if (!out) {
        send_unkept(c, text, len);
        return;
    }
    memcpy(out->text, text, len);
    out->text[len] = '\n';
    out->req.data = out;
    buf = uv_buf_init(out->text, (unsigned)len + 1);
    if (uv_write(&out->req, (uv_stream_t *)&c->pipe, &buf, 1, on_written))
        free(out);
}

int aero_control_find_group(const char *group, gid_t *gid,
                            struct lxe_err *err)
{
    struct group *g;

    *gid = getegid();
    if (!*group)
        return 0;
    g = getgrnam(group);
    if (!g)
        return lxe_fail(err, -EINVAL, "socket_group: there is no group '%s';"
                        " see 'getent group'", group);
    *gid = g->gr_gid;
    return 0;
}

static int set_group(const char *path, const char *group, struct lxe_err *err)
{
    gid_t gid;
    int rc = aero_control_find_group(group, &gid, err);

    if (rc)
        return rc;
    if (chown(path, (uid_t)-1, gid))
        return lxe_fail(err, -errno, "cannot give %s to group %s: %m", path,
                        *group ? group : "root");
    return 0;
}

static int set_owner(const char *path, const char *group, struct lxe_err *err)
{
    if (chmod(path, 0660))
        return lxe_fail(err, -errno, "cannot set the mode of %s: %m", path);
    return set_group(path, group, err);
}

/* Removes what a dead daemon left; nothing else than a socket. */
static int clear_path(const char *path, struct lxe_err *err)
{
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : lxe_fail(err, -errno, "%s: %m", path);
    if (!S_ISSOCK(st.st_mode))
        return lxe_fail(err, -EEXIST, "%s is there and is no socket;"
                        " remove it, or use --socket", path);
    if (unlink(path))
        return lxe_fail(err, -errno, "cannot remove %s: %m", path);
    return 0;
}

static int listen_on(struct aero_control *control, const char *group,
                     struct lxe_err *err)
{
    mode_t old = umask(0177);
    int rc = uv_pipe_bind(&control->pipe, control->path);

    umask(old);
    if (rc)
        return lxe_fail(err, rc, "cannot listen on %s: %s", control->path,
                        uv_strerror(rc));
    rc = set_owner(control->path, group, err);
    if (rc)
        return rc;
    rc = uv_listen((uv_stream_t *)&control->pipe, 16, on_connection);
    return rc ? lxe_fail(err, rc, "cannot listen on %s: %s", control->path,
                         uv_strerror(rc))
              : 0;
}

int aero_control_open(uv_loop_t *loop, const char *path, const char *group,
                      const struct aero_control_handlers *handlers,
                      struct aero_control **out, struct lxe_err *err)
{
    struct aero_control *control;
    int rc;

    *out = NULL;
    if (strlen(path) >= sizeof(control->path))
        return lxe_fail(err, -ENAMETOOLONG, "socket path is too long: %s",
                        path);
    rc = clear_path(path, err);
    if (rc)
        return rc;
    control = calloc(1, sizeof(*control));
    if (!control)
        return lxe_fail(err, -ENOMEM, "out of memory");
    strcpy(control->path, path);
    control->handlers = *handlers;
    if (!handlers->limit)
        control->handlers.limit = &usual_limit;
    uv_pipe_init(loop, &control->pipe, 0);
    control->pipe.data = control;
    rc = listen_on(control, group, err);
    if (rc) {
        aero_control_close(control);
        return rc;
    }
    *out = control;
    return 0;
}

int aero_control_set_group(struct aero_control *control, const char *group,
                           struct lxe_err *err)
{
    return set_group(control->path, group, err);
}

void aero_control_close(struct aero_control *control)
{
    for (struct client *c = control->clients; c; c = c->next) {
        cut_off(c, false);
        c->tell = false;
    }
    /* Removes the socket, too. */
    uv_close((uv_handle_t *)&control->pipe, on_server_closed);
}
