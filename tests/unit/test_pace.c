/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pace at which a guest wrote, read off what rounds had to send. */
#include "pace.h"

#include <math.h>

#include "base/clock.h"
#include "unit.h"

#define SEC LXE_NS_PER_SEC

/* Writes 2000 pages over and over, a thousand a second. */
static const struct mig_wws hot = {
    .points = { { 2 * SEC, 2000, 2000, 2000 },
                { 30 * SEC, 2000, 2000, 2000 } },
    .count = 2,
    .domain_pages = 40000,
};

static void test_known(void)
{
    static const double paces[] = { 0.02, 0.05, 0.3, 0.8, 1, 1.15 };

    for (size_t i = 0; i < sizeof(paces) / sizeof(paces[0]); i++) {
        struct mig_pace_window w[] = { { SEC, 1000 * paces[i] },
                                       { SEC / 4, 250 * paces[i] } };

        CU_ASSERT_DOUBLE_EQUAL(mig_pace_fit(&hot, w, 2), paces[i],
                               0.015 * paces[i]);
    }
}

/* What is no faster than 1.2, and no slower than a hundredth. */
static void test_bounds(void)
{
    struct mig_pace_window fast = { SEC, 2000 }, slow = { SEC, 1 };

    CU_ASSERT(mig_pace_fit(&hot, &fast, 1) <= MIG_PACE_MOST);
    CU_ASSERT(mig_pace_fit(&hot, &fast, 1) > 0.97 * MIG_PACE_MOST);
    CU_ASSERT(mig_pace_fit(&hot, &slow, 1) >= MIG_PACE_LEAST);
    CU_ASSERT(mig_pace_fit(&hot, &slow, 1) < 1.03 * MIG_PACE_LEAST);
}

/* Where all was written in any case, the window does not tell; nor does what
 * the curve leaves open. */
static void test_unknown(void)
{
    struct mig_pace_window full[] = { { 20 * SEC, 2000 }, { 9 * SEC, 1950 } };
    struct mig_pace_window idle = { 10 * SEC, 600 }, none = { SEC, 0 };
    struct mig_wws vague = {
        .points = { { 10 * SEC, 700, 100, 1500 } },
        .count = 1,
        .domain_pages = 40000,
    };

    CU_ASSERT_EQUAL(mig_pace_fit(&hot, full, 2), 1);
    CU_ASSERT_DOUBLE_EQUAL(mig_pace_fit(&vague, &idle, 1), 1, 0.15);
    CU_ASSERT(isnan(mig_pace_fit(&hot, &none, 1)));
    CU_ASSERT(isnan(mig_pace_fit(&hot, full, 0)));
}

/*
 * A full window beside one that tells, and rounds of a few pages that the
 * kernel writes whatever the pace is. Where so little tells, what varies
 * anyhow is taken to be nearer to 1.
 */
static void test_odd_windows(void)
{
    struct mig_pace_window w[12] = { { 20 * SEC, 1990 }, { SEC, 200 } };

    for (size_t i = 2; i < 12; i++)
        w[i] = (struct mig_pace_window){ SEC / 50, 10 };
    CU_ASSERT_DOUBLE_EQUAL(mig_pace_fit(&hot, w, 12), 0.2, 0.03);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a known pace", test_known },
        { "its bounds", test_bounds },
        { "windows that do not tell", test_unknown },
        { "odd windows", test_odd_windows },
    };

    return unit_run("pace", tests, sizeof(tests) / sizeof(tests[0]));
}
