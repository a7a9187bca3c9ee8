/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rounds teach of the wire: its rate, how even it is, how they pack. */
#include "base/clock.h"
#include "precopy.h"
#include "unit.h"
#include "wire_rate.h"

#define MB(n) ((n) * 1e6)
#define MS(n) ((double)((n) * LXE_NS_PER_MS))

/* A round at this rate, sent as it is. */
static void round_at(struct mig_wire_rate *w, double bps, double ns)
{
    double bytes = bps * ns / 1e9;

    mig_wire_rate_learn(w, bytes, bytes, ns);
}

static void test_nothing_known(void)
{
    struct mig_wire_rate w = { 0 };

    CU_ASSERT_EQUAL(mig_wire_rate_bps(&w), 0);
    CU_ASSERT_EQUAL(mig_wire_rate_packing(&w), 1);
    CU_ASSERT_EQUAL(mig_wire_rate_under_bps(&w, 0), 0);
    CU_ASSERT_EQUAL(mig_wire_rate_under_bps(&w, 1000), 1000);
    mig_wire_rate_learn(&w, 0, 0, 0); /* a round that had nothing to send */
    CU_ASSERT_EQUAL(mig_wire_rate_bps(&w), 0);
    /* Too little to tell a rate from. */
    mig_wire_rate_learn(&w, MIG_PAGE_WIRE_BYTES, MIG_PAGE_WIRE_BYTES, 10);
    CU_ASSERT_EQUAL(mig_wire_rate_bps(&w), 0);
}

/* A round counts for as much as it lasted, and what lies back fades. */
static void test_rate(void)
{
    struct mig_wire_rate w = { 0 };
    double bps;

    round_at(&w, MB(100), MS(400));
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_bps(&w), MB(100), 1);
    round_at(&w, MB(50), MS(1)); /* over as soon as it began */
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_bps(&w), MB(100), MB(1));
    round_at(&w, MB(50), MS(400));
    bps = mig_wire_rate_bps(&w);
    CU_ASSERT_TRUE(bps > MB(50) && bps < MB(75));
    round_at(&w, MB(50), MS(5000));
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_bps(&w), MB(50), MB(1));
}

/* Of a limit that is written, more of the stream goes where it packs. */
static void test_packing(void)
{
    struct mig_wire_rate w = { 0 };

    mig_wire_rate_learn(&w, MB(300), MB(100), MS(1000));
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_packing(&w), 3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_bps(&w), MB(300), 1);
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_under_bps(&w, 50000000), MB(150), 1);
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_under_bps(&w, 150000000), MB(300),
                           1);
    CU_ASSERT_DOUBLE_EQUAL(mig_wire_rate_under_bps(&w, 0), MB(300), 1);
}

/* How far a round was off the rate before it; a short one says less. */
static void test_spread(void)
{
    struct mig_wire_rate w = { 0 }, first, after_short;

    round_at(&w, MB(100), MS(400));
    CU_ASSERT_EQUAL(w.spread, mig_precopy_spread(0, 0));
    first = after_short = w;
    round_at(&w, MB(100), MS(400)); /* as expected: it fades */
    CU_ASSERT_DOUBLE_EQUAL(w.spread, mig_precopy_spread(first.spread, 0),
                           1e-9);
    w = first;
    round_at(&w, MB(50), MS(400)); /* took twice as long */
    CU_ASSERT_DOUBLE_EQUAL(w.spread, 1, 1e-9);
    round_at(&after_short, MB(50), MS(50));
    CU_ASSERT_DOUBLE_EQUAL(after_short.spread, 0.5, 1e-9);
    w = first;
    mig_wire_rate_learn(&w, 0, 0, MS(400)); /* nothing was sent */
    CU_ASSERT_DOUBLE_EQUAL(w.spread, mig_precopy_spread(first.spread, 0),
                           1e-9);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "before there is a rate", test_nothing_known },
        { "the rate lately", test_rate },
        { "packing, and a limit", test_packing },
        { "how even the wire is", test_spread },
    };

    return unit_run("wire rate", tests, sizeof(tests) / sizeof(tests[0]));
}
