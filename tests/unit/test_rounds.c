/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policy as libxc calls it, with a real pump into /dev/null and a dirty
 * log that sees what overlaps.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "fake_log.h"
#include "rounds.h"
#include "stream.h"
#include "synth_stream.h"
#include "unit.h"

#define DOMAIN_PAGES 512u
#define FRAMES       1044480 /* what libxc says of round 0 */
#define MAX_STATUSES 256
#define HOT_PFN      9u
#define ROUND_NS     (20 * LXE_NS_PER_MS) /* that a round takes at least */

struct fixture {
    struct mig_rounds_config config;
    struct fake_log fake;
    struct mig_rounds *rounds;
    struct mig_pump *pump;
    const struct lxe_save_policy *policy;
    int out_fd, status_fds[2];
    struct mig_status statuses[MAX_STATUSES]; /* but for progress */
    size_t count;
    int rc; /* of what was last sent */
    struct lxe_err err;
};

static void send_bytes(struct fixture *f, struct synth *s)
{
    struct iovec iov = { s->data, s->len };

    f->rc = mig_pump_take(f->pump, &iov, 1);
    synth_free(s);
}

static void send_headers(struct fixture *f)
{
    struct synth s = { 0 };

    synth_headers(&s, 3, MIG_GUEST_HVM);
    synth_record(&s, MIG_REC_STATIC_DATA_END, NULL, 0);
    send_bytes(f, &s);
}

static void send_pages(struct fixture *f, uint32_t count)
{
    uint64_t entries[DOMAIN_PAGES];
    struct synth s = { 0 };

    for (uint32_t i = 0; i < count; i++)
        entries[i] = synth_entry(MIG_PAGE_NOTAB, i);
    synth_pages(&s, entries, count, 1);
    send_bytes(f, &s);
    /* No wire is as fast as /dev/null: four pages written within the
     * microseconds of that round would be a guest that writes a lot. */
    lxe_sleep_ns(ROUND_NS);
}

static void send_end(struct fixture *f)
{
    struct synth s = { 0 };

    synth_record(&s, MIG_REC_END, NULL, 0);
    send_bytes(f, &s);
}

static void start(struct fixture *f, int out_fd)
{
    struct mig_pump_config pump = { .progress = mig_rounds_progress };

    fake_log_init(&f->fake);
    lxe_bitmap_set(f->fake.dirty, HOT_PFN);
    CU_ASSERT_EQUAL_FATAL(mig_hot_open(&f->fake.log, &f->config.hot, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(pipe(f->status_fds), 0);
    fcntl(f->status_fds[0], F_SETFL, O_NONBLOCK);
    f->config.status_fd = f->status_fds[1];
    f->config.domain_pages = DOMAIN_PAGES;
    CU_ASSERT_EQUAL_FATAL(mig_rounds_open(&f->config, &f->rounds, NULL), 0);
    f->out_fd = out_fd < 0 ? open("/dev/null", O_WRONLY) : out_fd;
    pump.out_fd = f->out_fd;
    pump.hot = f->config.hot;
    pump.rate_bps = mig_rounds_first_bps(f->rounds);
    pump.data = f->rounds;
    CU_ASSERT_EQUAL_FATAL(mig_pump_open(&pump, &f->pump, NULL), 0);
    mig_rounds_attach(f->rounds, f->pump);
    f->policy = mig_rounds_policy(f->rounds);
    send_headers(f);
}

static enum lxe_save_verdict ask(struct fixture *f, unsigned round,
                                 long dirty_pages)
{
    return f->policy->round(f->policy->data, round, dirty_pages);
}

/* Whether pages may be left for later now; so late that a PEEK is due. */
static bool released(struct fixture *f)
{
    static uint64_t now_ns = UINT64_MAX / 2;
    uint64_t pages;
    const uint64_t *bits = mig_hot_begin(f->config.hot, now_ns, &pages);

    now_ns += 3600 * LXE_NS_PER_SEC;
    mig_hot_end(f->config.hot, 0, 0);
    return bits;
}

static void read_statuses(struct fixture *f)
{
    static char text[MAX_STATUSES * 1024];
    size_t have = 0;
    ssize_t n;
    char *line = text, *end;

    while ((n = read(f->status_fds[0], text + have, sizeof(text) - have)) > 0)
        have += (size_t)n;
    while ((end = memchr(line, '\n', have - (size_t)(line - text)))) {
        struct mig_status *s = &f->statuses[f->count];

        CU_ASSERT_EQUAL_FATAL(mig_status_parse(line, (size_t)(end - line), s,
                                               NULL), 0);
        f->count += s->kind != MIG_STATUS_PROGRESS && f->count < MAX_STATUSES;
        line = end + 1;
    }
}

/* Number `nth` of this kind, from 0; a zeroed one if there is none. */
static struct mig_status status_of(const struct fixture *f,
                                   enum mig_status_kind kind, unsigned nth)
{
    struct mig_status none = { 0 };

    for (size_t i = 0; i < f->count; i++)
        if (f->statuses[i].kind == kind && !nth--)
            return f->statuses[i];
    CU_FAIL("a status is missing");
    return none;
}

static void finish(struct fixture *f, bool complete)
{
    int rc = mig_pump_finish(f->pump, complete, &f->err);

    CU_ASSERT_EQUAL(rc == 0, complete);
    mig_rounds_finish(f->rounds, rc ? &f->err : NULL);
    read_statuses(f);
    CU_ASSERT_EQUAL(f->fake.overlaps, 0);
    mig_rounds_close(f->rounds);
    mig_pump_free(f->pump);
    mig_hot_close(f->config.hot);
    close(f->out_fd);
    close(f->status_fds[0]);
    close(f->status_fds[1]);
}

static struct fixture *new_fixture(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    mig_limits_default(&f->config.limits);
    /* A machine that is busy elsewhere makes any wire slow. */
    f->config.limits.max_downtime_ns = 60 * LXE_NS_PER_SEC;
    return f;
}

/* libxc's CLEAN between a round and the next: nothing may run beside it. */
static void clean(struct fixture *f)
{
    fake_log_clean_begins(&f->fake);
    CU_ASSERT_FALSE(released(f));
    f->fake.count = 0;
    fake_log_clean_ends(&f->fake);
}

static void suspend(struct fixture *f)
{
    CU_ASSERT_EQUAL(f->policy->suspending(f->policy->data), 0);
    CU_ASSERT_FALSE(released(f));
    f->policy->suspended(f->policy->data, true);
    CU_ASSERT_FALSE(released(f));
}

/* ---- */

/* Two rounds live, then what is left fits. */
static void run_to_the_end(struct fixture *f)
{
    f->fake.count = 100000000000; /* for which no wire is fast enough */
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    CU_ASSERT_TRUE(released(f));
    send_pages(f, DOMAIN_PAGES);
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_CONTINUE);
    CU_ASSERT_FALSE(released(f));
    clean(f);
    CU_ASSERT_EQUAL(ask(f, 1, 100), LXE_SAVE_CONTINUE);
    CU_ASSERT_TRUE(released(f));
    send_pages(f, 100);
    f->fake.count = 4;
    CU_ASSERT_EQUAL(ask(f, 2, -1), LXE_SAVE_STOP);
    CU_ASSERT_FALSE(released(f));
    suspend(f);
    clean(f);
    send_pages(f, 4);
    send_end(f);
}

static void check_round(const struct mig_round *r, unsigned index,
                        uint64_t dirty_pages, bool final)
{
    CU_ASSERT_EQUAL(r->index, index);
    CU_ASSERT_EQUAL(r->dirty_pages, dirty_pages);
    CU_ASSERT_EQUAL(r->final, final);
    CU_ASSERT_TRUE(r->end_ns > r->start_ns);
    CU_ASSERT_EQUAL(r->sent_pages + r->skipped_pages, r->dirty_pages);
}

static void test_order(void)
{
    struct fixture *f = new_fixture();
    struct mig_status first, second, last, end;

    start(f, -1);
    run_to_the_end(f);
    finish(f, true);
    CU_ASSERT_EQUAL(status_of(f, MIG_STATUS_START, 0).domain_pages,
                    DOMAIN_PAGES);
    CU_ASSERT_EQUAL(status_of(f, MIG_STATUS_START, 0).pid,
                    (uint64_t)getpid());
    first = status_of(f, MIG_STATUS_ROUND, 0);
    second = status_of(f, MIG_STATUS_ROUND, 1);
    last = status_of(f, MIG_STATUS_ROUND, 2);
    end = status_of(f, MIG_STATUS_END, 0);
    /* Of the frames that libxc walks, the pages that there are. */
    check_round(&first.round, 0, DOMAIN_PAGES, false);
    check_round(&second.round, 1, 100, false);
    check_round(&last.round, 2, 4, true);
    CU_ASSERT_TRUE(first.round.dirty_pps < 0); /* nothing to tell it from */
    CU_ASSERT_TRUE(second.round.dirty_pps > 0);
    CU_ASSERT_TRUE(first.round.skipped_pages <= 1);
    CU_ASSERT_EQUAL(last.round.skipped_pages, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(status_of(f, MIG_STATUS_STOP, 0).reason,
                                  "4 pages left"));
    CU_ASSERT_TRUE(status_of(f, MIG_STATUS_SUSPENDED, 0).ok);
    CU_ASSERT_TRUE(status_of(f, MIG_STATUS_SUSPENDED, 0).request_ns >=
                   second.round.end_ns);
    CU_ASSERT_TRUE(end.ok);
    CU_ASSERT_EQUAL(end.peeks, f->fake.peeks);
    CU_ASSERT_TRUE(end.bytes >= first.round.bytes + second.round.bytes +
                                    last.round.bytes);
    CU_ASSERT_EQUAL(f->statuses[f->count - 1].kind, MIG_STATUS_END);
    free(f);
}

/* An idle guest: the first round's own speed is enough to tell. */
static void test_stops_after_first(void)
{
    struct fixture *f = new_fixture();

    start(f, -1);
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    send_pages(f, DOMAIN_PAGES);
    f->fake.count = 2;
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_STOP);
    suspend(f);
    send_end(f);
    finish(f, true);
    CU_ASSERT_TRUE(status_of(f, MIG_STATUS_ROUND, 0)
                       .round.predicted_downtime_ns > 0);
    free(f);
}

static void test_round_limit(void)
{
    struct fixture *f = new_fixture();

    f->config.limits.max_rounds = 3;
    start(f, -1);
    f->fake.count = 1000000000;
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(ask(f, i, i ? 100 : FRAMES), LXE_SAVE_CONTINUE);
        send_pages(f, 100);
        CU_ASSERT_EQUAL(ask(f, i + 1, -1),
                        i == 2 ? LXE_SAVE_STOP : LXE_SAVE_CONTINUE);
        CU_ASSERT_FALSE(released(f));
    }
    suspend(f);
    send_end(f);
    finish(f, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(status_of(f, MIG_STATUS_STOP, 0).reason,
                                  "round limit"));
    free(f);
}

/* The time is up with the count known: that round goes live, unskipped. */
static void test_time_limit(void)
{
    struct fixture *f = new_fixture();

    f->config.limits.timeout_ns = 1;
    start(f, -1);
    lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_STOP);
    CU_ASSERT_FALSE(released(f));
    send_pages(f, DOMAIN_PAGES);
    suspend(f);
    send_end(f);
    finish(f, true);
    CU_ASSERT_EQUAL(status_of(f, MIG_STATUS_ROUND, 0).round.skipped_pages, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(status_of(f, MIG_STATUS_STOP, 0).reason,
                                  "time limit"));
    free(f);
}

/* The time is up and the user would rather keep the guest here. */
static void test_gives_up(void)
{
    struct fixture *f = new_fixture();
    struct lxe_err err = { 0 };

    f->config.limits.timeout_ns = 1;
    f->config.limits.on_timeout = MIG_TIMEOUT_ABORT;
    start(f, -1);
    CU_ASSERT_EQUAL(mig_rounds_gave_up(f->rounds, &err), 0);
    lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_ABORT);
    CU_ASSERT_FALSE(released(f));
    CU_ASSERT_EQUAL(mig_rounds_gave_up(f->rounds, &err), -ETIMEDOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "gave up after"));
    finish(f, false);
    free(f);
}

/* Each round that does not come closer is a step towards the longest. */
static void test_relaxes(void)
{
    struct fixture *f = new_fixture();
    struct mig_round first, last;

    f->config.limits.suspend_cost_ns = 200 * LXE_NS_PER_MS;
    f->config.limits.max_downtime_ns = 100 * LXE_NS_PER_MS;
    f->config.limits.downtime_limit_max_ns = 3600 * LXE_NS_PER_SEC;
    start(f, -1);
    f->fake.count = 0; /* suspending alone takes too long */
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    send_pages(f, DOMAIN_PAGES);
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_CONTINUE);
    CU_ASSERT_EQUAL(ask(f, 1, 100), LXE_SAVE_CONTINUE);
    send_pages(f, 100);
    CU_ASSERT_EQUAL(ask(f, 2, -1), LXE_SAVE_STOP); /* 285 ms are allowed */
    suspend(f);
    send_end(f);
    finish(f, true);
    first = status_of(f, MIG_STATUS_ROUND, 0).round;
    last = status_of(f, MIG_STATUS_ROUND, 1).round;
    CU_ASSERT_EQUAL(first.downtime_limit_ns, 100 * LXE_NS_PER_MS);
    CU_ASSERT_TRUE(first.predicted_downtime_ns > first.downtime_limit_ns);
    CU_ASSERT_TRUE(last.predicted_downtime_ns > first.downtime_limit_ns);
    CU_ASSERT_TRUE(last.predicted_downtime_ns <= last.downtime_limit_ns);
    free(f);
}

/* Limits that come in the middle of a round. */
static void test_new_limits(void)
{
    struct fixture *f = new_fixture();
    struct mig_limits limits;

    f->config.limits.rate = (struct mig_rate_limits){ 0, 400000000 };
    f->config.limits.suspend_cost_ns = 100 * LXE_NS_PER_SEC;
    start(f, -1);
    limits = f->config.limits;
    limits.rate.max_bps = 10000000;
    limits.max_downtime_ns = 200 * LXE_NS_PER_SEC;
    mig_rounds_set_limits(f->rounds, &limits); /* before the first round */
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    limits.rate.max_bps = 0;
    mig_rounds_set_limits(f->rounds, &limits);
    send_pages(f, DOMAIN_PAGES);
    f->fake.count = 3;
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_STOP);
    limits.rate.max_bps = 30000000;
    mig_rounds_set_limits(f->rounds, &limits);
    suspend(f);
    send_end(f);
    finish(f, true);
    CU_ASSERT_EQUAL(status_of(f, MIG_STATUS_ROUND, 0).round.limit_bps, 0);
    CU_ASSERT_EQUAL(status_of(f, MIG_STATUS_ROUND, 1).round.limit_bps,
                    30000000);
    free(f);
}

/* Xen does not tell how many are dirty: another round does no harm. */
static void test_no_count(void)
{
    struct fixture *f = new_fixture();

    start(f, -1);
    f->fake.count_code = -EBUSY;
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    send_pages(f, DOMAIN_PAGES);
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_CONTINUE);
    CU_ASSERT_FALSE(released(f));
    CU_ASSERT_EQUAL(ask(f, 1, 1), LXE_SAVE_CONTINUE);
    f->fake.count_code = 0;
    f->fake.count = 1;
    send_pages(f, 1);
    CU_ASSERT_EQUAL(ask(f, 2, -1), LXE_SAVE_STOP);
    suspend(f);
    send_end(f);
    finish(f, true);
    free(f);
}

/* Clark's rates: the minimum, then what was dirtied and 50 Mbit/s more. */
static void test_rates(void)
{
    struct fixture *f = new_fixture();
    struct mig_status second, last;
    double want;

    f->config.limits.rate = (struct mig_rate_limits){ 20000000, 400000000 };
    start(f, -1);
    CU_ASSERT_EQUAL(mig_rounds_first_bps(f->rounds), 20000000);
    run_to_the_end(f);
    finish(f, true);
    second = status_of(f, MIG_STATUS_ROUND, 1);
    last = status_of(f, MIG_STATUS_ROUND, 2);
    CU_ASSERT_EQUAL(status_of(f, MIG_STATUS_ROUND, 0).round.limit_bps,
                    20000000);
    want = second.round.dirty_pps * 4104 + 6250000;
    want = want < 20000000 ? 20000000 : want > 400000000 ? 400000000 : want;
    CU_ASSERT_DOUBLE_EQUAL((double)second.round.limit_bps, want, 100);
    CU_ASSERT_EQUAL(last.round.limit_bps, 400000000);
    free(f);
}

/* The target went away: the guest is not suspended. */
static void test_broken_pump(void)
{
    struct fixture *f = new_fixture();
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    close(fds[0]);
    start(f, fds[1]);
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    CU_ASSERT_EQUAL(f->rc, -EPIPE);
    send_pages(f, DOMAIN_PAGES);
    CU_ASSERT_EQUAL(f->rc, -EPIPE);
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_ABORT);
    CU_ASSERT_FALSE(released(f));
    CU_ASSERT_NOT_EQUAL(f->policy->suspending(f->policy->data), 0);
    finish(f, false);
    CU_ASSERT_FALSE(status_of(f, MIG_STATUS_END, 0).ok);
    CU_ASSERT_PTR_NOT_NULL(strstr(status_of(f, MIG_STATUS_END, 0).reason,
                                  "cannot send to the target"));
    free(f);
}

/* The guest did not suspend: there is no final pass to tell of. */
static void test_not_suspended(void)
{
    struct fixture *f = new_fixture();
    unsigned rounds = 0;

    start(f, -1);
    CU_ASSERT_EQUAL(ask(f, 0, FRAMES), LXE_SAVE_CONTINUE);
    send_pages(f, DOMAIN_PAGES);
    CU_ASSERT_EQUAL(ask(f, 1, -1), LXE_SAVE_STOP);
    CU_ASSERT_EQUAL(f->policy->suspending(f->policy->data), 0);
    f->policy->suspended(f->policy->data, false);
    finish(f, false);
    CU_ASSERT_FALSE(status_of(f, MIG_STATUS_SUSPENDED, 0).ok);
    for (size_t i = 0; i < f->count; i++)
        rounds += f->statuses[i].kind == MIG_STATUS_ROUND;
    CU_ASSERT_EQUAL(rounds, 1);
    free(f);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "rounds, stop, suspend, final pass", test_order },
        { "an idle guest needs one round", test_stops_after_first },
        { "the round limit", test_round_limit },
        { "the time limit", test_time_limit },
        { "the time limit gives up", test_gives_up },
        { "the downtime limit is relaxed", test_relaxes },
        { "limits that change on the way", test_new_limits },
        { "a count that cannot be had", test_no_count },
        { "the rate of each round", test_rates },
        { "the target goes away", test_broken_pump },
        { "a guest that does not suspend", test_not_suspended },
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    return unit_run("rounds", tests, sizeof(tests) / sizeof(tests[0]));
}
