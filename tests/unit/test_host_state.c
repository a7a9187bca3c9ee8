/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's states, and who should move. */
#include "host_state.h"
#include "unit.h"

static const struct aero_host_levels usual = { { 60, 40, 20, 10 } };

static enum aero_host_state next(enum aero_host_state was, uint64_t spare)
{
    return aero_host_state_next(was, spare, 1000, &usual);
}

static void has_hysteresis(void)
{
    CU_ASSERT_EQUAL(next(AERO_HOST_HIGH, 40), AERO_HOST_HIGH);
    CU_ASSERT_EQUAL(next(AERO_HOST_HIGH, 39), AERO_HOST_SOFT);
    CU_ASSERT_EQUAL(next(AERO_HOST_SOFT, 59), AERO_HOST_SOFT);
    CU_ASSERT_EQUAL(next(AERO_HOST_SOFT, 60), AERO_HOST_HIGH);
    CU_ASSERT_EQUAL(next(AERO_HOST_SOFT, 20), AERO_HOST_SOFT);
    CU_ASSERT_EQUAL(next(AERO_HOST_SOFT, 19), AERO_HOST_HARD);
    CU_ASSERT_EQUAL(next(AERO_HOST_HARD, 39), AERO_HOST_HARD);
    CU_ASSERT_EQUAL(next(AERO_HOST_HARD, 40), AERO_HOST_SOFT);
    CU_ASSERT_EQUAL(next(AERO_HOST_HARD, 9), AERO_HOST_LOW);
    CU_ASSERT_EQUAL(next(AERO_HOST_LOW, 19), AERO_HOST_LOW);
    CU_ASSERT_EQUAL(next(AERO_HOST_LOW, 20), AERO_HOST_HARD);
}

static void jumps_over_states(void)
{
    CU_ASSERT_EQUAL(next(AERO_HOST_HIGH, 0), AERO_HOST_LOW);
    CU_ASSERT_EQUAL(next(AERO_HOST_LOW, 1000), AERO_HOST_HIGH);
    CU_ASSERT_EQUAL(next(AERO_HOST_LOW, 45), AERO_HOST_SOFT);
}

static void levels_can_be_off(void)
{
    static const struct aero_host_levels off = { { 60, 40, 0, 0 } };
    static const struct aero_host_levels none = { { 0 } };

    CU_ASSERT_EQUAL(aero_host_state_next(AERO_HOST_HIGH, 0, 1000, &off),
                    AERO_HOST_SOFT);
    CU_ASSERT_EQUAL(aero_host_state_next(AERO_HOST_LOW, 0, 1000, &none),
                    AERO_HOST_HIGH);
}

/* Whatever it was, one look is enough: a second changes nothing. */
static void a_state_is_kept(void)
{
    uint64_t seed = unit_seed();

    for (int run = 0; run < 2000; run++) {
        uint64_t spare = unit_below(&seed, 80), total = 1000;
        enum aero_host_state s = (enum aero_host_state)unit_below(&seed, 4);

        s = aero_host_state_next(s, spare, total, &usual);
        CU_ASSERT_EQUAL(aero_host_state_next(s, spare, total, &usual), s);
    }
}

static void the_smallest_that_is_enough_moves(void)
{
    const struct aero_mover m[] = { { 1, 500 }, { 7, 200 }, { 3, 200 },
                                    { 4, 50 } };

    CU_ASSERT_EQUAL(aero_host_should_move(m, 4, 40)->domid, 4);
    CU_ASSERT_EQUAL(aero_host_should_move(m, 4, 60)->domid, 3);
    CU_ASSERT_EQUAL(aero_host_should_move(m, 4, 201)->domid, 1);
    CU_ASSERT_EQUAL(aero_host_should_move(m, 4, 9000)->domid, 1);
    CU_ASSERT_PTR_NULL(aero_host_should_move(m, 0, 10));
    CU_ASSERT_EQUAL(aero_host_lack_kib(20, 1000, &usual), 40);
    CU_ASSERT_EQUAL(aero_host_lack_kib(70, 1000, &usual), 0);
}

static const struct unit_test tests[] = {
    { "states have hysteresis", has_hysteresis },
    { "states are jumped over", jumps_over_states },
    { "levels can be off", levels_can_be_off },
    { "a state is kept", a_state_is_kept },
    { "the smallest that is enough moves", the_smallest_that_is_enough_moves },
};

int main(void)
{
    return unit_run("host state", tests, sizeof(tests) / sizeof(tests[0]));
}
