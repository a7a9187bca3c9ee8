/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a guest is judged by how it moves. */
#include "base/clock.h"
#include "guest_state.h"
#include "unit.h"

#define MIB 1024ull

/* One guest on a clock of its own. */
struct bench {
    struct lxe_domain dom;
    struct aero_state_input in;
    struct aero_state_memory memory;
    struct aero_guest_condition is;
};

static void set_up(struct bench *b)
{
    *b = (struct bench){
        .dom = { .domid = 3, .running = true, .target_kib = 1000 * MIB,
                 .static_max_kib = 2000 * MIB },
        .in = { .now_ns = 1000 * LXE_NS_PER_SEC, .seen_ns = 0,
                .held_kib = 1000 * MIB, .idle_kib = LXE_UNKNOWN },
    };
    b->in.dom = &b->dom;
}

static enum aero_guest_state judge(struct bench *b, unsigned after_s)
{
    b->in.now_ns += after_s * LXE_NS_PER_SEC;
    b->in.dom = &b->dom;
    aero_guest_judge(&b->in, &b->memory, &b->is);
    return b->is.state;
}

static void left_alone(void)
{
    struct bench b;

    set_up(&b);
    CU_ASSERT_EQUAL(judge(&b, 0), AERO_GUEST_ACTIVE);
    b.in.foreign = true;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_FOREIGN);
    CU_ASSERT_FALSE(aero_guest_movable(AERO_GUEST_FOREIGN));
    b.dom.no_balloon = true;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_FIXED);
    b.dom.paused = true;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_PAUSED);
    b.dom.static_max_kib = LXE_UNKNOWN;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_BUILDING);
    b.dom.shutdown = true;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_SHUTDOWN);
    b.in.announced = true;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_MIGRATING);
    b.dom.dying = true;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_DYING);
    b.dom.domid = 0;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_HOST);
    CU_ASSERT_FALSE(aero_guest_movable(AERO_GUEST_BOOTING));
    CU_ASSERT_TRUE(aero_guest_movable(AERO_GUEST_STUCK));
}

static void boots_until_it_settles(void)
{
    struct bench b;

    set_up(&b);
    b.in.seen_ns = b.in.now_ns;
    CU_ASSERT_EQUAL(judge(&b, 59), AERO_GUEST_BOOTING);
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_ACTIVE);
    b.in.seen_ns = b.in.now_ns;
    b.in.first_report_ns = b.in.now_ns;
    CU_ASSERT_EQUAL(judge(&b, 9), AERO_GUEST_BOOTING);
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_ACTIVE);
}

static void slow_woken_stuck(void)
{
    struct bench b;
    unsigned wakes = 0;

    set_up(&b);
    judge(&b, 0);
    b.dom.target_kib = 800 * MIB;
    CU_ASSERT_EQUAL(judge(&b, 0), AERO_GUEST_ACTIVE);
    CU_ASSERT_EQUAL(judge(&b, 4), AERO_GUEST_ACTIVE);
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_SLOW);
    for (int i = 0; i < 14; i++) {
        CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_SLOW);
        wakes += b.is.wake;
        if (b.is.wake)
            b.dom.target_kib += 4;
    }
    CU_ASSERT_EQUAL(wakes, 1);
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_STUCK);
    CU_ASSERT_TRUE(b.is.stuck_shrink);
    CU_ASSERT_FALSE(b.is.stuck_grow);
    /* Clipped, it stays marked for a minute and is then tried again. */
    b.dom.target_kib = 1000 * MIB;
    CU_ASSERT_EQUAL(judge(&b, 30), AERO_GUEST_STUCK);
    CU_ASSERT_EQUAL(judge(&b, 30), AERO_GUEST_ACTIVE);
    b.dom.target_kib = 800 * MIB;
    judge(&b, 1);
    CU_ASSERT_EQUAL(judge(&b, 20), AERO_GUEST_STUCK);
    CU_ASSERT_EQUAL(judge(&b, 100), AERO_GUEST_STUCK);
    /* The target still stands: it gets its full time again, no less. */
    CU_ASSERT_EQUAL(judge(&b, 20), AERO_GUEST_ACTIVE);
}

static void a_moving_target_does_not_hide_it(void)
{
    struct bench b;

    set_up(&b);
    for (int i = 0; i <= 20; i++) {
        b.dom.target_kib -= 8 * MIB;
        judge(&b, 1);
    }
    CU_ASSERT_EQUAL(b.is.state, AERO_GUEST_STUCK);
}

static void progress_clears_it(void)
{
    struct bench b;

    set_up(&b);
    b.dom.target_kib = 1500 * MIB;
    judge(&b, 0);
    CU_ASSERT_EQUAL(judge(&b, 25), AERO_GUEST_STUCK);
    CU_ASSERT_TRUE(b.is.stuck_grow);
    b.in.held_kib += AERO_PROGRESS_KIB + 128 - 4;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_STUCK);
    b.in.held_kib += 4;
    CU_ASSERT_EQUAL(judge(&b, 0), AERO_GUEST_ACTIVE);
    CU_ASSERT_FALSE(b.is.stuck_grow);
}

/* Some movement is not enough: it must be such that it comes to something. */
static void a_trickle_is_stuck(void)
{
    struct bench b;

    set_up(&b);
    b.in.fastest_kib_s = 100 * MIB;
    b.dom.target_kib = 500 * MIB;
    for (int i = 0; i <= 21; i++) {
        judge(&b, 1);
        b.in.held_kib -= 900; /* expected are 1024 a second */
    }
    CU_ASSERT_EQUAL(b.is.state, AERO_GUEST_STUCK);
    set_up(&b);
    b.dom.target_kib = 500 * MIB;
    for (int i = 0; i <= 60; i++) {
        CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_ACTIVE);
        b.in.held_kib -= 500; /* 128 are, of one never seen to be faster */
    }
}

static void a_jump_of_the_clock_proves_nothing(void)
{
    struct bench b;

    set_up(&b);
    b.dom.target_kib = 500 * MIB;
    judge(&b, 0);
    CU_ASSERT_EQUAL(judge(&b, 3600), AERO_GUEST_ACTIVE);
    CU_ASSERT_EQUAL(b.is.floor_kib, 0);
    CU_ASSERT_EQUAL(judge(&b, 20), AERO_GUEST_STUCK);
}

static void a_floor_is_kept_for_a_while(void)
{
    struct bench b;

    set_up(&b);
    b.dom.target_kib = 500 * MIB;
    judge(&b, 0);
    b.in.held_kib = 800 * MIB;
    judge(&b, 1);
    judge(&b, 4);
    CU_ASSERT_EQUAL(b.is.floor_kib, 0);
    judge(&b, 1);
    CU_ASSERT_EQUAL(b.is.floor_kib, 800 * MIB);
    b.dom.target_kib = b.in.held_kib = 1000 * MIB;
    judge(&b, 60);
    CU_ASSERT_EQUAL(b.is.floor_kib, 800 * MIB);
    judge(&b, 60);
    CU_ASSERT_EQUAL(b.is.floor_kib, 0);
}

/* Told to shrink from 800 MiB, of which so much is idle, and does not. */
static void resist(struct bench *b, uint64_t idle_kib)
{
    set_up(b);
    b->in.held_kib = 800 * MIB;
    b->in.idle_kib = idle_kib;
    b->dom.target_kib = 500 * MIB;
    judge(b, 0);
    CU_ASSERT_EQUAL(judge(b, 20), AERO_GUEST_STUCK);
}

static void who_uses_less_is_asked_again(void)
{
    struct bench b;

    resist(&b, 0);
    b.in.idle_kib = 49 * MIB;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_STUCK);
    CU_ASSERT_EQUAL(b.is.floor_kib, 800 * MIB);
    b.in.idle_kib = 50 * MIB;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_ACTIVE);
    CU_ASSERT_FALSE(b.is.stuck_shrink);
    CU_ASSERT_EQUAL(b.is.floor_kib, 0);
}

/* That it uses little was so before: this is not why it does not shrink. */
static void who_was_idle_is_not_asked_again(void)
{
    struct bench b;

    resist(&b, 300 * MIB);
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_STUCK);
    resist(&b, LXE_UNKNOWN);
    b.in.idle_kib = 300 * MIB;
    CU_ASSERT_EQUAL(judge(&b, 1), AERO_GUEST_STUCK);
}

static void who_gives_nothing_keeps_what_it_uses(void)
{
    struct bench b;

    resist(&b, 50 * MIB);
    CU_ASSERT_FALSE(b.is.keeps_use);
    resist(&b, LXE_UNKNOWN);
    CU_ASSERT_FALSE(b.is.keeps_use);
    resist(&b, 49 * MIB);
    CU_ASSERT_TRUE(b.is.keeps_use);
    b.dom.target_kib = b.in.held_kib;
    judge(&b, AERO_KEEPS_S - 1);
    CU_ASSERT_TRUE(b.is.keeps_use);
    judge(&b, 1);
    CU_ASSERT_FALSE(b.is.keeps_use);
}

static void intermittent_is_not_stuck(void)
{
    struct bench b;

    set_up(&b);
    b.dom.target_kib = 500 * MIB;
    judge(&b, 0);
    for (int i = 0; i < 40; i++) {
        b.in.held_kib -= 1 * MIB;
        CU_ASSERT_EQUAL(judge(&b, 3), AERO_GUEST_ACTIVE);
    }
}

static void pause_stops_the_clock(void)
{
    struct bench b;

    set_up(&b);
    b.dom.target_kib = 500 * MIB;
    judge(&b, 0);
    b.dom.paused = true;
    judge(&b, 100);
    b.dom.paused = false;
    CU_ASSERT_EQUAL(judge(&b, 4), AERO_GUEST_ACTIVE);
}

static const struct unit_test tests[] = {
    { "left alone", left_alone },
    { "boots until it settles", boots_until_it_settles },
    { "slow, woken once, stuck, tried again", slow_woken_stuck },
    { "a moving target hides nothing", a_moving_target_does_not_hide_it },
    { "progress clears it", progress_clears_it },
    { "a trickle is stuck", a_trickle_is_stuck },
    { "a jump of the clock proves nothing",
      a_jump_of_the_clock_proves_nothing },
    { "a floor is kept for a while", a_floor_is_kept_for_a_while },
    { "who uses less is asked again", who_uses_less_is_asked_again },
    { "who was idle is not asked again", who_was_idle_is_not_asked_again },
    { "who gives nothing keeps what it uses",
      who_gives_nothing_keeps_what_it_uses },
    { "intermittent is not stuck", intermittent_is_not_stuck },
    { "a pause stops the clock", pause_stops_the_clock },
};

int main(void)
{
    return unit_run("guest_state", tests, sizeof(tests) / sizeof(tests[0]));
}
