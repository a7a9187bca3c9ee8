/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps from the downtime that was asked for to the longest allowed. */
#include "base/clock.h"
#include "relax.h"
#include "unit.h"

#define MS(n) ((n) * LXE_NS_PER_MS)

static void test_steps(void)
{
    struct mig_relax r;
    uint64_t last = MS(100), limit;

    mig_relax_init(&r);
    CU_ASSERT_EQUAL(mig_relax_limit_ns(&r, MS(100), MS(1000)), MS(100));
    mig_relax_round(&r, 5000); /* nothing to compare it with */
    CU_ASSERT_EQUAL(mig_relax_limit_ns(&r, MS(100), MS(1000)), MS(100));
    for (int i = 1; i < MIG_RELAX_STEPS; i++) {
        mig_relax_round(&r, 5000);
        limit = mig_relax_limit_ns(&r, MS(100), MS(1000));
        /* By the tenth root of ten each. */
        CU_ASSERT_DOUBLE_EQUAL((double)limit / (double)last, 1.258925, 1e-4);
        last = limit;
    }
    for (int i = 0; i < 3; i++) {
        mig_relax_round(&r, 5000);
        CU_ASSERT_EQUAL(mig_relax_limit_ns(&r, MS(100), MS(1000)), MS(1000));
    }
}

/* A guest that gets there keeps its limit. */
static void test_progress(void)
{
    struct mig_relax r;

    mig_relax_init(&r);
    for (uint64_t pages = 100000; pages > 10; pages = pages * 8 / 10)
        mig_relax_round(&r, pages);
    CU_ASSERT_EQUAL(r.step, 0);
    mig_relax_round(&r, 1000); /* more than the fewest: a stall */
    CU_ASSERT_EQUAL(r.step, 1);
    mig_relax_round(&r, 0);
    mig_relax_round(&r, 0);
    CU_ASSERT_EQUAL(r.step, 2);
}

/* The larger of two limits is never passed, the smaller always had. */
static void test_bounds(void)
{
    uint64_t seed = unit_seed();

    for (int i = 0; i < 5000; i++) {
        struct mig_relax r = { .step = (unsigned)unit_below(&seed, 11) };
        uint64_t limit = unit_below(&seed, MS(3000));
        uint64_t max = unit_below(&seed, MS(3000)), got;

        got = mig_relax_limit_ns(&r, limit, max);
        CU_ASSERT_FATAL(got >= limit);
        CU_ASSERT_FATAL(got <= (max > limit ? max : limit));
        if (!r.step || !max)
            CU_ASSERT_EQUAL(got, limit);
        if (r.step == MIG_RELAX_STEPS && max > limit)
            CU_ASSERT_EQUAL(got, max);
        CU_ASSERT_EQUAL(mig_relax_is_full(&r, limit, max),
                        max <= limit || r.step == MIG_RELAX_STEPS);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "ten steps, each by the same factor", test_steps },
        { "none while it gets there", test_progress },
        { "bounds", test_bounds },
    };

    return unit_run("relax", tests, sizeof(tests) / sizeof(tests[0]));
}
