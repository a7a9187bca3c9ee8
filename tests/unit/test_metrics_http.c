/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metrics by HTTP: nobody keeps a connection for long. */
#include "metrics_http.c"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"

#define WHOLE "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
#define PART  "GET /metrics HTTP/1.1\r\n"

struct bed {
    uv_loop_t loop;
    struct aero_config config;
    struct aero_balancer balancer;
    struct aero_metrics_http *http;
};

/* An address with a port that nobody has. */
static const char *free_address(void)
{
    static char text[32];
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&at, len), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(at.sin_port));
    return text;
}

static void set_up(struct bed *b)
{
    memset(b, 0, sizeof(*b));
    b->balancer.config = &b->config;
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&b->loop), 0);
    CU_ASSERT_EQUAL_FATAL(aero_metrics_http_open(&b->loop, free_address(),
                                                 &b->balancer, &b->http,
                                                 NULL), 0);
}

static void tear_down(struct bed *b)
{
    aero_metrics_http_close(b->http);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&b->loop), 0);
}

static int dial(const struct bed *b)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(b->http->mhd, MHD_DAEMON_INFO_LISTEN_FD);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    CU_ASSERT_EQUAL_FATAL(getsockname(info->listen_fd,
                                      (struct sockaddr *)&address, &len), 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL),
                    (ssize_t)strlen(text));
}

/*
 * Reads until the connection is closed, or a minute over; returns how many
 * bytes there were.
 */
static size_t read_to_end(struct bed *b, int fd)
{
    const uint64_t end_ns = lxe_now_ns() + 60 * LXE_NS_PER_SEC;
    char text[4096];
    size_t len = 0;

    while (lxe_now_ns() < end_ns) {
        ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

        if (n > 0)
            len += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            return len;
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    CU_FAIL("it is not closed");
    return len;
}

static void an_answer_ends_it(void)
{
    struct bed b;
    int fd;

    set_up(&b);
    fd = dial(&b);
    say(fd, WHOLE);
    CU_ASSERT(read_to_end(&b, fd) > 100);
    CU_ASSERT_EQUAL(b.http->deadlines.count, 0);
    close(fd);
    tear_down(&b);
}

/* It says something again and again, and so is never silent for long. */
static void time_is_over_for_who_trickles(void)
{
    const uint64_t limit_ns = LIMIT_S * LXE_NS_PER_SEC;
    uint64_t before_ns = lxe_now_ns();
    struct aero_deadline *d;
    struct bed b;
    int fd;

    set_up(&b);
    d = &b.http->deadlines.items[0];
    fd = dial(&b);
    say(fd, PART);
    while (!b.http->deadlines.count)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    CU_ASSERT(d->end_ns >= before_ns + limit_ns);
    CU_ASSERT(d->end_ns <= lxe_now_ns() + limit_ns);
    CU_ASSERT(uv_timer_get_due_in(&b.http->timer) <= LIMIT_S * 1000);
    before_ns = d->end_ns;
    say(fd, "X-A: b\r\n");
    run(b.http);
    CU_ASSERT_EQUAL(d->end_ns, before_ns);
    d->end_ns = lxe_now_ns(); /* as if it had gone on like this */
    run(b.http);
    CU_ASSERT_EQUAL(b.http->deadlines.count, 0);
    CU_ASSERT_EQUAL(read_to_end(&b, fd), 0);
    close(fd);
    tear_down(&b);
}

/* Who waits for a place gets it, though nothing else happens then. */
static void places_are_free_again(void)
{
    int fds[CONNECTIONS], waits;
    struct bed b;

    set_up(&b);
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial(&b);
        say(fds[i], PART);
    }
    while (b.http->deadlines.count < CONNECTIONS)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    waits = dial(&b);
    say(waits, WHOLE);
    for (int i = 0; i < 6; i++)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    for (int i = 0; i < CONNECTIONS; i++)
        b.http->deadlines.items[i].end_ns = lxe_now_ns();
    run(b.http);
    CU_ASSERT(read_to_end(&b, waits) > 100);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    close(waits);
    tear_down(&b);
}

static void deadlines_are_kept(void)
{
    struct aero_deadlines d = { .count = 0 };

    CU_ASSERT_EQUAL(aero_deadlines_wait_ms(&d, 5), UINT64_MAX);
    CU_ASSERT_EQUAL(aero_deadlines_take(&d, UINT64_MAX), -1);
    for (int fd = 0; fd <= AERO_DEADLINES_MAX; fd++) /* one too many */
        aero_deadlines_add(&d, fd, (uint64_t)(fd + 1) * LXE_NS_PER_SEC);
    CU_ASSERT_EQUAL(aero_deadlines_wait_ms(&d, LXE_NS_PER_SEC - 1), 1);
    CU_ASSERT_EQUAL(aero_deadlines_wait_ms(&d, LXE_NS_PER_SEC), 0);
    CU_ASSERT_EQUAL(aero_deadlines_take(&d, LXE_NS_PER_SEC - 1), -1);
    CU_ASSERT_EQUAL(aero_deadlines_take(&d, LXE_NS_PER_SEC), 0);
    CU_ASSERT_EQUAL(aero_deadlines_take(&d, LXE_NS_PER_SEC), -1);
    aero_deadlines_drop(&d, 1);
    aero_deadlines_drop(&d, 99);
    CU_ASSERT_EQUAL(aero_deadlines_wait_ms(&d, LXE_NS_PER_SEC), 2000);
    CU_ASSERT_EQUAL(d.count, AERO_DEADLINES_MAX - 2);
}

static const struct unit_test tests[] = {
    { "an answer ends it", an_answer_ends_it },
    { "time is over for who trickles", time_is_over_for_who_trickles },
    { "places are free again", places_are_free_again },
    { "deadlines are kept", deadlines_are_kept },
};

int main(void)
{
    return unit_run("metrics http", tests, sizeof(tests) / sizeof(tests[0]));
}
