/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole ticks on a simulated host, whose books are checked at each step. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "balancer.h"
#include "base/clock.h"
#include "host_sim.h"
#include "journal.h"
#include "unit.h"

#define MIB 1024ull

struct bench {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
};

static void on_broken(const char *what, void *data)
{
    (void)data;
    printf("\n  the host's books: %s\n", what);
    CU_FAIL("the host's books do not add up");
}

static void set_up(struct bench *b, const char *scenario)
{
    struct lxe_err err = { 0 };

    memset(b, 0, sizeof(*b));
    if (lxe_sim_open_text(scenario, strlen(scenario), "scenario",
                          LXE_SIM_MANUAL, &b->host, &err)) {
        puts(err.text);
        CU_FAIL_FATAL("no simulated host");
    }
    lxe_sim_set_invariant(b->host, on_broken, NULL);
    aero_config_defaults(&b->config);
    aero_balancer_init(&b->balancer, b->host, &b->config);
}

static void tear_down(struct bench *b)
{
    aero_balancer_clear(&b->balancer);
    b->host->ops->close(b->host);
}

static void run_s(struct bench *b, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        aero_balancer_tick(&b->balancer);
        lxe_sim_advance(b->host, LXE_NS_PER_SEC);
    }
}

static struct lxe_domain domain(struct bench *b, uint32_t domid)
{
    struct lxe_err err = { 0 };
    struct lxe_domain d = { 0 };

    CU_ASSERT_EQUAL(b->host->ops->get_domain(b->host, domid, &d, &err), 0);
    return d;
}

static enum aero_guest_state state(struct bench *b, uint32_t domid)
{
    return aero_guests_find(&b->balancer.guests, domid)->condition.state;
}

static void idle_give_to_one_that_grows(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"i1\", \"memory_kib\": 1048576,"
        "    \"report\": \"agent\", \"demand\": [[0, 204800]] },"
        "  { \"name\": \"i2\", \"memory_kib\": 1048576,"
        "    \"report\": \"qubes\", \"demand\": [[0, 204800]] },"
        "  { \"name\": \"g\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 3145728, \"report\": \"agent\","
        "    \"demand\": [[0, 204800], [20, 204800], [100, 1945600]],"
        "    \"swap_kib\": 524288 } ] }";
    struct lxe_sim_truth truth;
    struct bench b;

    set_up(&b, scenario);
    for (int i = 0; i < 150; i++) {
        run_s(&b, 1);
        CU_ASSERT_EQUAL(lxe_sim_truth(b.host, 3, &truth, NULL), 0);
        CU_ASSERT_EQUAL(truth.unmet_kib, 0);
        CU_ASSERT_EQUAL(truth.swap_kib, 0);
    }
    CU_ASSERT(domain(&b, 1).current_kib < 1048576);
    CU_ASSERT(domain(&b, 2).current_kib < 1048576);
    CU_ASSERT(domain(&b, 3).current_kib > 1945600);
    tear_down(&b);
}

/* Runs for an hour; returns how often a target was changed. */
static uint64_t moves_in_an_hour(struct bench *b)
{
    const struct aero_counters *c = &b->balancer.counters;
    uint64_t before = c->grows + c->shrinks;

    for (unsigned i = 0; i < 1800; i++) {
        aero_balancer_tick(&b->balancer);
        lxe_sim_advance(b->host, 2 * LXE_NS_PER_SEC);
    }
    return c->grows + c->shrinks - before;
}

/* A quarter of what it has is more than a tick may change. */
static void big_idle_guests_take_surplus(void)
{
    static const char one[] =
        "{ \"host\": { \"total_kib\": 33554432 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 2097152,"
        "    \"static_max_kib\": 16777216, \"report\": \"agent\","
        "    \"demand\": [[0, 512000]] } ] }";
    struct bench b;

    set_up(&b, one);
    run_s(&b, 300);
    /* All but the sixteenth of the host that is held back, and a step. */
    CU_ASSERT(domain(&b, 1).target_kib > 13 * 1024 * MIB);
    CU_ASSERT_EQUAL(moves_in_an_hour(&b), 0);
    tear_down(&b);
}

/* There is not enough for both: none takes from the other one. */
static void surplus_is_not_traded(void)
{
    static const char two[] =
        "{ \"host\": { \"total_kib\": 20971520 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 8388608,"
        "    \"static_max_kib\": 16777216, \"report\": \"agent\","
        "    \"demand\": [[0, 512000]] },"
        "  { \"name\": \"b\", \"memory_kib\": 2097152,"
        "    \"static_max_kib\": 16777216, \"report\": \"agent\","
        "    \"demand\": [[0, 1024000], [900, 1024000], [930, 512000]] } ] }";
    struct bench b;

    set_up(&b, two);
    run_s(&b, 300);
    CU_ASSERT(domain(&b, 2).target_kib > 7 * 1024 * MIB);
    CU_ASSERT(domain(&b, 1).target_kib >= 8 * 1024 * MIB);
    CU_ASSERT(b.balancer.memory.free_kib > 512 * MIB);
    CU_ASSERT_EQUAL(moves_in_an_hour(&b), 0); /* whatever becomes idle */
    tear_down(&b);
}

static void comes_to_rest(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\" },"
        "  { \"name\": \"b\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\" } ] }";
    uint64_t before[2];
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 120);
    before[0] = domain(&b, 1).target_kib;
    before[1] = domain(&b, 2).target_kib;
    for (int i = 0; i < 60; i++) {
        run_s(&b, 1);
        CU_ASSERT_EQUAL(domain(&b, 1).target_kib, before[0]);
        CU_ASSERT_EQUAL(domain(&b, 2).target_kib, before[1]);
    }
    CU_ASSERT(before[0] > 1048576);
    CU_ASSERT(b.balancer.memory.free_kib >= b.config.host_reserve_kib);
    tear_down(&b);
}

static void stuck_is_woken_clipped_worked_around(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 3145728 }, \"guests\": ["
        "  { \"name\": \"stuck\", \"memory_kib\": 1048576, \"stuck\": true,"
        "    \"report\": \"agent\", \"demand\": [[0, 102400]] },"
        "  { \"name\": \"floor\", \"memory_kib\": 819200,"
        "    \"floor_kib\": 614400,"
        "    \"report\": \"agent\", \"demand\": [[0, 102400]] },"
        "  { \"name\": \"wants\", \"memory_kib\": 524288,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 512000], [60, 1843200]],"
        "    \"swap_kib\": 2097152 } ] }";
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 70);
    CU_ASSERT_EQUAL(state(&b, 1), AERO_GUEST_STUCK);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, 1048576);
    CU_ASSERT_EQUAL(aero_guests_find(&b.balancer.guests, 1)->reason.cause,
                    AERO_CAUSE_STUCK_SHRINK);
    CU_ASSERT(domain(&b, 2).current_kib < 819200);
    CU_ASSERT(domain(&b, 3).current_kib > 600000);
    tear_down(&b);
}

/* Two guests need more than there is; then the smaller one goes. */
static void low_names_who_should_move(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"big\", \"memory_kib\": 1572864,"
        "    \"static_max_kib\": 3145728, \"report\": \"agent\","
        "    \"demand\": [[0, 204800], [30, 2600000]],"
        "    \"swap_kib\": 2097152 },"
        "  { \"name\": \"small\", \"memory_kib\": 1048576,"
        "    \"report\": \"agent\", \"demand\": [[0, 1024000]] } ] }";
    struct aero_reservation want = { .owner = 1, .kib = 256 * MIB,
                                     .deadline_ns = UINT64_MAX };
    struct lxe_err err = { 0 };
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 5);
    CU_ASSERT_EQUAL(b.balancer.state, AERO_HOST_HIGH);
    run_s(&b, 95);
    CU_ASSERT_EQUAL(b.balancer.state, AERO_HOST_LOW);
    CU_ASSERT_EQUAL(b.balancer.should_move, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(b.balancer.shortage, "small"));
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, &err), -ENOSPC);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "memory is low"));
    CU_ASSERT(aero_balancer_obtainable_kib(&b.balancer) < want.kib);
    CU_ASSERT_EQUAL(lxe_sim_destroy(b.host, 2, &err), 0);
    run_s(&b, 60);
    CU_ASSERT_EQUAL(b.balancer.state, AERO_HOST_HIGH);
    CU_ASSERT_EQUAL(b.balancer.should_move, AERO_NO_DOMID);
    CU_ASSERT(aero_balancer_obtainable_kib(&b.balancer) > 0);
    CU_ASSERT(domain(&b, 1).current_kib > 2600000);
    tear_down(&b);
}

static void paused_and_silent_are_left(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 3145728 }, \"guests\": ["
        "  { \"name\": \"paused\", \"memory_kib\": 819200,"
        "    \"report\": \"agent\", \"demand\": [[0, 102400]] },"
        "  { \"name\": \"silent\", \"memory_kib\": 819200 },"
        "  { \"name\": \"none\", \"memory_kib\": 204800,"
        "    \"no_balloon\": true },"
        "  { \"name\": \"wants\", \"memory_kib\": 524288,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 1843200]], \"swap_kib\": 2097152 } ] }";
    struct bench b;

    set_up(&b, scenario);
    CU_ASSERT_EQUAL(b.host->ops->pause(b.host, 1, NULL), 0);
    run_s(&b, 100);
    CU_ASSERT_EQUAL(state(&b, 1), AERO_GUEST_PAUSED);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, 819200);
    CU_ASSERT_EQUAL(domain(&b, 2).target_kib, 819200);
    CU_ASSERT_EQUAL(state(&b, 3), AERO_GUEST_FIXED);
    CU_ASSERT_EQUAL(domain(&b, 3).target_kib, 204800);
    CU_ASSERT(domain(&b, 4).target_kib > 524288);
    tear_down(&b);
}

/* What a silent guest has after ten minutes in which memory is scarce. */
static uint64_t silent_after(bool probe)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 3145728 }, \"guests\": ["
        "  { \"name\": \"silent\", \"memory_kib\": 1048576,"
        "    \"floor_kib\": 786432 },"
        "  { \"name\": \"wants\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 1843200]], \"swap_kib\": 2097152 } ] }";
    struct bench b;
    uint64_t kib;

    set_up(&b, scenario);
    b.config.probe = probe;
    run_s(&b, 600);
    kib = domain(&b, 1).current_kib;
    tear_down(&b);
    return kib;
}

static void silent_ones_are_probed(void)
{
    uint64_t kib = silent_after(true);

    CU_ASSERT_EQUAL(silent_after(false), 1048576);
    CU_ASSERT(kib < 960 * MIB);
    CU_ASSERT(kib >= 768 * MIB);
}

static void errors_are_survived(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\" },"
        "  { \"name\": \"b\", \"memory_kib\": 1048576 } ] }";
    struct bench b;

    set_up(&b, scenario);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_RECONNECT, -EIO, 2);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_LIST_DOMAINS, -EIO, 1);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b.balancer), -EIO);
    CU_ASSERT(b.balancer.trouble[0]);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b.balancer), 0);
    CU_ASSERT_FALSE(b.balancer.trouble[0]);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_MEMORY, -EIO, 1);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b.balancer), -EIO);
    run_s(&b, 10);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_SET_TARGET, -EIO, 2);
    run_s(&b, 2);
    CU_ASSERT(b.balancer.trouble[0]);
    lxe_sim_vanish_after_list(b.host, 2); /* in the middle of a tick */
    run_s(&b, 30);
    CU_ASSERT_FALSE(b.balancer.trouble[0]);
    CU_ASSERT(domain(&b, 1).target_kib > 1048576);
    CU_ASSERT_PTR_NULL(aero_guests_find(&b.balancer.guests, 2));
    tear_down(&b);
}

/* xenstored is restarted: nothing that is known or promised is lost. */
static void reconnects(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\" } ] }";
    struct aero_reservation want = { .owner = 1, .kib = 540672,
                                     .deadline_ns = UINT64_MAX };
    struct lxe_err err = { 0 };
    struct bench b;
    uint64_t before;

    set_up(&b, scenario);
    run_s(&b, 30);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, &err), 0);
    run_s(&b, 20);
    before = domain(&b, 1).target_kib;
    lxe_sim_disconnect(b.host);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_RECONNECT, -EIO, 5);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(aero_balancer_tick(&b.balancer), -EIO);
        lxe_sim_advance(b.host, LXE_NS_PER_SEC);
    }
    CU_ASSERT(b.balancer.trouble[0]);
    CU_ASSERT_EQUAL(b.balancer.reconnects, 0);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b.balancer), 0);
    CU_ASSERT_EQUAL(b.balancer.reconnects, 1);
    CU_ASSERT_FALSE(b.balancer.trouble[0]);
    run_s(&b, 20);
    CU_ASSERT_EQUAL(b.balancer.reconnects, 1);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&b.balancer.reservations),
                    540672);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, before);
    tear_down(&b);
}

/* A second daemon takes over what the first one left, and moves nothing. */
static void takes_over(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 204800]] },"
        "  { \"name\": \"b\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\","
        "    \"demand\": [[0, 900000]] },"
        "  { \"name\": \"silent\", \"memory_kib\": 524288 } ] }";
    uint64_t before[4];
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 120);
    for (uint32_t i = 1; i < 4; i++)
        before[i] = domain(&b, i).target_kib;
    aero_balancer_stop(&b.balancer);
    aero_balancer_clear(&b.balancer);
    aero_balancer_init(&b.balancer, b.host, &b.config);
    for (int s = 0; s < 120; s++) {
        run_s(&b, 1);
        for (uint32_t i = 1; i < 4; i++)
            CU_ASSERT_EQUAL(domain(&b, i).target_kib, before[i]);
    }
    tear_down(&b);
}

static bool none_below_its_minimum(const struct aero_balancer *b)
{
    for (size_t i = 0; i < b->guests.count; i++) {
        const struct aero_guest *g = &b->guests.items[i];

        if (g->set_kib != LXE_UNKNOWN && g->set_kib == g->dom.target_kib &&
            g->set_kib < g->min_kib)
            return false;
    }
    return true;
}

/* Each op fails now and then, domains vanish, the clock stands or jumps. */
static void survives_anything(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 6291456 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576, \"dying_s\": 1,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 204800], [50, 1500000], [100, 204800]] },"
        "  { \"name\": \"b\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"qubes\","
        "    \"demand\": [[0, 900000], [80, 200000]] },"
        "  { \"name\": \"c\", \"memory_kib\": 1048576, \"build_s\": 1,"
        "    \"floor_kib\": 700000, \"report\": \"xenserver\" } ] }";
    static const char *const names[] = { "a", "b", "c" };
    uint64_t seed = unit_seed();
    struct bench b;

    set_up(&b, scenario);
    for (int i = 0; i < 3000; i++) {
        struct aero_reservation want = { .owner = 1, .deadline_ns = 0,
            .kib = 1 + unit_below(&seed, 2000000) };
        uint32_t domid;

        if (unit_below(&seed, 4) == 0)
            lxe_sim_fail_next(b.host,
                              (enum lxe_sim_op)unit_below(&seed, LXE_SIM_OPS),
                              -EIO, (unsigned)unit_below(&seed, 4));
        if (unit_below(&seed, 50) == 0)
            lxe_sim_disconnect(b.host);
        if (unit_below(&seed, 30) == 0)
            lxe_sim_vanish_after_list(b.host, (uint32_t)unit_below(&seed, 40));
        if (unit_below(&seed, 20) == 0)
            lxe_sim_create(b.host, names[unit_below(&seed, 3)], &domid, NULL);
        if (unit_below(&seed, 20) == 0)
            aero_balancer_reserve(&b.balancer, &want, NULL);
        if (unit_below(&seed, 40) == 0)
            aero_reservations_drop_owner(&b.balancer.reservations, 1);
        aero_balancer_tick(&b.balancer);
        CU_ASSERT_FATAL(none_below_its_minimum(&b.balancer));
        lxe_sim_advance(b.host, unit_below(&seed, 3) * LXE_NS_PER_SEC / 2);
        if (unit_below(&seed, 500) == 0)
            lxe_sim_advance(b.host, 3600 * LXE_NS_PER_SEC);
    }
    for (int op = 0; op < LXE_SIM_OPS; op++)
        lxe_sim_fail_next(b.host, (enum lxe_sim_op)op, 0, 0);
    run_s(&b, 3);
    CU_ASSERT_FALSE(b.balancer.trouble[0]);
    tear_down(&b);
}

static void lost_undo_is_tried_again(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576 } ] }";
    struct lxe_err err = { 0 };
    struct lxe_domain d;
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 1);
    d = domain(&b, 1);
    CU_ASSERT_EQUAL(aero_migrations_begin(&b.balancer.migrations, 1, &d,
                                          "far", 1048576, 0, &err), 0);
    b.host->ops->set_target(b.host, 1, 524288, &err);
    CU_ASSERT_EQUAL(aero_migrations_lose_owner(&b.balancer.migrations, 1), 1);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_RESUME, -EIO, 3);
    run_s(&b, 3);
    CU_ASSERT_EQUAL(b.balancer.migrations.count, 1);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, 524288);
    run_s(&b, 1);
    CU_ASSERT_EQUAL(b.balancer.migrations.count, 0);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, 1048576);
    tear_down(&b);
}

static void ends_at_safe_targets(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 3145728 }, \"guests\": ["
        "  { \"name\": \"slow\", \"memory_kib\": 1048576,"
        "    \"balloon_kib_s\": 4096, \"report\": \"agent\","
        "    \"demand\": [[0, 102400]] },"
        "  { \"name\": \"wants\", \"memory_kib\": 819200,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 1843200]], \"swap_kib\": 2097152 } ] }";
    struct lxe_domain d;
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 15);
    d = domain(&b, 1);
    CU_ASSERT(d.target_kib + 16 * MIB < d.current_kib);
    aero_balancer_stop(&b.balancer);
    d = domain(&b, 1);
    CU_ASSERT_EQUAL(d.target_kib, d.current_kib);
    tear_down(&b);
}

static void a_migrating_guest_finds_its_memory(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 3145728 }, \"guests\": ["
        "  { \"name\": \"moves\", \"memory_kib\": 1048576,"
        "    \"report\": \"agent\", \"demand\": [[0, 102400]] },"
        "  { \"name\": \"wants\", \"memory_kib\": 819200,"
        "    \"static_max_kib\": 3145728, \"report\": \"agent\","
        "    \"demand\": [[0, 2457600]], \"swap_kib\": 2457600 } ] }";
    struct lxe_err err = { 0 };
    struct lxe_domain d;
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 1);
    d = domain(&b, 1);
    CU_ASSERT_EQUAL(aero_migrations_begin(&b.balancer.migrations, 1, &d,
                                          "far", 1048576, 0, &err), 0);
    b.host->ops->set_target(b.host, 1, 204800, &err);
    run_s(&b, 60);
    CU_ASSERT(domain(&b, 1).current_kib < 210000);
    CU_ASSERT(domain(&b, 2).current_kib > 1000000);
    aero_migrations_lose_owner(&b.balancer.migrations, 1);
    aero_balancer_tick(&b.balancer); /* sets its target again */
    CU_ASSERT(b.balancer.memory.free_kib >= 1048576 - 210000);
    tear_down(&b);
}

static void a_transfer_does_not_count_twice(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\" },"
        "  { \"name\": \"new\", \"memory_kib\": 524288, \"absent\": true,"
        "    \"build_s\": 10 } ] }";
    struct aero_reservation want = { .owner = 1, .kib = 540672,
                                     .deadline_ns = UINT64_MAX };
    struct lxe_err err = { 0 };
    struct bench b;
    uint32_t domid;

    set_up(&b, scenario);
    run_s(&b, 30);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, &err), 0);
    run_s(&b, 20);
    CU_ASSERT_TRUE(b.balancer.reservations.items[0].held);
    CU_ASSERT_EQUAL(lxe_sim_create(b.host, "new", &domid, &err), 0);
    CU_ASSERT_EQUAL(aero_reservations_transfer(&b.balancer.reservations, 1, 1,
                                               domid, &err), 0);
    run_s(&b, 5);
    CU_ASSERT_EQUAL(state(&b, domid), AERO_GUEST_BUILDING);
    CU_ASSERT(aero_reservations_held_kib(&b.balancer.reservations) <
              want.kib / 2);
    run_s(&b, 20);
    CU_ASSERT_EQUAL(lxe_sim_refused_builds(b.host), 0);
    CU_ASSERT(domain(&b, domid).current_kib >= 524288);
    tear_down(&b);
}

/* The same without a client that says which domain it is. */
static void a_reservation_meets_its_domain(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"new\", \"memory_kib\": 524288, \"absent\": true,"
        "    \"build_s\": 5 },"
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 4194304, \"report\": \"agent\" } ] }";
    struct aero_reservation want = { .owner = 1, .kib = 540672,
                                     .deadline_ns = UINT64_MAX,
                                     .label = "new", .follow = true };
    struct lxe_err err = { 0 };
    struct bench b;
    uint32_t domid;

    set_up(&b, scenario);
    run_s(&b, 30);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, &err), 0);
    CU_ASSERT_TRUE(aero_balancer_awaited(&b.balancer));
    run_s(&b, 20);
    CU_ASSERT_TRUE(b.balancer.reservations.items[0].held);
    CU_ASSERT_TRUE(aero_balancer_awaited(&b.balancer));
    CU_ASSERT_EQUAL(lxe_sim_create(b.host, "new", &domid, &err), 0);
    run_s(&b, 3);
    CU_ASSERT_EQUAL(b.balancer.reservations.items[0].domid, domid);
    CU_ASSERT(aero_reservations_held_kib(&b.balancer.reservations) < want.kib);
    run_s(&b, 5);
    CU_ASSERT_EQUAL(b.balancer.reservations.count, 0);
    CU_ASSERT_FALSE(aero_balancer_awaited(&b.balancer));
    CU_ASSERT(domain(&b, domid).current_kib >= 524288);
    tear_down(&b);
}

static void note_decision(const struct aero_reservation *r, void *data)
{
    *(int *)data = r->held ? 1 : -1;
}

/*
 * One of the cases that squeezed is tested with, by docs/scenarios/, until its
 * guests have settled.
 */
static void set_up_squeezed(struct bench *b, const char *name)
{
    struct lxe_err err = { 0 };
    char path[4096];

    memset(b, 0, sizeof(*b));
    snprintf(path, sizeof(path), "%s/docs/scenarios/squeezed-%s.json",
             getenv("top_srcdir"), name);
    if (lxe_sim_open(path, LXE_SIM_MANUAL, &b->host, &err))
        CU_FAIL_FATAL("no scenario");
    lxe_sim_set_invariant(b->host, on_broken, NULL);
    aero_config_defaults(&b->config);
    b->config.host_reserve_kib = 0;
    aero_balancer_init(&b->balancer, b->host, &b->config);
    run_s(b, 62); /* they report nothing: settled after a minute */
}

#define AT_ONCE (-1)

/*
 * Asks for memory. Returns the quarters of a second until it was granted, or
 * refused with *granted false; AT_ONCE; or 240 if not decided within 60 s.
 */
static int ask(struct bench *b, uint64_t mib, bool *granted)
{
    struct aero_reservation want = { .owner = 1, .kib = mib * MIB,
                                     .deadline_ns = UINT64_MAX };
    struct lxe_err err = { 0 };
    int decision = 0, quarters = 0;

    b->balancer.reserved = note_decision;
    b->balancer.reserved_data = &decision;
    *granted = false;
    if (aero_balancer_reserve(&b->balancer, &want, &err) == -ENOSPC)
        return AT_ONCE;
    while (!decision && quarters < 240) {
        aero_balancer_tick(&b->balancer);
        lxe_sim_advance(b->host, LXE_NS_PER_SEC / 4);
        quarters++;
    }
    *granted = decision == 1;
    return quarters;
}

/* Quarters of a second until it was granted, which it must be. */
static int granted_after(const char *name, uint64_t mib)
{
    struct bench b;
    bool granted;
    int quarters;

    set_up_squeezed(&b, name);
    quarters = ask(&b, mib, &granted);
    CU_ASSERT(granted);
    tear_down(&b);
    return quarters;
}

static void squeezed_cases(void)
{
    int a = granted_after("a", 1000), b = granted_after("b", 1000);
    int e = granted_after("e", 1000);

    printf("\n  granted after: a %.2f s, b %.2f s, e %.2f s\n  ", a / 4.0,
           b / 4.0, e / 4.0);
    CU_ASSERT(a <= 5 * 4);
    CU_ASSERT(b <= 12 * 4);
    CU_ASSERT(e <= 12 * 4);
}

static void back_where_it_was(struct bench *b, uint64_t first_kib,
                              uint64_t second_kib)
{
    run_s(b, 30);
    CU_ASSERT(domain(b, 1).current_kib >= first_kib);
    CU_ASSERT(domain(b, 2).current_kib >= second_kib);
}

static void what_minima_forbid_is_refused_at_once(void)
{
    struct bench b;
    bool granted;

    set_up_squeezed(&b, "c");
    CU_ASSERT_EQUAL(ask(&b, 1500, &granted), AT_ONCE);
    back_where_it_was(&b, 1500 * 1024, 2500 * 1024);
    tear_down(&b);
}

/* A reservation, of a host whose one guest is paused meanwhile. */
static void a_pause_refuses_nothing(void)
{
    int decision = 0;
    struct aero_reservation want = { .owner = 1, .kib = 2048 * MIB,
                                     .deadline_ns = UINT64_MAX };
    struct bench b;

    set_up(&b, "{\"host\": {\"total_kib\": 4194304}, \"guests\": [{"
               "\"name\": \"g\", \"memory_kib\": 3145728, \"report\":"
               " \"agent\", \"demand\": [[0, 262144]]}], \"events\": ["
               "{\"at_s\": 71, \"do\": \"pause\", \"guest\": \"g\"},"
               "{\"at_s\": 75, \"do\": \"unpause\", \"guest\": \"g\"}]}");
    run_s(&b, 1);
    /* Right after the start all guests are left alone; that says nothing. */
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, NULL), 0);
    b.balancer.reservations.count = 0;
    run_s(&b, 69);
    b.balancer.reserved = note_decision;
    b.balancer.reserved_data = &decision;
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, NULL), 0);
    run_s(&b, 4);
    CU_ASSERT_EQUAL(decision, 0);
    run_s(&b, 60);
    CU_ASSERT_EQUAL(decision, 1);
    tear_down(&b);
}

/* A hidden floor is found by running into it, once. */
static void a_floor_is_learned(void)
{
    struct bench b;
    bool granted;
    int quarters;

    set_up_squeezed(&b, "d");
    quarters = ask(&b, 1000, &granted);
    printf("\n  refused after %.2f s\n  ", quarters / 4.0);
    CU_ASSERT_FALSE(granted);
    CU_ASSERT(quarters <= 7 * 4);
    back_where_it_was(&b, 1500 * 1024, 2500 * 1024);
    CU_ASSERT_EQUAL(ask(&b, 1000, &granted), AT_ONCE);
    CU_ASSERT_EQUAL(b.balancer.reservations.count, 0);
    ask(&b, 700, &granted);
    CU_ASSERT(granted);
    tear_down(&b);
}

/* Sets the target as another balancer would, which wants 700 MiB. */
static void fight_s(struct bench *b, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        if (domain(b, 1).target_kib != 700 * MIB)
            b->host->ops->set_target(b->host, 1, 700 * MIB, NULL);
        run_s(b, 1);
    }
}

static void another_balancer_is_not_fought(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"static_max_kib\": 2097152, \"report\": \"agent\","
        "    \"demand\": [[0, 204800]] } ] }";
    struct aero_guest *g;
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 30);
    b.host->ops->set_target(b.host, 1, 700 * MIB, NULL);
    run_s(&b, 60);
    CU_ASSERT(domain(&b, 1).target_kib > 1024 * MIB);
    CU_ASSERT_EQUAL(state(&b, 1), AERO_GUEST_ACTIVE);

    fight_s(&b, 20);
    g = aero_guests_find(&b.balancer.guests, 1);
    CU_ASSERT_EQUAL(g->condition.state, AERO_GUEST_FOREIGN);
    CU_ASSERT_EQUAL(g->rival.changes, 3);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, 700 * MIB);
    CU_ASSERT_EQUAL(g->reason.cause, AERO_CAUSE_FOREIGN);

    run_s(&b, AERO_RIVAL_ALONE_S - 20);
    CU_ASSERT_EQUAL(domain(&b, 1).target_kib, 700 * MIB);
    run_s(&b, 60);
    CU_ASSERT_EQUAL(state(&b, 1), AERO_GUEST_ACTIVE);
    CU_ASSERT(domain(&b, 1).target_kib > 1024 * MIB);
    tear_down(&b);
}

static void a_migrations_targets_are_its_clients(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"report\": \"agent\", \"demand\": [[0, 204800]] } ] }";
    struct lxe_err err = { 0 };
    struct lxe_domain d;
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 30);
    d = domain(&b, 1);
    CU_ASSERT_EQUAL(aero_migrations_begin(&b.balancer.migrations, 1, &d,
                                          "far", 1048576, 0, &err), 0);
    for (uint64_t mib = 900; mib > 500; mib -= 50) {
        b.host->ops->set_target(b.host, 1, mib * MIB, &err);
        run_s(&b, 1);
    }
    aero_migrations_lose_owner(&b.balancer.migrations, 1);
    run_s(&b, 3);
    CU_ASSERT_EQUAL(state(&b, 1), AERO_GUEST_ACTIVE);
    CU_ASSERT_EQUAL(aero_guests_find(&b.balancer.guests, 1)->rival.changes, 0);
    tear_down(&b);
}

/* What it is shrunk to on its way, and set back to, is no wish of anybody's:
 * one that says nothing would be taken to need no more than that. */
static void a_failed_migration_leaves_a_guest_its_claim(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"silent\", \"memory_kib\": 1048576 } ] }";
    struct lxe_err err = { 0 };
    struct aero_guest *g;
    struct lxe_domain d;
    struct bench b;

    set_up(&b, scenario);
    run_s(&b, 200);
    g = aero_guests_find(&b.balancer.guests, 1);
    CU_ASSERT_EQUAL(g->resting_kib, 1048576);
    d = domain(&b, 1);
    for (int i = 0; i < 4; i++) {
        g->set_kib = i < 2 ? LXE_UNKNOWN : d.target_kib; /* as it was ours */
        CU_ASSERT_EQUAL(aero_migrations_begin(&b.balancer.migrations, 1, &d,
                                              "far", d.target_kib, 0, &err),
                        0);
        b.host->ops->set_target(b.host, 1, 524288, &err);
        run_s(&b, 10);
        b.host->ops->set_target(b.host, 1, d.target_kib, &err);
        aero_migrations_end(&b.balancer.migrations,
                            aero_migrations_find(&b.balancer.migrations, 1));
        run_s(&b, 10);
        CU_ASSERT_EQUAL(g->rival.changes, 0);
        CU_ASSERT_EQUAL(g->resting_kib, 1048576);
        CU_ASSERT(g->demand.kib >= d.target_kib);
    }
    tear_down(&b);
}

/* A daemon that is started meanwhile finds it shrunk. */
static void a_migration_is_found_on_its_way(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"silent\", \"memory_kib\": 1048576 } ] }";
    struct lxe_err err = { 0 };
    struct lxe_domain d;
    struct bench b;

    set_up(&b, scenario);
    d = domain(&b, 1);
    b.host->ops->set_target(b.host, 1, 524288, &err);
    CU_ASSERT_EQUAL(aero_migrations_begin(&b.balancer.migrations, 1, &d,
                                          "far", d.target_kib, 0, &err), 0);
    run_s(&b, 10);
    b.host->ops->set_target(b.host, 1, d.target_kib, &err);
    aero_migrations_end(&b.balancer.migrations,
                        aero_migrations_find(&b.balancer.migrations, 1));
    run_s(&b, 10);
    CU_ASSERT_EQUAL(aero_guests_find(&b.balancer.guests, 1)->resting_kib,
                    1048576);
    tear_down(&b);
}

/* A daemon that is started while a guest moves: how far that still has to go
 * is not what its driver leaves out. */
static void a_guest_is_found_on_its_way(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"a\", \"memory_kib\": 1048576,"
        "    \"balloon_kib_s\": 4096, \"report\": \"agent\","
        "    \"demand\": [[0, 204800]] },"
        "  { \"name\": \"h\", \"memory_kib\": 1048576, \"type\": \"hvm\","
        "    \"videoram_kib\": 16384,"
        "    \"balloon_kib_s\": 4096, \"report\": \"agent\","
        "    \"demand\": [[0, 204800]] } ] }";
    struct lxe_err err = { 0 };
    struct bench b;

    set_up(&b, scenario);
    for (uint32_t domid = 1; domid <= 2; domid++)
        b.host->ops->set_target(b.host, domid, 1034240, &err);
    lxe_sim_advance(b.host, LXE_NS_PER_SEC);
    CU_ASSERT(domain(&b, 1).current_kib > domain(&b, 1).target_kib);
    run_s(&b, 60);
    for (uint32_t domid = 1; domid <= 2; domid++) {
        const struct aero_guest *g =
            aero_guests_find(&b.balancer.guests, domid);

        CU_ASSERT_EQUAL(g->held_kib, g->dom.target_kib);
        CU_ASSERT_EQUAL(g->condition.state, AERO_GUEST_ACTIVE);
    }
    tear_down(&b);
}

static void no_repair(void *data)
{
    (void)data;
}

/*
 * Until its client announces it, a migration is known by its journal, which
 * tells no target before one is about to be changed: that promises nothing.
 */
static void a_journal_without_a_target_promises_nothing(void)
{
    static const char scenario[] =
        "{ \"host\": { \"total_kib\": 4194304 }, \"guests\": ["
        "  { \"name\": \"moves\", \"memory_kib\": 1048576,"
        "    \"report\": \"agent\", \"demand\": [[0, 204800]] },"
        "  { \"name\": \"stays\", \"memory_kib\": 1048576,"
        "    \"report\": \"agent\", \"demand\": [[0, 819200]] } ] }";
    char dir[] = "/tmp/test-balancer-XXXXXX";
    struct mig_journal j;
    struct lxe_domain d;
    struct bench b;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    set_up(&b, scenario);
    run_s(&b, 30);
    d = domain(&b, 1);
    mig_journal_init(&j, MIG_JOURNAL_SOURCE);
    j.domid = d.domid;
    memcpy(j.uuid, d.uuid, sizeof(j.uuid));
    memcpy(j.name, d.name, sizeof(j.name));
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &j, NULL), 0);
    b.balancer.migrations.journals =
        (struct aero_journals){ .dir = dir, .repair = no_repair };
    d = domain(&b, 2);
    run_s(&b, 30);
    CU_ASSERT_EQUAL(state(&b, 1), AERO_GUEST_MIGRATING);
    CU_ASSERT_EQUAL(domain(&b, 2).target_kib, d.target_kib);
    CU_ASSERT(aero_balancer_obtainable_kib(&b.balancer) > 0);
    tear_down(&b);
    mig_journal_remove(dir, &j);
    rmdir(dir);
}

static const struct unit_test tests[] = {
    { "idle ones give to one that grows", idle_give_to_one_that_grows },
    { "big idle guests take surplus", big_idle_guests_take_surplus },
    { "surplus is not traded", surplus_is_not_traded },
    { "comes to rest", comes_to_rest },
    { "stuck: woken, clipped", stuck_is_woken_clipped_worked_around },
    { "low names who should move", low_names_who_should_move },
    { "paused and silent are left", paused_and_silent_are_left },
    { "silent ones are probed", silent_ones_are_probed },
    { "errors are survived", errors_are_survived },
    { "reconnects", reconnects },
    { "takes over", takes_over },
    { "survives anything", survives_anything },
    { "a lost undo is tried again", lost_undo_is_tried_again },
    { "ends at safe targets", ends_at_safe_targets },
    { "a migrating guest finds its memory",
      a_migrating_guest_finds_its_memory },
    { "a reservation meets its domain", a_reservation_meets_its_domain },
    { "squeezed's cases", squeezed_cases },
    { "what minima forbid is refused at once",
      what_minima_forbid_is_refused_at_once },
    { "a floor is learned", a_floor_is_learned },
    { "a pause refuses nothing", a_pause_refuses_nothing },
    { "another balancer is not fought", another_balancer_is_not_fought },
    { "a migration's targets are its client's",
      a_migrations_targets_are_its_clients },
    { "a failed migration leaves a guest its claim",
      a_failed_migration_leaves_a_guest_its_claim },
    { "a migration is found on its way", a_migration_is_found_on_its_way },
    { "a guest is found on its way", a_guest_is_found_on_its_way },
    { "a journal without a target promises nothing",
      a_journal_without_a_target_promises_nothing },
    { "a transfer is not counted twice", a_transfer_does_not_count_twice },
};

int main(void)
{
    return unit_run("balancer", tests, sizeof(tests) / sizeof(tests[0]));
}
