/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "precopy.h"
#include "unit.h"

#define WIRE_BPS (4104.0 * 10000) /* 10000 pages a second */
#define MS       LXE_NS_PER_MS

static const struct mig_precopy_limits limits = {
    .max_downtime_ns = 300 * MS,
    .timeout_ns = 60 * LXE_NS_PER_SEC,
    .max_rounds = 30,
};

/* At 10000 pages/s and 50 ms fixed, 2500 pages make 300 ms. */
static struct mig_precopy_in asked(enum mig_precopy_point point, uint64_t pages)
{
    return (struct mig_precopy_in){
        .point = point,
        .round = 3,
        .dirty_pages = pages,
        .dirty_pages_per_s = 1000,
        .live_bps = WIRE_BPS,
        .final_bps = WIRE_BPS,
        .fixed_cost_ns = 50 * MS,
        .elapsed_ns = LXE_NS_PER_SEC,
    };
}

static enum mig_precopy_verdict decide(const struct mig_precopy_in *in,
                                       struct mig_precopy_out *out)
{
    memset(out, 0x7f, sizeof(*out));
    mig_precopy_decide(&limits, in, out);
    CU_ASSERT_PTR_NOT_NULL(memchr(out->reason, 0, sizeof(out->reason)));
    return out->verdict;
}

static void test_downtime(void)
{
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(5, 0, 0), 5);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(7 * MS, 1000, WIRE_BPS), 107 * MS);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(0, 1, 0), MIG_PRECOPY_UNKNOWN);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(0, 1, -1), MIG_PRECOPY_UNKNOWN);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(0, 1, NAN), MIG_PRECOPY_UNKNOWN);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(0, MIG_PRECOPY_UNKNOWN, 1e9),
                    MIG_PRECOPY_UNKNOWN);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(0, UINT64_MAX - 1, 1),
                    MIG_PRECOPY_UNKNOWN);
    CU_ASSERT_EQUAL(mig_precopy_downtime_ns(9, 1000, INFINITY), 9);
}

static void test_round_sent(void)
{
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 2500);
    struct mig_precopy_out out;

    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_EQUAL(out.downtime_ns, 300 * MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "2500 pages left"));
    in.dirty_pages = 2501;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "exceeds 300.0 ms"));
    in.dirty_pages = MIG_PRECOPY_UNKNOWN;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    CU_ASSERT_EQUAL(out.downtime_ns, MIG_PRECOPY_UNKNOWN);
    in.dirty_pages = 10;
    in.final_bps = 0;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
}

static void test_count_known(void)
{
    struct mig_precopy_in in = asked(MIG_PRECOPY_COUNT_KNOWN, 2000);
    struct mig_precopy_out out;

    /* 2000 pages take 200 ms, in which 200 are dirtied: both fit. */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_EQUAL(out.downtime_ns, 250 * MS);
    /* With a count to come there is no need to guess. */
    in.count_follows = true;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "decides"));
    in.count_follows = false;
    /* As fast as the wire at a tenth of its rate live: 20000 follow. */
    in.live_bps = WIRE_BPS / 10;
    in.dirty_pages_per_s = 10000;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    CU_ASSERT_EQUAL(out.downtime_ns, 2050 * MS);
    in.dirty_pages_per_s = -1;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    /* Nothing to send, so nothing is dirtied while it is sent. */
    in.dirty_pages = 0;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_EQUAL(out.downtime_ns, 50 * MS);
}

static void test_round_limit(void)
{
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 12500);
    struct mig_precopy_out out;

    in.round = 28;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    in.round = 29; /* thirty rounds were sent */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "round limit"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "by 1000.0 ms"));
    in.dirty_pages = MIG_PRECOPY_UNKNOWN;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "cannot be predicted"));
    /* Before the thirtieth: it is sent live, and then it is over. */
    in.point = MIG_PRECOPY_COUNT_KNOWN;
    in.dirty_pages = 12500;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    in.count_follows = true;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    in.round = 30;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
}

static void test_time_limit_and_abort(void)
{
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 12500);
    struct mig_precopy_out out;

    in.elapsed_ns = limits.timeout_ns - 1;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    in.elapsed_ns = limits.timeout_ns;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "time limit"));
    in.abort = true;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_ABORT);
    in.dirty_pages = 0;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_ABORT);
}

/* With the time up, what does not fit is given up, what fits is not. */
static void test_abort_on_timeout(void)
{
    struct mig_precopy_limits strict = limits;
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 12500);
    struct mig_precopy_out out;

    strict.abort_on_timeout = true;
    in.elapsed_ns = strict.timeout_ns;
    mig_precopy_decide(&strict, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_ABORT);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "gave up after 60.0 s"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "would be 1300.0 ms"));
    in.dirty_pages = MIG_PRECOPY_UNKNOWN;
    mig_precopy_decide(&strict, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_ABORT);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "cannot be predicted"));
    in.dirty_pages = 2500;
    mig_precopy_decide(&strict, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
    in.dirty_pages = 12500; /* the other limit still forces */
    in.round = 29;
    mig_precopy_decide(&strict, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
}

static void test_no_limits(void)
{
    const struct mig_precopy_limits none = {.max_downtime_ns = UINT64_MAX};
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 12500);
    struct mig_precopy_out out;

    in.round = UINT32_MAX;
    in.elapsed_ns = UINT64_MAX;
    in.dirty_pages = MIG_PRECOPY_UNKNOWN;
    mig_precopy_decide(&none, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.dirty_pages = 12500;
    mig_precopy_decide(&none, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
}

/* Fewer pages or a faster wire never turn STOP into CONTINUE. */
static void test_monotonic(void)
{
    uint64_t random = unit_seed();

    for (int i = 0; i < 20000; i++) {
        struct mig_precopy_in in =
            asked(unit_below(&random, 2), unit_below(&random, 6000));
        struct mig_precopy_out a, b;

        in.dirty_pages_per_s = (double)unit_below(&random, 20000);
        in.fixed_cost_ns = unit_below(&random, 400 * MS);
        decide(&in, &a);
        in.dirty_pages -= in.dirty_pages > 0;
        in.final_bps *= 1.01;
        decide(&in, &b);
        CU_ASSERT_FATAL(b.downtime_ns <= a.downtime_ns);
        if (a.verdict == MIG_PRECOPY_STOP)
            CU_ASSERT_EQUAL_FATAL(b.verdict, MIG_PRECOPY_STOP);
        if (in.fixed_cost_ns > limits.max_downtime_ns)
            CU_ASSERT_EQUAL_FATAL(b.verdict, MIG_PRECOPY_CONTINUE);
    }
}

/*
 * A guest that writes one set of pages at random, and rounds as libxc runs
 * them: it ends, within the downtime if its writes let it.
 */
static void converge(double dirty_pps, uint64_t set, bool fits)
{
    uint64_t dirty = 262144;
    struct mig_precopy_out out = {0};

    for (uint32_t round = 0; out.verdict == MIG_PRECOPY_CONTINUE; round++) {
        struct mig_precopy_in in = asked(MIG_PRECOPY_COUNT_KNOWN, dirty);
        double seconds = (double)dirty / 10000;

        CU_ASSERT_FATAL(round < 30);
        in.round = round;
        in.count_follows = true;
        CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
        dirty = (uint64_t)((double)set *
                           (1 - exp(-dirty_pps * seconds / (double)set)));
        in.point = MIG_PRECOPY_ROUND_SENT;
        in.dirty_pages = dirty;
        decide(&in, &out);
    }
    CU_ASSERT_EQUAL(out.downtime_ns <= limits.max_downtime_ns, fits);
    CU_ASSERT_EQUAL(strstr(out.reason, "round limit") == NULL, fits);
}

static void test_guests(void)
{
    converge(0, 1000, true);
    converge(5000, 100000, true);
    converge(100000, 2000, true);  /* a hot set that fits the downtime */
    converge(100000, 9000, false); /* one that does not */
    converge(20000, 200000, false);
}

/* Suspending costs pages and time of its own, and programs write in a quarter
 * of it; the decision takes them to write in half of it. */
static void test_suspend(void)
{
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 1000);
    struct mig_precopy_out out;

    in.suspend_pages = 300;
    in.last_cost_ns = 20 * MS;
    decide(&in, &out);
    CU_ASSERT_EQUAL(out.downtime_ns, (50 + 20 + 130) * MS);
    in.suspend_pps = 8000;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_EQUAL(out.downtime_ns, (50 + 20 + 130 + 10) * MS);
    CU_ASSERT_EQUAL(out.downtime_high_ns, (50 + 20 + 130 + 20) * MS);
    CU_ASSERT_DOUBLE_EQUAL(mig_precopy_fit_pages(300 * MS, &in), 1800, 1e-6);
    CU_ASSERT_TRUE(mig_precopy_fit_pages(60 * MS, &in) < 0);
    in.dirty_pages = 1801;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
}

/* What fits is sent once more where that is cheap, and where it brings much. */
static void test_once_more(void)
{
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 500);
    struct mig_precopy_out out;

    in.sent_pages = 25000;
    in.next_pages = 20; /* 52 ms instead of 100 */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "costs little"));
    in.next_pages = 420; /* 92 ms */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    in.next_pages = -1;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    in.sent_pages = 12500; /* a twenty-fifth: for a fifth of the downtime */
    in.next_pages = 299; /* 79.8 ms */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_CONTINUE);
    in.next_pages = 301; /* 80.2 ms */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    in.next_pages = 20;
    in.sent_pages = 4999; /* more than a tenth */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    in.sent_pages = 25000;
    in.past.stalled = 1; /* the last cheap round was not worth it */
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    in.past.stalled = 0;
    in.round = 29;
    CU_ASSERT_EQUAL(decide(&in, &out), MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "is within"));
}

static void test_past(void)
{
    struct mig_precopy_past past;

    mig_precopy_past_init(&past);
    mig_precopy_past_round(&past, 9000, 1000, true);
    CU_ASSERT_EQUAL(past.stalled, 0);
    mig_precopy_past_round(&past, 700, 950, true);
    mig_precopy_past_round(&past, 600, 2000, false); /* may be slowed yet */
    mig_precopy_past_round(&past, 500, 900, true);
    CU_ASSERT_EQUAL(past.stalled, 2);
    CU_ASSERT_EQUAL(past.fewest_pages, 900);
    CU_ASSERT_EQUAL(past.vain_pages, 1200);
    mig_precopy_past_round(&past, 400, 800, true);
    CU_ASSERT_EQUAL(past.stalled, 0);
    CU_ASSERT_EQUAL(past.vain_pages, 1200); /* was sent all the same */
}

static void test_spread(void)
{
    double spread = mig_precopy_spread(0, 0);

    CU_ASSERT_DOUBLE_EQUAL(spread, 0.15, 1e-9);
    spread = mig_precopy_spread(spread, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(spread, 0.105, 1e-9);
    spread = mig_precopy_spread(spread, 0.5);
    CU_ASSERT_DOUBLE_EQUAL(spread, 0.5, 1e-9);
    for (int i = 0; i < 10; i++)
        spread = mig_precopy_spread(spread, 0);
    CU_ASSERT_DOUBLE_EQUAL(spread, 0.05, 1e-9);
}

/* A guest that outruns the wire: at a good moment, or at last at any. */
static void test_stalled(void)
{
    struct mig_precopy_limits some = limits;
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 5400);
    struct mig_precopy_out out;

    some.stall_rounds = 4;
    in.past = (struct mig_precopy_past){ .fewest_pages = 5000, .stalled = 3 };
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.past.stalled = 4;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "4 rounds brought nothing"));
    in.dirty_pages = 5600;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.past.stalled = 8;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
    some.abort_on_timeout = true; /* rather not at all than so long */
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    some.abort_on_timeout = false;
    some.stall_rounds = 0;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
}

/* Rounds without gain end by what they send, before there are too many. */
static void test_in_vain(void)
{
    struct mig_precopy_limits some = limits;
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 5400);
    struct mig_precopy_out out;

    some.stall_rounds = 5;
    in.guest_pages = in.sent_pages = 40000;
    in.past = (struct mig_precopy_past){ 5000, 1, 7999 };
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.past.vain_pages = 8000;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "nothing sent 31 MiB"));
    in.dirty_pages = 5600; /* not a good moment */
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.past.vain_pages = 16000;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
    in.past.stalled = 0; /* the last round brought something */
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.past.stalled = 1;
    in.sent_pages = 50 * in.dirty_pages; /* another is cheap */
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.sent_pages = 40000;
    some.stall_rounds = 0;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
}

/* Suspending takes 400 ms of 300: more rounds help as long as pages count. */
static void test_floor(void)
{
    struct mig_precopy_limits some = limits;
    struct mig_precopy_in in = asked(MIG_PRECOPY_ROUND_SENT, 401);
    struct mig_precopy_out out;

    some.stall_rounds = 5;
    in.fixed_cost_ns = 400 * MS;
    CU_ASSERT_EQUAL(mig_precopy_floor_ns(&in), 400 * MS);
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    in.dirty_pages = 399;
    some.relaxing = true; /* the limit may yet be had */
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_CONTINUE);
    some.relaxing = false;
    mig_precopy_decide(&some, &in, &out);
    CU_ASSERT_EQUAL(out.verdict, MIG_PRECOPY_STOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.reason, "suspending alone"));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"predicted downtime", test_downtime},
        {"after a round", test_round_sent},
        {"before a round", test_count_known},
        {"round limit", test_round_limit},
        {"time limit and abort", test_time_limit_and_abort},
        {"a time limit that gives up", test_abort_on_timeout},
        {"without limits", test_no_limits},
        {"fewer pages never go on longer", test_monotonic},
        {"guests", test_guests},
        {"what suspending costs", test_suspend},
        {"once more, if cheap", test_once_more},
        {"how rounds went", test_past},
        {"how far off the rate may be", test_spread},
        {"a guest that stalls", test_stalled},
        {"what is sent in vain", test_in_vain},
        {"suspending takes too long", test_floor},
    };

    return unit_run("precopy", tests, sizeof(tests) / sizeof(tests[0]));
}
