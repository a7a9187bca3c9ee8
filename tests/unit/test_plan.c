/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/clock.h"
#include "plan.h"
#include "unit.h"

#define PAGE ((double)MIG_PAGE_WIRE_BYTES)
#define MS   LXE_NS_PER_MS

static struct mig_probe_found target;

/* 10000 pages a second, a hot set of so many, written in a quarter second. */
static struct mig_wws hot(double pages)
{
    return (struct mig_wws){
        .points = { { 250 * MS, pages, pages, pages },
                    { 2000 * MS, pages, pages, pages } },
        .count = 2,
        .domain_pages = 40000,
        .windows = 5,
    };
}

/* At half of the wire; the target is fine. */
static struct mig_plan_in asked(void)
{
    struct mig_plan_in in = {
        .predict = { .pages = 30000, .wire_bps = 10000 * PAGE },
        .released_pages = 10000,
        .type = LXE_DOM_PVH,
        .need_kib = 160000,
        .cpu = { { 7, 1 }, 2 },
        .xen = "4.17.7",
        .target = &target,
    };

    target = (struct mig_probe_found){
        .answer = {
            .xen = "4.17.3-pre", .total_kib = 1000000, .free_kib = 100000,
            .obtainable_kib = 500000, .name_known = true,
            .hvm = { { 0xff, 1 }, 2 },
        },
    };
    in.predict.costs.usual.pace = 1;
    in.predict.costs.low.pace = in.predict.costs.high.pace = 1;
    in.predict.costs.usual.packed_first = in.predict.costs.usual.packed_later =
        1;
    in.predict.costs.low = in.predict.costs.high = in.predict.costs.usual;
    mig_limits_default(&in.predict.limits);
    in.predict.limits.policy = MIG_RATE_FIXED;
    in.predict.limits.skip = false;
    in.predict.limits.rate.max_bps = (uint64_t)(5000 * PAGE);
    return in;
}

static const struct mig_finding *find(const struct mig_plan *plan,
                                      const char *what)
{
    static const struct mig_finding none = { .level = MIG_PLAN_UNKNOWN };

    for (size_t i = 0; i < plan->count; i++)
        if (!strcmp(plan->findings[i].what, what))
            return &plan->findings[i];
    CU_FAIL("a finding is missing");
    return &none;
}

static void check_level(const struct mig_plan *plan, const char *what,
                        enum mig_plan_level level, const char *words)
{
    CU_ASSERT_EQUAL(find(plan, what)->level, level);
    CU_ASSERT_PTR_NOT_NULL(strstr(find(plan, what)->text, words));
    CU_ASSERT_EQUAL(plan->refused, level == MIG_PLAN_REFUSE);
}

static void test_fine(void)
{
    struct mig_wws wws = hot(500);
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT(!plan.refused);
    for (size_t i = 0; i < plan.count; i++)
        CU_ASSERT_EQUAL(plan.findings[i].level, MIG_PLAN_FINE);
    CU_ASSERT_EQUAL(plan.count, 5);
    CU_ASSERT_PTR_EQUAL(strstr(plan.advice, "Move it: "), plan.advice);
    /* 10000 pages at 5000 a second. */
    CU_ASSERT_DOUBLE_EQUAL(plan.kept.total_ns.expected -
                               plan.asked.total_ns.expected, 2e9, 1e3);
    CU_ASSERT_DOUBLE_EQUAL(plan.kept.bytes.expected -
                               plan.asked.bytes.expected, 10000 * PAGE, 1);
    CU_ASSERT(plan.best.total_ns.expected < plan.asked.total_ns.expected);
}

/* 2500 hot pages: half a second at the rate asked for, a quarter at most. */
static void test_downtime(void)
{
    struct mig_wws wws = hot(2500);
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "downtime", MIG_PLAN_REFUSE, "500 ms");
    CU_ASSERT_DOUBLE_EQUAL(plan.least_ns.expected, 5e8, 1e4);
    CU_ASSERT_DOUBLE_EQUAL(plan.least_best_ns.expected, 2.5e8, 1e4);
    CU_ASSERT_EQUAL(plan.best_limits.max_downtime_ns, 300 * MS);
    CU_ASSERT(plan.best.downtime_ns.expected <= 300.0 * MS);
    CU_ASSERT_EQUAL(plan.best_limits.rate.max_bps, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(plan.advice, "With the whole wire"));

    in.predict.limits.max_downtime_ns = 100 * MS; /* not even so */
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "downtime", MIG_PLAN_REFUSE, "it cannot be had");
    CU_ASSERT(plan.best_limits.max_downtime_ns >= 250 * MS);
    CU_ASSERT(plan.best_limits.max_downtime_ns <= 280 * MS);
    CU_ASSERT(plan.best.downtime_ns.expected <= 280.0 * MS);

    in.predict.limits.downtime_limit_max_ns = 600 * MS;
    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT(!plan.refused);
    in.predict.costs.high.last_ns = 200e6;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "downtime", MIG_PLAN_WARN, "may pass");
    CU_ASSERT_PTR_NOT_NULL(strstr(plan.advice, "But "));
}

/* What the engine cannot know is taken off what is asked of it. */
static void test_fit(void)
{
    struct mig_wws wws = { .points = { { 5000 * MS, 20000, 20000, 20000 } },
                           .count = 1, .domain_pages = 40000, .windows = 2 };
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    in.predict.limits.rate.max_bps = 0;
    in.predict.costs.usual.last_ns = 295e6;
    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT(plan.best_limits.max_downtime_ns < 300 * MS);
    CU_ASSERT(plan.best.downtime_ns.expected <= 300.0 * MS);
}

static void test_short_curve(void)
{
    struct mig_wws wws = { .points = { { 1000 * MS, 100, 100, 100 } },
                           .count = 1, .domain_pages = 40000, .windows = 2 };
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    mig_plan_make(&wws, &in, &plan); /* the first round takes 6 s */
    check_level(&plan, "writes", MIG_PLAN_WARN, "windows of 1.0 s");
    CU_ASSERT_PTR_NOT_NULL(strstr(find(&plan, "writes")->text, "6.0 s"));
    wws.points[1] = (struct mig_wws_point){ 2000 * MS, 100, 100, 100 };
    wws.count = 2; /* flat: nothing is guessed */
    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT_EQUAL(plan.count, 5);
}

static void test_gives_up(void)
{
    struct mig_wws wws = hot(2500);
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    in.predict.limits.timeout_ns = 7000 * MS;
    in.predict.limits.on_timeout = MIG_TIMEOUT_ABORT;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "downtime", MIG_PLAN_REFUSE, "time-out");
}

/* 2500 hot pages, packed 4 to 1: an eighth of a second. */
static void test_packing(void)
{
    struct mig_wws wws = hot(2500);
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    in.packing = (struct mig_packing){ 512, 4, 4, 4, 1e9 };
    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT(plan.refused);
    CU_ASSERT_EQUAL(find(&plan, "packing")->level, MIG_PLAN_FINE);
    CU_ASSERT_PTR_NOT_NULL(strstr(find(&plan, "packing")->text,
                                  "is not packed; a sample of 512 pages packs"
                                  " 4.0 to 1, which pays at less than 7"));
    in.packing.low = 1;
    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT_PTR_NOT_NULL(strstr(find(&plan, "packing")->text,
                                  "which saves nothing"));
    in.packing.low = 4;
    in.predict.limits.compress_auto = false;
    in.predict.limits.compress_level = 1;
    in.predict.packing = in.packing;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "packing", MIG_PLAN_FINE, "all of them 4.0 to 4.0");
    CU_ASSERT_DOUBLE_EQUAL(plan.asked.downtime_ns.expected, 125.0 * MS, 1e6);
    CU_ASSERT(plan.least_best_ns.expected < 62.5 * MS);
    /* Nobody would have packed it on a whole wire. */
    in.predict.limits.compress_auto = true;
    mig_plan_make(&wws, &in, &plan);
    CU_ASSERT_DOUBLE_EQUAL(plan.least_best_ns.expected, 250.0 * MS, 1e6);
    CU_ASSERT_EQUAL(plan.best_limits.compress_level, 0);

    target.peer = MIG_PEER_XL;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "packing", MIG_PLAN_REFUSE, "leave out --compress");
    in = asked();
    in.predict.limits.compress_level = 1;
    in.predict.limits.max_downtime_ns = 600 * MS;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "packing", MIG_PLAN_UNKNOWN, "is not known");
}

static void test_target(void)
{
    struct mig_wws wws = hot(100);
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    target.answer.obtainable_kib = 150000;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "memory", MIG_PLAN_REFUSE, "could be made free");
    CU_ASSERT_PTR_NOT_NULL(strstr(plan.advice, "Do not move it: "));
    in = asked();
    target.answer.obtainable_kib = LXE_UNKNOWN;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "memory", MIG_PLAN_REFUSE, "with aerostatd");
    target.answer.free_kib = LXE_UNKNOWN;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "memory", MIG_PLAN_UNKNOWN, "156 MiB are needed");

    in = asked();
    target.answer.hvm.words[0] = 5;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "CPU", MIG_PLAN_REFUSE, ": vme;");
    in.type = LXE_DOM_PV;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "CPU", MIG_PLAN_UNKNOWN, "of the target");

    in = asked();
    target.answer.name_taken = true;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "name", MIG_PLAN_REFUSE, "rename");
    target.answer.name_known = target.answer.name_taken = false;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "name", MIG_PLAN_UNKNOWN, "does not tell");
}

static void test_versions(void)
{
    static const struct {
        const char *there;
        enum mig_plan_level level;
    } cases[] = {
        { "4.17.0", MIG_PLAN_FINE },   { "4.18.1", MIG_PLAN_WARN },
        { "5.0", MIG_PLAN_WARN },      { "4.16.9", MIG_PLAN_REFUSE },
        { "3.99", MIG_PLAN_REFUSE },   { "", MIG_PLAN_UNKNOWN },
        { "four", MIG_PLAN_UNKNOWN },
    };
    struct mig_wws wws = hot(100);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mig_plan_in in = asked();
        struct mig_plan plan;

        strcpy(target.answer.xen, cases[i].there);
        mig_plan_make(&wws, &in, &plan);
        check_level(&plan, "Xen", cases[i].level, "");
    }
}

static void test_cannot_ask(void)
{
    struct mig_wws wws = hot(100);
    struct mig_plan_in in = asked();
    struct mig_plan plan;

    target.peer = MIG_PEER_XL;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "target", MIG_PLAN_UNKNOWN, "a stock xl");
    target.peer = MIG_PEER_OLD;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "target", MIG_PLAN_UNKNOWN, "an older Aerostat");
    in.target = NULL;
    mig_plan_make(&wws, &in, &plan);
    check_level(&plan, "target", MIG_PLAN_UNKNOWN, "not asked");
    CU_ASSERT_EQUAL(plan.count, 2);
}

static void test_words(void)
{
    char text[MIG_PLAN_TIME];

    CU_ASSERT_STRING_EQUAL(mig_plan_time(text, 8.5e8), "850 ms");
    CU_ASSERT_STRING_EQUAL(mig_plan_time(text, 9.999e8), "1.0 s");
    CU_ASSERT_STRING_EQUAL(mig_plan_time(text, 12.34e9), "12.3 s");
    CU_ASSERT_STRING_EQUAL(mig_plan_time(text, 250.9e9), "4 min 10 s");
    CU_ASSERT_STRING_EQUAL(mig_plan_time(text, 0), "0 ms");
}

static void test_json(void)
{
    struct mig_wws wws = hot(100);
    struct mig_plan_in in = asked();
    struct mig_plan plan;
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *root;
    const struct lxe_json *downtime;
    double ms;
    bool can;

    mig_plan_make(&wws, &in, &plan);
    lxe_jw_object(w);
    mig_plan_write(w, &in, &plan);
    lxe_jw_end_object(w);
    CU_ASSERT_EQUAL_FATAL(lxe_json_parse(lxe_jw_text(w, NULL),
                                         strlen(lxe_jw_text(w, NULL)), &root,
                                         NULL), 0);
    CU_ASSERT(!lxe_json_bool(lxe_json_get(root, "can_move"), &can) && can);
    downtime = lxe_json_get(lxe_json_get(root, "asked"), "downtime_ms");
    CU_ASSERT_EQUAL(lxe_json_double(lxe_json_get(downtime, "expected"), &ms),
                    0);
    CU_ASSERT(ms > 0 && ms < 20); /* 100 pages take 20 ms, but are sent again */
    CU_ASSERT_EQUAL(lxe_json_count(lxe_json_get(root, "findings")), 5);
    lxe_json_free(root);
    lxe_jw_free(w);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a guest that can be moved", test_fine },
        { "a downtime that cannot be had", test_downtime },
        { "what the engine cannot know", test_fit },
        { "a curve that is too short", test_short_curve },
        { "a time-out that gives up", test_gives_up },
        { "what packing saves", test_packing },
        { "what the target lacks", test_target },
        { "versions", test_versions },
        { "targets that cannot be asked", test_cannot_ask },
        { "times in words", test_words },
        { "JSON", test_json },
    };

    return unit_run("plan", tests, sizeof(tests) / sizeof(tests[0]));
}
