/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "watcher.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

static void free_poll(uv_handle_t *poll)
{
    free(poll);
}

void aero_watcher_stop(struct aero_watcher *w)
{
    if (w->poll)
        uv_close((uv_handle_t *)w->poll, free_poll);
    w->poll = NULL;
}

void aero_watcher_dispatch(struct aero_watcher *w)
{
    struct lxe_err err = { 0 };

    if (w->host->ops->dispatch(w->host, w->event, w->data, &err) >= 0)
        return;
    lxe_error("%s; going on without events", err.text);
    aero_watcher_stop(w);
    w->lost = true;
    w->tried_ns = w->host->ops->now_ns(w->host);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct aero_watcher *w = poll->data;

    (void)events;
    if (status < 0) {
        lxe_error("watching the host: %s; going on with a look at each tick",
                  uv_strerror(status));
        aero_watcher_stop(w);
        return;
    }
    aero_watcher_dispatch(w);
}

static int start_poll(struct aero_watcher *w, int fd, struct lxe_err *err)
{
    uv_poll_t *poll = calloc(1, sizeof(*poll));
    int rc = poll ? uv_poll_init(w->loop, poll, fd) : UV_ENOMEM;

    if (rc) {
        free(poll);
        return lxe_fail(err, rc, "cannot wait for events: %s",
                        uv_strerror(rc));
    }
    poll->data = w;
    w->poll = poll;
    rc = uv_poll_start(poll, UV_READABLE, on_poll);
    return rc ? lxe_fail(err, rc, "cannot wait for events: %s",
                         uv_strerror(rc))
              : 0;
}

int aero_watcher_start(struct aero_watcher *w, struct lxe_err *err)
{
    int fd, rc;

    aero_watcher_stop(w);
    w->tried_ns = w->host->ops->now_ns(w->host);
    rc = w->host->ops->watch(w->host, err);
    w->lost = rc != 0;
    if (rc)
        return rc;
    fd = w->host->ops->event_fd(w->host);
    return fd < 0 ? 0 : start_poll(w, fd, err);
}

void aero_watcher_tick(struct aero_watcher *w, bool reconnected)
{
    uint64_t waited_ns = w->host->ops->now_ns(w->host) - w->tried_ns;
    bool was_lost = w->lost;
    struct lxe_err err = { 0 };

    if (!reconnected &&
        (!w->lost || waited_ns < AERO_WATCH_AGAIN_S * LXE_NS_PER_SEC))
        return;
    if (!aero_watcher_start(w, &err)) {
        if (was_lost)
            lxe_info("the host's events come again");
    } else if (was_lost) {
        lxe_debug("%s; going on without events", err.text);
    } else {
        lxe_error("%s; going on without events", err.text);
    }
}
