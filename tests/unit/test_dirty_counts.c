/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When dirty pages are counted, and what that tells of a guest's pace. */
#include "base/clock.h"
#include "dirty_counts.h"
#include "unit.h"

#define MS(n)    ((n) * LXE_NS_PER_MS)
#define BEGIN_NS MS(700) /* of the first round */

/* Each twice as late as the one before; so a round of 10 s has 11 at most. */
static void test_due(void)
{
    struct mig_dirty_counts c = { .next_ns = 0 };
    uint64_t ran_ns, last_ns = 0;
    unsigned counts = 0;

    mig_dirty_counts_clean(&c, BEGIN_NS);
    for (uint64_t t = 0; t < MS(10000); t += MS(1)) {
        if (!mig_dirty_counts_due(&c, BEGIN_NS + t, &ran_ns))
            continue;
        CU_ASSERT_EQUAL(ran_ns, t);
        CU_ASSERT_EQUAL(ran_ns, last_ns ? 2 * last_ns : MS(5));
        last_ns = ran_ns;
        counts++;
    }
    CU_ASSERT_EQUAL(counts, 11);
    mig_dirty_counts_clean(&c, BEGIN_NS + MS(10000)); /* begins anew */
    CU_ASSERT_FALSE(mig_dirty_counts_due(&c, BEGIN_NS + MS(10004), &ran_ns));
    CU_ASSERT_TRUE(mig_dirty_counts_due(&c, BEGIN_NS + MS(10005), &ran_ns));
}

/* 100 pages in 10 ms, then 100 more in 40: a curve from each CLEAN on. */
static void test_curves(void)
{
    struct mig_dirty_counts c = { .next_ns = 0 };

    mig_dirty_counts_clean(&c, BEGIN_NS);
    mig_dirty_counts_add(&c, BEGIN_NS + MS(10), 100);
    mig_dirty_counts_add(&c, BEGIN_NS + MS(50), 200);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_curve_pages(&c.curve, 30e6), 150, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_counts_pps(&c, &c.curve), 2500,
                           1e-6);
    mig_dirty_counts_clean(&c, BEGIN_NS + MS(60));
    CU_ASSERT_EQUAL(c.curve.count, 0);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_counts_pps(&c, &c.before), 2500,
                           1e-6);
    mig_dirty_counts_add(&c, BEGIN_NS + MS(70), 30);
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_counts_pps(&c, &c.curve), 3000, 1e-6);
}

/* A round too short to tell: the guest writes as at the begin of one that
 * was long enough, however long ago. */
static void test_short_rounds(void)
{
    struct mig_dirty_counts c = { .next_ns = 0 };
    uint64_t at_ns = BEGIN_NS;

    mig_dirty_counts_clean(&c, at_ns);
    CU_ASSERT_EQUAL(mig_dirty_counts_pps(&c, &c.curve), 0); /* not known */
    mig_dirty_counts_add(&c, at_ns + MS(10), 100);
    mig_dirty_counts_add(&c, at_ns + MS(50), 200);
    for (int i = 0; i < 3; i++) {
        at_ns += MS(100);
        mig_dirty_counts_clean(&c, at_ns);
        mig_dirty_counts_add(&c, at_ns + MS(2), 90);
        CU_ASSERT_DOUBLE_EQUAL(mig_dirty_counts_pps(&c, &c.curve), 10000,
                               1e-6);
    }
    CU_ASSERT_DOUBLE_EQUAL(mig_dirty_counts_pps(&c, &c.before), 10000,
                           1e-6);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "when a count is due", test_due },
        { "a curve of each round", test_curves },
        { "rounds too short to tell", test_short_rounds },
    };

    return unit_run("dirty counts", tests, sizeof(tests) / sizeof(tests[0]));
}
