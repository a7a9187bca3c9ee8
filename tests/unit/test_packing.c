/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a guest's memory is worth packing, and how that is found out. */
#include <errno.h>
#include <string.h>

#include "pack_sample.h"
#include "sim_fixture.h"
#include "unit.h"

#define GUEST 1u
#define MB    1000000u
#define SLOW  200000u /* than which valgrind packs faster */
#define FAST  (UINT64_C(1) << 50)

static void test_estimate(void)
{
    static const double same[] = { 8192, 8192 }, apart[] = { 4096, 12288 };
    struct mig_packing p;

    mig_packing_estimate(same, 2, 4, 8192, &p);
    CU_ASSERT_EQUAL(p.pages, 8);
    CU_ASSERT_EQUAL(p.ratio, 2);
    CU_ASSERT_EQUAL(p.low, 2);
    CU_ASSERT_EQUAL(p.high, 2);
    CU_ASSERT_DOUBLE_EQUAL(p.bps, 4e9, 1);
    mig_packing_estimate(apart, 2, 4, 0, &p);
    CU_ASSERT_EQUAL(p.ratio, 2);
    CU_ASSERT_DOUBLE_EQUAL(p.low, 2 / 1.5, 1e-9); /* half off, at the most */
    CU_ASSERT_EQUAL(p.high, 4);
    mig_packing_estimate(same, 1, 4, 1, &p);
    CU_ASSERT(p.low < 2 && p.high > 2); /* one group tells no bounds */
}

/* The true mean of random groups is within the bounds 95 times in 100. */
static void test_bounds(void)
{
    uint64_t seed = unit_seed();
    unsigned within = 0;

    for (unsigned i = 0; i < 1000; i++) {
        struct mig_packing p;
        double bytes[16];

        for (unsigned k = 0; k < 16; k++)
            bytes[k] = 10000 + (double)unit_below(&seed, 20001);
        mig_packing_estimate(bytes, 16, 32, 1, &p);
        within += p.low <= 32 * 4096 / 20000. && 32 * 4096 / 20000. <= p.high;
    }
    CU_ASSERT(within > 900 && within < 990);
}

static void test_pays(void)
{
    struct mig_packing p = { 512, 4, 2, 8, 400e6 }, none = { 0 };

    CU_ASSERT_DOUBLE_EQUAL(mig_packing_pays_below_bps(&p), 200e6, 1);
    CU_ASSERT(mig_packing_wanted(&p, 199 * MB));
    CU_ASSERT_FALSE(mig_packing_wanted(&p, 201 * MB));
    CU_ASSERT_FALSE(mig_packing_wanted(&p, 0)); /* nobody asked for less */
    CU_ASSERT_FALSE(mig_packing_wanted(&none, 1 * MB));
    CU_ASSERT_EQUAL(mig_packing_pays_below_bps(&none), 0);
    p.low = 1; /* it may well save nothing */
    CU_ASSERT_EQUAL(mig_packing_pays_below_bps(&p), 0);
}

/* A third of its memory is random there: half of its pages, by two thirds. The
 * bounds are where they should be, though neighbours are alike. */
static void test_sample(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    struct lxe_err err = { 0 };
    unsigned within = 0;
    struct mig_packing p;

    CU_ASSERT_EQUAL_FATAL(mig_pack_sample(host, GUEST, 1, 0, &p, &err), 0);
    printf("  %u pages pack %.2f (%.2f to %.2f) to 1, %.0f MB/s\n", p.pages,
           p.ratio, p.low, p.high, p.bps / 1e6);
    CU_ASSERT(p.pages > 256 && p.pages <= 512);
    CU_ASSERT(p.ratio > 2.2 && p.ratio < 3.9);
    CU_ASSERT(p.low > 2 && p.high < 5);
    for (unsigned i = 0; i < 40; i++) {
        CU_ASSERT_EQUAL(mig_pack_sample(host, GUEST, 1, 0, &p, &err), 0);
        within += p.low <= 3 && 3 <= p.high;
    }
    CU_ASSERT(within >= 32); /* of 38 to be expected */
    CU_ASSERT(p.bps > 1e6);
    CU_ASSERT_EQUAL(mig_pack_sample(host, GUEST + 1, 1, 0, &p, &err), -ESRCH);
    CU_ASSERT_EQUAL(p.pages, 0);
    lxe_sim_fail_next(host, LXE_SIM_OP_PAGE_SAMPLE_LOOK, -EIO, 1);
    CU_ASSERT_EQUAL(mig_pack_sample(host, GUEST, 1, 0, &p, &err), -EIO);
    CU_ASSERT_EQUAL(mig_pack_sample(host, GUEST, 1, 1024, &p, &err), 0);
    host->ops->close(host);
}

static void test_choose(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    struct mig_limits l;
    struct mig_packing p;

    mig_limits_default(&l);
    CU_ASSERT_EQUAL(mig_pack_choose(host, GUEST, SLOW, &l, &p, NULL), 0);
    CU_ASSERT_EQUAL(l.compress_level, MIG_PACKING_AUTO_LEVEL);
    CU_ASSERT_EQUAL(mig_pack_choose(host, GUEST, FAST, &l, &p, NULL), 0);
    CU_ASSERT_EQUAL(l.compress_level, 0);
    CU_ASSERT(p.pages > 0); /* it is worth knowing all the same */
    CU_ASSERT_EQUAL(mig_limits_set(&l, "compress", "3", NULL), 0);
    CU_ASSERT_EQUAL(mig_pack_choose(host, GUEST, FAST, &l, &p, NULL), 0);
    CU_ASSERT_EQUAL(l.compress_level, 3); /* as was said, pay or not */
    mig_limits_default(&l);
    CU_ASSERT_EQUAL(mig_pack_choose(host, GUEST + 1, SLOW, &l, &p, NULL),
                    -ESRCH);
    CU_ASSERT_EQUAL(l.compress_level, 0);
    host->ops->close(host);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "an estimate", test_estimate },
        { "its bounds", test_bounds },
        { "what pays", test_pays },
        { "a sample", test_sample },
        { "the choice", test_choose },
    };

    return unit_run("packing", tests, sizeof(tests) / sizeof(tests[0]));
}
