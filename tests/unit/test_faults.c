/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each call of the host fails once, in each way: what goes on is told, undone
 * or tried again, and at the end all is as if nothing had failed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fault_host.h"
#include "page_cache.h"
#include "repair.h"
#include "sim_fixture.h"
#include "story.h"
#include "wws_measure.h"

/* ---- the daemon ---- */

static const int codes[] = { -EIO, -EAGAIN, -ENOMEM, -ESRCH };

#define CODES (sizeof(codes) / sizeof(codes[0]))

/* Plays the story; returns how many calls there were. */
static unsigned play(unsigned fail_at, int code, bool after)
{
    unsigned before = CU_get_number_of_failures();
    struct fault_host f;
    struct story s;
    unsigned calls;

    story_begin(&s);
    fault_host_init(&f, s.sim);
    f.fail_at = fail_at;
    f.code = code;
    f.after = after;
    story_play(&s, &f.host);
    calls = f.calls;
    CU_ASSERT_EQUAL(f.failed, fail_at > 0);
    CU_ASSERT(s.failed_ticks <= 2);
    story_end(&s);
    if (CU_get_number_of_failures() > before)
        printf("  call %u fails with %d %s\n", fail_at, code,
               after ? "after its effect" : "without effect");
    return calls;
}

static void test_story(void)
{
    CU_ASSERT(play(0, 0, false) > 100);
}

static void test_balancing(void)
{
    unsigned calls = play(0, 0, false);

    for (unsigned k = 1; k <= calls; k++) {
        play(k, codes[0], false);
        play(k, codes[1 + k % (CODES - 1)], false); /* the others in turn */
    }
}

static void test_lost_answers(void)
{
    unsigned calls = play(0, 0, false);

    for (unsigned k = 1; k <= calls; k++)
        play(k, -EIO, true);
}

/* ---- a migration's own ---- */

#define GUEST 1

/* A guest of 1024 MiB and a host in front of its own that fails at a call. */
struct bed {
    struct lxe_host *sim;
    struct fault_host f;
    struct lxe_err err;
};

static struct lxe_host *begin(struct bed *b, unsigned fail_at, int code,
                              bool after)
{
    *b = (struct bed){ .sim = sim_open(ONE_GUEST(
        ", 'report': 'agent', 'writes': {'hot_kib': 32768,"
        " 'hot_pages_s': 2000}")) };
    CU_ASSERT_EQUAL(b->sim->ops->prepare_agent(b->sim, GUEST, NULL), 0);
    lxe_sim_advance(b->sim, SECONDS(5));
    fault_host_init(&b->f, b->sim);
    b->f.fail_at = fail_at;
    b->f.code = code;
    b->f.after = after;
    return &b->f.host;
}

static unsigned end(struct bed *b)
{
    unsigned calls = b->f.calls;

    b->sim->ops->close(b->sim);
    return calls;
}

/* Fails each call in each way of what returns how many calls there were. */
static void fail_each(unsigned (*fn)(unsigned fail_at, int code, bool after))
{
    unsigned calls = fn(0, 0, false);

    CU_ASSERT(calls > 3);
    for (unsigned k = 1; k <= calls; k++) {
        for (size_t c = 0; c < CODES; c++)
            fn(k, codes[c], false);
        fn(k, -EIO, true);
    }
}

static void pass(void *data, uint64_t ns)
{
    struct bed *b = data;

    lxe_sim_advance(b->sim, ns);
}

static unsigned free_page_cache(unsigned fail_at, int code, bool after)
{
    struct mig_page_cache_result result;
    struct bed b;
    struct lxe_host *host = begin(&b, fail_at, code, after);
    struct mig_page_cache_plan plan = { .margin_kib = MIB(32), .wait = pass,
                                        .data = &b };
    uint64_t rest;
    int rc = mig_page_cache_shrink(host, GUEST, &plan, &result, &b.err);

    if (rc)
        CU_ASSERT_EQUAL(sim_dom(b.sim, GUEST).target_kib, MIB(1024));
    if (!rc)
        rc = mig_page_cache_rest(host, GUEST, &plan, &rest, &b.err);
    while (mig_page_cache_restore(host, GUEST, &result, &b.err))
        CU_ASSERT_FATAL(!rc++); /* only one call fails */
    CU_ASSERT_EQUAL(sim_dom(b.sim, GUEST).target_kib, MIB(1024));
    CU_ASSERT_EQUAL(!rc, !b.err.text[0]);
    return end(&b);
}

static void test_page_cache(void)
{
    fail_each(free_page_cache);
}

static bool wait_until(void *data, uint64_t until_ns)
{
    struct bed *b = data;
    uint64_t now_ns = b->sim->ops->now_ns(b->sim);

    lxe_sim_advance(b->sim, until_ns > now_ns ? until_ns - now_ns : 0);
    return true;
}

static uint64_t no_cpu(void *data)
{
    (void)data;
    return 0;
}

static unsigned measure(enum mig_wws_method method, unsigned fail_at, int code,
                        bool after)
{
    static struct mig_wws_run run;
    struct bed b;
    struct lxe_host *host = begin(&b, fail_at, code, after);
    struct mig_wws_io io = { .wait = wait_until, .cpu_ns = no_cpu,
                             .data = &b };
    struct mig_wws_ask ask = {
        .method = method, .duration_ns = SECONDS(2),
        .window_ns = SECONDS(1), .max_cpu = 1, .max_pause = 1,
        .sample_pages = 32, .seed = 1,
    };
    struct lxe_domain dom = sim_dom(b.sim, GUEST);
    int rc = mig_wws_measure(host, &dom, &ask, &io, &run, &b.err);

    CU_ASSERT_EQUAL(!rc, !b.err.text[0]);
    CU_ASSERT_EQUAL(!rc, !b.f.failed);
    CU_ASSERT(!sim_truth(b.sim, GUEST).log_dirty);
    CU_ASSERT(sim_dom(b.sim, GUEST).running);
    return end(&b);
}

static unsigned measure_by_log(unsigned fail_at, int code, bool after)
{
    return measure(MIG_WWS_LOG_DIRTY, fail_at, code, after);
}

static unsigned measure_by_sample(unsigned fail_at, int code, bool after)
{
    return measure(MIG_WWS_SAMPLE, fail_at, code, after);
}

static void test_measuring(void)
{
    fail_each(measure_by_log);
    fail_each(measure_by_sample);
}

static int no_rename(void *data, uint32_t domid, const char *from,
                     const char *to, struct lxe_err *err)
{
    (void)data;
    (void)domid;
    (void)from;
    (void)to;
    (void)err;
    return 0;
}

static int nothing_to_do(void *data, uint32_t domid, struct lxe_err *err)
{
    (void)data;
    (void)domid;
    (void)err;
    return 0;
}

static int no_request(void *data, uint32_t domid, bool *was_pending,
                      struct lxe_err *err)
{
    *was_pending = false;
    return nothing_to_do(data, domid, err);
}

/* As a migration that was killed leaves it. */
static void leave_behind(struct bed *b, struct mig_journal *j)
{
    struct lxe_domain dom = sim_dom(b->sim, GUEST);

    mig_journal_init(j, MIG_JOURNAL_SOURCE);
    j->domid = GUEST;
    memcpy(j->name, dom.name, sizeof(j->name));
    memcpy(j->uuid, dom.uuid, sizeof(j->uuid));
    j->original_target_kib = dom.target_kib;
    j->original_cap = 0;
    j->may_pause = j->saving = j->renamed = true;
    sim_target(b->sim, GUEST, MIB(512));
    CU_ASSERT_EQUAL(b->sim->ops->cap_set(b->sim, GUEST, 30, NULL), 0);
    CU_ASSERT_EQUAL(b->sim->ops->pause(b->sim, GUEST, NULL), 0);
}

static bool no_save(void *data, uint32_t domid)
{
    (void)data;
    (void)domid;
    return false;
}

static unsigned undo(unsigned fail_at, int code, bool after)
{
    static const struct mig_repair_ops extra = {
        no_rename, nothing_to_do, nothing_to_do, no_request, no_save,
    };
    struct bed b;
    struct lxe_host *host = begin(&b, fail_at, code, after);
    struct mig_repair repair = { .host = host, .ops = &extra };
    struct mig_journal j;
    unsigned cap = 1;

    leave_behind(&b, &j);
    if (mig_repair_undo(&repair, &j, &b.err)) {
        CU_ASSERT(b.f.failed && b.err.text[0]);
        CU_ASSERT_EQUAL(mig_repair_undo(&repair, &j, NULL), 0);
    }
    CU_ASSERT(sim_dom(b.sim, GUEST).running);
    CU_ASSERT_EQUAL(sim_dom(b.sim, GUEST).target_kib, MIB(1024));
    CU_ASSERT_EQUAL(b.sim->ops->cap_get(b.sim, GUEST, &cap, NULL), 0);
    CU_ASSERT_EQUAL(cap, 0);
    return end(&b);
}

static void test_undoing(void)
{
    fail_each(undo);
}

static const struct unit_test tests[] = {
    { "what happens", test_story },
    { "each call fails", test_balancing },
    { "each answer is lost", test_lost_answers },
    { "freeing page cache", test_page_cache },
    { "measuring what is written", test_measuring },
    { "undoing a migration", test_undoing },
};

int main(void)
{
    return unit_run("faults", tests, sizeof(tests) / sizeof(tests[0]));
}
