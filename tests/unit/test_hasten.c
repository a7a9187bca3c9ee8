/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Donors that stand in for slow ones, and how their speed is found. */
#include "base/clock.h"
#include "hasten.h"
#include "speed.h"
#include "unit.h"

#define UNKNOWN UINT64_MAX
#define MOST    1000000u
#define START   4096u /* what one that does not move is asked for */

static struct aero_donor donor(uint64_t next, uint64_t speed)
{
    return (struct aero_donor){ .held = 100000, .least = 20000,
                                .base = 15000, .shares = 100, .speed = speed,
                                .next = next };
}

static void enough_is_left_alone(void)
{
    struct aero_donor d[] = { donor(50000, UNKNOWN), donor(100000, UNKNOWN) };

    CU_ASSERT_EQUAL(aero_hasten(d, 2, 50000, MOST), 0);
    CU_ASSERT_EQUAL(d[0].next, 50000);
    CU_ASSERT_EQUAL(d[1].next, 100000);
}

static void a_stuck_one_is_stood_in_for(void)
{
    struct aero_donor d[] = { donor(50000, 0), donor(100000, UNKNOWN) };

    aero_hasten(d, 2, 50000, MOST);
    CU_ASSERT_EQUAL(d[0].next, 50000); /* may still wake up */
    CU_ASSERT_EQUAL(d[1].next, 50000);
}

static void a_slow_one_is_asked_for_little_more(void)
{
    struct aero_donor d[] = { donor(100000, 1000), donor(100000, 0) };

    aero_hasten(d, 2, 50000, MOST);
    CU_ASSERT_EQUAL(d[0].next, 100000 - 2 * 1000 - START);
    CU_ASSERT_EQUAL(d[1].next, 100000 - START);
}

static void bounds_hold(void)
{
    uint64_t seed = unit_seed();

    for (int run = 0; run < 2000; run++) {
        uint64_t missing = 1 + unit_below(&seed, 400000);
        struct aero_donor d[6], was[6];

        for (int i = 0; i < 6; i++) {
            d[i] = donor(unit_below(&seed, 120000), unit_below(&seed, 200000));
            d[i].speed = unit_below(&seed, 3) ? d[i].speed : UNKNOWN;
            d[i].least = unit_below(&seed, 120000);
            was[i] = d[i];
        }
        aero_hasten(d, 6, missing, 50000);
        for (int i = 0; i < 6; i++) {
            uint64_t low = d[i].least < 50000 ? 50000 : d[i].least;

            if (d[i].next <= was[i].next &&
                (d[i].next == was[i].next || d[i].next >= low))
                continue;
            CU_FAIL("a donor is asked for more than it may give");
            return;
        }
    }
    CU_PASS("no donor is asked for more than it may give");
}

static void sample(struct aero_speed *s, unsigned ms, uint64_t held,
                   uint64_t target)
{
    aero_speed_sample(s, (1000 + ms) * LXE_NS_PER_MS, held, target, 10);
}

static void speed_is_found(void)
{
    struct aero_speed s = { 0 };

    sample(&s, 0, 100000, 100000);
    CU_ASSERT_EQUAL(aero_speed_kib_s(&s), UINT64_MAX);
    sample(&s, 1000, 100000, 50000); /* asked */
    sample(&s, 1250, 100000, 50000); /* may not have begun */
    CU_ASSERT_EQUAL(aero_speed_kib_s(&s), UINT64_MAX);
    sample(&s, 1500, 100000, 50000);
    CU_ASSERT_EQUAL(aero_speed_kib_s(&s), 0);
    for (unsigned i = 1; i <= 40; i++)
        sample(&s, 1500 + i * 250, 100000 - i * 1000, 50000);
    CU_ASSERT(aero_speed_kib_s(&s) > 3900 && aero_speed_kib_s(&s) <= 4000);
    CU_ASSERT(s.fastest_kib_s > 3999 && s.fastest_kib_s < 4001);
    /* There: how fast it could be, nobody can say; but no slower. */
    sample(&s, 12500, 60000, 60000);
    CU_ASSERT(aero_speed_kib_s(&s) > 3900);
    sample(&s, 90000, 60000, 50000); /* long ago */
    CU_ASSERT_EQUAL(aero_speed_kib_s(&s), UINT64_MAX);
}

static const struct unit_test tests[] = {
    { "enough is left alone", enough_is_left_alone },
    { "a stuck one is stood in for", a_stuck_one_is_stood_in_for },
    { "a slow one is asked for little more",
      a_slow_one_is_asked_for_little_more },
    { "bounds hold", bounds_hold },
    { "speed is found", speed_is_found },
};

int main(void)
{
    return unit_run("hasten", tests, sizeof(tests) / sizeof(tests[0]));
}
