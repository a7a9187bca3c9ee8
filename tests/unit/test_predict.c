/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "predict.h"
#include "unit.h"

#define MS   ((double)LXE_NS_PER_MS)
#define SEC  ((double)LXE_NS_PER_SEC)
#define PAGE ((double)MIG_PAGE_WIRE_BYTES)
#define PPS  10000.0 /* pages a second over the wire */

#define NEAR(a, b, share) \
    CU_ASSERT_DOUBLE_EQUAL(a, b, (share) * ((double)(b) + 1e-9))

/* A guest that writes so many pages a second, and no page twice. */
static struct mig_wws steady(double pages_per_s, uint64_t domain_pages)
{
    return (struct mig_wws){
        .points = { { 5 * LXE_NS_PER_SEC, pages_per_s * 5, pages_per_s * 5,
                      pages_per_s * 5 } },
        .count = 1,
        .domain_pages = domain_pages,
        .windows = 5,
    };
}

/* One that writes a hot set over and over. */
static struct mig_wws hot(double pages_per_s, double hot_pages,
                          uint64_t domain_pages)
{
    struct mig_wws wws = steady(pages_per_s, domain_pages);
    uint64_t ns = (uint64_t)(hot_pages / pages_per_s * SEC);

    wws.points[0] =
        (struct mig_wws_point){ ns, hot_pages, hot_pages, hot_pages };
    wws.points[1] =
        (struct mig_wws_point){ 2 * ns, hot_pages, hot_pages, hot_pages };
    wws.count = 2;
    return wws;
}

/* No cost but the bytes, nothing skipped, 100 ms allowed. */
static struct mig_predict_in plain(uint64_t pages)
{
    struct mig_predict_in in = { .pages = pages, .wire_bps = PPS * PAGE };

    mig_limits_default(&in.limits);
    in.limits.policy = MIG_RATE_FIXED;
    in.limits.skip = false;
    in.limits.suspend_pages = 0;
    in.limits.last_cost_ns = 0;
    in.limits.max_downtime_ns = 100 * LXE_NS_PER_MS;
    in.costs.usual = (struct mig_costs){
        .pace = 1, .packed_first = 1, .packed_later = 1,
    };
    in.costs.low = in.costs.high = in.costs.usual;
    return in;
}

static struct mig_prediction predict(const struct mig_wws *wws,
                                     const struct mig_predict_in *in)
{
    struct mig_prediction out;

    memset(&out, 0x7f, sizeof(out));
    mig_predict(wws, in, &out);
    return out;
}

static void test_idle(void)
{
    struct mig_wws wws = steady(0, 20000);
    struct mig_predict_in in = plain(20000);
    struct mig_prediction p;

    in.costs.usual = (struct mig_costs){ 30 * MS, 100, 9 * MS, 400 * MS,
                                         7 * MS, 1, 1, 1 };
    in.costs.low = in.costs.high = in.costs.usual;
    in.latency_ns = 1000000;
    p = predict(&wws, &in);
    CU_ASSERT_EQUAL(p.rounds.expected, 1);
    CU_ASSERT_EQUAL(p.last_pages.expected, 100);
    NEAR(p.bytes.expected, 20100 * PAGE, 1e-9);
    NEAR(p.downtime_ns.expected, (30 + 7 + 10 + 1) * MS, 1e-9);
    NEAR(p.total_ns.expected, 2 * SEC + (400 + 48) * MS, 1e-9);
    CU_ASSERT_EQUAL(p.total_ns.low, p.total_ns.high);
    CU_ASSERT(!p.gives_up);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.reason, "is within 100.0 ms"));
}

/* The wire carries four times as much of it, up to what a processor packs. */
static void test_packed(void)
{
    struct mig_wws wws = steady(0, 20000);
    struct mig_predict_in in = plain(20000);
    struct mig_prediction p;

    in.costs.usual = (struct mig_costs){ 0, 0, 0, 0, 0, 1, 1, 1 };
    in.costs.low = in.costs.high = in.costs.usual;
    in.packing = (struct mig_packing){ 512, 4, 3, 5, 1e12 };
    p = predict(&wws, &in);
    NEAR(p.bytes.expected, 20000 * PAGE, 1e-9);
    NEAR(p.wire_bytes.expected, 5000 * PAGE, 1e-9);
    NEAR(p.wire_bytes.low, 4000 * PAGE, 1e-9);
    NEAR(p.wire_bytes.high, 20000 / 3. * PAGE, 1e-9);
    NEAR(p.total_ns.expected, 2 * SEC / 4, 1e-9);
    in.packing.bps = 3 * in.wire_bps;
    p = predict(&wws, &in);
    NEAR(p.total_ns.expected, 2 * SEC / 3, 1e-9);
    NEAR(p.wire_bytes.expected, 5000 * PAGE, 1e-9);

    NEAR(p.total_ns.low, 2 * SEC / 3.75, 1e-9); /* a quarter off */
    NEAR(p.total_ns.high, 2 * SEC / 2.25, 1e-9);

    in.packing.bps = 1e12;
    in.costs.usual.packed_first = 2; /* as earlier ones had it */
    p = predict(&wws, &in);
    NEAR(p.wire_bytes.expected, 10000 * PAGE, 1e-9);
    in.costs.usual.packed_first = 100;
    p = predict(&wws, &in);
    NEAR(p.wire_bytes.expected, 20000 * PAGE, 1e-9);
}

/* What is written meanwhile packs in its own way. */
static void test_packed_later(void)
{
    struct mig_wws wws = steady(PPS / 4, 40960);
    struct mig_predict_in in = plain(40960);
    struct mig_prediction p, first;

    in.packing = (struct mig_packing){ 512, 4, 4, 4, 1e12 };
    first = predict(&wws, &in);
    NEAR(first.wire_bytes.expected, first.bytes.expected / 4, 1e-9);
    in.costs.usual.packed_later = 0.5;
    p = predict(&wws, &in);
    CU_ASSERT(p.wire_bytes.expected < first.wire_bytes.expected * 0.99);
    CU_ASSERT(p.wire_bytes.expected > 40960 / 4. * PAGE);

    /* The last pass is one of the later ones, also after the first round. */
    in.limits.max_rounds = 1;
    p = predict(&wws, &in);
    NEAR(p.downtime_ns.expected,
         p.last_pages.expected * PAGE / in.wire_bps / 8 * SEC, 1e-6);
}

/* Clark's case: each round is r = dirty rate / wire rate of the last. */
static void test_geometric(void)
{
    struct mig_wws wws = steady(PPS / 4, 40960);
    struct mig_predict_in in = plain(40960);
    struct mig_prediction p = predict(&wws, &in);
    double sum = 0;

    /* 40960, 10240, 2560, 640 are sent live; 160 are 16 ms, beside 50: they
     * fit, but are cheaply sent, and 40 are 4 ms. */
    for (double n = 40960; n > 100; n /= 4)
        sum += n;
    CU_ASSERT_EQUAL(p.rounds.expected, 5);
    NEAR(p.last_pages.expected, 40, 1e-6);
    NEAR(p.bytes.expected, (sum + 40) * PAGE, 1e-6);
    NEAR(p.total_ns.expected, (sum + 40) / PPS * SEC, 1e-6);
    NEAR(p.downtime_ns.expected, 4 * MS, 1e-6);

    in.limits.max_rounds = 2;
    p = predict(&wws, &in);
    CU_ASSERT_EQUAL(p.rounds.expected, 2);
    NEAR(p.last_pages.expected, 2560, 1e-6);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.reason, "round limit reached"));
}

/* Each round at the rate of the last one's writes and 50 Mbit/s. */
static void test_clark(void)
{
    struct mig_wws wws = steady(2000, 40960);
    struct mig_predict_in in = plain(40960);
    struct mig_prediction p;
    double first = MIG_RATE_MIN_DEFAULT_BPS / PAGE;
    double later = 2000 + MIG_RATE_STEP_BPS / PAGE;
    double round1 = 40960 / first * 2000, round2 = round1 / later * 2000;

    in.limits.policy = MIG_RATE_ADAPTIVE;
    in.limits.rate.max_bps = (uint64_t)(PPS * PAGE);
    in.limits.max_rounds = 2;
    p = predict(&wws, &in);
    NEAR(p.last_pages.expected, round2, 1e-3);
    NEAR(p.total_ns.expected,
         (40960 / first + round1 / later + round2 / PPS) * SEC, 1e-3);
}

/*
 * A steady writer among N pages, skipped where dirty again: round 0 takes
 * N/a (1 - exp(-a/R)), from dt/dx = (1 - D(t)/N)/R.
 */
static void test_skip(void)
{
    double n = 400000, a = 8000, ns = n / a * (1 - exp(-a / PPS)) * SEC;
    struct mig_wws wws = steady(a, (uint64_t)n);
    struct mig_predict_in in = plain((uint64_t)n);
    struct mig_prediction p;
    double sent;

    in.limits.skip = true;
    in.limits.max_rounds = 1;
    p = predict(&wws, &in);
    sent = ns / SEC * PPS + a * ns / SEC; /* and what is left */
    NEAR(p.total_ns.expected, sent / PPS * SEC, 0.01);
    NEAR(p.bytes.expected, sent * PAGE, 0.01);
}

static void test_hot_set(void)
{
    struct mig_wws wws = hot(20000, 5000, 400000);
    struct mig_predict_in in = plain(400000);
    struct mig_prediction p = predict(&wws, &in);
    struct mig_range least;
    unsigned rounds;

    /* 5000 pages take half a second, in which all are written again. */
    CU_ASSERT_EQUAL(p.rounds.expected, 6);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.reason, "5 rounds brought nothing"));
    /* Twice 5000 are more than a fifth of 40000. */
    in.pages = wws.domain_pages = 40000;
    p = predict(&wws, &in);
    CU_ASSERT_EQUAL(p.rounds.expected, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.reason, "nothing sent 39 MiB"));
    NEAR(p.downtime_ns.expected, 500 * MS, 1e-6);
    mig_predict_least(&wws, &in, &least, &rounds);
    NEAR(least.expected, 500 * MS, 1e-6);
    CU_ASSERT_EQUAL(rounds, 1);
    in.limits.stall_rounds = 0;
    p = predict(&wws, &in);
    CU_ASSERT_EQUAL(p.rounds.expected, 30);
    /* With a wire five times as fast it takes 100 ms, and 2000 are written,
     * which take 40 ms, in which 800 are, ... */
    in.wire_bps *= 5;
    in.costs.usual.suspend_ns = 10 * MS;
    mig_predict_least(&wws, &in, &least, &rounds);
    CU_ASSERT(least.expected >= 10 * MS && least.expected < 20 * MS);
    CU_ASSERT(rounds > 2 && rounds < 20);
}

static void test_suspending(void)
{
    struct mig_wws wws = steady(1000, 20000);
    struct mig_predict_in in = plain(20000);
    struct mig_prediction p;

    in.limits.max_rounds = 1;
    wws.points[0].window_ns += LXE_NS_PER_SEC * 5;
    wws.points[0].low = wws.points[0].pages = wws.points[0].high = 10000;
    in.costs.usual.suspend_ns = in.costs.low.suspend_ns =
        in.costs.high.suspend_ns = 200 * MS;
    p = predict(&wws, &in);
    /* 2000 pages in the round; a quarter of the suspend's 200, or none, or
     * half. */
    NEAR(p.last_pages.expected, 2050, 1e-6);
    NEAR(p.last_pages.low, 2000, 1e-6);
    NEAR(p.last_pages.high, 2100, 1e-6);
    NEAR(p.downtime_ns.high, 410 * MS, 1e-6);
}

static void test_bounds(void)
{
    struct mig_wws wws = steady(1000, 20000);
    struct mig_predict_in in = plain(20000);
    struct mig_prediction p;

    in.limits.max_rounds = 1;
    wws.points[0].low /= 2;
    wws.points[0].high *= 2;
    in.wire_spread = 0.2;
    p = predict(&wws, &in);
    NEAR(p.last_pages.expected, 2000, 1e-6);
    NEAR(p.last_pages.low, 1000 / 1.2, 1e-6);
    NEAR(p.last_pages.high, 5000, 1e-6);
    NEAR(p.downtime_ns.high, 5000 / (0.8 * PPS) * SEC, 1e-6);
}

static void test_timeout(void)
{
    struct mig_wws wws = hot(50000, 20000, 40000);
    struct mig_predict_in in = plain(40000);
    struct mig_prediction p;

    in.limits.timeout_ns = 5 * LXE_NS_PER_SEC;
    p = predict(&wws, &in);
    /* 4 s for all, 2 s for the hot set, and again for the last pass. */
    CU_ASSERT_EQUAL(p.rounds.expected, 2);
    NEAR(p.total_ns.expected, 8 * SEC, 1e-6);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.reason, "time limit reached"));
    CU_ASSERT(!p.gives_up);
    in.limits.on_timeout = MIG_TIMEOUT_ABORT;
    p = predict(&wws, &in);
    CU_ASSERT(p.gives_up);
    CU_ASSERT_EQUAL(p.downtime_ns.high, 0);
    NEAR(p.total_ns.expected, 6 * SEC, 1e-6);
}

/* The hot set takes half a second each round, and 550 ms are asked for. */
static void test_relax(void)
{
    struct mig_wws wws = hot(20000, 5000, 40000);
    struct mig_predict_in in = plain(40000);
    struct mig_prediction p;

    in.limits.downtime_limit_max_ns = 2 * LXE_NS_PER_SEC;
    p = predict(&wws, &in);
    /* 100 ms x 20^(k / 10) passes 550 at the sixth step. */
    CU_ASSERT_EQUAL(p.rounds.expected, 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.reason, "is within"));
}

/* ---- rate policies side by side ---- */

/* A hot set of random writes, and a hundredth of them everywhere. */
static struct mig_wws writer(double set_mib, double writes_s, uint64_t pages)
{
    struct mig_wws wws = { .domain_pages = pages, .windows = 4 };
    double set = set_mib * 256, t = 0.002;

    for (; wws.count < MIG_WWS_POINTS && t < 100; t *= 1.6) {
        double d = fmin(set * (1 - exp(-writes_s * t / set)) +
                            writes_s * t / 100, (double)pages);

        wws.points[wws.count++] =
            (struct mig_wws_point){ (uint64_t)(t * SEC), d, d, d };
    }
    return wws;
}

struct ratios {
    double values[100];
    size_t count;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(struct ratios *r)
{
    qsort(r->values, r->count, sizeof(double), by_value);
    return r->values[r->count / 2];
}

/* Clark's rate beside the maximum: ratios of what both cost. */
static void compare_rates(double set_mib, double writes_s, double wire_bps,
                          struct ratios all[3])
{
    const uint64_t pages = 2048 << 8;
    struct mig_wws wws = writer(set_mib, writes_s, pages);
    struct mig_predict_in in = { .pages = pages, .wire_bps = wire_bps };
    struct mig_prediction fixed, clark;

    mig_limits_default(&in.limits);
    mig_costs_assume(&in.costs);
    in.limits.skip = false;
    in.limits.rate.max_bps = (uint64_t)(wire_bps * 0.95);
    in.limits.policy = MIG_RATE_FIXED;
    fixed = predict(&wws, &in);
    in.limits.policy = MIG_RATE_ADAPTIVE;
    clark = predict(&wws, &in);
    CU_ASSERT(fixed.bytes.expected <= clark.bytes.expected * 1.001);
    CU_ASSERT(fixed.total_ns.expected <= clark.total_ns.expected * 1.001);
    all[0].values[all[0].count++] =
        clark.bytes.expected / fixed.bytes.expected;
    all[1].values[all[1].count++] =
        clark.total_ns.expected / fixed.total_ns.expected;
    all[2].values[all[2].count++] =
        clark.downtime_ns.expected / fixed.downtime_ns.expected;
}

/* docs/migration.md has the figures that these bounds are around. */
static void test_rate_policies(void)
{
    static const double sets[] = { 4, 32, 64, 128, 256 };
    static const double writes[] = { 1e3, 5e3, 2e4, 5e4, 1e5 };
    static const double wires[] = { 60e6, 125e6, 300e6, 1000e6 };
    struct ratios all[3] = { 0 };

    for (int i = 0; i < 100; i++)
        compare_rates(sets[i % 5], writes[i / 5 % 5], wires[i / 25], all);
    CU_ASSERT(median(&all[0]) > 1.1 && median(&all[0]) < 1.3);
    CU_ASSERT(median(&all[1]) > 15 && median(&all[1]) < 30);
    CU_ASSERT(median(&all[2]) > 1.2 && median(&all[2]) < 1.7);
}

/* ---- properties ---- */

/* A random concave curve with its bounds around it. */
static struct mig_wws random_curve(uint64_t *seed, uint64_t domain_pages)
{
    struct mig_wws wws = { .domain_pages = domain_pages, .windows = 4 };
    double slope = (double)unit_below(seed, 60000), pages = 0;
    uint64_t ns = 0;

    wws.count = 1 + unit_below(seed, MIG_WWS_POINTS - 1);
    for (size_t i = 0; i < wws.count; i++) {
        uint64_t step = 1000000 + unit_below(seed, 400000000);
        struct mig_wws_point *p = &wws.points[i];

        ns += step;
        pages += slope * (double)step / SEC;
        slope *= (double)unit_below(seed, 1000) / 1000;
        pages = fmin(pages, (double)domain_pages);
        *p = (struct mig_wws_point){ ns, pages, pages * 0.9,
                                     fmin(pages * 1.1,
                                          (double)domain_pages) };
    }
    return wws;
}

static struct mig_predict_in random_in(uint64_t *seed)
{
    struct mig_predict_in in = plain(1000 + unit_below(seed, 500000));

    in.wire_bps = 1e6 + (double)unit_below(seed, 1000000000);
    in.limits.skip = unit_below(seed, 2);
    in.limits.max_rounds = 1 + (unsigned)unit_below(seed, 40);
    in.limits.max_downtime_ns = unit_below(seed, 1000) * LXE_NS_PER_MS;
    if (unit_below(seed, 2)) {
        in.limits.policy = (enum mig_rate_policy)unit_below(seed, 2);
        in.limits.rate.max_bps = 1000000 + unit_below(seed, 200000000);
        in.limits.rate.min_bps = 1000000;
    }
    in.limits.stall_rounds = 0; /* a guest that stalls sooner sends less */
    mig_costs_assume(&in.costs);
    in.wire_spread = (double)unit_below(seed, 30) / 100;
    return in;
}

static bool is_range(const struct mig_range *r)
{
    return r->low >= 0 && r->low <= r->expected && r->expected <= r->high &&
           isfinite(r->high);
}

static void check_sane(const struct mig_predict_in *in,
                       const struct mig_prediction *p)
{
    double wire = in->wire_bps, last;

    if (in->limits.rate.max_bps)
        wire = fmin(wire, (double)in->limits.rate.max_bps);
    last = p->last_pages.expected * PAGE / wire * SEC;
    CU_ASSERT(is_range(&p->rounds) && is_range(&p->bytes));
    CU_ASSERT(is_range(&p->total_ns) && is_range(&p->downtime_ns));
    CU_ASSERT(is_range(&p->last_pages));
    CU_ASSERT(p->downtime_ns.expected >= last);
    CU_ASSERT(p->total_ns.expected >= p->downtime_ns.expected);
    CU_ASSERT(p->total_ns.expected >= p->bytes.expected / wire * SEC * 0.99 -
                                          MS * 100);
    CU_ASSERT(p->rounds.high <= in->limits.max_rounds);
    CU_ASSERT(p->last_pages.high <= (double)in->pages);
}

/*
 * More of one thing may only mean more, or as much, of bytes and time. Up to
 * three rounds of a fiftieth each may be sent of what fits already.
 */
static void check_no_less(const struct mig_prediction *less,
                          const struct mig_prediction *more)
{
    double slack = 1 - 3 * 0.02;

    CU_ASSERT(more->bytes.expected >= less->bytes.expected * slack);
    CU_ASSERT(more->total_ns.expected >= less->total_ns.expected * slack);
}

/*
 * Not where pages are skipped: the slower the wire, or the longer the rounds,
 * the more of them are left for the stop, each to be sent once, and that may
 * be less in all. Nor for rounds: a fast wire has more that are worth it.
 */
static void check_monotone(uint64_t *seed, const struct mig_wws *wws,
                           const struct mig_predict_in *in,
                           const struct mig_prediction *p)
{
    double factor = 1 + (double)unit_below(seed, 300) / 100;
    struct mig_predict_in other = *in;
    struct mig_prediction q;

    if (in->limits.skip)
        return;
    other.wire_bps *= factor;
    q = predict(wws, &other);
    check_no_less(&q, p);

    other = *in;
    other.limits.max_downtime_ns += unit_below(seed, LXE_NS_PER_SEC);
    q = predict(wws, &other);
    check_no_less(&q, p);

    other = *in;
    other.limits.max_rounds += (unsigned)unit_below(seed, 10);
    q = predict(wws, &other);
    check_no_less(p, &q);

    other = *in;
    other.pages += unit_below(seed, 100000);
    q = predict(wws, &other);
    check_no_less(p, &q);
}

static void test_properties(void)
{
    uint64_t seed = unit_seed();

    for (int i = 0; i < 400; i++) {
        struct mig_predict_in in = random_in(&seed);
        struct mig_wws wws = random_curve(&seed, in.pages + 200000);
        struct mig_prediction p = predict(&wws, &in);
        struct mig_range least;
        unsigned rounds;

        check_sane(&in, &p);
        check_monotone(&seed, &wws, &in, &p);
        mig_predict_least(&wws, &in, &least, &rounds);
        CU_ASSERT(is_range(&least));
        CU_ASSERT(least.expected <= p.downtime_ns.expected * (1 + 1e-9));
        CU_ASSERT(rounds >= 1 && rounds <= MIG_PREDICT_MOST_ROUNDS);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "an idle guest", test_idle },
        { "one that is packed", test_packed },
        { "what is packed later", test_packed_later },
        { "rounds shrink by dirty rate over wire rate", test_geometric },
        { "Clark's adaptive rate", test_clark },
        { "skipping a steady writer's pages", test_skip },
        { "a hot set", test_hot_set },
        { "writes while suspending", test_suspending },
        { "bounds", test_bounds },
        { "a time limit", test_timeout },
        { "a limit that is relaxed", test_relax },
        { "Clark's rate beside the maximum", test_rate_policies },
        { "random guests", test_properties },
    };

    return unit_run("predict", tests, sizeof(tests) / sizeof(tests[0]));
}
