/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "metrics_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "deadlines.h"
#include "metrics.h"
#include "metrics_address.h"

#define CONNECTIONS   AERO_DEADLINES_MAX
#define LIMIT_S       5 /* from its beginning to the end of its answer */
#define REQUEST_BYTES (16u << 10)

struct aero_metrics_http {
    struct MHD_Daemon *mhd;
    const struct aero_balancer *balancer;
    uv_poll_t poll;
    uv_timer_t timer; /* the library's own deadlines, and ours */
    unsigned open;    /* handles that are not closed */
    struct aero_deadlines deadlines; /* of the connections */
    bool ended;                      /* one has, in this run */
};

/* ---- requests ---- */

static enum MHD_Result answer(struct MHD_Connection *connection,
                              unsigned status, const char *type, char *text,
                              size_t len, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, mode);
    enum MHD_Result rc;

    if (!response) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    /* Its place is another's at once; it would be cut off soon. */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result answer_word(struct MHD_Connection *connection,
                                   unsigned status, const char *word)
{
    return answer(connection, status, "text/plain; charset=utf-8",
                  (char *)word, strlen(word), MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection,
                                      const struct aero_balancer *balancer)
{
    size_t len;
    char *text = aero_metrics_text(balancer, &len);

    if (!text)
        return answer_word(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                           "out of memory\n");
    return answer(connection, MHD_HTTP_OK,
                  "text/plain; version=0.0.4; charset=utf-8", text, len,
                  MHD_RESPMEM_MUST_FREE);
}

/* Called once for the headers, and again when the request is there. */
static enum MHD_Result on_request(void *data,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_len, void **state)
{
    static int seen;
    struct aero_metrics_http *http = data;

    (void)version;
    (void)body;
    if (strcmp(method, MHD_HTTP_METHOD_GET) &&
        strcmp(method, MHD_HTTP_METHOD_HEAD))
        return answer_word(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                           "only GET and HEAD\n");
    if (*body_len)
        return MHD_NO;
    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    if (!strcmp(url, "/metrics"))
        return answer_metrics(connection, http->balancer);
    if (!strcmp(url, "/"))
        return answer_word(connection, MHD_HTTP_OK,
                           "aerostatd: see /metrics\n");
    return answer_word(connection, MHD_HTTP_NOT_FOUND,
                       "there is only /metrics\n");
}

/* ---- the loop ---- */

/*
 * The library's own limit is one of silence: who sends a header now and then
 * could keep a connection for ever.
 */
static void on_connection(void *data, struct MHD_Connection *connection,
                          void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct aero_metrics_http *http = data;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    (void)state;
    if (!info)
        return;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        aero_deadlines_add(&http->deadlines, info->connect_fd,
                           lxe_now_ns() + LIMIT_S * LXE_NS_PER_SEC);
    else
        aero_deadlines_drop(&http->deadlines, info->connect_fd);
    http->ended = http->ended || code == MHD_CONNECTION_NOTIFY_CLOSED;
}

/* The library sees that they have ended, and closes them itself. */
static void end_late_ones(struct aero_metrics_http *http)
{
    uint64_t now_ns = lxe_now_ns();
    int fd;

    while ((fd = aero_deadlines_take(&http->deadlines, now_ns)) >= 0)
        shutdown(fd, SHUT_RDWR);
}

static void on_timer(uv_timer_t *timer);

static void run(struct aero_metrics_http *http)
{
    MHD_UNSIGNED_LONG_LONG theirs_ms;
    uint64_t wait_ms;

    end_late_ones(http);
    /* With all places taken it listens again only in the run after. */
    do {
        http->ended = false;
        MHD_run(http->mhd);
    } while (http->ended);
    wait_ms = aero_deadlines_wait_ms(&http->deadlines, lxe_now_ns());
    if (MHD_get_timeout(http->mhd, &theirs_ms) == MHD_YES &&
        theirs_ms < wait_ms)
        wait_ms = theirs_ms;
    if (wait_ms != UINT64_MAX)
        uv_timer_start(&http->timer, on_timer, wait_ms, 0);
    else
        uv_timer_stop(&http->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0) {
        lxe_warn("metrics_listen: %s; no metrics any more",
                 uv_strerror(status));
        uv_poll_stop(poll);
        return;
    }
    run(poll->data);
}

/* ---- opening and closing ---- */

bool aero_metrics_http_same(const char *one, const char *other)
{
    struct addrinfo *a, *b;
    bool same;

    if (!strcmp(one, other))
        return true;
    if (aero_metrics_address(one, &a, NULL))
        return false;
    if (aero_metrics_address(other, &b, NULL)) {
        freeaddrinfo(a);
        return false;
    }
    same = a->ai_addrlen == b->ai_addrlen &&
           !memcmp(a->ai_addr, b->ai_addr, a->ai_addrlen);
    freeaddrinfo(a);
    freeaddrinfo(b);
    return same;
}

static void on_closed(uv_handle_t *handle)
{
    struct aero_metrics_http *http = handle->data;

    if (--http->open)
        return;
    /* Not before: the library closes what the loop has polled. */
    MHD_stop_daemon(http->mhd);
    free(http);
}

int aero_metrics_http_serve(uv_loop_t *loop, const char *where,
                            const struct aero_balancer *balancer,
                            struct aero_metrics_http **out,
                            struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    int rc;

    *out = NULL;
    if (!*where)
        return 0;
    rc = aero_metrics_http_open(loop, where, balancer, out, &why);
    if (rc == -EINVAL || rc == -EACCES)
        return lxe_fail(err, rc, "%s", why.text);
    if (rc)
        lxe_warn("%s; going on without", why.text);
    return 0;
}

void aero_metrics_http_close(struct aero_metrics_http *http)
{
    if (!http)
        return;
    uv_close((uv_handle_t *)&http->poll, on_closed);
    uv_close((uv_handle_t *)&http->timer, on_closed);
}

static int join_loop(struct aero_metrics_http *http, uv_loop_t *loop)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int rc;

    if (!info)
        return -ENOTSUP;
    rc = uv_poll_init(loop, &http->poll, info->epoll_fd);
    if (rc)
        return rc;
    uv_timer_init(loop, &http->timer);
    http->poll.data = http->timer.data = http;
    http->open = 2;
    return uv_poll_start(&http->poll, UV_READABLE, on_poll);
}

static int start(struct aero_metrics_http *http, const struct addrinfo *at)
{
    unsigned flags = MHD_USE_EPOLL;

    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    http->mhd = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR,
        at->ai_addr, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, LIMIT_S,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
        MHD_OPTION_END);
    if (http->mhd)
        return 0;
    return errno ? -errno : -EIO;
}

int aero_metrics_http_open(uv_loop_t *loop, const char *where,
                           const struct aero_balancer *balancer,
                           struct aero_metrics_http **out,
                           struct lxe_err *err)
{
    struct aero_metrics_http *http;
    struct addrinfo *at;
    int rc = aero_metrics_address(where, &at, err);

    if (rc)
        return rc;
    http = calloc(1, sizeof(*http));
    rc = -ENOMEM;
    if (http) {
        http->balancer = balancer;
        rc = start(http, at);
    }
    freeaddrinfo(at);
    if (!rc)
        rc = join_loop(http, loop);
    if (!rc) {
        *out = http;
        return 0;
    }
    if (http && http->open)
        aero_metrics_http_close(http); /* the loop frees it */
    else if (http && http->mhd)
        MHD_stop_daemon(http->mhd);
    if (http && !http->open)
        free(http);
    return lxe_fail(err, rc, "metrics_listen: cannot listen on %.64s: %s",
                    where, strerror(-rc));
}
