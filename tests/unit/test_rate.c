/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <math.h>

#include "base/clock.h"
#include "rate.h"
#include "unit.h"

#define GRANTS 400

struct grant {
    uint64_t at_ns, bytes;
};

/* Rates as they were in force, each from a moment on. */
struct regime {
    uint64_t from_ns, rate_bps;
};

/* Bytes that the rates alone would give from a to b. */
static long double allowed(const struct regime *r, size_t count, uint64_t a,
                           uint64_t b)
{
    long double sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t from = r[i].from_ns > a ? r[i].from_ns : a;
        uint64_t to =
            i + 1 < count && r[i + 1].from_ns < b ? r[i + 1].from_ns : b;

        if (to > from)
            sum += (long double)r[i].rate_bps * (to - from) / LXE_NS_PER_SEC;
    }
    return sum;
}

/* No window of the trace holds more than rate x time + burst. */
static void check_windows(const struct grant *g, size_t count,
                          const struct regime *r, size_t regimes,
                          uint64_t burst)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = 0;

        for (size_t j = i; j < count; j++) {
            bytes += g[j].bytes;
            CU_ASSERT_FATAL(bytes <=
                            allowed(r, regimes, g[i].at_ns, g[j].at_ns) +
                                burst + 1e-6L);
        }
    }
}

/* A sender that sleeps as told, oversleeps, idles, and changes the rate. */
static void one_trace(uint64_t *random)
{
    static struct grant g[GRANTS];
    static struct regime r[GRANTS];
    uint64_t burst = 1 + unit_below(random, 200000),
             now = unit_random(random) >> 2;
    uint64_t rate = 1 + unit_below(random, 2000000000);
    size_t n = 0, regimes = 1;
    struct mig_bucket b;

    r[0] = (struct regime){now, rate};
    mig_bucket_init(&b, rate, burst, now);
    while (n < GRANTS) {
        uint64_t bytes = 1 + unit_below(random, burst), wait;

        if (unit_below(random, 20) == 0)
            now += unit_below(random, 3 * burst * LXE_NS_PER_SEC / rate + 1);
        if (unit_below(random, 20) == 0 && regimes < GRANTS) {
            rate = 1 + unit_below(random, 2000000000);
            mig_bucket_set_rate(&b, rate, burst, now);
            r[regimes++] = (struct regime){now, rate};
        }
        wait = mig_bucket_wait_ns(&b, bytes, now);
        if (wait > 0)
            CU_ASSERT_FALSE(mig_bucket_take(&b, bytes, now + wait - 1));
        now += wait + (unit_below(random, 4) ? 0 : unit_below(random, 5000));
        CU_ASSERT_TRUE_FATAL(mig_bucket_take(&b, bytes, now));
        g[n++] = (struct grant){now, bytes};
    }
    check_windows(g, n, r, regimes, burst);
}

static void test_never_above(void)
{
    uint64_t random = unit_seed();

    for (int i = 0; i < 40; i++)
        one_trace(&random);
}

/* Odd rates and sizes, a sleep to the nanosecond: the error stays small. */
static void test_long_run(void)
{
    static const uint64_t rates[] = {
        1, 3, 999983, 12500000, 125000000, 1250000000, UINT64_C(12500000001)};
    uint64_t random = unit_seed();

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        uint64_t start = 12345, now = start, sent = 0, burst = 4104;
        struct mig_bucket b;

        mig_bucket_init(&b, rates[i], burst, now);
        while (sent < UINT64_C(20000) * burst) {
            uint64_t bytes = 1 + unit_below(&random, burst);

            now += mig_bucket_wait_ns(&b, bytes, now);
            CU_ASSERT_TRUE_FATAL(mig_bucket_take(&b, bytes, now));
            sent += bytes;
        }
        CU_ASSERT(fabsl((long double)(sent - burst) * LXE_NS_PER_SEC /
                            (now - start) / rates[i] -
                        1) < 0.001L);
    }
}

/*
 * A sender as the pump is, whose sleeps end up to 5 ms late and now and then
 * do not; on a clock of its own. Any second holds what it should to 1 %.
 */
static void any_second(uint64_t rate, uint64_t *random)
{
    static struct grant g[40000];
    uint64_t now = unit_random(random) >> 2, start, chunk, sum = 0;
    size_t n = 0, tail = 0;
    struct mig_bucket b;

    mig_bucket_init(&b, rate, mig_burst_bytes(rate), now);
    chunk = mig_chunk_bytes(rate);
    for (start = now; now - start < 10 * LXE_NS_PER_SEC && n < 40000; n++) {
        uint64_t wait = mig_bucket_wait_ns(&b, chunk, now);

        if (wait)
            now += wait + (unit_below(random, 3)
                               ? unit_below(random, 100000)
                               : unit_below(random, 5 * LXE_NS_PER_MS));
        CU_ASSERT_TRUE_FATAL(mig_bucket_take(&b, chunk, now));
        g[n] = (struct grant){ now, chunk };
        sum += chunk;
        for (; now - g[tail].at_ns > LXE_NS_PER_SEC; tail++)
            sum -= g[tail].bytes;
        if (now - start > LXE_NS_PER_SEC) /* between two grants: one less */
            CU_ASSERT_FATAL((double)sum <= 1.01 * (double)rate + 1 &&
                            (double)(sum + chunk) >= 0.99 * (double)rate);
    }
}

static void test_any_second(void)
{
    static const uint64_t rates[] = { 1000000, 6000000, 12500000, 62500000,
                                      125000000 };
    uint64_t random = unit_seed();

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        for (int k = 0; k < 5; k++)
            any_second(rates[i], &random);
}

static void test_bucket_edges(void)
{
    struct mig_bucket b;

    mig_bucket_init(&b, 1000, 500, 0);
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, 501, 0), UINT64_MAX);
    CU_ASSERT_FALSE(mig_bucket_take(&b, 501, UINT64_MAX));
    mig_bucket_init(&b, 1000, 500, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 500, 0));
    CU_ASSERT_TRUE(mig_bucket_take(&b, 0, 0));
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, 1, 0), 1000000);
    /* An hour of idling is worth one burst. */
    CU_ASSERT_TRUE(mig_bucket_take(&b, 500, 3600 * LXE_NS_PER_SEC));
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, 3600 * LXE_NS_PER_SEC));
    /* A burst of nothing could grant nothing. */
    mig_bucket_init(&b, 1000, 0, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 1, 0));
}

static void test_bucket_extremes(void)
{
    struct mig_bucket b;

    mig_bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, UINT64_MAX, 0));
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, 0));
    CU_ASSERT_TRUE(mig_bucket_take(&b, UINT64_MAX, UINT64_MAX));
    mig_bucket_init(&b, 1, UINT64_MAX, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, UINT64_MAX, 0));
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, UINT64_MAX, 0), UINT64_MAX);
    /* A clock that steps back neither gives nor takes. */
    mig_bucket_init(&b, 1000, 10, LXE_NS_PER_SEC);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 10, LXE_NS_PER_SEC));
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, 0));
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, 1, 0), LXE_NS_PER_SEC + 1000000);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 1, LXE_NS_PER_SEC + 1000000));
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, LXE_NS_PER_SEC + 1000000));
}

static void test_unlimited(void)
{
    struct mig_bucket b;

    mig_bucket_init(&b, 0, 10, 0);
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, UINT64_MAX, 0), 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, UINT64_MAX, 0));
    /* From the limit on, it counts. */
    mig_bucket_set_rate(&b, 1000, 10, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 10, 0));
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, 0));
}

/* Half a token earned at one rate and half at another make one. */
static void test_set_rate_keeps_tokens(void)
{
    struct mig_bucket b;

    mig_bucket_init(&b, 1000, 10, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 10, 0));
    mig_bucket_set_rate(&b, 2000, 10, 500000);
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, 749999));
    CU_ASSERT_TRUE(mig_bucket_take(&b, 1, 750000));
}

/* A smaller burst holds at once; a larger one has to be earned. */
static void test_set_burst(void)
{
    struct mig_bucket b;

    mig_bucket_init(&b, 1000, 100, 0);
    mig_bucket_set_rate(&b, 1000, 10, 0);
    CU_ASSERT_TRUE(mig_bucket_take(&b, 10, 0));
    CU_ASSERT_FALSE(mig_bucket_take(&b, 1, 0));
    mig_bucket_set_rate(&b, 1000, 100, 0);
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, 100, 0), 100 * LXE_NS_PER_MS);
    mig_bucket_set_rate(&b, 1000, 0, 0);
    CU_ASSERT_EQUAL(mig_bucket_wait_ns(&b, 1, 0), LXE_NS_PER_MS);
}

static void test_burst(void)
{
    CU_ASSERT_EQUAL(mig_burst_bytes(12500000), 125000);
    CU_ASSERT_EQUAL(mig_burst_bytes(1000), 8192);
    CU_ASSERT_EQUAL(mig_burst_bytes(0), 1048576);
    CU_ASSERT_EQUAL(mig_chunk_bytes(12500000), 25000);
    CU_ASSERT_EQUAL(mig_chunk_bytes(1000), 4096);
    CU_ASSERT_EQUAL(mig_chunk_bytes(1000000000), 102400);
    CU_ASSERT_EQUAL(mig_chunk_bytes(0), 1048576);
    for (uint64_t rate = 1; rate < 1000000000000; rate = rate * 3 + 1)
        CU_ASSERT_TRUE(mig_chunk_bytes(rate) <= mig_burst_bytes(rate));
}

static void test_lower(void)
{
    CU_ASSERT_EQUAL(mig_rate_lower_bps(0, 0), 0);
    CU_ASSERT_EQUAL(mig_rate_lower_bps(7, 0), 7);
    CU_ASSERT_EQUAL(mig_rate_lower_bps(0, 7), 7);
    CU_ASSERT_EQUAL(mig_rate_lower_bps(7, 9), 7);
    CU_ASSERT_EQUAL(mig_rate_lower_bps(9, 7), 7);
}

static uint64_t next(uint64_t min, uint64_t max, enum mig_rate_phase phase,
                     double dirty)
{
    struct mig_rate_limits limits = {.min_bps = min, .max_bps = max};

    return mig_rate_next_bps(&limits, MIG_RATE_ADAPTIVE, phase, dirty);
}

static void test_adaptive(void)
{
    const uint64_t min = 12500000, max = 62500000;
    const struct mig_rate_limits limits = {min, max};

    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_FIRST_ROUND, 9e9), min);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_LATER_ROUND, 0), min);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_LATER_ROUND, 20e6), 26250000);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_LATER_ROUND, 57e6), max);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_LATER_ROUND, INFINITY), max);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_LATER_ROUND, NAN), min);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_LATER_ROUND, -1), min);
    CU_ASSERT_EQUAL(next(min, max, MIG_RATE_FINAL_PASS, 0), max);
    CU_ASSERT_EQUAL(
        mig_rate_next_bps(&limits, MIG_RATE_FIXED, MIG_RATE_FIRST_ROUND, 0),
        max);
}

static void test_adaptive_limits(void)
{
    /* The maximum wins; without a minimum Clark's holds. */
    CU_ASSERT_EQUAL(next(100, 50, MIG_RATE_FIRST_ROUND, 0), 50);
    CU_ASSERT_EQUAL(next(0, 0, MIG_RATE_FIRST_ROUND, 0), 12500000);
    CU_ASSERT_EQUAL(next(0, 1000, MIG_RATE_FIRST_ROUND, 0), 1000);
    /* No maximum: unlimited at the end, still adaptive before. */
    CU_ASSERT_EQUAL(next(0, 0, MIG_RATE_FINAL_PASS, 0), 0);
    CU_ASSERT_EQUAL(next(0, 0, MIG_RATE_LATER_ROUND, 1e9), 1006250000);
    CU_ASSERT_EQUAL(next(0, 0, MIG_RATE_LATER_ROUND, 1e300), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"never above rate x time + burst", test_never_above},
        {"long run", test_long_run},
        {"any second is exact to 1 %", test_any_second},
        {"edges", test_bucket_edges},
        {"extremes", test_bucket_extremes},
        {"unlimited", test_unlimited},
        {"a new rate keeps the tokens", test_set_rate_keeps_tokens},
        {"a new burst", test_set_burst},
        {"burst", test_burst},
        {"the lower of two limits", test_lower},
        {"adaptive rate", test_adaptive},
        {"adaptive rate at its limits", test_adaptive_limits},
    };

    return unit_run("rate", tests, sizeof(tests) / sizeof(tests[0]));
}
