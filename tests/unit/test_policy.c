/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Water-filling, and the policy that is made of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "median.h"
#include "policy.h"
#include "unit.h"
#include "water.h"

#define MIB   1024ull
#define COUNT 12
#define PAGE  4ull

static const struct aero_policy_host no_limits = {
    .change_kib = 1ull << 40,
};

static struct aero_policy_guest guest(uint64_t min, uint64_t max,
                                      uint64_t demand, uint64_t held)
{
    return (struct aero_policy_guest){
        .movable = true, .min_kib = min * MIB, .max_kib = max * MIB,
        .shares = 100, .demand_kib = demand * MIB, .demand_known = true,
        .fresh_kib = demand * MIB, .why = "by its report",
        .target_kib = held * MIB, .held_kib = held * MIB,
    };
}

static const char *why(const struct aero_policy_target *target)
{
    static char text[AERO_REASON_TEXT];

    aero_reason_text(&target->reason, text);
    return text;
}

static void water_levels(void)
{
    struct aero_vessel v[3] = { { 0, 100, 0, 1, 0 }, { 10, 20, 0, 1, 0 },
                                { 0, 1000, 0, 2, 0 } };

    CU_ASSERT_EQUAL(aero_water_fill(v, 3, 5), 0); /* the bottoms are 10 */
    CU_ASSERT(v[0].x == 0 && v[1].x == 10 && v[2].x == 0);
    aero_water_fill(v, 3, 40); /* level 10: 10, 10, 20 */
    CU_ASSERT(v[0].x == 10 && v[1].x == 10 && v[2].x == 20);
    aero_water_fill(v, 3, 200); /* level 60: 60, 20, 120 */
    CU_ASSERT(v[0].x == 60 && v[1].x == 20 && v[2].x == 120);
    aero_water_fill(v, 3, 5000);
    CU_ASSERT(v[0].x == 100 && v[1].x == 20 && v[2].x == 1000);
    CU_ASSERT_EQUAL(aero_water_fill(v, 0, 10), 0);
}

static void water_on_bases(void)
{
    struct aero_vessel v[3] = { { 0, 1000, 100, 1, 0 },
                                { 0, 1000, 300, 1, 0 },
                                { 250, 1000, 200, 2, 0 } };

    /* The bases do not fit: level 50, up to them. */
    aero_water_fill(v, 3, 350);
    CU_ASSERT(v[0].x == 50 && v[1].x == 50 && v[2].x == 250);
    aero_water_fill(v, 3, 600);
    CU_ASSERT(v[0].x == 100 && v[1].x == 250 && v[2].x == 250);
    /* Level 25: 125, 325, 250; level 50: 150, 350, 300. */
    aero_water_fill(v, 3, 700);
    CU_ASSERT(v[0].x == 125 && v[1].x == 325 && v[2].x == 250);
    aero_water_fill(v, 3, 800);
    CU_ASSERT(v[0].x == 150 && v[1].x == 350 && v[2].x == 300);
}

/* The size at a level, in floating point; below 0 it is one to the bases. */
static double at_level(const struct aero_vessel *v, double level)
{
    double base = (double)(v->base < v->hi ? v->base : v->hi);
    double x = base + level * (double)v->shares;

    if (level < 0) {
        x = (level + 1e6) * (double)v->shares;
        x = x < base ? x : base;
    }
    if (x < (double)v->lo)
        return (double)v->lo;
    return x > (double)v->hi ? (double)v->hi : x;
}

/* The same by trying levels. */
static void try_levels(const struct aero_vessel *v, double pool, double *x)
{
    double low = -1e6, high = 1e6;

    for (int i = 0; i < 200; i++) {
        double level = (low + high) / 2, sum = 0;

        for (size_t k = 0; k < COUNT; k++)
            sum += at_level(&v[k], level);
        if (sum <= pool)
            low = level;
        else
            high = level;
    }
    for (size_t k = 0; k < COUNT; k++)
        x[k] = at_level(&v[k], low);
}

static void water_is_exact(void)
{
    uint64_t seed = unit_seed();
    struct aero_vessel v[COUNT];
    double x[COUNT];

    for (int run = 0; run < 1000; run++) {
        uint64_t bottoms = 0, tops = 0, pool;

        for (size_t i = 0; i < COUNT; i++) {
            v[i].lo = unit_below(&seed, 100000);
            v[i].hi = v[i].lo + unit_below(&seed, 100000);
            v[i].base = unit_below(&seed, 250000);
            v[i].shares = 1 + unit_below(&seed, 100000);
            bottoms += v[i].lo;
            tops += v[i].hi;
        }
        pool = bottoms + unit_below(&seed, tops - bottoms + 1);
        aero_water_fill(v, COUNT, pool);
        try_levels(v, (double)pool, x);
        for (size_t i = 0; i < COUNT; i++) {
            if ((double)v[i].x < x[i] + 0.01 && (double)v[i].x > x[i] - 1.01)
                continue;
            CU_FAIL("another size than by trying levels");
            return;
        }
    }
    CU_PASS("all sizes are those found by trying levels");
}

static int compare_numbers(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;

    return a < b ? -1 : a > b;
}

static void median_of_any(void)
{
    uint64_t seed = unit_seed();
    double all[2 * COUNT], sorted[2 * COUNT];
    bool same = true;

    CU_ASSERT_EQUAL(aero_median(all, 0), 0);
    for (int run = 0; run < 1000; run++) {
        size_t n = 1 + unit_below(&seed, 2 * COUNT);

        for (size_t i = 0; i < n; i++)
            all[i] = sorted[i] = (double)unit_below(&seed, 20);
        qsort(sorted, n, sizeof(*sorted), compare_numbers);
        same = same && aero_median(all, n) ==
                           (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    }
    CU_ASSERT(same);
}

static void idle_gives_to_busy(void)
{
    struct aero_policy_guest g[] = { guest(64, 512, 96, 256),
                                     guest(64, 512, 96, 256),
                                     guest(64, 512, 400, 256) };
    struct aero_policy_host host = no_limits;
    struct aero_policy_target t[3];

    host.tax = 750;
    CU_ASSERT_EQUAL(aero_policy_run(&host, g, 3, t), 0);
    CU_ASSERT(t[0].target_kib < 256 * MIB && t[1].target_kib < 256 * MIB);
    CU_ASSERT(t[0].target_kib >= 96 * MIB);
    CU_ASSERT(t[2].target_kib >= 400 * MIB);
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&t[2]), "wants 400 MiB"));
}

/* Waldspurger's experiment: equal shares, one of two hardly uses its own. */
static void the_tax_takes_idle_memory(void)
{
    struct aero_policy_host host = no_limits;
    struct aero_policy_guest g[] = { guest(16, 256, 20, 180),
                                     guest(16, 256, 256, 180) };
    struct aero_policy_target t[2];

    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 180 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 180 * MIB);
    CU_ASSERT_PTR_NULL(strstr(why(&t[0]), "idle tax"));
    host.tax = 750;
    aero_policy_run(&host, g, 2, t);
    /* A quarter of 160 idle is kept, 76 are needed, 44 come back. */
    CU_ASSERT_EQUAL(t[0].target_kib, 104 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 256 * MIB);
    /* For its 180: 20 + 4 * 160 = 660; the median is of 1/660 and 1/180. */
    CU_ASSERT_EQUAL(t[0].idle, 888);
    CU_ASSERT(t[0].price > 0.42 && t[0].price < 0.43);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(why(&t[0]), "idle tax: 88 % idle, price 0.43 of the median"));
    host.tax = 500;
    g[1].max_kib = 1024 * MIB;
    g[1].demand_kib = 1000 * MIB;
    aero_policy_run(&host, g, 2, t);
    /* Half of 160 idle. */
    CU_ASSERT_EQUAL(t[0].target_kib, 100 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 260 * MIB);
    CU_ASSERT_EQUAL(t[1].goal_kib, 260 * MIB);
}

/* One has grown first, and cannot swap: its part by shares would kill it. */
static void what_must_be_kept_is_kept(void)
{
    struct aero_policy_guest g[] = { guest(64, 512, 332, 320),
                                     guest(64, 512, 300, 180) };
    struct aero_policy_target t[2];

    aero_policy_run(&no_limits, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 250 * MIB);
    CU_ASSERT_EQUAL(aero_policy_obtainable_kib(&no_limits, g, 2), 372 * MIB);
    g[0].keep_kib = 310 * MIB;
    aero_policy_run(&no_limits, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 310 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 190 * MIB);
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&t[0]), "uses and cannot give"));
    CU_ASSERT_EQUAL(aero_policy_obtainable_kib(&no_limits, g, 2), 126 * MIB);
    g[0].max_kib = 280 * MIB; /* an administrator's word */
    aero_policy_run(&no_limits, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 280 * MIB);
}

static void no_surplus_is_kept_free(void)
{
    struct aero_policy_host host = no_limits;
    struct aero_policy_guest g[] = { guest(50, 500, 100, 300),
                                     guest(200, 500, 100, 300) };
    struct aero_policy_target t[2];

    host.no_surplus = true;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 100 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 200 * MIB);
}

static void shares_decide_in_shortage(void)
{
    struct aero_policy_guest g[] = { guest(64, 1024, 900, 500),
                                     guest(64, 1024, 900, 400) };
    struct aero_policy_target t[2];

    g[1].shares = 200;
    aero_policy_run(&no_limits, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 300 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 600 * MIB);
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&t[0]), "host is short"));
}

static void steps_are_bounded(void)
{
    struct aero_policy_host host = { .free_kib = 2000 * MIB,
                                     .change_kib = 64 * MIB,
                                     .shrink_part = 8 };
    struct aero_policy_guest g[] = { guest(64, 1000, 100, 800),
                                     guest(64, 1000, 1000, 200),
                                     guest(10, 1000, 20, 80) };
    struct aero_policy_target t[3];

    g[0].max_kib = 100 * MIB;
    g[1].need_kib = 750 * MIB;
    g[2].max_kib = 20 * MIB;
    host.short_nodes = 1;
    aero_policy_run(&host, g, 3, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 736 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 264 * MIB);
    CU_ASSERT_EQUAL(t[2].target_kib, 64 * MIB); /* an eighth, or 16 MiB */
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&t[0]), "on the way to 100 MiB"));
    /* Further for one that lacks memory, where no node is short. */
    host.short_nodes = 0;
    aero_policy_run(&host, g, 3, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 600 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 456 * MIB);
    CU_ASSERT_EQUAL(t[2].target_kib, 48 * MIB);
    g[1].demand_kib = 200 * MIB;
    aero_policy_run(&host, g, 3, t);
    CU_ASSERT_EQUAL(t[2].target_kib, 64 * MIB);
}

/* One was asked for 100 MiB and does not give: the other one gives more. */
static void others_stand_in_for_who_is_late(void)
{
    struct aero_policy_host host = { .change_kib = 1ull << 40,
                                     .dead_band_kib = 4 * MIB, .tax = 750 };
    struct aero_policy_guest g[] = { guest(64, 1000, 100, 400),
                                     guest(64, 1000, 100, 400),
                                     guest(64, 1000, 400, 200) };
    struct aero_policy_target t[3];

    g[0].target_kib = 300 * MIB;
    g[0].speed_kib_s = UINT64_MAX; /* it was asked a moment ago */
    g[2].need_kib = 190 * MIB;
    aero_policy_run(&host, g, 3, t);
    CU_ASSERT(t[2].target_kib >= 400 * MIB);
    CU_ASSERT(t[0].target_kib + t[1].target_kib <= 600 * MIB);
    g[0].speed_kib_s = 0;
    aero_policy_run(&host, g, 3, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 300 * MIB); /* it may yet give that */
    CU_ASSERT(t[1].target_kib <= 200 * MIB);
    CU_ASSERT(t[2].target_kib >= 400 * MIB);
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&t[0]), "late"));
    /* One that lacks memory itself is asked for none. */
    g[0].need_kib = 350 * MIB;
    g[0].demand_kib = 390 * MIB;
    aero_policy_run(&host, g, 3, t);
    CU_ASSERT(t[0].target_kib > 350 * MIB);
    CU_ASSERT_PTR_NULL(strstr(why(&t[0]), "late"));
}

/* Little by little: what a tick allows is less than what is worth a move. */
static void who_lacks_memory_does_not_wait_for_all_of_it(void)
{
    struct aero_policy_host host = { .change_kib = 256 * MIB, .tax = 750,
                                     .dead_band_kib = 4 * MIB,
                                     .shrink_part = 8 };
    struct aero_policy_guest g[] = { guest(64, 1000, 90, 240),
                                     guest(64, 1000, 340, 260) };
    struct aero_policy_target t[2];

    g[1].need_kib = 250 * MIB;
    host.short_nodes = 2; /* of another guest: an eighth at once */
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 210 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 290 * MIB);
    /* A third of its margin is left: it has the time. */
    g[1].need_kib = 220 * MIB;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[1].target_kib, 260 * MIB);
    /* Unless that is soon used up. */
    g[1].rise_kib = 60 * MIB;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[1].target_kib, 290 * MIB);
}

/* What it needed half a minute ago is worth less than what another lacks. */
static void the_past_gives_way_to_who_is_short(void)
{
    struct aero_policy_guest g[] = { guest(64, 1000, 300, 300),
                                     guest(64, 1000, 300, 200) };
    struct aero_policy_host host = no_limits;
    struct aero_policy_target t[2];

    host.tax = 750;
    g[0].need_kib = 90 * MIB;
    g[0].fresh_kib = 122 * MIB;
    g[1].need_kib = 150 * MIB;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 250 * MIB);
    g[1].need_kib = 190 * MIB;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT(t[0].target_kib >= 122 * MIB && t[0].target_kib <= 200 * MIB);
    CU_ASSERT(t[1].target_kib >= 300 * MIB);
}

static void stuck_is_clipped(void)
{
    struct aero_policy_guest g[] = { guest(100, 2000, 200, 1000),
                                     guest(100, 2000, 900, 500) };
    struct aero_policy_target t[2];

    g[0].target_kib = 700 * MIB;
    g[0].stuck_shrink = true;
    g[1].target_kib = 600 * MIB;
    g[1].stuck_grow = true;
    aero_policy_run(&no_limits, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 1000 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 500 * MIB);
    CU_ASSERT_PTR_NOT_NULL(strstr(why(&t[0]), "stuck"));
}

/* One that rests 10 MiB below any target is not chased down by it. */
static void stuck_is_not_chased(void)
{
    struct aero_policy_guest g = guest(100, 2000, 900, 690);
    struct aero_policy_host host = no_limits;
    uint64_t rests_below = 10 * MIB;
    struct aero_policy_target t;

    g.target_kib = 700 * MIB;
    g.stuck_grow = true;
    for (int tick = 0; tick < 100; tick++) {
        host.free_kib = 1000 * MIB - g.held_kib;
        aero_policy_run(&host, &g, 1, &t);
        g.target_kib = t.target_kib;
        g.held_kib = t.target_kib - rests_below;
    }
    CU_ASSERT_EQUAL(t.target_kib, 700 * MIB);
}

static void silent_guest_is_left(void)
{
    struct aero_policy_host host = no_limits;
    struct aero_policy_guest g[] = { guest(100, 2000, 600, 600),
                                     guest(100, 2000, 1900, 600) };
    struct aero_policy_target t[2];

    g[0].demand_known = false;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 600 * MIB);
    /* Where its minimum was written down, it gives in a shortage. */
    g[0].min_is_set = true;
    g[1].shares = 200;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT(t[0].target_kib < 600 * MIB);
    CU_ASSERT(t[0].target_kib >= 100 * MIB);
    /* But it takes nothing, however much there is. */
    host.free_kib = 9000 * MIB;
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 600 * MIB);
}

static void untouchable_is_counted(void)
{
    struct aero_policy_host host = no_limits;
    struct aero_policy_guest g[] = { guest(100, 2000, 0, 500),
                                     guest(100, 2000, 2000, 500) };
    struct aero_policy_target t[2];

    host.free_kib = 300 * MIB;
    g[0].movable = false;
    g[0].target_kib = 700 * MIB; /* will take 200 of the 300 when it goes on */
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 700 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 600 * MIB);
}

static void spare_leaves_needs(void)
{
    struct aero_policy_host host = no_limits;
    struct aero_policy_guest g[] = { guest(100, 2000, 300, 500),
                                     guest(200, 2000, 300, 500),
                                     guest(100, 2000, 500, 500),
                                     guest(100, 2000, 500, 500) };

    g[0].need_kib = 250 * MIB; /* gives 250 */
    g[1].need_kib = 50 * MIB;  /* gives 300: down to its minimum */
    g[2].demand_known = false; /* nothing */
    g[3].demand_known = false; /* 400 */
    g[3].min_is_set = true;
    host.free_kib = 60 * MIB;
    host.keep_free_kib = 50 * MIB;
    CU_ASSERT_EQUAL(aero_policy_spare_kib(&host, g, 4), 960 * MIB);
    host.keep_free_kib = 5000 * MIB;
    CU_ASSERT_EQUAL(aero_policy_spare_kib(&host, g, 4), 0);
}

static void reservation_squeezes(void)
{
    struct aero_policy_host host = no_limits;
    struct aero_policy_guest g[] = { guest(100, 2000, 300, 500),
                                     guest(200, 2000, 300, 500) };
    struct aero_policy_target t[2];

    CU_ASSERT_EQUAL(aero_policy_obtainable_kib(&host, g, 2), 700 * MIB);
    host.keep_free_kib = 600 * MIB;
    CU_ASSERT_EQUAL(aero_policy_obtainable_kib(&host, g, 2), 100 * MIB);
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib + t[1].target_kib, 400 * MIB);
    host.keep_free_kib = 900 * MIB; /* more than can be had */
    aero_policy_run(&host, g, 2, t);
    CU_ASSERT_EQUAL(t[0].target_kib, 100 * MIB);
    CU_ASSERT_EQUAL(t[1].target_kib, 200 * MIB);
}

/* Random guests; their minima fit into what there is. */
static void make_guests(uint64_t *seed, struct aero_policy_guest *g,
                        struct aero_policy_host *host)
{
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t min = unit_below(seed, 500), max;
        uint64_t held = min + unit_below(seed, 1000);

        max = held + unit_below(seed, 1000);
        g[i] = guest(min, max, unit_below(seed, 2500), held);
        g[i].speed_kib_s = unit_below(seed, 2) ? unit_below(seed, 200 * MIB)
                                               : UINT64_MAX;
        g[i].shares = 1 + (unsigned)unit_below(seed, 1000);
        g[i].movable = unit_below(seed, 10) != 0;
        g[i].demand_known = unit_below(seed, 5) != 0;
        g[i].min_is_set = true;
        g[i].stuck_shrink = unit_below(seed, 12) == 0;
        g[i].stuck_grow = !g[i].stuck_shrink && unit_below(seed, 12) == 0;
    }
    *host = (struct aero_policy_host){
        .free_kib = unit_below(seed, 4000) * MIB,
        .change_kib = 1ull << 40,
        .tax = (unsigned)unit_below(seed, AERO_TAX_MAX + 1),
        .no_surplus = unit_below(seed, 4) == 0,
    };
    host->keep_free_kib = unit_below(seed, host->free_kib / MIB + 1) * MIB;
}

/* Some have been asked for memory that they have not given yet. */
static void ask_some(uint64_t *seed, struct aero_policy_guest *g)
{
    for (size_t i = 0; i < COUNT; i++) {
        g[i].need_kib = unit_below(seed, g[i].demand_kib + 1);
        g[i].fresh_kib = g[i].need_kib + unit_below(seed, 100 * MIB);
        if (unit_below(seed, 2))
            g[i].target_kib -= unit_below(seed,
                                          g[i].held_kib - g[i].min_kib + 1);
    }
}

static uint64_t sum_targets(const struct aero_policy_guest *g,
                            const struct aero_policy_target *t)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNT; i++)
        sum += g[i].movable ? t[i].target_kib : 0;
    return sum;
}

static uint64_t sum_held(const struct aero_policy_guest *g)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNT; i++)
        sum += g[i].movable ? g[i].held_kib : 0;
    return sum;
}

static bool in_bounds(const struct aero_policy_guest *g, uint64_t target)
{
    if (!g->movable)
        return target == g->target_kib;
    if (g->stuck_shrink && target < g->held_kib)
        return false;
    if (g->stuck_grow && target > g->held_kib &&
        (target > g->target_kib || target > g->held_kib + 16 * MIB))
        return false;
    return target >= g->min_kib && target <= g->max_kib;
}

static void sums_and_bounds(void)
{
    uint64_t seed = unit_seed();
    struct aero_policy_guest g[COUNT];
    struct aero_policy_target t[COUNT];
    struct aero_policy_host host;

    for (int run = 0; run < 3000; run++) {
        bool good = true;

        make_guests(&seed, g, &host);
        ask_some(&seed, g);
        host.missing_kib = unit_below(&seed, 2) * unit_below(&seed, 900 * MIB);
        aero_policy_run(&host, g, COUNT, t);
        good = sum_targets(g, t) <=
               sum_held(g) + host.free_kib - host.keep_free_kib;
        for (size_t i = 0; i < COUNT; i++)
            good = good && in_bounds(&g[i], t[i].target_kib);
        if (!good) {
            CU_FAIL("a sum or a bound is broken");
            return;
        }
    }
    CU_PASS("all sums and bounds hold");
}

static void order_does_not_matter(void)
{
    uint64_t seed = unit_seed();
    struct aero_policy_guest g[COUNT], turned[COUNT];
    struct aero_policy_target t[COUNT], u[COUNT];
    struct aero_policy_host host;

    for (int run = 0; run < 1000; run++) {
        make_guests(&seed, g, &host);
        ask_some(&seed, g);
        host.change_kib = 50 * MIB;
        host.dead_band_kib = 20 * MIB;
        host.missing_kib = unit_below(&seed, 2) * unit_below(&seed, 900 * MIB);
        for (size_t i = 0; i < COUNT; i++)
            turned[(i * 5 + 3) % COUNT] = g[i];
        aero_policy_run(&host, g, COUNT, t);
        aero_policy_run(&host, turned, COUNT, u);
        for (size_t i = 0; i < COUNT; i++) {
            if (t[i].target_kib == u[(i * 5 + 3) % COUNT].target_kib)
                continue;
            CU_FAIL("another order, another target");
            return;
        }
    }
    CU_PASS("any order gives the same");
}

/* Its bound moves with its demand: both are rounded the same way. */
static void a_silent_guests_bound_is_rounded(void)
{
    struct aero_policy_host host = { .change_kib = 1ull << 40,
                                     .no_surplus = true };
    struct aero_policy_guest g[2] = {
        guest(100, 4000, 1000, 1000),
        guest(0, 4000, 9000, 1000),
    };
    struct aero_policy_target before[2], after[2];

    g[0].demand_known = false;
    g[0].min_is_set = true;
    /* Each has a right to one page more than 1000 MiB. */
    g[1].held_kib += 2 * PAGE;
    g[0].demand_kib += PAGE;
    aero_policy_run(&host, g, 2, before);
    g[0].demand_kib += PAGE;
    aero_policy_run(&host, g, 2, after);
    CU_ASSERT(after[0].target_kib >= before[0].target_kib);
    CU_ASSERT_EQUAL(before[0].target_kib, 1000 * MIB);
}

static void more_is_never_less(void)
{
    uint64_t seed = unit_seed();
    struct aero_policy_guest g[COUNT];
    struct aero_policy_target before[COUNT], after[COUNT];
    struct aero_policy_host host;

    for (int run = 0; run < 3000; run++) {
        size_t i = unit_below(&seed, COUNT);

        make_guests(&seed, g, &host);
        aero_policy_run(&host, g, COUNT, before);
        if (run % 2)
            g[i].shares += 1 + (unsigned)unit_below(&seed, 1000);
        else
            g[i].demand_kib += unit_below(&seed, 1000 * MIB);
        aero_policy_run(&host, g, COUNT, after);
        if (after[i].target_kib < before[i].target_kib) {
            CU_FAIL("more shares or demand gave less memory");
            return;
        }
    }
    CU_PASS("more is never less");
}

/* One tick's end: every guest has come to its target. */
static uint64_t follow(struct aero_policy_guest *g,
                       const struct aero_policy_target *t,
                       struct aero_policy_host *host)
{
    uint64_t changes = 0;

    for (size_t i = 0; i < COUNT; i++) {
        if (!g[i].movable)
            continue;
        changes += g[i].target_kib != t[i].target_kib;
        host->free_kib += g[i].held_kib;
        host->free_kib -= t[i].target_kib;
        g[i].held_kib = g[i].target_kib = t[i].target_kib;
    }
    return changes;
}

static void constant_input_converges(void)
{
    uint64_t seed = unit_seed();
    struct aero_policy_guest g[COUNT];
    struct aero_policy_target t[COUNT];
    struct aero_policy_host host;

    for (int run = 0; run < 300; run++) {
        uint64_t changes = 0;

        make_guests(&seed, g, &host);
        host.change_kib = 64 * MIB;
        host.shrink_part = 8;
        host.dead_band_kib = 4 * MIB;
        for (int tick = 0; tick < 200; tick++) {
            aero_policy_run(&host, g, COUNT, t);
            if (sum_targets(g, t) > sum_held(g) + host.free_kib) {
                CU_FAIL("more promised than there is");
                return;
            }
            changes = follow(g, t, &host);
        }
        if (changes) {
            CU_FAIL("still moving after 200 ticks");
            return;
        }
    }
    CU_PASS("all runs came to rest");
}

static const struct unit_test tests[] = {
    { "water levels", water_levels },
    { "water on bases", water_on_bases },
    { "water is exact", water_is_exact },
    { "the median of any numbers", median_of_any },
    { "idle gives to busy", idle_gives_to_busy },
    { "the tax takes idle memory", the_tax_takes_idle_memory },
    { "what must be kept is kept", what_must_be_kept_is_kept },
    { "no surplus is kept free", no_surplus_is_kept_free },
    { "shares decide in a shortage", shares_decide_in_shortage },
    { "steps are bounded", steps_are_bounded },
    { "others stand in for who is late", others_stand_in_for_who_is_late },
    { "who lacks memory does not wait for all of it",
      who_lacks_memory_does_not_wait_for_all_of_it },
    { "the past gives way to who is short",
      the_past_gives_way_to_who_is_short },
    { "a stuck guest is clipped", stuck_is_clipped },
    { "one that is stuck is not chased", stuck_is_not_chased },
    { "a silent guest is left", silent_guest_is_left },
    { "an untouchable guest is counted", untouchable_is_counted },
    { "what is to spare", spare_leaves_needs },
    { "a reservation squeezes", reservation_squeezes },
    { "sums and bounds", sums_and_bounds },
    { "order does not matter", order_does_not_matter },
    { "a silent guest's bound is rounded", a_silent_guests_bound_is_rounded },
    { "more is never less", more_is_never_less },
    { "constant input converges", constant_input_converges },
};

int main(void)
{
    return unit_run("policy", tests, sizeof(tests) / sizeof(tests[0]));
}
