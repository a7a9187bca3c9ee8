/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that say nothing, judged by the pages that they write. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "balancer.h"
#include "demand.h"
#include "sampler.h"
#include "sim_fixture.h"

static void bounds_hold_the_truth(void)
{
    static const double shares[] = { 0.01, 0.1, 0.3, 0.7, 0.99 };
    uint64_t seed = unit_seed();
    int within = 0, all = 0;

    for (int i = 0; i < 2000; i++) {
        double share = shares[i % 5];
        struct aero_activity_counts c = { .looked = 256,
                                          .held_kib = MIB(1000) };
        uint64_t truth = (uint64_t)(share * (double)c.held_kib);
        struct aero_activity a = { 0 };

        for (size_t k = 0; k < c.looked; k++)
            c.written += (double)unit_below(&seed, 1000000) < share * 1e6;
        aero_activity_estimate(&c, 7, &a);
        CU_ASSERT(a.low_kib <= a.kib && a.kib <= a.high_kib);
        within += a.low_kib <= truth && truth <= a.high_kib;
        all++;
    }
    /* 95 of 100 and five standard deviations. */
    CU_ASSERT(within > all * 92 / 100);
    CU_ASSERT(within < all * 99 / 100);
}

static void few_looks_tell_little(void)
{
    struct aero_activity_counts none = { .looked = 256, .held_kib = MIB(1000) };
    struct aero_activity_counts empty = { .held_kib = MIB(1000) };
    struct aero_activity a = { 0 };

    aero_activity_estimate(&empty, 5, &a);
    CU_ASSERT_EQUAL(a.seen_ns, 0);
    aero_activity_estimate(&none, 5, &a);
    CU_ASSERT_EQUAL(a.kib, 0);
    CU_ASSERT_EQUAL(a.low_kib, 0);
    CU_ASSERT(a.high_kib > MIB(10) && a.high_kib < MIB(20));
}

static void a_period_raises_before_its_end(void)
{
    struct aero_activity_counts c = { 256, 128, MIB(1000) };
    struct aero_activity a = { 0 };

    aero_activity_raise(&c, 5, &a);
    CU_ASSERT_EQUAL(a.seen_ns, 0); /* nothing to be raised yet */
    aero_activity_estimate(&c, 5, &a);
    c.written = 64;
    aero_activity_raise(&c, 6, &a);
    CU_ASSERT_EQUAL(a.kib, MIB(500));
    CU_ASSERT_EQUAL(a.seen_ns, 6);
    c.written = 192;
    aero_activity_raise(&c, 7, &a);
    CU_ASSERT_EQUAL(a.kib, MIB(750));
}

static void relief_doubles(void)
{
    struct aero_relief r = { 0 };
    uint64_t now = 0, last = 0;

    CU_ASSERT_EQUAL(aero_relief_step(&r, 0, now), 0);
    for (int i = 0; i < 7; i++) {
        uint64_t begin = now, kib = aero_relief_step(&r, MIB(800), now);

        CU_ASSERT_EQUAL(kib, MIB(900));
        while (aero_relief_step(&r, 0, now))
            now += SECONDS(10);
        CU_ASSERT(now - begin >= SECONDS(240) && now - begin <= SECONDS(3600));
        CU_ASSERT(i > 4 || now - begin > last);
        last = now - begin;
    }
    CU_ASSERT_EQUAL(last, SECONDS(3600));
}

static struct aero_demand_input silent(const struct lxe_guest_report *r,
                                       const struct aero_activity *a)
{
    return (struct aero_demand_input){
        .now_ns = SECONDS(1000),
        .held_kib = MIB(1000),
        .static_max_kib = MIB(2000),
        .resting_kib = MIB(1000),
        .margin_kib = MIB(256),
        .report = r,
        .activity = a,
    };
}

static void demand_is_the_upper_bound(void)
{
    struct lxe_guest_report r = { .source = LXE_REPORT_NONE };
    struct aero_activity a = { SECONDS(995), MIB(300), MIB(250), MIB(400) };
    struct aero_demand_input in = silent(&r, &a);
    struct aero_demand_memory m = { 0 };
    struct aero_demand d;

    aero_demand_estimate(&in, &m, &d);
    CU_ASSERT(d.known && !d.told);
    CU_ASSERT_EQUAL(d.need_kib, MIB(400));
    CU_ASSERT_EQUAL(d.kib, MIB(500));
    CU_ASSERT_STRING_EQUAL(d.why, "by the pages that it writes");
    a.high_kib = MIB(1000); /* all it has: it wants more at once */
    aero_demand_estimate(&in, &m, &d);
    CU_ASSERT_EQUAL(d.kib, MIB(1250));
    a.high_kib = MIB(100); /* and gives it back slowly */
    in.now_ns += SECONDS(60);
    a.seen_ns = in.now_ns;
    aero_demand_estimate(&in, &m, &d);
    CU_ASSERT(d.need_kib > MIB(300));
    for (int i = 0; i < 600; i++) {
        in.now_ns += SECONDS(10);
        a.seen_ns = in.now_ns;
        aero_demand_estimate(&in, &m, &d);
    }
    CU_ASSERT(d.need_kib >= MIB(100) && d.need_kib < MIB(110));
    in.now_ns += SECONDS(AERO_ACTIVITY_AGE_S + 1); /* nobody looked */
    aero_demand_estimate(&in, &m, &d);
    CU_ASSERT_FALSE(d.known);
    CU_ASSERT_EQUAL(d.kib, MIB(1000));
}

static void who_stops_short_is_relieved(void)
{
    struct lxe_guest_report r = { .source = LXE_REPORT_NONE };
    struct aero_activity a = { SECONDS(995), MIB(100), MIB(80), MIB(120) };
    struct aero_demand_input in = silent(&r, &a);
    struct aero_demand_memory m = { 0 };
    struct aero_demand d;

    in.held_kib = in.floor_kib = MIB(800);
    aero_demand_estimate(&in, &m, &d);
    CU_ASSERT_EQUAL(d.kib, MIB(900));
    CU_ASSERT_EQUAL(d.need_kib, MIB(800));
    CU_ASSERT_STRING_EQUAL(d.why,
                           "by the pages that it writes; it stopped giving");
}

static void words_count_more_than_pages(void)
{
    struct lxe_guest_report r = {
        .source = LXE_REPORT_AGENT, .total_kib = MIB(1000),
        .available_kib = MIB(400), .refaults = LXE_UNKNOWN,
        .swapins = LXE_UNKNOWN, .psi_some_x100 = LXE_UNKNOWN,
    };
    struct aero_activity a = { SECONDS(995), MIB(100), MIB(80), MIB(120) };
    struct aero_demand_input in = silent(&r, &a);
    struct aero_demand_memory m = { 0 };
    struct aero_demand d;

    aero_demand_estimate(&in, &m, &d);
    CU_ASSERT(d.told);
    CU_ASSERT_EQUAL(d.need_kib, MIB(600));
}

/* ---- looking ---- */

/* Each time it is asked, so much CPU time has gone: a look asks twice. */
static uint64_t look_costs_ns, cpu_time_ns;

static uint64_t costly(void)
{
    cpu_time_ns += look_costs_ns;
    return cpu_time_ns;
}

struct watch {
    struct lxe_host *host;
    struct aero_guests guests;
    struct aero_sampler sampler;
};

static void begin(struct watch *w, const char *scenario, uint64_t cost_ns)
{
    memset(w, 0, sizeof(*w));
    w->host = sim_open(scenario);
    look_costs_ns = cost_ns;
    aero_sampler_init(&w->sampler, w->host, costly);
}

static void end(struct watch *w)
{
    aero_sampler_clear(&w->sampler);
    aero_guests_clear(&w->guests);
    w->host->ops->close(w->host);
}

static void look_for(struct watch *w, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i += 2) {
        struct lxe_domain_list list = { 0 };
        uint64_t now = w->host->ops->now_ns(w->host);

        CU_ASSERT_EQUAL(w->host->ops->list_domains(w->host, &list, NULL), 0);
        CU_ASSERT_EQUAL(aero_guests_update(&w->guests, &list, now), 0);
        lxe_domain_list_free(&list);
        aero_sampler_tick(&w->sampler, &w->guests, now);
        lxe_sim_advance(w->host, SECONDS(2));
    }
}

static const struct aero_activity *activity(const struct watch *w,
                                            uint32_t domid)
{
    return &aero_guests_find(&w->guests, domid)->activity;
}

/* A quarter of it is written all the time. */
#define WRITER ONE_GUEST(", 'writes': {'hot_kib': 262144, "                   \
                         "'hot_pages_s': 50000}")

static void the_writes_are_found(void)
{
    struct watch w;

    begin(&w, WRITER, 0);
    look_for(&w, 20);
    CU_ASSERT_EQUAL(activity(&w, 1)->seen_ns, 0);
    for (int i = 0; i < 20; i++) {
        look_for(&w, 30);
        /* Four standard deviations of a share of a quarter, of 256. */
        CU_ASSERT(activity(&w, 1)->kib > MIB(256 - 111));
        CU_ASSERT(activity(&w, 1)->kib < MIB(256 + 111));
    }
    CU_ASSERT_EQUAL(w.sampler.count, 1);
    end(&w);
}

static void who_speaks_is_not_sampled(void)
{
    struct watch w;

    begin(&w, ONE_GUEST(", 'report': 'xenserver', 'report_s': 5"), 0);
    look_for(&w, 60);
    CU_ASSERT_EQUAL(w.sampler.count, 0);
    CU_ASSERT_EQUAL(activity(&w, 1)->seen_ns, 0);
    end(&w);
}

static void cost_is_bounded(void)
{
    struct watch w;

    begin(&w, WRITER, SECONDS(0.4)); /* a look: 400 ms of CPU time */
    look_for(&w, 4000);
    CU_ASSERT(w.sampler.used_ns <= SECONDS(40 + 0.4));
    CU_ASSERT(w.sampler.used_ns >= SECONDS(30));
    CU_ASSERT(activity(&w, 1)->seen_ns);
    end(&w);
}

static void guests_take_turns(void)
{
    char scenario[16384] = "{'host': {'total_kib': 8388608}, 'guests': [";
    struct watch w;

    for (int i = 0; i < 100; i++)
        snprintf(scenario + strlen(scenario),
                 sizeof(scenario) - strlen(scenario),
                 "%s{'name': 'g%d', 'memory_kib': 32768}", i ? "," : "", i);
    strcat(scenario, "]}");
    begin(&w, scenario, SECONDS(0.001));
    look_for(&w, 10);
    CU_ASSERT(w.sampler.count <= AERO_SAMPLES_AT_ONCE);
    look_for(&w, 300);
    for (uint32_t i = 1; i <= 100; i++)
        CU_ASSERT(activity(&w, i)->seen_ns);
    end(&w);
}

static void trouble_is_survived(void)
{
    struct watch w;

    begin(&w, WRITER, 0);
    lxe_sim_fail_next(w.host, LXE_SIM_OP_PAGE_SAMPLE_OPEN, -EAGAIN, 1);
    look_for(&w, 50);
    CU_ASSERT_EQUAL(w.sampler.count, 0);
    look_for(&w, 20); /* a minute later it is tried again */
    CU_ASSERT_EQUAL(w.sampler.count, 1);
    lxe_sim_fail_next(w.host, LXE_SIM_OP_PAGE_SAMPLE_LOOK, -EIO, 1);
    look_for(&w, 20);
    CU_ASSERT_EQUAL(w.sampler.count, 0);
    look_for(&w, 50);
    CU_ASSERT_EQUAL(w.sampler.count, 1);
    CU_ASSERT_EQUAL(lxe_sim_destroy(w.host, 1, NULL), 0);
    look_for(&w, 2);
    CU_ASSERT_EQUAL(w.sampler.count, 0);
    end(&w);
}

/* ---- and the policy ---- */

/* What a silent guest that writes so much of its 1 GiB has in the end. */
static uint64_t silent_after(bool samples, unsigned hot_mib, unsigned used_mib,
                             char *reason)
{
    char scenario[1024];
    struct aero_balancer b;
    struct aero_config config;
    struct lxe_host *host;
    uint64_t kib;

    snprintf(scenario, sizeof(scenario),
             "{'host': {'total_kib': 3145728}, 'guests': ["
             " {'name': 'silent', 'memory_kib': 1048576,"
             "  'demand': [[0, %u]],"
             "  'writes': {'hot_kib': %u, 'hot_pages_s': 50000}},"
             " {'name': 'wants', 'memory_kib': 1048576,"
             "  'static_max_kib': 2097152, 'report': 'agent',"
             "  'demand': [[0, 1843200]], 'swap_kib': 2097152}]}",
             used_mib * 1024, hot_mib * 1024);
    host = sim_open(scenario);
    aero_config_defaults(&config);
    config.samples = samples;
    aero_balancer_init(&b, host, &config);
    look_costs_ns = 0;
    b.sampler.cpu_ns = costly;
    for (unsigned s = 0; s < 600; s++) {
        aero_balancer_tick(&b);
        lxe_sim_advance(host, SECONDS(1));
    }
    if (reason)
        aero_reason_text(&b.guests.items[1].reason, reason);
    kib = sim_current(host, 1);
    aero_balancer_clear(&b);
    host->ops->close(host);
    return kib;
}

static void idle_ones_give(void)
{
    char reason[AERO_REASON_TEXT];
    uint64_t idle = silent_after(true, 4, 200, reason);
    uint64_t busy = silent_after(true, 900, 900, NULL);

    CU_ASSERT_PTR_NOT_NULL(strstr(reason, "by the pages that it writes"));
    CU_ASSERT_EQUAL(silent_after(false, 4, 200, NULL), MIB(1024));
    CU_ASSERT(idle < MIB(512));
    CU_ASSERT(idle >= MIB(256)); /* its minimum */
    CU_ASSERT(busy > MIB(900));
}

/*
 * It reads what it does not write: it stops giving, and what it has then is
 * what it needs. Without that it would have its part of what is left.
 */
static void readers_stop_giving(void)
{
    char reason[AERO_REASON_TEXT];
    uint64_t kib = silent_after(true, 4, 700, reason);

    CU_ASSERT(kib >= MIB(700) && kib <= MIB(787));
    CU_ASSERT_PTR_NOT_NULL(strstr(reason, "787 MiB"));
}

static const struct unit_test tests[] = {
    { "bounds hold the truth", bounds_hold_the_truth },
    { "few looks tell little", few_looks_tell_little },
    { "a period raises before its end", a_period_raises_before_its_end },
    { "relief doubles", relief_doubles },
    { "demand is the upper bound", demand_is_the_upper_bound },
    { "who stops short is relieved", who_stops_short_is_relieved },
    { "words count more than pages", words_count_more_than_pages },
    { "the writes are found", the_writes_are_found },
    { "who speaks is not sampled", who_speaks_is_not_sampled },
    { "cost is bounded", cost_is_bounded },
    { "guests take turns", guests_take_turns },
    { "trouble is survived", trouble_is_survived },
    { "idle ones give", idle_ones_give },
    { "readers stop giving", readers_stop_giving },
};

int main(void)
{
    return unit_run("activity", tests, sizeof(tests) / sizeof(tests[0]));
}
