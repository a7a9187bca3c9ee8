/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits that change while the helper runs, over a real pipe. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/fd_io.h"
#include "control_line.h"
#include "unit.h"

struct fixture {
    struct mig_control *control;
    int fds[2];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct mig_limits limits;
    unsigned calls;
};

static void on_change(void *data, const struct mig_limits *limits)
{
    struct fixture *f = data;

    pthread_mutex_lock(&f->lock);
    f->limits = *limits;
    f->calls++;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void open_control(struct fixture *f)
{
    struct mig_control_config config = { .changed = on_change, .data = f };

    memset(f, 0, sizeof(*f));
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    CU_ASSERT_EQUAL_FATAL(pipe(f->fds), 0);
    mig_limits_default(&config.limits);
    config.fd = f->fds[0];
    CU_ASSERT_EQUAL_FATAL(mig_control_start(&config, &f->control, NULL), 0);
}

static void say(struct fixture *f, const char *text)
{
    CU_ASSERT_EQUAL(lxe_write_all(f->fds[1], text, strlen(text)), 0);
}

/* Waits for change number `calls`; main()'s alarm ends a wait in vain. */
static struct mig_limits wait_for(struct fixture *f, unsigned calls)
{
    struct mig_limits limits;

    pthread_mutex_lock(&f->lock);
    while (f->calls < calls)
        pthread_cond_wait(&f->changed, &f->lock);
    CU_ASSERT_EQUAL(f->calls, calls);
    limits = f->limits;
    pthread_mutex_unlock(&f->lock);
    return limits;
}

static void close_control(struct fixture *f)
{
    mig_control_stop(f->control);
    close(f->fds[0]);
    if (f->fds[1] >= 0)
        close(f->fds[1]);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
}

static void test_lines(void)
{
    struct fixture f;
    struct mig_limits l;

    open_control(&f);
    say(&f, "max-rate=20MB\n");
    CU_ASSERT_EQUAL(wait_for(&f, 1).rate.max_bps, 20000000);
    say(&f, "max-rou");
    say(&f, "nds=5 timeout=9s\nmax-downtime=40ms\n");
    l = wait_for(&f, 3);
    CU_ASSERT_EQUAL(l.rate.max_bps, 20000000); /* each over the last ones */
    CU_ASSERT_EQUAL(l.max_rounds, 5);
    CU_ASSERT_EQUAL(l.timeout_ns, UINT64_C(9000000000));
    CU_ASSERT_EQUAL(l.max_downtime_ns, 40000000);
    close_control(&f);
}

/* Bad ones change nothing, not even by what they got right. */
static void test_bad_lines(void)
{
    char junk[3 * MIG_LIMITS_TEXT];
    struct fixture f;
    struct mig_limits l;

    open_control(&f);
    say(&f, "max-rounds=6 max-rate=quick\n");
    say(&f, "max-rounds=7 speed=5\nmax-rounds\n");
    memset(junk, 'x', sizeof(junk));
    memcpy(junk, "max-rounds=8 ", 13);
    junk[sizeof(junk) - 2] = '\n';
    junk[sizeof(junk) - 1] = '\0';
    say(&f, junk);
    say(&f, "max-rounds=9\n");
    l = wait_for(&f, 1);
    CU_ASSERT_EQUAL(l.max_rounds, 9);
    CU_ASSERT_EQUAL(l.rate.max_bps, 0);
    close_control(&f);
}

/* The writer may go, and the migration goes on. */
static void test_end(void)
{
    struct fixture f;

    open_control(&f);
    say(&f, "max-rounds=4\nmax-rounds=3"); /* half a line is no line */
    close(f.fds[1]);
    f.fds[1] = -1;
    CU_ASSERT_EQUAL(wait_for(&f, 1).max_rounds, 4);
    close_control(&f);
    CU_ASSERT_EQUAL(f.calls, 1);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "lines in pieces, one over the other", test_lines },
        { "bad lines change nothing", test_bad_lines },
        { "the end of the file", test_end },
    };

    alarm(60);
    return unit_run("control line", tests, sizeof(tests) / sizeof(tests[0]));
}
