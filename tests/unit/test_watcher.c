/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host's events in a loop, and a host that loses its watches. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"
#include "watcher.h"

/* Each watch() has a pipe of its own, as with xenstore; a byte is an event. */
struct bed {
    struct lxe_host host; /* first */
    struct aero_watcher w;
    uv_loop_t loop;
    uint64_t now_ns;
    int pipe[2];
    unsigned watches, events;
    bool watch_fails, dispatch_fails;
};

static void close_pipe(struct bed *b)
{
    if (b->pipe[0] >= 0) {
        close(b->pipe[0]);
        close(b->pipe[1]);
    }
    b->pipe[0] = b->pipe[1] = -1;
}

static uint64_t now_ns(struct lxe_host *host)
{
    return ((struct bed *)host)->now_ns;
}

static int watch(struct lxe_host *host, struct lxe_err *err)
{
    struct bed *b = (struct bed *)host;

    b->watches++;
    close_pipe(b);
    if (b->watch_fails)
        return lxe_fail(err, -EIO, "no watches");
    CU_ASSERT_EQUAL_FATAL(pipe2(b->pipe, O_CLOEXEC | O_NONBLOCK), 0);
    return 0;
}

static int event_fd(struct lxe_host *host)
{
    return ((struct bed *)host)->pipe[0];
}

static int dispatch(struct lxe_host *host, lxe_event_fn *fn, void *data,
                    struct lxe_err *err)
{
    const struct lxe_event event = { LXE_EVENT_DOMAINS, 0 };
    struct bed *b = (struct bed *)host;
    int told = 0;
    char c;

    if (b->dispatch_fails)
        return lxe_fail(err, -ENOTCONN, "the connection ended");
    while (b->pipe[0] >= 0 && read(b->pipe[0], &c, 1) == 1) {
        fn(&event, data);
        told++;
    }
    return told;
}

static void on_event(const struct lxe_event *event, void *data)
{
    struct bed *b = data;

    (void)event;
    b->events++;
}

static void begin(struct bed *b)
{
    static const struct lxe_host_ops ops = {
        .name = "test",
        .now_ns = now_ns,
        .watch = watch,
        .event_fd = event_fd,
        .dispatch = dispatch,
    };

    *b = (struct bed){ .host = { &ops }, .pipe = { -1, -1 },
                       .now_ns = LXE_NS_PER_SEC };
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&b->loop), 0);
    b->w = (struct aero_watcher){ .loop = &b->loop, .host = &b->host,
                                  .event = on_event, .data = b };
    CU_ASSERT_EQUAL_FATAL(aero_watcher_start(&b->w, NULL), 0);
}

static void end(struct bed *b)
{
    aero_watcher_stop(&b->w);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&b->loop), 0);
    close_pipe(b);
}

/* An event comes, and the loop hears of it by itself. */
static void check_heard(struct bed *b)
{
    unsigned before = b->events;

    CU_ASSERT_EQUAL(write(b->pipe[1], "e", 1), 1);
    uv_run(&b->loop, UV_RUN_NOWAIT);
    CU_ASSERT_EQUAL(b->events, before + 1);
}

static void tick_after(struct bed *b, unsigned seconds, bool reconnected)
{
    b->now_ns += seconds * LXE_NS_PER_SEC;
    aero_watcher_dispatch(&b->w);
    aero_watcher_tick(&b->w, reconnected);
}

static void test_events(void)
{
    struct bed b;

    begin(&b);
    check_heard(&b);
    tick_after(&b, 100, false);
    CU_ASSERT_EQUAL(b.watches, 1);
    check_heard(&b);
    end(&b);
}

static void test_reconnected(void)
{
    struct bed b;

    begin(&b);
    tick_after(&b, 1, true);
    CU_ASSERT_EQUAL(b.watches, 2);
    check_heard(&b);
    b.watch_fails = true;
    tick_after(&b, 1, true);
    CU_ASSERT_EQUAL(b.watches, 3);
    b.watch_fails = false;
    tick_after(&b, AERO_WATCH_AGAIN_S, false);
    CU_ASSERT_EQUAL(b.watches, 4);
    check_heard(&b);
    end(&b);
}

/* The connection of the watches alone: no tick fails by that. */
static void test_lost(void)
{
    struct bed b;

    begin(&b);
    b.dispatch_fails = true;
    tick_after(&b, 1, false);
    b.dispatch_fails = false;
    tick_after(&b, AERO_WATCH_AGAIN_S - 1, false);
    CU_ASSERT_EQUAL(b.watches, 1);
    b.watch_fails = true;
    tick_after(&b, 1, false);
    CU_ASSERT_EQUAL(b.watches, 2);
    tick_after(&b, AERO_WATCH_AGAIN_S - 1, false);
    CU_ASSERT_EQUAL(b.watches, 2);
    b.watch_fails = false;
    tick_after(&b, 1, false);
    CU_ASSERT_EQUAL(b.watches, 3);
    check_heard(&b);
    tick_after(&b, 100, false);
    CU_ASSERT_EQUAL(b.watches, 3);
    end(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "events", test_events },
        { "all connections anew", test_reconnected },
        { "watches lost, tried again", test_lost },
    };

    return unit_run("watcher", tests, sizeof(tests) / sizeof(tests[0]));
}
