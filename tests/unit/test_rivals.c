/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a guest is left to another balancer, and when it comes back. */
#include <string.h>

#include "base/clock.h"
#include "rivals.h"
#include "unit.h"

static uint64_t at(uint64_t seconds)
{
    return seconds * LXE_NS_PER_SEC;
}

static void single_changes_are_an_administrators(void)
{
    struct aero_rival r = { 0 };

    /* Never three within the window. */
    for (uint64_t s = 0; s < 10000; s += AERO_RIVAL_WINDOW_S / 2 + 1) {
        CU_ASSERT_FALSE(aero_rival_change(&r, at(s)));
        CU_ASSERT_FALSE(aero_rival_alone(&r, at(s)));
    }
    CU_ASSERT(r.changes > 50);
}

static void many_in_a_window_are_a_rivals(void)
{
    struct aero_rival r = { 0 };

    CU_ASSERT_FALSE(aero_rival_change(&r, at(100)));
    CU_ASSERT_FALSE(aero_rival_change(&r, at(250)));
    CU_ASSERT_FALSE(aero_rival_alone(&r, at(399)));
    CU_ASSERT_TRUE(aero_rival_change(&r, at(400)));
    CU_ASSERT_TRUE(aero_rival_alone(&r, at(400)));
    CU_ASSERT_TRUE(aero_rival_alone(&r, at(400 + AERO_RIVAL_ALONE_S - 1)));
    CU_ASSERT_FALSE(aero_rival_alone(&r, at(400 + AERO_RIVAL_ALONE_S)));
}

static void it_stays_away_while_the_rival_goes_on(void)
{
    struct aero_rival r = { 0 };
    uint64_t s = 0;

    for (; s < 20000; s += 10) {
        bool now = aero_rival_change(&r, at(s));

        CU_ASSERT_EQUAL(now, s == 20);
        CU_ASSERT_EQUAL(aero_rival_alone(&r, at(s)), s >= 20);
    }
    CU_ASSERT_TRUE(aero_rival_alone(&r, at(s + AERO_RIVAL_ALONE_S - 11)));
    CU_ASSERT_FALSE(aero_rival_alone(&r, at(s + AERO_RIVAL_ALONE_S)));
}

/* How long it is left alone after three changes that begin at *s. */
static uint64_t give_up(struct aero_rival *r, uint64_t *s)
{
    uint64_t from;

    aero_rival_change(r, at(*s));
    CU_ASSERT_FALSE(aero_rival_alone(r, at(*s)));
    aero_rival_change(r, at(*s + 1));
    CU_ASSERT_FALSE(aero_rival_alone(r, at(*s + 1)));
    CU_ASSERT_TRUE(aero_rival_change(r, at(*s + 2)));
    from = *s += 2;
    while (aero_rival_alone(r, at(*s)))
        (*s)++;
    return *s - from;
}

static void each_time_for_longer(void)
{
    struct aero_rival r = { 0 };
    uint64_t s = 7, want = AERO_RIVAL_ALONE_S;

    for (int i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(give_up(&r, &s), want);
        if (i < 4)
            want *= 2;
    }
    CU_ASSERT_EQUAL(want, 16 * AERO_RIVAL_ALONE_S);
    aero_rival_take_back(&r);
    CU_ASSERT_EQUAL(give_up(&r, &s), AERO_RIVAL_ALONE_S);
}

static void taken_back_at_once(void)
{
    struct aero_rival r = { 0 };

    for (int i = 0; i < 3; i++)
        aero_rival_change(&r, at(10));
    CU_ASSERT_TRUE(aero_rival_alone(&r, at(11)));
    aero_rival_take_back(&r);
    CU_ASSERT_FALSE(aero_rival_alone(&r, at(11)));
    CU_ASSERT_FALSE(aero_rival_change(&r, at(12)));
    CU_ASSERT_EQUAL(r.changes, 4);
}

static void guesses(void)
{
    struct lxe_domain d = { .dynamic_min_kib = LXE_UNKNOWN };

    CU_ASSERT_PTR_NOT_NULL(strstr(aero_rival_guess(&d), "mem-set"));
    d.report.source = LXE_REPORT_QUBES;
    CU_ASSERT_PTR_NOT_NULL(strstr(aero_rival_guess(&d), "qmemman"));
    d.dynamic_min_kib = 4096;
    CU_ASSERT_PTR_NOT_NULL(strstr(aero_rival_guess(&d), "squeezed"));
}

static const struct unit_test tests[] = {
    { "single changes are an administrator's",
      single_changes_are_an_administrators },
    { "many in a window are a rival's", many_in_a_window_are_a_rivals },
    { "away while the rival goes on", it_stays_away_while_the_rival_goes_on },
    { "each time for longer", each_time_for_longer },
    { "taken back at once", taken_back_at_once },
    { "guesses", guesses },
};

int main(void)
{
    return unit_run("rivals", tests, sizeof(tests) / sizeof(tests[0]));
}
