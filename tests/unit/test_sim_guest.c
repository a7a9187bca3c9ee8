/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's guests: each kind of the zoo does what its name says. */
#include <errno.h>

#include "sim_fixture.h"

static void test_ideal(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    uint64_t before = sim_free(host);

    CU_ASSERT_EQUAL(before, MIB(4096 - 64 - 512 - 1024));
    sim_target(host, 1, MIB(512));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(1024));
    lxe_sim_advance(host, SECONDS(0.01));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(512));
    CU_ASSERT_EQUAL(sim_free(host), before + MIB(512));
    sim_target(host, 1, MIB(2048));
    lxe_sim_advance(host, SECONDS(0.01));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(2048));
    CU_ASSERT_EQUAL(sim_free(host), before - MIB(1024));
    host->ops->close(host);
}

static void test_shrink_stops_at_use(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));

    sim_target(host, 1, MIB(100));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(256));
    host->ops->close(host);
}

static void test_patient(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "
        "'memory_kib': 204800, 'static_max_kib': 2097152, "
        "'patient_kib': 8192, 'demand': [[0, 102400], [10, 512000], "
        "[20, 102400]]}]}");

    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_truth(host, 1).used_kib, MIB(140));
    lxe_sim_advance(host, SECONDS(4));
    CU_ASSERT_EQUAL(sim_truth(host, 1).used_kib, MIB(192));
    CU_ASSERT_EQUAL(sim_truth(host, 1).waiting_kib, MIB(108));
    CU_ASSERT_EQUAL(sim_truth(host, 1).unmet_kib, 0);
    sim_target(host, 1, MIB(400));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_truth(host, 1).used_kib, MIB(340));
    CU_ASSERT_EQUAL(sim_truth(host, 1).waiting_kib, 0);
    /* What is taken back takes nothing that it has. */
    sim_target(host, 1, MIB(300));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT(sim_truth(host, 1).used_kib >= MIB(340));
    CU_ASSERT(sim_truth(host, 1).used_kib < MIB(341));
    lxe_sim_advance(host, SECONDS(13));
    CU_ASSERT_EQUAL(sim_truth(host, 1).used_kib, MIB(100));
    host->ops->close(host);
}

static void test_slow(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'balloon_kib_s': 10240"));

    sim_target(host, 1, MIB(924));
    lxe_sim_advance(host, SECONDS(5));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(974)); /* in 2 MiB steps */
    lxe_sim_advance(host, SECONDS(0.1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(974));
    lxe_sim_advance(host, SECONDS(0.1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(972));
    lxe_sim_advance(host, SECONDS(4.8));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(924));
    host->ops->close(host);
}

static void test_limited(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'floor_kib': 819200"));

    sim_target(host, 1, MIB(512));
    lxe_sim_advance(host, SECONDS(60));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(800));
    CU_ASSERT_TRUE(sim_truth(host, 1).driver_sleeps);
    sim_target(host, 1, MIB(900));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(900));
    host->ops->close(host);
}

static void test_stuck(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'stuck': true"));

    sim_target(host, 1, MIB(512));
    lxe_sim_advance(host, SECONDS(7200));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(1024));
    CU_ASSERT_EQUAL(sim_dom(host, 1).target_kib, MIB(512));
    host->ops->close(host);
}

/* Moves for 3 s, is stuck for 3 s. */
static void test_intermittent(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(
        ", 'balloon_kib_s': 10240, 'stuck_every_s': 3"));
    uint64_t at_3;

    sim_target(host, 1, MIB(512));
    lxe_sim_advance(host, SECONDS(3));
    at_3 = sim_current(host, 1);
    CU_ASSERT_TRUE(at_3 >= MIB(994) && at_3 <= MIB(996));
    lxe_sim_advance(host, SECONDS(2.99));
    CU_ASSERT_EQUAL(sim_current(host, 1), at_3);
    lxe_sim_advance(host, SECONDS(3));
    CU_ASSERT_TRUE(sim_current(host, 1) <= at_3 - MIB(28));
    host->ops->close(host);
}

static struct lxe_guest_report report_of(const char *scenario)
{
    struct lxe_host *host = sim_open(scenario);
    struct lxe_guest_report report;

    CU_ASSERT_EQUAL(host->ops->prepare_agent(host, 1, NULL), 0);
    lxe_sim_advance(host, SECONDS(0.01));
    report = sim_dom(host, 1).report;
    host->ops->close(host);
    return report;
}

static void test_honest_reports(void)
{
    struct lxe_guest_report r = report_of(ONE_GUEST(", 'report': 'agent'"));

    CU_ASSERT_EQUAL(r.source, LXE_REPORT_AGENT);
    CU_ASSERT_EQUAL(r.seq, 1);
    CU_ASSERT_EQUAL(r.total_kib, MIB(1024));
    CU_ASSERT_EQUAL(r.used_kib, MIB(256));
    CU_ASSERT_EQUAL(r.available_kib, MIB(768));
    CU_ASSERT_EQUAL(r.swap_used_kib, 0);
    r = report_of(ONE_GUEST(", 'report': 'qubes'"));
    CU_ASSERT_EQUAL(r.source, LXE_REPORT_QUBES);
    CU_ASSERT_EQUAL(r.used_kib, MIB(256));
    CU_ASSERT_EQUAL(r.total_kib, LXE_UNKNOWN);
    r = report_of(ONE_GUEST(", 'report': 'xenserver'"));
    CU_ASSERT_EQUAL(r.source, LXE_REPORT_XENSERVER);
    CU_ASSERT_EQUAL(r.available_kib, MIB(768));
    CU_ASSERT_EQUAL(r.swap_used_kib, LXE_UNKNOWN);
    r = report_of(ONE_GUEST(""));
    CU_ASSERT_EQUAL(r.source, LXE_REPORT_NONE);
    CU_ASSERT_EQUAL(r.seq, 0);
    CU_ASSERT_EQUAL(r.used_kib, LXE_UNKNOWN);
}

static void test_liar_and_greedy(void)
{
    struct lxe_guest_report r = report_of(
        ONE_GUEST(", 'report': 'agent', 'report_percent': 25"));

    CU_ASSERT_EQUAL(r.used_kib, MIB(64));
    CU_ASSERT_EQUAL(r.available_kib, MIB(960));
    r = report_of(ONE_GUEST(", 'report': 'agent', 'report_percent': 900"));
    CU_ASSERT_EQUAL(r.used_kib, r.total_kib);
    r = report_of(ONE_GUEST(", 'report': 'agent', 'greedy': true"));
    CU_ASSERT_EQUAL(r.available_kib, 0);
    CU_ASSERT_EQUAL(r.swap_used_kib, MIB(256));
    r = report_of(ONE_GUEST(", 'report': 'qubes', 'greedy': true"));
    CU_ASSERT_EQUAL(r.used_kib, MIB(1280));
}

static void test_report_interval(void)
{
    struct lxe_host *host = sim_open(
        ONE_GUEST(", 'report': 'agent', 'report_s': 5"));

    lxe_sim_advance(host, SECONDS(20));
    CU_ASSERT_EQUAL(sim_dom(host, 1).report.seq, 0); /* has no keys yet */
    host->ops->prepare_agent(host, 1, NULL);
    lxe_sim_advance(host, SECONDS(0.01));
    CU_ASSERT_EQUAL(sim_dom(host, 1).report.seq, 1);
    lxe_sim_advance(host, SECONDS(4.99));
    CU_ASSERT_EQUAL(sim_dom(host, 1).report.seq, 1);
    lxe_sim_advance(host, SECONDS(0.01));
    CU_ASSERT_EQUAL(sim_dom(host, 1).report.seq, 2);
    host->ops->pause(host, 1, NULL);
    lxe_sim_advance(host, SECONDS(60));
    CU_ASSERT_EQUAL(sim_dom(host, 1).report.seq, 2);
    host->ops->close(host);
}

/* 2 + 4 + 8 s, then an hour, unless the target changes by a page. */
static void test_driver_gives_up(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 2097152}, 'guests': ["
        "{'name': 'g', 'memory_kib': 524288, 'static_max_kib': 1048576},"
        "{'name': 'hog', 'memory_kib': 983040}]}");

    CU_ASSERT_EQUAL(sim_free(host), 0);
    sim_target(host, 1, MIB(600));
    lxe_sim_advance(host, SECONDS(14.1));
    lxe_sim_destroy(host, 2, NULL);
    CU_ASSERT_EQUAL(sim_free(host), MIB(960));
    lxe_sim_advance(host, SECONDS(3500));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(512));
    sim_target(host, 1, MIB(600));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(512));
    sim_target(host, 1, MIB(600) + 4);
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(600) + 4);
    host->ops->close(host);
}

/* Each page that moves makes it patient again: it waits 2 s, not 8. */
static void test_driver_takes_heart(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 2097152}, 'guests': ["
        "{'name': 'g', 'memory_kib': 524288, 'static_max_kib': 1048576},"
        "{'name': 'small', 'memory_kib': 32768},"
        "{'name': 'large', 'memory_kib': 950272}]}");

    CU_ASSERT_EQUAL(sim_free(host), 0);
    sim_target(host, 1, MIB(1024));
    lxe_sim_advance(host, SECONDS(5)); /* tries at 0 and 2 s, then at 6 s */
    lxe_sim_destroy(host, 2, NULL);
    lxe_sim_advance(host, SECONDS(1.5));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(512 + 32));
    lxe_sim_destroy(host, 3, NULL);
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(512 + 32));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(1024));
    host->ops->close(host);
}

/* Memory comes free at 1000 s; the driver looks again after its hour. */
static void test_driver_wakes_after_an_hour(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "
        "'memory_kib': 1048576, 'demand_steps': true, "
        "'demand': [[0, 262144], [1000, 131072]]}]}");

    sim_target(host, 1, MIB(200));
    lxe_sim_advance(host, SECONDS(3500));
    CU_ASSERT_TRUE(sim_truth(host, 1).driver_sleeps);
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(256));
    lxe_sim_advance(host, SECONDS(120));
    CU_ASSERT_FALSE(sim_truth(host, 1).driver_sleeps);
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(200));
    host->ops->close(host);
}

/* 256 MiB; from 10 s to 20 s up to 1024; at 30 s down to 128. */
#define TRACE "'swap_kib': 65536, 'report': 'agent', 'memory_kib': 524288," \
    "'static_max_kib': 1048576, " \
    "'demand': [[10, 262144], [20, 1048576], [30, 131072]]"

static void test_demand_trace(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "
        TRACE "}, {'name': 's', 'demand_steps': true, " TRACE "}]}");

    host->ops->prepare_agent(host, 1, NULL);
    lxe_sim_advance(host, SECONDS(5));
    CU_ASSERT_EQUAL(sim_truth(host, 1).demand_kib, MIB(256));
    lxe_sim_advance(host, SECONDS(10));
    CU_ASSERT_EQUAL(sim_truth(host, 1).demand_kib, MIB(640));
    CU_ASSERT_EQUAL(sim_truth(host, 1).used_kib, MIB(512));
    CU_ASSERT_EQUAL(sim_truth(host, 1).swap_kib, MIB(64));
    CU_ASSERT_EQUAL(sim_truth(host, 1).unmet_kib, MIB(64));
    CU_ASSERT_EQUAL(sim_truth(host, 2).demand_kib, MIB(256));
    lxe_sim_advance(host, SECONDS(10));
    CU_ASSERT_EQUAL(sim_truth(host, 2).demand_kib, MIB(1024));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_TRUE(sim_dom(host, 1).report.refaults > 0);
    CU_ASSERT_TRUE(sim_dom(host, 1).report.psi_some_x100 > 0);
    lxe_sim_advance(host, SECONDS(60));
    CU_ASSERT_EQUAL(sim_truth(host, 1).swap_kib, 0);
    CU_ASSERT_EQUAL(sim_truth(host, 1).used_kib, MIB(128));
    CU_ASSERT_TRUE(sim_dom(host, 1).report.psi_some_x100 < 100);
    host->ops->close(host);
}

static void test_page_cache(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(
        ", 'report': 'agent', 'page_cache_kib': 524288, 'drop_s': 2, "
        "'page_cache_fill_s': 50, 'page_cache_hot_kib': 131072"));
    const struct lxe_host_ops *ops = host->ops;
    uint64_t refaults;

    CU_ASSERT_EQUAL(ops->drop_page_cache(host, 1, NULL), -EOPNOTSUPP);
    ops->prepare_agent(host, 1, NULL);
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_truth(host, 1).cache_kib, MIB(512));
    CU_ASSERT_EQUAL(sim_dom(host, 1).report.available_kib, MIB(768));
    CU_ASSERT_EQUAL(ops->drop_page_cache(host, 1, NULL), 0);
    CU_ASSERT_TRUE(sim_dom(host, 1).report.drop_pending);
    lxe_sim_advance(host, SECONDS(1.9));
    CU_ASSERT_TRUE(sim_dom(host, 1).report.drop_pending);
    lxe_sim_advance(host, SECONDS(0.1));
    CU_ASSERT_FALSE(sim_dom(host, 1).report.drop_pending);
    CU_ASSERT_TRUE(sim_truth(host, 1).cache_kib < MIB(1));
    lxe_sim_advance(host, SECONDS(25));
    CU_ASSERT_TRUE(sim_truth(host, 1).cache_kib > MIB(250));
    refaults = sim_dom(host, 1).report.refaults;
    CU_ASSERT_EQUAL(refaults, 0);
    sim_target(host, 1, MIB(300)); /* squeezes the hot part, too */
    lxe_sim_advance(host, SECONDS(20));
    CU_ASSERT_EQUAL(sim_truth(host, 1).cache_kib, MIB(44));
    CU_ASSERT_TRUE(sim_dom(host, 1).report.refaults > refaults);
    ops->close(host);
}

static void test_video_memory(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'w', "
        "'type': 'hvm', 'memory_kib': 1048576, 'videoram_kib': 16384, "
        "'static_max_kib': 2097152}]}");
    struct lxe_domain dom = sim_dom(host, 1);

    CU_ASSERT_EQUAL(dom.current_kib, MIB(1040));
    CU_ASSERT_EQUAL(dom.target_kib, MIB(1024));
    sim_target(host, 1, dom.target_kib);
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(1040));
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, MIB(2048), NULL), -EINVAL);
    sim_target(host, 1, MIB(2032));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(2048));
    host->ops->close(host);
}

/* A paused guest neither shrinks nor uses the time it slept. */
static void test_paused_does_nothing(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'balloon_kib_s': 10240"));

    CU_ASSERT_EQUAL(host->ops->pause(host, 1, NULL), 0);
    CU_ASSERT_EQUAL(host->ops->pause(host, 1, NULL), 0);
    sim_target(host, 1, MIB(512));
    lxe_sim_advance(host, SECONDS(100));
    CU_ASSERT_EQUAL(host->ops->unpause(host, 1, NULL), 0);
    CU_ASSERT_TRUE(sim_dom(host, 1).paused);
    CU_ASSERT_EQUAL(host->ops->unpause(host, 1, NULL), 0);
    CU_ASSERT_FALSE(sim_dom(host, 1).paused);
    CU_ASSERT_EQUAL(host->ops->unpause(host, 1, NULL), -EINVAL);
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(1024));
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(sim_current(host, 1), MIB(1014));
    host->ops->close(host);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "ideal follows at once", test_ideal },
        { "a shrink stops at what is used", test_shrink_stops_at_use },
        { "patient programs wait", test_patient },
        { "slow keeps its speed", test_slow },
        { "limited stops at its floor", test_limited },
        { "stuck never moves", test_stuck },
        { "stuck on and off", test_intermittent },
        { "honest reports by source", test_honest_reports },
        { "liar and greedy", test_liar_and_greedy },
        { "reports come at their interval", test_report_interval },
        { "driver gives up for an hour", test_driver_gives_up },
        { "driver takes heart again", test_driver_takes_heart },
        { "driver tries again after it", test_driver_wakes_after_an_hour },
        { "demand follows its trace", test_demand_trace },
        { "page cache: drop, fill, squeeze", test_page_cache },
        { "video memory is not shrunk away", test_video_memory },
        { "paused does nothing", test_paused_does_nothing },
    };

    return unit_run("sim_guest", tests, sizeof(tests) / sizeof(*tests));
}
