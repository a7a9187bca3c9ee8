/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When PEEKs are made, on a synthetic clock. */
#include "base/clock.h"
#include "peek_policy.h"
#include "unit.h"

#define MS(n)     ((n) * LXE_NS_PER_MS)
#define SMALL     1044480u /* frames of a guest below 4 GiB */
#define TOOK_NS   200000u

static struct mig_peek_policy opened(uint64_t pages)
{
    struct mig_peek_policy p;

    mig_peek_init(&p, pages);
    return p;
}

/*
 * Batches of 1 ms from `now` for a while; each leaves out so much. Returns how
 * many PEEKs were made.
 */
static unsigned run(struct mig_peek_policy *p, uint64_t *now, uint64_t ms,
                    uint64_t took_ns, uint64_t saved_ns)
{
    unsigned peeks = 0;

    for (uint64_t i = 0; i < ms; i++, *now += MS(1)) {
        if (mig_peek_due(p, *now)) {
            mig_peek_done(p, *now, took_ns);
            peeks++;
        }
        mig_peek_saved(p, peeks ? saved_ns : 0);
    }
    return peeks;
}

static void test_pays(void)
{
    struct mig_peek_policy p = opened(SMALL);
    uint64_t now = MS(1000);
    unsigned peeks;

    mig_peek_round(&p, now);
    /* Every 54 ms: 50, a sixteenth more for its size, and what it takes. */
    peeks = run(&p, &now, 5400, TOOK_NS, MS(1));
    CU_ASSERT_TRUE(peeks >= 99 && peeks <= 101);
    CU_ASSERT_EQUAL(p.backoff, 1);
}

static void test_big_guest(void)
{
    struct mig_peek_policy p = opened(UINT64_C(1) << 30);
    uint64_t now = 0;

    CU_ASSERT_EQUAL(p.base_ns, MS(100));
    mig_peek_round(&p, now);
    CU_ASSERT_TRUE(run(&p, &now, 10000, TOOK_NS, MS(1)) <= 100);
    CU_ASSERT_EQUAL(opened(0).base_ns, MS(50));
}

/* One that takes long may be had less often: a twentieth of the time. */
static void test_budget(void)
{
    struct mig_peek_policy p = opened(SMALL);
    uint64_t now = 0;
    unsigned peeks;

    mig_peek_round(&p, now);
    peeks = run(&p, &now, 60000, MS(30), MS(10));
    CU_ASSERT_TRUE(peeks * MS(30) <= MS(60000) / 20);
    CU_ASSERT_TRUE(peeks >= 90);
}

/* Nothing to leave out: soon one in 64 intervals is left. */
static void test_does_not_pay(void)
{
    struct mig_peek_policy p = opened(SMALL);
    uint64_t now = 0;

    mig_peek_round(&p, now);
    run(&p, &now, 10000, TOOK_NS, 0);
    CU_ASSERT_EQUAL(p.backoff, MIG_PEEK_MAX_BACKOFF);
    CU_ASSERT_TRUE(run(&p, &now, 60000, TOOK_NS, 0) <= 20);
    /* It begins to pay: after one more PEEK they are as often as ever. */
    CU_ASSERT_TRUE(run(&p, &now, 8000, TOOK_NS, MS(1)) >= 1);
    CU_ASSERT_TRUE(run(&p, &now, 5400, TOOK_NS, MS(1)) >= 95);
    CU_ASSERT_EQUAL(p.backoff, 1);
}

/* Twice its time is the price: a little below does not pay, above does. */
static void test_price(void)
{
    for (int pays = 0; pays <= 1; pays++) {
        struct mig_peek_policy p = opened(SMALL);

        mig_peek_done(&p, MS(60), TOOK_NS);
        mig_peek_saved(&p, TOOK_NS);
        mig_peek_saved(&p, TOOK_NS + (unsigned)pays);
        mig_peek_round(&p, MS(120)); /* the end of the round judges too */
        CU_ASSERT_EQUAL(p.backoff, pays ? 1 : 2);
        mig_peek_round(&p, MS(180)); /* but only once */
        CU_ASSERT_EQUAL(p.backoff, pays ? 1 : 2);
        mig_peek_done(&p, MS(181), TOOK_NS); /* too early to tell */
        mig_peek_round(&p, MS(300));
        CU_ASSERT_EQUAL(p.backoff, pays ? 1 : 2);
    }
}

/* However it goes: never below the interval, never stuck. */
static void test_random(void)
{
    uint64_t seed = unit_seed();

    for (int i = 0; i < 200; i++) {
        struct mig_peek_policy p = opened(unit_below(&seed, 1u << 26));
        uint64_t now = 0, last = 0, took = 0;
        unsigned peeks = 0;

        for (int k = 0; k < 2000; k++) {
            now += unit_below(&seed, MS(20));
            if (unit_below(&seed, 50) == 0)
                mig_peek_round(&p, now);
            if (mig_peek_due(&p, now)) {
                if (peeks++)
                    CU_ASSERT_TRUE_FATAL(now - last >= p.base_ns &&
                                         now - last >= 20 * took);
                last = now;
                took = unit_below(&seed, MS(2));
                mig_peek_done(&p, now, took);
            }
            mig_peek_saved(&p, unit_below(&seed, MS(1)));
        }
        CU_ASSERT_TRUE(peeks >= 2);
        CU_ASSERT_TRUE(p.backoff >= 1 && p.backoff <= MIG_PEEK_MAX_BACKOFF);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "PEEKs that pay", test_pays },
        { "a big guest", test_big_guest },
        { "a slow PEEK", test_budget },
        { "PEEKs that do not pay, until they do", test_does_not_pay },
        { "the price", test_price },
        { "random guests", test_random },
    };

    return unit_run("peek policy", tests, sizeof(tests) / sizeof(tests[0]));
}
