/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a guest is made smaller before it moves, on a simulated host. */
#include <errno.h>

#include "page_cache.h"
#include "sim_fixture.h"

#define GUEST      1
#define ORIGINAL   MIB(1024)
#define MARGIN_KIB MIB(32)

/* ---- how far down: a table ---- */

struct size_case {
    const char *what;
    uint64_t current_mib, target_mib, available_mib;
    enum lxe_report_source source;
    bool no_balloon;
    uint64_t floor_mib, want_mib;
};

static const struct size_case sizes[] = {
    { "available but for the margin", 1024, 1024, 512, LXE_REPORT_AGENT,
      false, 0, 544 },
    { "Qubes' word counts too", 1024, 1024, 512, LXE_REPORT_QUBES, false, 0,
      544 },
    { "half of one that says nothing", 1024, 1024, 0, LXE_REPORT_NONE, false,
      0, 512 },
    { "nothing is spare within the margin", 1024, 1024, 20,
      LXE_REPORT_AGENT, false, 0, 1024 },
    { "less than a step is not worth it", 1024, 1024, 33, LXE_REPORT_AGENT,
      false, 0, 1024 },
    { "a wrong word costs no more than three quarters", 1024, 1024, 1020,
      LXE_REPORT_AGENT, false, 0, 256 },
    { "the policy's floor", 1024, 1024, 1020, LXE_REPORT_AGENT, false, 700,
      700 },
    { "a small guest stays as it is", 64, 64, 60, LXE_REPORT_AGENT, false, 0,
      64 },
    { "never below 64 MiB", 80, 80, 79, LXE_REPORT_AGENT, false, 0, 64 },
    { "still growing: from where it is", 600, 1024, 432, LXE_REPORT_AGENT,
      false, 0, 200 },
    { "still shrinking: from where it goes", 1024, 600, 432,
      LXE_REPORT_AGENT, false, 0, 256 },
    { "no balloon, nothing to ask", 1024, 1024, 900, LXE_REPORT_AGENT, true,
      0, 1024 },
};

static void test_sizes(void)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct size_case *c = &sizes[i];
        struct lxe_domain dom = {
            .current_kib = MIB(c->current_mib),
            .target_kib = MIB(c->target_mib),
            .no_balloon = c->no_balloon,
            .report = { .source = c->source,
                        .available_kib = MIB(c->available_mib) },
        };
        uint64_t got = mig_page_cache_target_kib(&dom, MARGIN_KIB,
                                                 MIB(c->floor_mib));

        if (got != MIB(c->want_mib))
            printf("  %s: %lu MiB\n", c->what, (unsigned long)(got / 1024));
        CU_ASSERT_EQUAL(got, MIB(c->want_mib));
    }
}

static void test_unknown_available(void)
{
    struct lxe_domain dom = {
        .current_kib = MIB(1024),
        .target_kib = MIB(1024),
        .report = { .source = LXE_REPORT_XENSERVER,
                    .available_kib = LXE_UNKNOWN },
    };

    CU_ASSERT_EQUAL(mig_page_cache_target_kib(&dom, MARGIN_KIB, 0), MIB(512));
}

/* ---- on a host ---- */

struct run {
    struct lxe_host *host;
    unsigned waits;
    unsigned cancel_at;       /* that many waits; 0: never */
    unsigned fail_targets_at; /* the next set_target fails; 0: never */
    unsigned destroy_at;
    uint64_t shown_kib;       /* the last progress */
    struct mig_page_cache_result result;
    struct lxe_err err;
};

static void pass(void *data, uint64_t ns)
{
    struct run *r = data;

    r->waits++;
    lxe_sim_advance(r->host, ns);
    if (r->waits == r->fail_targets_at)
        lxe_sim_fail_next(r->host, LXE_SIM_OP_SET_TARGET, -EIO, 1);
    if (r->waits == r->destroy_at)
        lxe_sim_destroy(r->host, GUEST, NULL);
}

static bool cancelled(void *data)
{
    struct run *r = data;

    return r->cancel_at && r->waits >= r->cancel_at;
}

static void shown(void *data, uint64_t current_kib, uint64_t goal_kib)
{
    struct run *r = data;

    (void)goal_kib;
    r->shown_kib = current_kib;
}

static void start(struct run *r, const char *scenario)
{
    r->host = sim_open(scenario);
    CU_ASSERT_EQUAL(r->host->ops->prepare_agent(r->host, GUEST, NULL), 0);
    lxe_sim_advance(r->host, SECONDS(5));
}

static int shrink(struct run *r)
{
    struct mig_page_cache_plan plan = {
        .margin_kib = MARGIN_KIB,
        .cancelled = cancelled,
        .progress = shown,
        .wait = pass,
        .data = r,
    };

    return mig_page_cache_shrink(r->host, GUEST, &plan, &r->result, &r->err);
}

/* Condition 5 of a migration: nothing moves any more. */
static void check_frozen(struct run *r)
{
    uint64_t kib = sim_current(r->host, GUEST);

    CU_ASSERT_EQUAL(kib, r->result.after_kib);
    for (int i = 0; i < 30; i++) {
        lxe_sim_advance(r->host, SECONDS(1));
        CU_ASSERT_EQUAL(sim_current(r->host, GUEST), kib);
    }
}

static void check_restores(struct run *r)
{
    CU_ASSERT_EQUAL(r->result.original_target_kib, ORIGINAL);
    CU_ASSERT_EQUAL(mig_page_cache_restore(r->host, GUEST, &r->result, NULL),
                    0);
    CU_ASSERT_EQUAL(sim_dom(r->host, GUEST).target_kib, ORIGINAL);
    lxe_sim_advance(r->host, SECONDS(10));
    CU_ASSERT_EQUAL(sim_current(r->host, GUEST), ORIGINAL);
    r->host->ops->close(r->host);
}

/* After a failure it is as if nothing had been. */
static void check_undone(struct run *r)
{
    CU_ASSERT_EQUAL(sim_dom(r->host, GUEST).target_kib, ORIGINAL);
    r->host->ops->close(r->host);
}

static void test_agent(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(", 'report': 'agent', 'page_cache_kib': 614400"));
    CU_ASSERT_EQUAL(shrink(&r), 0);
    CU_ASSERT_TRUE(r.result.dropped);
    CU_ASSERT_EQUAL(r.result.before_kib, ORIGINAL);
    /* It uses 256 MiB; a quarter of what it has is the least. */
    CU_ASSERT_TRUE(r.result.after_kib >= MIB(256));
    CU_ASSERT_TRUE(r.result.after_kib <= MIB(256) + MARGIN_KIB + 4096);
    CU_ASSERT_EQUAL(r.shown_kib, r.result.after_kib);
    CU_ASSERT_EQUAL(sim_truth(r.host, GUEST).unmet_kib, 0);
    check_frozen(&r);
    check_restores(&r);
}

static void test_no_agent(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(", 'page_cache_kib': 614400"));
    CU_ASSERT_EQUAL(shrink(&r), 0);
    CU_ASSERT_FALSE(r.result.dropped);
    CU_ASSERT_EQUAL(r.result.after_kib, MIB(512));
    CU_ASSERT_TRUE(r.result.arrived);
    check_frozen(&r);
    check_restores(&r);
}

/* The agent is asked, and does not do it. */
static void test_mute_agent(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(", 'report': 'agent', 'drop_s': 100"));
    CU_ASSERT_EQUAL(shrink(&r), 0);
    CU_ASSERT_FALSE(r.result.dropped);
    CU_ASSERT_TRUE(r.result.after_kib < ORIGINAL);
    CU_ASSERT_TRUE(r.host->ops->now_ns(r.host) >= SECONDS(20));
    check_frozen(&r);
    check_restores(&r);
}

static void test_hidden_floor(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(", 'floor_kib': 819200"));
    CU_ASSERT_EQUAL(shrink(&r), 0);
    CU_ASSERT_TRUE(r.result.after_kib >= MIB(800));
    CU_ASSERT_TRUE(r.result.after_kib < MIB(804));
    CU_ASSERT_FALSE(r.result.arrived);
    check_frozen(&r);
    check_restores(&r);
}

static void test_slow(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(", 'balloon_kib_s': 4096"));
    CU_ASSERT_EQUAL(shrink(&r), 0);
    CU_ASSERT_TRUE(r.result.after_kib < ORIGINAL);
    CU_ASSERT_TRUE(r.host->ops->now_ns(r.host) < SECONDS(70));
    check_frozen(&r);
    CU_ASSERT_EQUAL(mig_page_cache_restore(r.host, GUEST, &r.result, NULL), 0);
    check_undone(&r);
}

static void test_stuck(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(", 'stuck': true"));
    CU_ASSERT_EQUAL(shrink(&r), 0);
    CU_ASSERT_EQUAL(r.result.after_kib, ORIGINAL);
    CU_ASSERT_TRUE(r.host->ops->now_ns(r.host) < SECONDS(10));
    check_frozen(&r);
    check_restores(&r);
}

static void test_cancelled(void)
{
    struct run r = { .cancel_at = 3 };

    start(&r, ONE_GUEST(", 'balloon_kib_s': 4096"));
    CU_ASSERT_EQUAL(shrink(&r), -ECANCELED);
    CU_ASSERT_EQUAL(r.waits, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.err.text, "made smaller"));
    check_undone(&r);
}

static void test_cancelled_in_drop(void)
{
    struct run r = { .cancel_at = 3 };

    start(&r, ONE_GUEST(", 'report': 'agent', 'drop_s': 10"));
    CU_ASSERT_EQUAL(shrink(&r), -ECANCELED);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.err.text, "page cache"));
    check_undone(&r);
}

static void test_target_refused(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(""));
    lxe_sim_fail_next(r.host, LXE_SIM_OP_SET_TARGET, -EIO, 1);
    CU_ASSERT_EQUAL(shrink(&r), -EIO);
    check_undone(&r);
}

/* It went down, and cannot be frozen where it stopped. */
static void test_freeze_refused(void)
{
    struct run r = { .fail_targets_at = 2 };

    start(&r, ONE_GUEST(", 'floor_kib': 819200"));
    CU_ASSERT_EQUAL(shrink(&r), -EIO);
    check_undone(&r);
}

static void test_vanished(void)
{
    struct run r = { .destroy_at = 2 };

    start(&r, ONE_GUEST(", 'balloon_kib_s': 4096"));
    CU_ASSERT_EQUAL(shrink(&r), -ESRCH);
    r.host->ops->close(r.host);
}

/* What was never learnt cannot be given back: 0 is no target. */
static void test_never_learnt(void)
{
    struct run r = { 0 };

    start(&r, ONE_GUEST(""));
    lxe_sim_fail_next(r.host, LXE_SIM_OP_GET_DOMAIN, -EIO, 1);
    CU_ASSERT_EQUAL(shrink(&r), -EIO);
    CU_ASSERT_EQUAL(mig_page_cache_restore(r.host, GUEST, &r.result, NULL), 0);
    check_undone(&r);
}

/* ---- rest ---- */

static int rest_as_seen(struct run *r, uint64_t seen_kib, uint64_t seen_ns,
                        uint64_t *rest_kib)
{
    struct mig_page_cache_plan plan = {
        .seen_kib = seen_kib,
        .seen_ns = seen_ns,
        .cancelled = cancelled,
        .wait = pass,
        .data = r,
    };

    return mig_page_cache_rest(r->host, GUEST, &plan, rest_kib, &r->err);
}

static int rest(struct run *r, uint64_t *rest_kib)
{
    return rest_as_seen(r, 0, 0, rest_kib);
}

static void test_rests(void)
{
    struct run r = { 0 };
    uint64_t kib = 0;

    start(&r, ONE_GUEST(", 'balloon_kib_s': 20480"));
    CU_ASSERT_EQUAL(rest(&r, &kib), 0);
    CU_ASSERT_EQUAL(kib, ORIGINAL);
    CU_ASSERT_EQUAL(r.host->ops->set_target(r.host, GUEST, MIB(924), NULL), 0);
    CU_ASSERT_EQUAL(rest(&r, &kib), 0);
    CU_ASSERT_EQUAL(kib, MIB(924));
    r.host->ops->close(r.host);
}

/* One that has what it had need not be watched for another second. */
static void test_rests_already(void)
{
    struct run r = { 0 };
    uint64_t kib = 0, now_ns;

    start(&r, ONE_GUEST(", 'balloon_kib_s': 20480"));
    lxe_sim_advance(r.host, 2 * LXE_NS_PER_SEC);
    now_ns = r.host->ops->now_ns(r.host);
    CU_ASSERT_EQUAL(rest_as_seen(&r, ORIGINAL, now_ns - LXE_NS_PER_SEC, &kib),
                    0);
    CU_ASSERT_EQUAL(kib, ORIGINAL);
    CU_ASSERT_EQUAL(r.waits, 0);
    CU_ASSERT_EQUAL(rest_as_seen(&r, ORIGINAL, now_ns, &kib), 0);
    CU_ASSERT_TRUE(r.waits > 0); /* it was seen just now */
    r.waits = 0;
    now_ns = r.host->ops->now_ns(r.host);
    CU_ASSERT_EQUAL(rest_as_seen(&r, ORIGINAL - 4, now_ns - LXE_NS_PER_SEC,
                                 &kib), 0);
    CU_ASSERT_TRUE(r.waits > 0); /* it has moved since */
    r.host->ops->close(r.host);
}

/* Where it is to be it need not be watched for a second, elsewhere it does. */
static void test_rests_where_it_arrived(void)
{
    static const struct {
        uint64_t goal_kib, least_ns, most_ns;
    } cases[] = {
        { MIB(924), LXE_NS_PER_SEC / 10, LXE_NS_PER_SEC / 4 },
        { MIB(920), LXE_NS_PER_SEC, 2 * LXE_NS_PER_SEC },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mig_page_cache_plan plan = {
            .goal_kib = cases[i].goal_kib, .cancelled = cancelled, .wait = pass,
        };
        struct run r = { 0 };
        uint64_t kib = 0, since_ns;

        start(&r, ONE_GUEST(", 'balloon_kib_s': 1024000"));
        plan.data = &r;
        r.host->ops->set_target(r.host, GUEST, MIB(924), NULL);
        lxe_sim_advance(r.host, 2 * LXE_NS_PER_SEC);
        since_ns = r.host->ops->now_ns(r.host);
        CU_ASSERT_EQUAL(mig_page_cache_rest(r.host, GUEST, &plan, &kib, &r.err),
                        0);
        since_ns = r.host->ops->now_ns(r.host) - since_ns;
        CU_ASSERT_EQUAL(kib, MIB(924));
        CU_ASSERT_TRUE(since_ns >= cases[i].least_ns);
        CU_ASSERT_TRUE(since_ns <= cases[i].most_ns);
        r.host->ops->close(r.host);
    }
}

static void test_never_rests(void)
{
    struct run r = { 0 };
    uint64_t kib = 0;

    start(&r, ONE_GUEST(", 'balloon_kib_s': 4096"));
    CU_ASSERT_EQUAL(r.host->ops->set_target(r.host, GUEST, MIB(512), NULL), 0);
    CU_ASSERT_EQUAL(rest(&r, &kib), -EBUSY);
    r.cancel_at = r.waits + 3;
    CU_ASSERT_EQUAL(rest(&r, &kib), -ECANCELED);
    r.host->ops->close(r.host);
}

/* Less than is sent of it would not fit into it. */
static void test_arrival(void)
{
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 60, 0), 60);
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 61, 0), 61);
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 59, 0), 60);
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 120, 0), 100);
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 100, 101, 0), 100);
    /* An HVM guest: its video memory is none of its target's. */
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 76, 16), 60);
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 77, 16), 61);
    CU_ASSERT_EQUAL(mig_page_cache_arrival_kib(100, 60, 10, 16), 60);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "how far down", test_sizes },
        { "a guest that does not tell what is available",
          test_unknown_available },
        { "an agent drops the cache, then the balloon", test_agent },
        { "without an agent the balloon alone", test_no_agent },
        { "an agent that does not answer", test_mute_agent },
        { "a hidden floor: frozen where it stops", test_hidden_floor },
        { "a slow balloon is given a minute", test_slow },
        { "a stuck one is left as it is", test_stuck },
        { "cancelled on the way", test_cancelled },
        { "cancelled while the cache is dropped", test_cancelled_in_drop },
        { "a target that is refused", test_target_refused },
        { "a freeze that is refused", test_freeze_refused },
        { "the guest vanishes", test_vanished },
        { "what was never learnt is not restored", test_never_learnt },
        { "a balloon that comes to rest", test_rests },
        { "one that rests already", test_rests_already },
        { "one that is where it is to be", test_rests_where_it_arrived },
        { "a balloon that does not", test_never_rests },
        { "what it comes with", test_arrival },
    };

    return unit_run("page_cache", tests, sizeof(tests) / sizeof(tests[0]));
}
