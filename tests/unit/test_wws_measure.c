/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measuring on a simulated host, whose truth is known. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/units.h"
#include "dirty_log.h"
#include "page_sample.h"
#include "sim_fixture.h"
#include "wws_measure.h"

/* A guest of 256 MiB that writes 32 MiB of it at random, and now and then
 * one of all its pages. */
static const char writer[] =
    "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "
    "'memory_kib': 262144, 'demand': [[0, 65536]], "
    "'writes': {'hot_kib': 32768, 'hot_pages_s': 20000, "
    "'uniform_pages_s': 500}}]}";
#define PAGES 65536.0
#define HOT   8192.0

static double truth(double seconds)
{
    return HOT * -expm1(-20000 / HOT * seconds) +
           (PAGES - HOT) * -expm1(-500 / PAGES * seconds);
}

/* A host whose log and samples take their time and CPU. */
struct slow_host {
    struct lxe_host base;
    struct lxe_host *sim;
    uint64_t op_ns, op_cpu_ns, cpu_ns;
    uint64_t stop_ns; /* when the user wants no more; 0: never */
    unsigned told;
    uint64_t begins[2000]; /* of ops */
    size_t op_count;
    struct lxe_dirty_log log, *real_log;
    struct lxe_page_sample *real_sample;
    const struct lxe_page_sample_ops *real_sample_ops;
};

static struct slow_host slow;

static void take_time(void)
{
    slow.begins[slow.op_count++ % 2000] = slow.sim->ops->now_ns(slow.sim);
    if (slow.op_ns)
        lxe_sim_advance(slow.sim, slow.op_ns);
    slow.cpu_ns += slow.op_cpu_ns;
}

static int slow_count(struct lxe_dirty_log *log, uint64_t *pages,
                      struct lxe_err *err)
{
    (void)log;
    take_time();
    return slow.real_log->ops->peek_count(slow.real_log, pages, err);
}

static int slow_clean(struct lxe_dirty_log *log, uint64_t *pages,
                      struct lxe_err *err)
{
    (void)log;
    take_time();
    return slow.real_log->ops->clean(slow.real_log, pages, err);
}

static void slow_log_close(struct lxe_dirty_log *log)
{
    (void)log;
    slow.real_log->ops->close(slow.real_log);
}

static const struct lxe_dirty_log_ops slow_log_ops = {
    .peek_count = slow_count,
    .clean = slow_clean,
    .close = slow_log_close,
};

static int slow_log_open(struct lxe_host *host, uint32_t domid,
                         struct lxe_dirty_log **out, struct lxe_err *err)
{
    int rc = slow.sim->ops->dirty_log_open(slow.sim, domid, &slow.real_log,
                                           err);

    (void)host;
    if (rc)
        return rc;
    slow.log = (struct lxe_dirty_log){ &slow_log_ops, slow.real_log->bitmap,
                                       slow.real_log->pages };
    *out = &slow.log;
    return 0;
}

static int slow_look(struct lxe_page_sample *s, struct lxe_err *err)
{
    take_time();
    return slow.real_sample_ops->look(s, err);
}

static void slow_sample_close(struct lxe_page_sample *s)
{
    slow.real_sample_ops->close(s);
}

static const struct lxe_page_sample_ops slow_sample_ops = {
    .look = slow_look,
    .close = slow_sample_close,
};

static int slow_sample_open(struct lxe_host *host, uint32_t domid, size_t want,
                            uint64_t seed, struct lxe_page_sample **out,
                            struct lxe_err *err)
{
    int rc = slow.sim->ops->page_sample_open(slow.sim, domid, want, seed, out,
                                             err);

    (void)host;
    if (rc)
        return rc;
    take_time();
    slow.real_sample_ops = (*out)->ops;
    (*out)->ops = &slow_sample_ops;
    return 0;
}

static uint64_t slow_now(struct lxe_host *host)
{
    (void)host;
    return slow.sim->ops->now_ns(slow.sim);
}

static const struct lxe_host_ops slow_ops = {
    .name = "slow",
    .now_ns = slow_now,
    .dirty_log_open = slow_log_open,
    .page_sample_open = slow_sample_open,
};

static bool wait_until(void *data, uint64_t until_ns)
{
    uint64_t now = slow_now(NULL);

    (void)data;
    if (slow.stop_ns && now >= slow.stop_ns)
        return false;
    if (until_ns > now)
        lxe_sim_advance(slow.sim, until_ns - now);
    return true;
}

static uint64_t cpu_ns(void *data)
{
    (void)data;
    return slow.cpu_ns;
}

static void told(void *data, const struct mig_wws_progress *p)
{
    (void)data;
    slow.told++;
    CU_ASSERT(p->elapsed_ns <= p->duration_ns * 11 / 10);
    CU_ASSERT(p->windows <= MIG_WWS_MAX_WINDOWS);
}

static struct mig_wws_ask ask;
static struct mig_wws_run run;

static void begin(const char *scenario, enum mig_wws_method method)
{
    slow = (struct slow_host){ .base.ops = &slow_ops };
    slow.sim = sim_open(scenario);
    lxe_sim_advance(slow.sim, SECONDS(2));
    ask = (struct mig_wws_ask){
        .method = method,
        .duration_ns = SECONDS(10),
        .max_cpu = 0.05,
        .max_pause = 0.01,
        .sample_pages = 512,
        .seed = method == MIG_WWS_SAMPLE ? unit_seed() : 0,
    };
}

static int measure(struct lxe_err *err)
{
    static const struct mig_wws_io io = { wait_until, cpu_ns, told, NULL };
    struct lxe_domain dom = sim_dom(slow.sim, 1);
    int rc = mig_wws_measure(&slow.base, &dom, &ask, &io, &run, err);

    CU_ASSERT(!sim_truth(slow.sim, 1).log_dirty);
    return rc;
}

static void end(void)
{
    slow.sim->ops->close(slow.sim);
}

/* ---- what is measured ---- */

static void test_log_dirty(void)
{
    begin(writer, MIG_WWS_LOG_DIRTY);
    CU_ASSERT_FATAL(!measure(NULL));
    CU_ASSERT(run.window_count == 8 && run.wws.windows >= 4);
    CU_ASSERT(run.wws.count > 15 && slow.told > 100);
    for (size_t i = 0; i < run.wws.count; i++) {
        double t = (double)run.wws.points[i].window_ns / 1e9;

        CU_ASSERT(fabs(run.wws.points[i].pages - truth(t)) <
                  0.05 * truth(t) + 20);
    }
    CU_ASSERT_DOUBLE_EQUAL(run.wws.hot_pages, HOT, 0.05 * HOT);
    CU_ASSERT(run.cost.elapsed_ns <= SECONDS(10));
    CU_ASSERT(!run.ended_early);
    end();
}

/* Sixteen chances in a thousand that none of 20 points is outside. */
static void test_sample(void)
{
    unsigned in = 0;

    begin(writer, MIG_WWS_SAMPLE);
    CU_ASSERT_FATAL(!measure(NULL));
    CU_ASSERT(run.window_count == 8);
    for (size_t i = 0; i < run.wws.count; i++) {
        const struct mig_wws_point *p = &run.wws.points[i];
        double d = truth((double)p->window_ns / 1e9);

        in += p->low <= d && d <= p->high;
        /* Six deviations of a share of 4096 pages. */
        CU_ASSERT(fabs(p->pages - d) <
                  6 * sqrt(d / PAGES / 4000) * PAGES + 0.1 * d);
    }
    printf("  %u of %zu points within their bounds\n", in, run.wws.count);
    end();
}

/* The hot set is one run of pages: so it must show in the strip. */
static void test_heat(void)
{
    for (int method = 0; method < 2; method++) {
        unsigned hot = 0, cold = 0, none = 0;

        begin(writer, method ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY);
        CU_ASSERT_FATAL(!measure(NULL));
        CU_ASSERT(run.heat_pages == 65536);
        for (size_t i = 0; i < MIG_WWS_CELLS; i++) {
            hot += run.heat[i] > 0.6;
            cold += run.heat[i] >= 0 && run.heat[i] < 0.3;
            none += run.heat[i] < 0;
        }
        /* An eighth of 256 cells is hot. */
        CU_ASSERT(hot >= 28 && hot <= 34);
        CU_ASSERT(hot + cold + none >= 250 && none < 5);
        end();
    }
}

static void test_idle(void)
{
    for (int method = 0; method < 2; method++) {
        begin(ONE_GUEST(""), method ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY);
        CU_ASSERT_FATAL(!measure(NULL));
        CU_ASSERT(mig_wws_pages(&run.wws, SECONDS(10)) == 0);
        CU_ASSERT(run.wws.hot_pages == 0 && run.wws.knee_ns == 0);
        end();
    }
}

/* ---- what it costs ---- */

/* From each op to the next: no more than the share that was asked for. */
static void check_gaps(uint64_t least_ns)
{
    CU_ASSERT(slow.op_count > 10 && slow.op_count < 2000);
    for (size_t i = 1; i < slow.op_count; i++)
        CU_ASSERT(slow.begins[i] - slow.begins[i - 1] >= least_ns);
}

static void test_pause_budget(void)
{
    begin(writer, MIG_WWS_LOG_DIRTY);
    slow.op_ns = 3 * LXE_NS_PER_MS;
    CU_ASSERT_FATAL(!measure(NULL));
    check_gaps(300 * LXE_NS_PER_MS);
    CU_ASSERT((double)run.cost.pause_ns <=
              0.01 * (double)run.cost.elapsed_ns);
    CU_ASSERT(run.cost.longest_pause_ns == slow.op_ns);
    CU_ASSERT(run.cost.pause_ns == slow.op_count * slow.op_ns);
    end();
}

static void test_cpu_budget(void)
{
    for (int method = 0; method < 2; method++) {
        begin(writer, method ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY);
        slow.op_cpu_ns = 5 * LXE_NS_PER_MS;
        CU_ASSERT_FATAL(!measure(NULL));
        check_gaps(100 * LXE_NS_PER_MS - 1);
        CU_ASSERT((double)run.cost.cpu_ns <=
                  0.05 * (double)run.cost.elapsed_ns + 1);
        end();
    }
}

/* What cannot be had is said, and costs no more than was allowed. */
static void test_budget_too_small(void)
{
    struct lxe_err err = { 0 };

    begin(writer, MIG_WWS_LOG_DIRTY);
    slow.op_ns = 100 * LXE_NS_PER_MS;
    CU_ASSERT(measure(&err) == -ENODATA);
    CU_ASSERT(strstr(err.text, "share of CPU and pause") != NULL);
    CU_ASSERT(slow.op_count <= 2);
    end();
}

/* A look that others on the host delayed is not waited for without end. */
static void test_delayed_look(void)
{
    for (int method = 0; method < 2; method++) {
        struct lxe_err err = { 0 };
        uint64_t begin_ns;

        begin(writer, method ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY);
        slow.op_ns = 2 * LXE_NS_PER_SEC;
        slow.op_cpu_ns = 2 * LXE_NS_PER_SEC;
        begin_ns = slow_now(NULL);
        ask.max_cpu = 0.0001;
        CU_ASSERT(measure(&err) == -ENODATA);
        CU_ASSERT(strstr(err.text, "share of CPU and pause") != NULL);
        CU_ASSERT(slow_now(NULL) - begin_ns <=
                  2 * ask.duration_ns + SECONDS(10));
        end();
    }
}

/* ---- what goes wrong ---- */

static void test_ended_early(void)
{
    for (int method = 0; method < 2; method++) {
        begin(writer, method ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY);
        slow.stop_ns = SECONDS(8);
        CU_ASSERT_FATAL(!measure(NULL));
        CU_ASSERT(run.ended_early && run.window_count >= 3);
        CU_ASSERT(run.cost.elapsed_ns < SECONDS(8));
        slow.stop_ns = SECONDS(2.1);
        end();
        begin(writer, method ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY);
        slow.stop_ns = SECONDS(2.1);
        CU_ASSERT(measure(NULL) == -ENODATA);
        end();
    }
}

static void test_host_fails(void)
{
    static const enum lxe_sim_op ops[] = {
        LXE_SIM_OP_DIRTY_LOG_OPEN,  LXE_SIM_OP_DIRTY_PEEK_COUNT,
        LXE_SIM_OP_DIRTY_CLEAN,     LXE_SIM_OP_PAGE_SAMPLE_OPEN,
        LXE_SIM_OP_PAGE_SAMPLE_LOOK,
    };

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        begin(writer, i < 3 ? MIG_WWS_LOG_DIRTY : MIG_WWS_SAMPLE);
        lxe_sim_fail_next(slow.sim, ops[i], -EBUSY, 1);
        CU_ASSERT(measure(NULL) == -EBUSY);
        end();
    }
}

static void test_refused(void)
{
    struct lxe_domain dom;
    static const struct mig_wws_io io = { wait_until, cpu_ns, NULL, NULL };

    begin(writer, MIG_WWS_LOG_DIRTY);
    dom = sim_dom(slow.sim, 0);
    CU_ASSERT(mig_wws_measure(&slow.base, &dom, &ask, &io, &run, NULL) ==
              -EINVAL);
    CU_ASSERT(!slow.sim->ops->pause(slow.sim, 1, NULL));
    CU_ASSERT(measure(NULL) == -EINVAL);
    CU_ASSERT(!slow.sim->ops->unpause(slow.sim, 1, NULL));
    ask.max_pause = 0;
    CU_ASSERT(measure(NULL) == -EINVAL);
    end();
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "by log-dirty mode", test_log_dirty },
        { "by samples", test_sample },
        { "where the writes fall", test_heat },
        { "an idle guest", test_idle },
        { "the guest's time", test_pause_budget },
        { "our CPU", test_cpu_budget },
        { "too small a budget", test_budget_too_small },
        { "a look that was delayed", test_delayed_look },
        { "ended early", test_ended_early },
        { "a host that fails", test_host_fails },
        { "refused", test_refused },
    };

    return unit_run("wws-measure", tests, sizeof(tests) / sizeof(tests[0]));
}
