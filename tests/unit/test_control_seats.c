/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "control_seats.h"
#include "seldom.h"
#include "unit.h"

static unsigned take_all(struct aero_seats *s, uid_t uid)
{
    unsigned n = 0;

    while (n < 1000 && aero_seats_take(s, uid))
        n++;
    return n;
}

static void others_leave_half_to_root(void)
{
    struct aero_seats s = { 0 };

    CU_ASSERT_EQUAL(take_all(&s, 1000), AERO_SEATS_OTHERS);
    CU_ASSERT_FALSE(aero_seats_take(&s, 1001)); /* nor another of them */
    CU_ASSERT_EQUAL(take_all(&s, 0), AERO_SEATS - AERO_SEATS_OTHERS);
    aero_seats_leave(&s, 0);
    CU_ASSERT_FALSE(aero_seats_take(&s, 1000));
    CU_ASSERT_TRUE(aero_seats_take(&s, 0));
    aero_seats_leave(&s, 1000);
    CU_ASSERT_TRUE(aero_seats_take(&s, 1001));
}

static void root_may_have_all(void)
{
    struct aero_seats s = { 0 };

    CU_ASSERT_EQUAL(take_all(&s, 0), AERO_SEATS);
    CU_ASSERT_FALSE(aero_seats_take(&s, 1000));
    for (unsigned i = 0; i < AERO_SEATS; i++)
        aero_seats_leave(&s, 0);
    CU_ASSERT_EQUAL(take_all(&s, 1000), AERO_SEATS_OTHERS);
}

static void told_now_and_then(void)
{
    const uint64_t start_ns = 5 * LXE_NS_PER_SEC;
    const uint64_t apart_ns = AERO_SELDOM_S * LXE_NS_PER_SEC;
    struct aero_seldom s = { 0 };

    CU_ASSERT_EQUAL(aero_seldom(&s, start_ns), 1);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(aero_seldom(&s, start_ns + apart_ns - 1), 0);
    CU_ASSERT_EQUAL(aero_seldom(&s, start_ns + apart_ns), 1001);
    CU_ASSERT_EQUAL(aero_seldom(&s, start_ns + apart_ns), 0);
    CU_ASSERT_EQUAL(aero_seldom(&s, start_ns + 9 * apart_ns), 2);
}

static const struct unit_test tests[] = {
    { "others leave half to root", others_leave_half_to_root },
    { "root may have all", root_may_have_all },
    { "told now and then", told_now_and_then },
};

int main(void)
{
    return unit_run("control seats", tests, sizeof(tests) / sizeof(tests[0]));
}
