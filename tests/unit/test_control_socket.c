/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket itself: who is let in, and who has to wait. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control.h"
#include "control_seats.h"
#include "unit.h"

#define NOBODY 65534

static const char full_text[] = "full";

struct bed {
    uv_loop_t loop;
    struct aero_control *control;
    char dir[64], path[96];
    unsigned lines, full, gone;
};

static void on_line(const struct aero_peer *peer, const char *text, size_t len,
                    void *data)
{
    struct bed *b = data;

    b->lines++;
    aero_control_send(b->control, peer->client, text, len);
}

static void on_full(const struct aero_peer *peer, void *data)
{
    struct bed *b = data;

    b->full++;
    aero_control_send(b->control, peer->client, full_text, strlen(full_text));
}

static void on_gone(uint64_t client, void *data)
{
    struct bed *b = data;

    (void)client;
    b->gone++;
}

/* @limit  of each client; NULL: the usual */
static void set_up(struct bed *b, const struct aero_pace_limit *limit)
{
    struct aero_control_handlers handlers = { on_line, on_full, on_gone, b,
                                              limit };

    memset(b, 0, sizeof(*b));
    snprintf(b->dir, sizeof(b->dir), "%s/aerostat-socket.XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(b->dir));
    snprintf(b->path, sizeof(b->path), "%s/sock", b->dir);
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&b->loop), 0);
    CU_ASSERT_EQUAL_FATAL(aero_control_open(&b->loop, b->path, "", &handlers,
                                            &b->control, NULL), 0);
}

static void tear_down(struct bed *b)
{
    aero_control_close(b->control);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    CU_ASSERT_EQUAL(uv_loop_close(&b->loop), 0);
    rmdir(b->dir);
}

static void run_loop(struct bed *b)
{
    for (int i = 0; i < 6; i++)
        uv_run(&b->loop, UV_RUN_NOWAIT);
}

static int dial(const struct bed *b)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, b->path);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address,
                                  sizeof(address)), 0);
    return fd;
}

/* Connects n clients; the loop takes each before the next comes. */
static void dial_all(struct bed *b, int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        fds[i] = dial(b);
        run_loop(b);
    }
}

static void hang_up_all(struct bed *b, const int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    run_loop(b);
}

/* Whether a client was told that there are too many, and then cut off. */
static bool was_turned_away(int fd)
{
    char text[16];
    ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

    return n == (ssize_t)sizeof(full_text) && text[n - 1] == '\n' &&
           !memcmp(text, full_text, strlen(full_text)) &&
           recv(fd, text, sizeof(text), MSG_DONTWAIT) == 0;
}

static unsigned own_seats(void)
{
    return geteuid() ? AERO_SEATS_OTHERS : AERO_SEATS;
}

static void surplus_is_told(void)
{
    int fds[AERO_SEATS + 1];
    unsigned n = own_seats();
    struct bed b;

    set_up(&b, NULL);
    dial_all(&b, fds, n + 1);
    CU_ASSERT_EQUAL(b.full, 1);
    CU_ASSERT_TRUE(was_turned_away(fds[n]));
    CU_ASSERT_FALSE(was_turned_away(fds[n - 1]));
    close(fds[n]);
    close(fds[0]); /* its seat is another's */
    run_loop(&b);
    CU_ASSERT_EQUAL(b.gone, 1);
    fds[0] = dial(&b);
    run_loop(&b);
    CU_ASSERT_EQUAL(b.full, 1);
    hang_up_all(&b, fds, n);
    tear_down(&b);
}

/* Where root tests: it can be another for as long as it connects. */
static void others_leave_seats_to_root(void)
{
    int others[AERO_SEATS], ours;
    struct bed b;

    if (geteuid())
        return;
    set_up(&b, NULL);
    CU_ASSERT_EQUAL(chmod(b.dir, 0755), 0);
    CU_ASSERT_EQUAL(chmod(b.path, 0666), 0);
    CU_ASSERT_EQUAL_FATAL(seteuid(NOBODY), 0);
    dial_all(&b, others, AERO_SEATS);
    CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
    CU_ASSERT_EQUAL(b.full, AERO_SEATS - AERO_SEATS_OTHERS);
    ours = dial(&b);
    CU_ASSERT_EQUAL(send(ours, "ping\n", 5, MSG_NOSIGNAL), 5);
    run_loop(&b);
    CU_ASSERT_EQUAL(b.lines, 1);
    CU_ASSERT_FALSE(was_turned_away(ours));
    close(ours);
    hang_up_all(&b, others, AERO_SEATS);
    tear_down(&b);
}

/* They come faster than they are taken: the loop does other things, too. */
static void surplus_is_taken_by_and_by(void)
{
    int fds[AERO_SEATS], more[8];
    unsigned n = own_seats();
    struct bed b;

    set_up(&b, NULL);
    dial_all(&b, fds, n);
    for (int i = 0; i < 8; i++)
        more[i] = dial(&b);
    uv_run(&b.loop, UV_RUN_NOWAIT);
    CU_ASSERT(b.full >= 1 && b.full <= 2);
    for (int i = 0; i < 8; i++)
        run_loop(&b);
    CU_ASSERT_EQUAL(b.full, 8);
    for (int i = 0; i < 8; i++)
        CU_ASSERT_TRUE(was_turned_away(more[i]));
    hang_up_all(&b, more, 8);
    hang_up_all(&b, fds, n);
    tear_down(&b);
}

static void may_close_while_it_turns_away(void)
{
    int fds[AERO_SEATS], more[8];
    unsigned n = own_seats();
    struct bed b;

    set_up(&b, NULL);
    dial_all(&b, fds, n);
    for (int i = 0; i < 8; i++)
        more[i] = dial(&b);
    uv_run(&b.loop, UV_RUN_NOWAIT);
    tear_down(&b);
    for (int i = 0; i < 8; i++)
        close(more[i]);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
}

/* Sends n lines in one go. */
static void send_lines(int fd, unsigned n)
{
    char text[1024];

    for (unsigned i = 0; i < n; i++)
        memcpy(text + 5 * i, "ping\n", 5);
    CU_ASSERT_EQUAL(send(fd, text, 5 * n, MSG_NOSIGNAL), (ssize_t)(5 * n));
}

static void too_fast_has_to_wait(void)
{
    uint64_t start_ns;
    struct bed b;
    int fd;

    set_up(&b, NULL);
    fd = dial(&b);
    start_ns = lxe_now_ns();
    send_lines(fd, AERO_CONTROL_RATE + 10);
    while (b.lines < AERO_CONTROL_RATE + 10)
        uv_run(&b.loop, UV_RUN_ONCE);
    CU_ASSERT(lxe_now_ns() - start_ns >= LXE_NS_PER_SEC);
    send_lines(fd, 1); /* it is read on */
    while (b.lines < AERO_CONTROL_RATE + 11)
        uv_run(&b.loop, UV_RUN_ONCE);
    close(fd);
    run_loop(&b);
    CU_ASSERT_EQUAL(b.gone, 1);
    tear_down(&b);
}

/* It is gone then, whatever it asked before. */
static void may_hang_up_while_it_waits(void)
{
    static const struct aero_pace_limit one = { 1, 1024 };
    struct bed b;
    int fd;

    set_up(&b, &one);
    fd = dial(&b);
    send_lines(fd, 100);
    run_loop(&b);
    close(fd);
    while (!b.gone)
        uv_run(&b.loop, UV_RUN_ONCE);
    CU_ASSERT(b.lines < 100);
    tear_down(&b);
}

static const struct unit_test tests[] = {
    { "a surplus client is told", surplus_is_told },
    { "others leave seats to root", others_leave_seats_to_root },
    { "surplus is taken by and by", surplus_is_taken_by_and_by },
    { "who is too fast has to wait", too_fast_has_to_wait },
    { "and may hang up meanwhile", may_hang_up_while_it_waits },
    { "it may close meanwhile", may_close_while_it_turns_away },
};

int main(void)
{
    return unit_run("control socket", tests, sizeof(tests) / sizeof(tests[0]));
}
