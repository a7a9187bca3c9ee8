/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The dirty curve, and how much a guest is slowed by it; with model guests. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "dirty_curve.h"
#include "throttle.h"
#include "unit.h"

#define MS(n) ((n) * LXE_NS_PER_MS)

/* ---- the curve ---- */

static void test_curve(void)
{
    struct mig_dirty_curve c = { .count = 0 };

    CU_ASSERT_TRUE(mig_dirty_curve_pages(&c, 1e9) < 0);
    CU_ASSERT_TRUE(mig_dirty_curve_slope_pps(&c, 1e9) < 0);
    CU_ASSERT_TRUE(isinf(mig_dirty_curve_run_ns(&c, 5)));
    mig_dirty_curve_add(&c, 0, 7); /* nothing can be written in no time */
    CU_ASSERT_EQUAL(c.count, 0);
    mig_dirty_curve_add(&c, MS(10), 100);
    mig_dirty_curve_add(&c, MS(30), 200);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_pages(&c, 0), 0, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_pages(&c, 5e6), 50, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_pages(&c, 20e6), 150, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_pages(&c, 50e6), 300, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_run_ns(&c, 150), 20e6, 1);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_run_ns(&c, 300), 50e6, 1);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_run_ns(&c, -5), 0, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_slope_pps(&c, 5e6), 10000, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_slope_pps(&c, INFINITY), 5000,
                           1e-6);
}

static void test_curve_edges(void)
{
    struct mig_dirty_curve c = { .count = 0 };

    mig_dirty_curve_add(&c, MS(10), 100);
    mig_dirty_curve_add(&c, MS(10), 110); /* replaces */
    mig_dirty_curve_add(&c, MS(5), 300);  /* too late to tell */
    CU_ASSERT_EQUAL(c.count, 1);
    CU_ASSERT_EQUAL(c.points[0].pages, 110);
    mig_dirty_curve_add(&c, MS(20), 90); /* none becomes clean */
    CU_ASSERT_EQUAL(c.points[1].pages, c.points[0].pages);
    CU_ASSERT_TRUE(isinf(mig_dirty_curve_run_ns(&c, 1000)));
    c.count = 0; /* begun anew: nothing of before is left */
    mig_dirty_curve_add(&c, MS(1), 7);
    CU_ASSERT_EQUAL(c.points[0].pages, 7);
    for (uint64_t i = 0; i < 100; i++)
        mig_dirty_curve_add(&c, MS(30 + i), 200 + i);
    CU_ASSERT_EQUAL(c.count, MIG_DIRTY_CURVE_POINTS);
    CU_ASSERT_EQUAL(c.points[c.count - 1].run_ns, MS(129));
    CU_ASSERT_EQUAL(c.points[c.count - 1].pages, 299);
}

/* Run time and pages are each other's inverse, and both only rise. */
static void test_curve_inverse(void)
{
    uint64_t seed = unit_seed();

    for (int i = 0; i < 500; i++) {
        struct mig_dirty_curve c = { .count = 0 };
        uint64_t t = 0, pages = 0;
        double before = 0;

        for (int k = 0; k < 20; k++) {
            t += 1 + unit_below(&seed, MS(50));
            pages += 1 + unit_below(&seed, 500);
            mig_dirty_curve_add(&c, t, pages);
        }
        for (int k = 0; k < 40; k++) {
            double want = (double)unit_below(&seed, 2 * pages);
            double run = mig_dirty_curve_run_ns(&c, want);

            CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_pages(&c, run), want,
                                   1e-3);
        }
        for (double x = 0; x < 2 * (double)t; x += (double)t / 17) {
            CU_ASSERT_TRUE(mig_dirty_curve_pages(&c, x) >= before);
            before = mig_dirty_curve_pages(&c, x);
        }
    }
}

/* ---- one decision ---- */

static struct mig_dirty_curve linear(uint64_t pps)
{
    struct mig_dirty_curve c = { .count = 0 };

    mig_dirty_curve_add(&c, LXE_NS_PER_SEC, pps);
    return c;
}

/* A round of 10000 pages that takes a second. */
static struct mig_throttle_in asked(const struct mig_dirty_curve *curve)
{
    return (struct mig_throttle_in){
        .curve = curve,
        .round_ns = 1e9,
        .round_pages = 10000,
        .final_pages = 1000,
        .max_slowed = 0.99,
    };
}

static void test_not_needed(void)
{
    struct mig_dirty_curve slow = linear(6900), none = { .count = 0 };
    struct mig_throttle_in in = asked(&slow);

    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0); /* shrinks by itself */
    in.slowed = in.before = 0.9; /* and is let go, by half at most */
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.8, 1e-9);
    in.slowed = in.before = 0.4;
    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0);
    in.slowed = 0.9; /* in this round */
    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0);
    in.curve = &none;
    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0);
    slow = linear(10000);
    in.curve = &slow;
    in.final_pages = 13000; /* all of it may wait for the final pass */
    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0);
    in.round_ns = 0;
    in.final_pages = 0;
    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0);
}

static void test_as_much_as_needed(void)
{
    struct mig_dirty_curve fast = linear(10000);
    struct mig_throttle_in in = asked(&fast);

    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.3, 1e-9);
    fast = linear(100000); /* 0.93 would be needed: half a step at a time */
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.5, 1e-9);
    in.slowed = 0.5;
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.75, 1e-9);
    in.slowed = 0.9;
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.93, 1e-9);
    in.max_slowed = 0.6;
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.6, 1e-9);
    in.max_slowed = 0.99;
    in.final_pages = -1; /* none would do: as far as it gets */
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.93, 1e-9);
}

/* Half of the round is over, and 4000 of the 7000 that may be are dirty. */
static void test_within_a_round(void)
{
    struct mig_dirty_curve curve = { .count = 0 };
    struct mig_throttle_in in = asked(&curve);

    mig_dirty_curve_add(&curve, MS(500), 4000);
    in.ran_ns = 5e8;
    in.round_ns = 5e8;
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.25, 1e-9);
    in.slowed = 0.4; /* more than is needed now */
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.25, 1e-9);
    in.final_pages = 10000;
    CU_ASSERT_EQUAL(mig_throttle_next(&in), 0);
    in.final_pages = 1000;
    mig_dirty_curve_add(&curve, MS(500), 9000); /* it is too late for that */
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_next(&in), 0.7, 1e-9);
}

/* ---- a guest that writes at random over a hot set ---- */

struct model {
    double hot_pages, pps, wire_pps, final_pages;
};

static double dirty_after(const struct model *m, double run_s)
{
    return m->hot_pages * (1 - exp(-m->pps * run_s / m->hot_pages));
}

/* Rounds until the final pass fits; how many, and the mean slowing. */
static int migrate(const struct model *m, double *mean)
{
    double pages = m->hot_pages, slowed = 0, total_s = 0, lost_s = 0;
    struct mig_dirty_curve curve = { .count = 0 };
    int round = 0;

    for (uint64_t t = MS(5); t < 10 * LXE_NS_PER_SEC; t *= 2)
        mig_dirty_curve_add(&curve, t,
                            (uint64_t)dirty_after(m, (double)t / 1e9));
    while (pages > m->final_pages && round++ < 60) {
        double s = pages / m->wire_pps, run_s;
        struct mig_throttle_in in = {
            .curve = &curve,
            .round_ns = s * 1e9,
            .round_pages = pages,
            .final_pages = m->final_pages,
            .max_slowed = 0.99,
            .slowed = slowed,
            .before = slowed,
        };

        slowed = mig_throttle_next(&in);
        run_s = s * (1 - slowed);
        total_s += s;
        lost_s += s * slowed;
        pages = dirty_after(m, run_s);
        curve.count = 0;
        for (uint64_t t = MS(5); (double)t < run_s * 1e9; t *= 2)
            mig_dirty_curve_add(&curve, t,
                                (uint64_t)dirty_after(m, (double)t / 1e9));
        mig_dirty_curve_add(&curve, (uint64_t)(run_s * 1e9),
                            (uint64_t)pages);
    }
    *mean = total_s > 0 ? lost_s / total_s : 0;
    return round;
}

/* The sweep that the engine is measured by, 50 ms of 300 for suspending. */
static void test_sweep(void)
{
    static const double rates[] = { 5e3, 2e4, 5e4, 1e5 };
    static const double sets_mib[] = { 32, 64, 128, 256 };
    static const double wires_mbs[] = { 60, 250, 1000 };

    for (size_t i = 0; i < 4 * 4 * 3; i++) {
        struct model m = {
            .pps = rates[i % 4],
            .hot_pages = sets_mib[i / 4 % 4] * 256,
            .wire_pps = wires_mbs[i / 16] * 1e6 / 4104,
        };
        double mean;
        int rounds;

        m.final_pages = 0.25 * m.wire_pps;
        rounds = migrate(&m, &mean);
        if (rounds > 25)
            printf("  %.0f pages/s over %.0f, wire %.0f: %d rounds\n", m.pps,
                   m.hot_pages, m.wire_pps, rounds);
        CU_ASSERT_TRUE(rounds <= 25);
        /* Nobody is slowed who gets there alone. */
        if (m.pps < 0.6 * m.wire_pps)
            CU_ASSERT_EQUAL(mean, 0);
        CU_ASSERT_TRUE(mean < 0.97);
    }
}

/* ---- pauses ---- */

static void test_pauses(void)
{
    uint64_t cycle;

    CU_ASSERT_EQUAL(mig_throttle_pause_ns(0.5, 0, &cycle), MS(5));
    CU_ASSERT_EQUAL(cycle, MS(10));
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_pause_ns(0.95, 0, &cycle), MS(19),
                           10);
    CU_ASSERT_DOUBLE_EQUAL(cycle, MS(20), 10);
    CU_ASSERT_DOUBLE_EQUAL(mig_throttle_pause_ns(0.99, 0, &cycle), 49.5e6,
                           10);
    CU_ASSERT_EQUAL(mig_throttle_pause_ns(0.5, (int64_t)MS(2), &cycle),
                    MS(7));
    CU_ASSERT_EQUAL(mig_throttle_pause_ns(0.5, -(int64_t)MS(2), &cycle),
                    MS(3));
    CU_ASSERT_EQUAL(mig_throttle_pause_ns(0.5, -(int64_t)MS(90), &cycle), 0);
}

/* No pause is ever longer than the longest, whatever is owed. */
static void test_pause_bounds(void)
{
    uint64_t seed = unit_seed();

    for (int i = 0; i < 10000; i++) {
        uint64_t cycle, pause;

        pause = mig_throttle_pause_ns(
            (double)unit_below(&seed, 1001) / 1000,
            (int64_t)(unit_random(&seed) >> 1) - (INT64_MAX >> 1), &cycle);
        CU_ASSERT_TRUE_FATAL(pause <= MIG_THROTTLE_MAX_PAUSE_NS);
        CU_ASSERT_TRUE_FATAL(cycle >= MS(10) &&
                             cycle <= MIG_THROTTLE_MAX_PAUSE_NS);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a curve of dirty pages", test_curve },
        { "its edges", test_curve_edges },
        { "its inverse", test_curve_inverse },
        { "a guest that needs no slowing", test_not_needed },
        { "as much as needed, in steps", test_as_much_as_needed },
        { "within a round", test_within_a_round },
        { "guests from calm to wild get there", test_sweep },
        { "pauses", test_pauses },
        { "pauses are bounded", test_pause_bounds },
    };

    return unit_run("throttle", tests, sizeof(tests) / sizeof(tests[0]));
}
