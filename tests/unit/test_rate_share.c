/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One rate for several migrations: who gets what. */
#include <stdio.h>

#include "rate_share.h"
#include "unit.h"

#define MB    UINT64_C(1000000)
#define COUNT 32

static struct aero_rate_want want(unsigned weight)
{
    return (struct aero_rate_want){ .weight = weight, .sending = true };
}

static void test_weights(void)
{
    struct aero_rate_want w[] = { want(100), want(300) };

    aero_rate_share(40 * MB, w, 2);
    CU_ASSERT_EQUAL(w[0].share_bps, 10 * MB);
    CU_ASSERT_EQUAL(w[1].share_bps, 30 * MB);
    w[0] = want(100);
    aero_rate_share(40 * MB, w, 1);
    CU_ASSERT_EQUAL(w[0].share_bps, 40 * MB);
    aero_rate_share(40 * MB, w, 0);
}

/* What one may not or does not use goes to the others, by weight. */
static void test_leftovers(void)
{
    struct aero_rate_want w[] = { want(100), want(100), want(200), want(500) };

    w[0].max_bps = 4 * MB;
    w[3].sending = false;
    aero_rate_share(40 * MB, w, 4);
    CU_ASSERT_EQUAL(w[0].share_bps, 4 * MB);
    CU_ASSERT_EQUAL(w[1].share_bps, 12 * MB);
    CU_ASSERT_EQUAL(w[2].share_bps, 24 * MB);
    CU_ASSERT_EQUAL(w[3].share_bps, 0);
}

/* A limit of its own that is above its part changes nothing. */
static void test_own_limit_above(void)
{
    struct aero_rate_want w[] = { want(100), want(100) };

    w[0].max_bps = 100 * MB;
    w[1].max_bps = 25 * MB;
    aero_rate_share(40 * MB, w, 2);
    CU_ASSERT_EQUAL(w[0].share_bps, 20 * MB);
    CU_ASSERT_EQUAL(w[1].share_bps, 20 * MB);
}

static void test_unused(void)
{
    struct aero_rate_want w[] = { want(100), want(100) };

    w[0].share_bps = w[1].share_bps = 20 * MB;
    w[0].used_bps = 3 * MB;
    w[1].used_bps = 19 * MB;
    aero_rate_share(40 * MB, w, 2);
    CU_ASSERT_EQUAL(w[0].share_bps, 6 * MB);
    CU_ASSERT_EQUAL(w[1].share_bps, 34 * MB);
    /* It uses all it has now, so it gets its part again. */
    w[0].used_bps = 6 * MB;
    w[0].max_bps = w[1].max_bps = 0;
    aero_rate_share(40 * MB, w, 2);
    CU_ASSERT_EQUAL(w[0].share_bps, 20 * MB);
    CU_ASSERT_EQUAL(w[1].share_bps, 20 * MB);
}

static void test_suspended_first(void)
{
    struct aero_rate_want w[] = { want(100), want(100) };

    w[0].suspended = true;
    w[0].share_bps = 40 * MB;
    w[0].used_bps = 1 * MB; /* what it used as long as it ran */
    aero_rate_share(45 * MB, w, 2);
    CU_ASSERT_EQUAL(w[0].share_bps, 40 * MB);
    CU_ASSERT_EQUAL(w[1].share_bps, 5 * MB);
}

static void test_suffices(void)
{
    struct aero_rate_want w[] = { want(1), want(9) };

    CU_ASSERT_TRUE(aero_rate_suffices(MB, w, 2));
    CU_ASSERT_FALSE(aero_rate_suffices(MB - 10, w, 2));
    CU_ASSERT_TRUE(aero_rate_suffices(UINT64_MAX, w, 2));
}

static void fill(uint64_t *seed, struct aero_rate_want *w, size_t count,
                 uint64_t total)
{
    for (size_t i = 0; i < count; i++) {
        w[i] = want(1 + (unsigned)unit_below(seed, AERO_RATE_WEIGHT_MAX));
        w[i].sending = unit_below(seed, 4) != 0;
        w[i].suspended = w[i].sending && unit_below(seed, 4) == 0;
        if (unit_below(seed, 2))
            w[i].max_bps = AERO_RATE_MIN_BPS + unit_below(seed, total);
        w[i].share_bps = unit_below(seed, total);
        if (unit_below(seed, 2))
            w[i].used_bps = unit_below(seed, total);
    }
}

static void check(const struct aero_rate_want *in,
                  const struct aero_rate_want *out, size_t count,
                  uint64_t total)
{
    uint64_t sum = 0;
    bool greedy = false;

    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_FATAL(out[i].share_bps <= total - sum);
        sum += out[i].share_bps;
        CU_ASSERT(!in[i].max_bps || out[i].share_bps <= in[i].max_bps);
        CU_ASSERT(in[i].sending || !out[i].share_bps);
        greedy = greedy || (in[i].sending && !in[i].max_bps &&
                            !in[i].used_bps);
    }
    /* Nothing is left while one could use it, but for the rounding. */
    CU_ASSERT(!greedy || total - sum <= count);
}

static void test_random(void)
{
    uint64_t seed = unit_seed();

    for (unsigned run = 0; run < 20000; run++) {
        struct aero_rate_want in[COUNT], out[COUNT];
        size_t count = 1 + unit_below(&seed, COUNT);
        uint64_t total = AERO_RATE_MIN_BPS +
                         (unit_random(&seed) >> unit_below(&seed, 50)) / 2;

        fill(&seed, in, count, total);
        for (size_t i = 0; i < count; i++)
            out[i] = in[i];
        aero_rate_share(total, out, count);
        check(in, out, count, total);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "by weight", test_weights },
        { "what one leaves goes to the others", test_leftovers },
        { "a limit above its part", test_own_limit_above },
        { "what one does not use", test_unused },
        { "a suspended guest goes first", test_suspended_first },
        { "too many for one rate", test_suffices },
        { "never more than there is, and nothing left", test_random },
    };

    return unit_run("rate_share", tests, sizeof(tests) / sizeof(tests[0]));
}
