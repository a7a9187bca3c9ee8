/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/rpc_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define FIRST_ROOM (64u << 10)
#define SEND_S     2 /* for a daemon to accept, and to take a request */

struct lxe_rpc {
    int fd;
    uint64_t last_id;
    char *line;
    size_t room, len;
    unsigned slow_after_ms;
    lxe_rpc_slow_fn *slow; /* NULL: nobody is told */
    void *slow_data;
};

static int connect_error(const char *path, struct lxe_err *err)
{
    int e = errno;

    switch (e) {
    case ENOENT:
    case ECONNREFUSED:
        return lxe_fail(err, -e, "no aerostatd listens on %s; start it with"
                                 " 'systemctl start aerostatd'", path);
    case EACCES:
    case EPERM:
        return lxe_fail(err, -e, "may not talk to aerostatd on %s;"
                                 " run this as root", path);
    case EAGAIN: /* more wait already than it lets wait */
        return lxe_fail(err, -ETIMEDOUT, "aerostatd on %s accepts no"
                                         " connection; it may hang", path);
    default:
        return lxe_fail(err, -e, "cannot connect to %s: %s", path,
                        strerror(e));
    }
}

/* Of a Unix socket it bounds connect() as well. */
static void bound_sending(int fd)
{
    const struct timeval limit = { .tv_sec = SEND_S };

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int lxe_rpc_open(const char *path, struct lxe_rpc **out, struct lxe_err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct lxe_rpc *rpc;
    _cleanup_close_ int fd = -1;

    *out = NULL;
    if (!path)
        path = getenv(LXE_RPC_SOCKET_ENV);
    if (!path)
        path = AEROSTAT_RUNDIR "/aerostatd.sock";
    if (strlen(path) >= sizeof(addr.sun_path))
        return lxe_fail(err, -ENAMETOOLONG, "socket path is too long: %s",
                        path);
    memcpy(addr.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return lxe_fail(err, -errno, "cannot make a socket: %m");
    bound_sending(fd);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        return connect_error(path, err);
    rpc = calloc(1, sizeof(*rpc));
    if (!rpc)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rpc->fd = fd;
    fd = -1;
    *out = rpc;
    return 0;
}

int lxe_rpc_fd(const struct lxe_rpc *rpc)
{
    return rpc->fd;
}

void lxe_rpc_when_slow(struct lxe_rpc *rpc, unsigned after_ms,
                       lxe_rpc_slow_fn *slow, void *data)
{
    rpc->slow_after_ms = after_ms;
    rpc->slow = slow;
    rpc->slow_data = data;
}

void lxe_rpc_close(struct lxe_rpc *rpc)
{
    if (!rpc)
        return;
    close(rpc->fd);
    free(rpc->line);
    free(rpc);
}

static struct lxe_jw *write_request(uint64_t id, const char *method,
                                    struct lxe_json *params)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return NULL;
    lxe_jw_object(w);
    lxe_jw_str(w, "jsonrpc", "2.0");
    lxe_jw_u64(w, "id", id);
    lxe_jw_str(w, "method", method);
    if (params)
        lxe_jw_tree(w, "params", params);
    lxe_jw_end_object(w);
    return w;
}

static int send_all(int fd, const char *text, size_t len, struct lxe_err *err)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return lxe_fail(err, -ETIMEDOUT, "aerostatd takes no request");
        if (n < 0)
            return lxe_fail(err, -ECONNRESET, "aerostatd went away: %m");
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_request(struct lxe_rpc *rpc, const char *method,
                        struct lxe_jw *params, struct lxe_err *err)
{
    struct lxe_json *tree = NULL;
    struct lxe_jw *w;
    const char *text;
    size_t len;
    int rc = 0;

    text = params ? lxe_jw_text(params, &len) : NULL;
    if (params)
        rc = text ? lxe_json_parse(text, len, &tree, err)
                  : lxe_fail(err, -ENOMEM, "out of memory");
    if (rc)
        return rc;
    w = write_request(++rpc->last_id, method, tree);
    lxe_json_free(tree);
    text = w ? lxe_jw_text(w, &len) : NULL;
    if (!text)
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    else
        rc = send_all(rpc->fd, text, len, err);
    if (!rc)
        rc = send_all(rpc->fd, "\n", 1, err);
    lxe_jw_free(w);
    return rc;
}

/* Rounds up, and looks again after a minute at the latest. */
static int poll_ms(uint64_t ns)
{
    return ns > 60 * LXE_NS_PER_SEC ? 60000 : (int)(ns / LXE_NS_PER_MS) + 1;
}

static int wait_readable(int fd, uint64_t deadline_ns, struct lxe_err *err)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        uint64_t now = lxe_now_ns();
        int wait_ms = -1, n;

        if (deadline_ns) {
            if (now >= deadline_ns)
                return lxe_fail(err, -ETIMEDOUT,
                                "aerostatd did not answer in time");
            wait_ms = poll_ms(deadline_ns - now);
        }
        n = poll(&p, 1, wait_ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return lxe_fail(err, -errno, "cannot wait for aerostatd: %m");
    }
}

/* An error, too, is an answer: the read that follows says which. */
static void tell_if_slow(struct lxe_rpc *rpc)
{
    uint64_t end_ns = lxe_now_ns() + rpc->slow_after_ms * LXE_NS_PER_MS;
    struct lxe_err err = { 0 };

    if (rpc->slow && wait_readable(rpc->fd, end_ns, &err) == -ETIMEDOUT)
        rpc->slow(rpc->slow_data);
}

/* Room for at least one byte more. */
static int make_room(struct lxe_rpc *rpc, struct lxe_err *err)
{
    size_t room = rpc->room ? 2 * rpc->room : FIRST_ROOM;
    char *line;

    if (rpc->len < rpc->room)
        return 0;
    if (room > LXE_RPC_MAX_LINE)
        return lxe_fail(err, -EPROTO, "aerostatd's answer is too long");
    line = realloc(rpc->line, room);
    if (!line)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rpc->line = line;
    rpc->room = room;
    return 0;
}

/* Reads up to and with the next newline, which it turns into a NUL. */
static int read_line(struct lxe_rpc *rpc, uint64_t deadline_ns,
                     struct lxe_err *err)
{
    rpc->len = 0;
    for (;;) {
        ssize_t n;
        int rc = make_room(rpc, err);

        if (!rc)
            rc = wait_readable(rpc->fd, deadline_ns, err);
        if (rc)
            return rc;
        n = read(rpc->fd, rpc->line + rpc->len, rpc->room - rpc->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lxe_fail(err, -ECONNRESET, "aerostatd went away");
        rpc->len += (size_t)n;
        if (rpc->line[rpc->len - 1] == '\n')
            break;
    }
    rpc->line[--rpc->len] = '\0';
    return 0;
}

static int check_response(struct lxe_rpc *rpc, const struct lxe_json *r,
                          struct lxe_err *err)
{
    const struct lxe_json *error = lxe_json_get(r, "error");
    const char *message = lxe_json_str(lxe_json_get(error, "message"));
    uint64_t id;

    if (message)
        return lxe_fail(err, -EREMOTEIO, "%s", message);
    if (lxe_json_u64(lxe_json_get(r, "id"), &id) || id != rpc->last_id ||
        !lxe_json_get(r, "result"))
        return lxe_fail(err, -EPROTO,
                        "aerostatd's answer is not a JSON-RPC response");
    return 0;
}

/* Where it hung up before it took the request, it may have said why. */
static int last_word(struct lxe_rpc *rpc, int rc, struct lxe_err *err)
{
    struct lxe_json *said = NULL;
    struct lxe_err why = { 0 };

    if (!read_line(rpc, lxe_now_ns() + SEND_S * LXE_NS_PER_SEC, &why) &&
        !lxe_json_parse(rpc->line, rpc->len, &said, &why) &&
        check_response(rpc, said, &why) == -EREMOTEIO)
        lxe_fail(err, rc, "%s", why.text);
    lxe_json_free(said);
    return rc;
}

int lxe_rpc_call(struct lxe_rpc *rpc, const char *method,
                 struct lxe_jw *params, uint64_t timeout_ms,
                 struct lxe_json **result, struct lxe_err *err)
{
    uint64_t deadline_ns = timeout_ms
                               ? lxe_now_ns() + timeout_ms * LXE_NS_PER_MS
                               : 0;
    int rc;

    *result = NULL;
    rc = send_request(rpc, method, params, err);
    if (rc == -ECONNRESET)
        return last_word(rpc, rc, err);
    if (!rc)
        tell_if_slow(rpc);
    if (!rc)
        rc = read_line(rpc, deadline_ns, err);
    if (!rc && lxe_json_parse(rpc->line, rpc->len, result, err))
        rc = lxe_fail(err, -EPROTO, "aerostatd's answer is not JSON");
    if (!rc)
        rc = check_response(rpc, *result, err);
    if (rc) {
        lxe_json_free(*result);
        *result = NULL;
    }
    return rc;
}
