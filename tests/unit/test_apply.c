/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shrinks first, and no page promised twice. */
#include "apply.h"
#include "unit.h"

#define MIB   1024ull
#define COUNT 8

static struct aero_apply_guest guest(uint64_t held, uint64_t target,
                                     uint64_t want)
{
    return (struct aero_apply_guest){ .movable = true, .held_kib = held * MIB,
                                      .target_kib = target * MIB,
                                      .want_kib = want * MIB };
}

static void shrinks_come_first(void)
{
    struct aero_apply_guest g[] = { guest(100, 100, 150), guest(200, 200, 120),
                                    guest(50, 50, 50) };
    struct aero_apply_step s[3];

    /* Nothing is free yet: only the shrink. */
    CU_ASSERT_EQUAL(aero_apply_plan(g, 3, 0, 0, s), 1);
    CU_ASSERT(s[0].index == 1 && s[0].target_kib == 120 * MIB);
    /* Once it is, both, the shrink first. */
    CU_ASSERT_EQUAL(aero_apply_plan(g, 3, 80 * MIB, 0, s), 2);
    CU_ASSERT(s[0].index == 1);
    CU_ASSERT(s[1].index == 0 && s[1].target_kib == 150 * MIB);
}

static void growth_is_cut_to_what_is_free(void)
{
    struct aero_apply_guest g[] = { guest(1000, 1000, 2000),
                                    guest(1000, 1000, 4000) };
    struct aero_apply_step s[2];

    CU_ASSERT_EQUAL(aero_apply_plan(g, 2, 1200 * MIB, 600 * MIB, s), 2);
    CU_ASSERT_EQUAL(s[0].target_kib, 1150 * MIB);
    CU_ASSERT_EQUAL(s[1].target_kib, 1450 * MIB);
    CU_ASSERT_EQUAL(aero_apply_plan(g, 2, 60 * MIB, 60 * MIB, s), 0);
    /* A small part of a large growth waits; all of a small one does not. */
    CU_ASSERT_EQUAL(aero_apply_plan(g, 2, 200 * MIB, 0, s), 1);
    CU_ASSERT(s[0].index == 1 && s[0].target_kib == 1150 * MIB);
    /* Of a small guest's less is worth a move. */
    g[0] = guest(184, 184, 236);
    CU_ASSERT_EQUAL(aero_apply_plan(g, 1, 40 * MIB, 0, s), 1);
    CU_ASSERT_EQUAL(s[0].target_kib, 224 * MIB);
    CU_ASSERT_EQUAL(aero_apply_plan(g, 1, 20 * MIB, 0, s), 0);
    g[1].want_kib = 1010 * MIB;
    g[0] = guest(1000, 1000, 1000);
    CU_ASSERT_EQUAL(aero_apply_plan(g, 2, 10 * MIB, 0, s), 1);
}

/* Memory promised to guests that they have not taken yet, in KiB. */
static uint64_t in_flight_kib(const struct aero_apply_guest *guests,
                              size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        if (guests[i].target_kib > guests[i].held_kib)
            sum += guests[i].target_kib - guests[i].held_kib;
    return sum;
}

static void what_is_in_flight_is_promised(void)
{
    struct aero_apply_guest g[] = { guest(1000, 1600, 1600),
                                    guest(1000, 1000, 2000) };
    struct aero_apply_step s[2];

    g[0].movable = false;
    CU_ASSERT_EQUAL(in_flight_kib(g, 2), 600 * MIB);
    CU_ASSERT_EQUAL(aero_apply_plan(g, 2, 1000 * MIB, 0, s), 1);
    CU_ASSERT_EQUAL(s[0].target_kib, 1400 * MIB);
}

static void called_back_shrink_costs_nothing(void)
{
    struct aero_apply_guest g[] = { guest(300, 100, 280) };
    struct aero_apply_step s[1];

    CU_ASSERT_EQUAL(aero_apply_plan(g, 1, 0, 0, s), 1);
    CU_ASSERT_EQUAL(s[0].target_kib, 280 * MIB);
}

static void never_more_than_there_is(void)
{
    uint64_t seed = unit_seed();

    for (int run = 0; run < 5000; run++) {
        struct aero_apply_guest g[COUNT];
        struct aero_apply_step s[COUNT];
        uint64_t free_kib = unit_below(&seed, 2000 * MIB), before, after;
        uint64_t keep = unit_below(&seed, 500 * MIB);
        size_t n;

        for (size_t i = 0; i < COUNT; i++) {
            g[i] = guest(unit_below(&seed, 800), unit_below(&seed, 800),
                         unit_below(&seed, 800));
            g[i].movable = unit_below(&seed, 6) != 0;
        }
        before = in_flight_kib(g, COUNT) + keep;
        n = aero_apply_plan(g, COUNT, free_kib, keep, s);
        for (size_t i = 0; i < n; i++)
            g[s[i].index].target_kib = s[i].target_kib;
        after = in_flight_kib(g, COUNT) + keep;
        if (after > free_kib && after > before) {
            CU_FAIL("promised more than is free");
            return;
        }
    }
    CU_PASS("all promises can be kept");
}

static void a_node_gives_what_is_not_kept(void)
{
    struct aero_apply_guest g[] = {
        guest(1000, 1000, 2000), guest(1000, 1100, 2100),
        guest(1000, 1000, 5000), guest(1000, 1000, 1400), guest(900, 900, 800),
    };

    g[0].nodes = g[1].nodes = 2;
    g[2].nodes = 1;
    g[4].nodes = 2;
    aero_apply_cut(g, 5, 1, 1500 * MIB, 200 * MIB); /* g[3]'s may be there */
    CU_ASSERT_EQUAL(g[0].want_kib, 1500 * MIB);
    CU_ASSERT_EQUAL(g[1].want_kib, 1600 * MIB);
    CU_ASSERT_EQUAL(g[2].want_kib, 5000 * MIB);
    CU_ASSERT_EQUAL(g[3].want_kib, 1200 * MIB);
    CU_ASSERT_EQUAL(g[4].want_kib, 800 * MIB);
    aero_apply_cut(g, 5, 1, 200 * MIB, 200 * MIB);
    CU_ASSERT_EQUAL(g[0].want_kib, 1000 * MIB);
    CU_ASSERT_EQUAL(g[1].want_kib, 1100 * MIB); /* what it was promised */
    CU_ASSERT_EQUAL(g[2].want_kib, 5000 * MIB);
}

static const struct unit_test tests[] = {
    { "shrinks come first", shrinks_come_first },
    { "growth is cut to what is free", growth_is_cut_to_what_is_free },
    { "what is in flight is promised", what_is_in_flight_is_promised },
    { "a shrink called back costs nothing", called_back_shrink_costs_nothing },
    { "never more than there is", never_more_than_there_is },
    { "a node gives what is not kept", a_node_gives_what_is_not_kept },
};

int main(void)
{
    return unit_run("apply", tests, sizeof(tests) / sizeof(tests[0]));
}
