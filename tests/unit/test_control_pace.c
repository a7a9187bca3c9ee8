/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "control_pace.h"
#include "unit.h"

static const struct aero_pace_limit limit = { .requests = 3, .bytes = 1000 };
static const uint64_t start_ns = 7 * LXE_NS_PER_SEC;

static void requests_are_counted(void)
{
    struct aero_pace p = { 0 };

    for (int i = 0; i < 3; i++)
        CU_ASSERT_TRUE(aero_pace_take(&p, &limit, 1, start_ns));
    CU_ASSERT_FALSE(aero_pace_take(&p, &limit, 1, start_ns));
    CU_ASSERT_FALSE(aero_pace_take(&p, &limit, 1,
                                   start_ns + LXE_NS_PER_SEC - 1));
    for (int i = 0; i < 3; i++)
        CU_ASSERT_TRUE(aero_pace_take(&p, &limit, 1,
                                      start_ns + LXE_NS_PER_SEC));
    CU_ASSERT_FALSE(aero_pace_take(&p, &limit, 1, start_ns + LXE_NS_PER_SEC));
}

/* A long one may begin before they are used up. */
static void bytes_are_counted(void)
{
    struct aero_pace p = { 0 };

    CU_ASSERT_TRUE(aero_pace_take(&p, &limit, 999, start_ns));
    CU_ASSERT_TRUE(aero_pace_take(&p, &limit, 999, start_ns));
    CU_ASSERT_FALSE(aero_pace_take(&p, &limit, 1, start_ns));
    CU_ASSERT_TRUE(aero_pace_take(&p, &limit, 1, start_ns + LXE_NS_PER_SEC));
}

static void waits_for_the_rest_of_a_second(void)
{
    struct aero_pace p = { 0 };

    aero_pace_take(&p, &limit, 1, start_ns);
    CU_ASSERT_EQUAL(aero_pace_wait_ms(&p, start_ns), 1001);
    CU_ASSERT_EQUAL(aero_pace_wait_ms(&p, start_ns + LXE_NS_PER_SEC - 1), 1);
    CU_ASSERT_EQUAL(aero_pace_wait_ms(&p, start_ns + LXE_NS_PER_SEC), 0);
}

static const struct unit_test tests[] = {
    { "requests are counted", requests_are_counted },
    { "bytes are counted", bytes_are_counted },
    { "waits for the rest", waits_for_the_rest_of_a_second },
};

int main(void)
{
    return unit_run("control pace", tests, sizeof(tests) / sizeof(tests[0]));
}
