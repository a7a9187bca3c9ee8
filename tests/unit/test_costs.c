/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "costs.h"
#include "unit.h"

#define MS ((double)LXE_NS_PER_MS)

static int from(const char *text, struct mig_costs *out, double *bps)
{
    struct lxe_json *root;
    int rc;

    CU_ASSERT_FATAL(!lxe_json_parse(text, strlen(text), &root, NULL));
    rc = mig_costs_of_report(root, out, bps);
    lxe_json_free(root);
    return rc;
}

/*
 * 10 MB/s allowed. Round 0: 20 MB in 3 s, one of them for frames. Round 1:
 * 2 MB at the limit, after 30 ms. The last pass: 1 MB at the limit, and 15 ms.
 */
static const char report[] =
    "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":180.5},\"rounds\":["
    "{\"start_ms\":1000,\"duration_ms\":3000,\"bytes\":20000000,"
    "\"sent_pages\":4873,\"limit_bps\":10000000},"
    "{\"start_ms\":4030,\"duration_ms\":200,\"bytes\":2000000,"
    "\"sent_pages\":487,\"limit_bps\":10000000,\"left_pages\":120,"
    "\"dirty_pages_per_s\":100},"
    "{\"start_ms\":4500,\"duration_ms\":115,\"bytes\":1000000,"
    "\"sent_pages\":243,\"limit_bps\":10000000}]}";

static void test_report(void)
{
    struct mig_costs c;
    double bps;

    CU_ASSERT_EQUAL_FATAL(from(report, &c, &bps), 0);
    CU_ASSERT_DOUBLE_EQUAL(c.suspend_ns, 180.5 * MS, 1);
    CU_ASSERT_DOUBLE_EQUAL(c.round_ns, 30 * MS, 1);
    CU_ASSERT_DOUBLE_EQUAL(c.last_ns, 15 * MS, 1);
    /* 243 sent, 120 left at the end of the round, 4.5 in 45 ms. */
    CU_ASSERT_DOUBLE_EQUAL(c.suspend_pages, 118.4875, 1e-6);
    /* Round 0 says nothing of the wire: it waited for frames. */
    CU_ASSERT_DOUBLE_EQUAL(c.walk_ns, 1000 * MS, 1);
    /* Nor is it known what the guest was seen to write before. */
    CU_ASSERT(isnan(c.pace));
}

/*
 * Seen to write a thousand pages a second, up to 4000. Of rounds of 2 s, 1 s
 * and 0.1 s it wrote half of that in the first, nothing in the second, in
 * which it was slowed, and 50 pages in the last. The wire had 20 MB/s in the
 * end.
 */
static const char watched[] =
    "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":100},"
    "\"wws\":{\"format\":\"aerostat-wws-1\",\"method\":\"sample\","
    "\"domain_pages\":9000,\"windows\":3,\"spread\":0,\"hot_pages\":0,"
    "\"points\":[{\"window_ns\":4000000000,\"pages\":4000,\"low\":4000,"
    "\"high\":4000}]},\"rounds\":["
    "{\"start_ms\":1000,\"duration_ms\":1990,\"bytes\":36936000,"
    "\"sent_pages\":9000,\"dirty_pages\":9000,\"limit_bps\":0},"
    "{\"start_ms\":3000,\"duration_ms\":990,\"bytes\":4104000,"
    "\"sent_pages\":1000,\"dirty_pages\":1000,\"limit_bps\":0,"
    "\"slowed_percent\":99},"
    "{\"start_ms\":4000,\"duration_ms\":100,\"bytes\":0,"
    "\"sent_pages\":0,\"dirty_pages\":0,\"left_pages\":50,"
    "\"limit_bps\":0,\"wire_bps\":20000000},"
    "{\"start_ms\":4200,\"duration_ms\":100,\"bytes\":1641600,"
    "\"sent_pages\":400,\"dirty_pages\":400,\"limit_bps\":0}]}";

static void test_pace(void)
{
    char text[sizeof(watched)], *at;
    struct mig_costs c;
    double bps;

    CU_ASSERT_EQUAL_FATAL(from(watched, &c, &bps), 0);
    CU_ASSERT_DOUBLE_EQUAL(c.pace, 0.5, 0.01);
    CU_ASSERT_EQUAL(bps, 20000000);
    /* A curve that is none tells nothing, and no more is lost. */
    memcpy(text, watched, sizeof(text));
    at = strstr(text, "\"points\"");
    at[1] = 'q';
    CU_ASSERT_EQUAL_FATAL(from(text, &c, &bps), 0);
    CU_ASSERT(isnan(c.pace));
    CU_ASSERT_EQUAL(c.suspend_ns, 100 * MS);
}

/* A sample packed 4 to 1. Round 0 packs 2 to 1, what comes later 6 to 1. */
static void learn_packing(void)
{
    static const char rounds[] =
        "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":1},"
        "%s\"rounds\":["
        "{\"start_ms\":1,\"duration_ms\":1,\"bytes\":20000000,"
        "\"wire_bytes\":10000000,\"sent_pages\":4873,\"limit_bps\":1},"
        "{\"start_ms\":2,\"duration_ms\":1,\"bytes\":9000000,"
        "\"wire_bytes\":1400000,\"sent_pages\":2000,\"limit_bps\":1},"
        "{\"start_ms\":3,\"duration_ms\":1,\"bytes\":3000000,"
        "\"wire_bytes\":600000,\"sent_pages\":243,\"limit_bps\":1}]}";
    char text[2 * sizeof(rounds)];
    struct mig_costs c;
    double bps;

    snprintf(text, sizeof(text), rounds,
             "\"limits\":{\"compress_level\":1},"
             "\"packing\":{\"ratio\":4},");
    CU_ASSERT_EQUAL_FATAL(from(text, &c, &bps), 0);
    CU_ASSERT_DOUBLE_EQUAL(c.packed_first, 2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(c.packed_later, 4. / 6, 1e-9);
    snprintf(text, sizeof(text), rounds,
             "\"limits\":{\"compress_window_kib\":8192},"
             "\"packing\":{\"ratio\":4},");
    CU_ASSERT_EQUAL_FATAL(from(text, &c, &bps), 0);
    CU_ASSERT_DOUBLE_EQUAL(c.packed_first, 2, 1e-9);
    CU_ASSERT(isnan(c.packed_later));
    snprintf(text, sizeof(text), rounds, "\"packing\":{\"ratio\":0},");
    CU_ASSERT_EQUAL_FATAL(from(text, &c, &bps), 0);
    CU_ASSERT(isnan(c.packed_first) && isnan(c.packed_later));
}

/* What was packed tells nothing of how what is not packed is sent. */
static void test_packed(void)
{
    char text[sizeof(report) + 64];
    struct mig_costs c;
    double bps;

    learn_packing();
    snprintf(text, sizeof(text), "{\"limits\":{\"compress_level\":1},%s",
             report + 1);
    CU_ASSERT_EQUAL_FATAL(from(text, &c, &bps), 0);
    CU_ASSERT_DOUBLE_EQUAL(c.suspend_ns, 180.5 * MS, 1);
    CU_ASSERT_DOUBLE_EQUAL(c.suspend_pages, 118.4875, 1e-6);
    CU_ASSERT(isnan(c.walk_ns) && isnan(c.last_ns));
    CU_ASSERT(isnan(c.packed_first) && isnan(c.packed_later));
    CU_ASSERT_EQUAL(bps, 0);
}

static void test_useless(void)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"outcome\":\"failed\",\"downtime_ms\":{\"suspend\":1}}",
        "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":null},"
        "\"rounds\":[]}",
        "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":1},"
        "\"rounds\":[{},{}]}",
        "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":-1},"
        "\"rounds\":[{},{}]}",
        "{\"outcome\":\"moved\",\"downtime_ms\":{\"suspend\":1e300},"
        "\"rounds\":[{},{}]}",
    };
    struct mig_costs c;
    double bps;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CU_ASSERT_EQUAL(from(texts[i], &c, &bps), -EINVAL);
}

/* Newer ones come first, and count for more. */
static void test_median(void)
{
    static const double same[] = { 4, 4, 4 }, two[] = { 10, 20 };
    static const double rose[] = { 9, 9, 9, 9, 1, 1, 1, 1, 1, 1, 1, 1 };
    const double some[] = { NAN, 7, NAN };

    CU_ASSERT_EQUAL(mig_costs_median(same, 3), 4);
    CU_ASSERT_EQUAL(mig_costs_median(same, 1), 4);
    CU_ASSERT_EQUAL(mig_costs_median(some, 3), 7);
    CU_ASSERT(isnan(mig_costs_median(some, 1)));
    CU_ASSERT(isnan(mig_costs_median(same, 0)));
    /* Weights of 1 and 0.8: their middles are 0.9 apart. */
    CU_ASSERT_DOUBLE_EQUAL(mig_costs_median(two, 2), 10 + 10 * 0.4 / 0.9,
                           1e-9);
    CU_ASSERT(mig_costs_median(rose, 12) > 5);
}

static void test_learn(void)
{
    struct mig_costs runs[5] = { { .suspend_ns = 5 }, { .suspend_ns = 1 },
                                 { .suspend_ns = 9 }, { .suspend_ns = 2 },
                                 { .suspend_ns = 3 } };
    struct mig_cost_range out;

    mig_costs_assume(&out);
    mig_costs_learn(runs, 5, &out);
    CU_ASSERT_EQUAL(out.learnt_from, 5);
    CU_ASSERT_DOUBLE_EQUAL(out.usual.suspend_ns, 3.46, 0.01);
    CU_ASSERT_EQUAL(out.low.suspend_ns, 1);
    CU_ASSERT_EQUAL(out.high.suspend_ns, 9);
    CU_ASSERT_EQUAL(out.usual.walk_ns, 0);
    mig_costs_learn(runs + 2, 1, &out);
    CU_ASSERT_EQUAL(out.usual.suspend_ns, 9);
    CU_ASSERT_DOUBLE_EQUAL(out.low.suspend_ns, 6, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(out.high.suspend_ns, 13.5, 1e-9);
    mig_costs_assume(&out);
    mig_costs_learn(runs, 0, &out);
    CU_ASSERT_EQUAL(out.learnt_from, 0);
    CU_ASSERT(out.low.suspend_ns < out.usual.suspend_ns &&
              out.usual.suspend_ns < out.high.suspend_ns);
}

/* What no run tells stays as others told it. */
static void test_untold(void)
{
    struct mig_costs others[2] = { { .pace = 0.5 }, { .pace = 0.5 } };
    struct mig_costs own = { .suspend_ns = 7, .pace = NAN };
    struct mig_cost_range out;

    mig_costs_assume(&out);
    CU_ASSERT_EQUAL(out.usual.pace, 1);
    mig_costs_learn(others, 2, &out);
    mig_costs_learn(&own, 1, &out);
    CU_ASSERT_EQUAL(out.usual.pace, 0.5);
    CU_ASSERT_EQUAL(out.usual.suspend_ns, 7);
    CU_ASSERT_EQUAL(out.learnt_from, 1);
}

static void test_apply(void)
{
    struct mig_cost_range costs;
    struct mig_limits limits;
    struct mig_costs one = { .suspend_ns = 80 * MS, .suspend_pages = 220.5,
                             .last_ns = 7 * MS };

    mig_limits_default(&limits);
    mig_costs_assume(&costs);
    mig_costs_apply(&costs, &limits);
    CU_ASSERT_EQUAL(limits.suspend_cost_ns, 50 * LXE_NS_PER_MS);
    mig_costs_learn(&one, 1, &costs);
    mig_costs_apply(&costs, &limits);
    CU_ASSERT_EQUAL(limits.suspend_cost_ns, 80 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(limits.suspend_pages, 220);
    CU_ASSERT_EQUAL(limits.last_cost_ns, 7 * LXE_NS_PER_MS);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "what a report tells", test_report },
        { "one that was packed", test_packed },
        { "reports that tell nothing", test_useless },
        { "the pace that a report tells", test_pace },
        { "medians", test_median },
        { "medians and bounds", test_learn },
        { "what is not told", test_untold },
        { "what the engine is told", test_apply },
    };

    return unit_run("costs", tests, sizeof(tests) / sizeof(tests[0]));
}
