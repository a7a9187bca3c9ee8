/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One save from begin to end, under a host whose save is a function here: it
 * speaks over the inherited descriptors as the save helper does, or hangs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "save_run.h"
#include "unit.h"

struct bed {
    struct lxe_host host;
    struct mig_save_run run;
    struct mig_limits limits;
    struct mig_transport transport;
    int cancel[2];
    unsigned statuses;
    int on_status; /* what the callback returns */
    uint64_t new_bps;  /* what it tells the helper; UINT64_MAX: nothing */
    char heard[256];   /* what the helper heard */
    int helper_status; /* how it ended */
};

static struct bed *bed; /* the save has no other way to us */

static int env_fd(const char *name)
{
    const char *text = getenv(name);

    return text ? atoi(text) : -1;
}

static void say(enum mig_status_kind kind, uint64_t bytes)
{
    struct mig_status status = { .kind = kind, .ok = true };

    status.round.bytes = bytes;
    mig_status_send(env_fd(MIG_STATUS_FD_ENV), &status);
}

static int saves(struct lxe_host *host, const struct lxe_save_args *args,
                 struct lxe_err *err)
{
    (void)host;
    (void)args;
    (void)err;
    say(MIG_STATUS_PROGRESS, 1);
    say(MIG_STATUS_STOP, 2);
    say(MIG_STATUS_SUSPENDED, 2);
    say(MIG_STATUS_END, 3);
    return 0;
}

static int fails(struct lxe_host *host, const struct lxe_save_args *args,
                 struct lxe_err *err)
{
    struct mig_status status = { .kind = MIG_STATUS_END };

    (void)host;
    (void)args;
    snprintf(status.reason, sizeof(status.reason), "the helper knows why");
    mig_status_send(env_fd(MIG_STATUS_FD_ENV), &status);
    return lxe_fail(err, -EIO, "libxl does not");
}

static int fails_silently(struct lxe_host *host,
                          const struct lxe_save_args *args,
                          struct lxe_err *err)
{
    (void)host;
    (void)args;
    return lxe_fail(err, -EIO, "libxl says why");
}

/* Writes into a stream that nobody reads, until that breaks. */
static int hangs(struct lxe_host *host, const struct lxe_save_args *args,
                 struct lxe_err *err)
{
    static char page[4096];

    (void)host;
    say(MIG_STATUS_PROGRESS, 1);
    while (write(args->stream_fd, page, sizeof(page)) > 0)
        ;
    return lxe_fail(err, -EPIPE, "the stream broke");
}

/* Its helper is stopped, and ends by no more than SIGKILL. */
static int has_stopped_helper(struct lxe_host *host,
                              const struct lxe_save_args *args,
                              struct lxe_err *err)
{
    struct mig_status status = { .kind = MIG_STATUS_START, .ok = true };
    pid_t pid = fork();

    (void)host;
    (void)args;
    if (!pid)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    status.pid = (uint64_t)pid;
    mig_status_send(env_fd(MIG_STATUS_FD_ENV), &status);
    waitpid(pid, &bed->helper_status, 0);
    return lxe_fail(err, -EIO, "the helper was killed");
}

static int listens(struct lxe_host *host, const struct lxe_save_args *args,
                   struct lxe_err *err)
{
    ssize_t n;

    (void)host;
    (void)args;
    (void)err;
    say(MIG_STATUS_PROGRESS, 1);
    n = read(env_fd(MIG_CONTROL_FD_ENV), bed->heard, sizeof(bed->heard) - 1);
    bed->heard[n > 0 ? n : 0] = '\0';
    return 0;
}

static int on_status(void *data, const struct mig_status *status)
{
    struct bed *b = data;

    (void)status;
    if (!b->statuses++ && b->new_bps != UINT64_MAX)
        mig_save_run_rate(&b->run, b->new_bps);
    return b->on_status;
}

static int run(struct bed *b,
               int (*save)(struct lxe_host *, const struct lxe_save_args *,
                           struct lxe_err *),
               struct lxe_err *err)
{
    struct lxe_host_ops ops = { .save = save };

    b->host.ops = &ops;
    b->run.host = &b->host;
    return mig_save_run(&b->run, err);
}

static void begin(struct bed *b)
{
    *b = (struct bed){ .new_bps = UINT64_MAX };
    bed = b;
    CU_ASSERT_EQUAL_FATAL(pipe2(b->cancel, O_CLOEXEC), 0);
    mig_limits_default(&b->limits);
    /* It reads nothing, and goes when it is told to. */
    CU_ASSERT_EQUAL_FATAL(mig_transport_start(&b->transport, "exec sleep 600",
                                              b->cancel[0], NULL), 0);
    b->run = (struct mig_save_run){
        .limits = &b->limits, .transport = &b->transport,
        .on_status = on_status, .data = b,
        .args = { .stream_fd = b->transport.send_fd },
        .patience_ns = 100 * LXE_NS_PER_MS,
    };
}

static void end(struct bed *b)
{
    kill(b->transport.pid, SIGKILL);
    mig_transport_stop(&b->transport);
    close(b->cancel[0]);
    close(b->cancel[1]);
}

static void test_whole(void)
{
    struct lxe_err err = { 0 };
    struct bed b;

    begin(&b);
    CU_ASSERT_EQUAL(run(&b, saves, &err), 0);
    CU_ASSERT_EQUAL(b.statuses, 4);
    CU_ASSERT_EQUAL(b.run.control_fd, -1);
    end(&b);
}

static void test_reasons(void)
{
    struct lxe_err err = { 0 };
    struct bed b;

    begin(&b);
    CU_ASSERT_EQUAL(run(&b, fails, &err), -EIO);
    CU_ASSERT_STRING_EQUAL(err.text, "the helper knows why");
    CU_ASSERT_EQUAL(run(&b, fails_silently, &err), -EIO);
    CU_ASSERT_STRING_EQUAL(err.text, "libxl says why");
    end(&b);
}

/* A peer that takes nothing and does not go away. */
static void test_stall(void)
{
    struct lxe_err err = { 0 };
    struct bed b;

    begin(&b);
    b.run.stall_ns = LXE_NS_PER_SEC;
    CU_ASSERT_EQUAL(run(&b, hangs, &err), -ETIMEDOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nothing could be sent"));
    end(&b);
}

static void test_cancel(void)
{
    struct lxe_err err = { 0 };
    struct bed b;

    begin(&b);
    CU_ASSERT_EQUAL(write(b.cancel[1], "x", 1), 1);
    CU_ASSERT_EQUAL(run(&b, hangs, &err), -ECANCELED);
    end(&b);
    begin(&b);
    b.on_status = -EIO; /* who is told may end it too */
    CU_ASSERT_EQUAL(run(&b, hangs, &err), -ECANCELED);
    end(&b);
}

static void hear(uint64_t max_bps, uint64_t min_bps, uint64_t new_bps,
                 const char *line)
{
    struct bed b;

    begin(&b);
    b.limits.rate.max_bps = max_bps;
    b.limits.rate.min_bps = min_bps;
    b.new_bps = new_bps;
    CU_ASSERT_EQUAL(run(&b, listens, NULL), 0);
    CU_ASSERT_STRING_EQUAL(b.heard, line);
    end(&b);
}

static void test_rates(void)
{
    hear(0, 0, 5000000, "max-rate=5000000B min-rate=default\n");
    hear(9000000, 8000000, 5000000, "max-rate=5000000B min-rate=5000000B\n");
    hear(9000000, 8000000, 0, "max-rate=9000000B min-rate=8000000B\n");
    hear(0, 0, 0, "max-rate=none min-rate=default\n");
    /* the least allowed */
    hear(0, 0, 7, "max-rate=100000B min-rate=default\n");
}

/* It would hold a suspended guest for as long as it stands. */
static void test_stopped_helper(void)
{
    struct lxe_err err = { 0 };
    struct bed b;

    begin(&b);
    b.run.stall_ns = 100 * LXE_NS_PER_MS;
    CU_ASSERT_EQUAL(run(&b, has_stopped_helper, &err), -ETIMEDOUT);
    CU_ASSERT_TRUE(WIFSIGNALED(b.helper_status) &&
                   WTERMSIG(b.helper_status) == SIGKILL);
    end(&b);
}

static void test_first_rate(void)
{
    struct mig_limits limits;
    struct bed b;

    begin(&b);
    b.run.first_bps = 4000000;
    CU_ASSERT_EQUAL(run(&b, saves, NULL), 0);
    mig_limits_default(&limits);
    CU_ASSERT_EQUAL(mig_limits_parse(getenv(MIG_LIMITS_ENV), &limits, NULL),
                    0);
    CU_ASSERT_EQUAL(limits.rate.max_bps, 4000000);
    CU_ASSERT_EQUAL(b.limits.rate.max_bps, 0); /* its own is kept */
    end(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a save, and what it tells", test_whole },
        { "whose reason is told", test_reasons },
        { "a peer that hangs", test_stall },
        { "cancelled", test_cancel },
        { "a helper that is stopped", test_stopped_helper },
        { "a rate that changes", test_rates },
        { "a rate from the start", test_first_rate },
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(120); /* one that hangs is a failure too */
    return unit_run("save_run", tests, sizeof(tests) / sizeof(tests[0]));
}
