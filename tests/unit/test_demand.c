/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest needs, by what it says and by what Xen knows better. */
#include "base/clock.h"
#include "demand.h"
#include "unit.h"

#define MIB 1024ull

static struct lxe_guest_report agent(uint64_t total, uint64_t available)
{
    return (struct lxe_guest_report){
        .source = LXE_REPORT_AGENT,
        .seq = 1,
        .total_kib = total,
        .available_kib = available,
        .used_kib = total - available,
        .swap_used_kib = 0,
        .refaults = LXE_UNKNOWN,
        .swapins = LXE_UNKNOWN,
        .psi_some_x100 = LXE_UNKNOWN,
    };
}

static struct aero_demand_input input(const struct lxe_guest_report *r)
{
    return (struct aero_demand_input){
        .now_ns = 100 * LXE_NS_PER_SEC,
        .held_kib = 1000 * MIB,
        .static_max_kib = 2000 * MIB,
        .resting_kib = 1000 * MIB,
        .margin_kib = 256 * MIB,
        .report = r,
        .report_age_ns = 0,
    };
}

static struct aero_demand once(const struct aero_demand_input *in)
{
    struct aero_demand_memory memory = { 0 };
    struct aero_demand out;

    aero_demand_estimate(in, &memory, &out);
    return out;
}

static void used_and_margin(void)
{
    struct lxe_guest_report r = agent(980 * MIB, 580 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand d = once(&in);

    CU_ASSERT_TRUE(d.known);
    CU_ASSERT_EQUAL(d.used_kib, 400 * MIB);
    CU_ASSERT_EQUAL(d.need_kib, 420 * MIB); /* and 20 of its kernel's */
    CU_ASSERT_EQUAL(d.kib, 525 * MIB);
    in.margin_kib = 10 * MIB;
    CU_ASSERT_EQUAL(once(&in).kib, 430 * MIB);
}

static void full_guest_asks_for_more_than_it_has(void)
{
    struct lxe_guest_report r = agent(980 * MIB, 0);
    struct aero_demand_input in = input(&r);

    CU_ASSERT_EQUAL(once(&in).kib, 1250 * MIB);
    in.static_max_kib = 1100 * MIB;
    CU_ASSERT_EQUAL(once(&in).kib, 1100 * MIB);
}

static void what_cannot_be_swapped_is_kept(void)
{
    struct lxe_guest_report r = agent(980 * MIB, 580 * MIB);
    struct aero_demand_input in = input(&r);

    r.swap_free_kib = 0;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 436 * MIB); /* 420, and to breathe */
    r.swap_free_kib = 100 * MIB;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 336 * MIB);
    r.swap_free_kib = 500 * MIB;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 0);
    r.swap_free_kib = LXE_UNKNOWN;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 0);
    r = agent(980 * MIB, 0);
    r.swap_free_kib = 0;
    CU_ASSERT_EQUAL(once(&in).keep_kib, in.held_kib);
}

static void what_it_does_not_give_is_kept(void)
{
    struct lxe_guest_report r = agent(980 * MIB, 580 * MIB);
    struct aero_demand_input in = input(&r);

    in.keeps_use = true;
    r.swap_free_kib = 500 * MIB;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 420 * MIB);
    r.swap_free_kib = 0;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 436 * MIB);
    r.swap_free_kib = LXE_UNKNOWN;
    CU_ASSERT_EQUAL(once(&in).keep_kib, 420 * MIB);
}

static void pressure_doubles_the_margin(void)
{
    struct lxe_guest_report r = agent(1000 * MIB, 600 * MIB);
    struct aero_demand_input in = input(&r);

    CU_ASSERT_EQUAL(once(&in).kib, 500 * MIB);
    r.psi_some_x100 = 800;
    CU_ASSERT_EQUAL(once(&in).kib, 600 * MIB);
}

static void what_is_read_back_is_missing(void)
{
    struct lxe_guest_report r = agent(1000 * MIB, 600 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand_memory memory = { 0 };
    struct aero_demand d;

    r.refaults = 5000000; /* since its boot: says nothing */
    r.swapins = 70000;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 500 * MIB);
    in.now_ns += 2 * LXE_NS_PER_SEC;
    r.swapins += 2 * 512; /* 512 a second: 20 MiB in ten */
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 520 * MIB);
    in.now_ns += LXE_NS_PER_SEC / 4; /* the same report, looked at again */
    in.report_age_ns = LXE_NS_PER_SEC / 4;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 520 * MIB);
    in.report_age_ns = 0;
    in.now_ns += 30 * LXE_NS_PER_SEC; /* swapped still, but not missed */
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT(d.kib > 505 * MIB && d.kib < 515 * MIB);
    in.now_ns += LXE_NS_PER_SEC;
    r.refaults = LXE_UNKNOWN - 1; /* a liar gets the cap */
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 1256 * MIB); /* and so much needs its cache */
    in.now_ns += LXE_NS_PER_SEC;
    r.refaults = 3; /* its kernel was started anew */
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT(d.kib < 1256 * MIB);
}

/* It uses little of its own, but its cache: and reads back from that. */
static void what_is_read_back_shows_the_cache_in_use(void)
{
    struct lxe_guest_report r = agent(1000 * MIB, 900 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand_memory memory = { 0 };
    struct aero_demand d;

    r.refaults = 0;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 132 * MIB);
    in.now_ns += LXE_NS_PER_SEC;
    r.refaults += 800; /* 31 MiB in ten seconds */
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT(d.kib > 163 * MIB && d.kib < 164 * MIB);
    in.now_ns += LXE_NS_PER_SEC;
    r.refaults += 1024; /* 40 MiB */
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 1040 * MIB);
    CU_ASSERT_EQUAL(d.need_kib, 968 * MIB); /* less the margin */
}

static void little_read_back_counts_under_pressure(void)
{
    struct lxe_guest_report r = agent(1000 * MIB, 900 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand_memory memory = { 0 };
    struct aero_demand d;

    r.refaults = 0;
    r.psi_some_x100 = 900;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 164 * MIB);
    in.now_ns += LXE_NS_PER_SEC;
    r.refaults += 128;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 1005 * MIB);
}

/* How long a silent guest is lowered, and what it is left with then. */
static void silent_ones_are_probed(void)
{
    struct lxe_guest_report r = { .source = LXE_REPORT_NONE };
    struct aero_demand_input in = input(&r);
    struct aero_demand_memory memory = { 0 };
    struct aero_demand d;
    int lowered = 0;

    in.scarce = true;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 1000 * MIB); /* nobody allowed it */
    in.probe = true;
    for (int s = 0; s < 3600 && !in.floor_kib; s++) {
        uint64_t before = in.held_kib;

        aero_demand_estimate(&in, &memory, &d);
        CU_ASSERT(d.kib + before / 60 >= before);
        lowered += d.kib < before;
        in.held_kib = d.kib > 700 * MIB ? d.kib : 700 * MIB;
        in.floor_kib = d.kib < 700 * MIB ? in.held_kib : 0;
        in.now_ns += LXE_NS_PER_SEC;
    }
    CU_ASSERT(lowered > 15 && lowered < 30);
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, 700 * MIB + 700 * MIB / 8);
    in.held_kib = d.kib;
    in.now_ns += 59 * LXE_NS_PER_SEC;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.kib, in.held_kib);
    in.scarce = false; /* and it gets all back */
    for (int s = 0; s < 600; s++) {
        in.now_ns += LXE_NS_PER_SEC;
        aero_demand_estimate(&in, &memory, &d);
    }
    CU_ASSERT_EQUAL(d.kib, 1000 * MIB);
}

static void liars_are_bounded(void)
{
    struct lxe_guest_report r = agent(1900 * MIB, 0);
    struct aero_demand_input in = input(&r);

    /* Says that it uses more than Xen gave it: clipped. */
    CU_ASSERT_EQUAL(once(&in).need_kib, 1000 * MIB);
    /* More available than there is, more than it was built for: refused. */
    r = agent(500 * MIB, 400 * MIB);
    r.available_kib = 600 * MIB;
    CU_ASSERT_FALSE(once(&in).known);
    CU_ASSERT_EQUAL(once(&in).kib, 1000 * MIB);
    r = agent(2001 * MIB, 1 * MIB);
    CU_ASSERT_FALSE(once(&in).known);
    r = agent(0, 0);
    CU_ASSERT_FALSE(once(&in).known);
}

static void old_reports_are_not_trusted(void)
{
    struct lxe_guest_report r = agent(980 * MIB, 580 * MIB);
    struct aero_demand_input in = input(&r);

    in.report_age_ns = 60 * LXE_NS_PER_SEC;
    CU_ASSERT_TRUE(once(&in).known);
    in.report_age_ns++;
    CU_ASSERT_FALSE(once(&in).known);
    CU_ASSERT_EQUAL(once(&in).kib, in.held_kib);
    r.source = LXE_REPORT_XENSERVER; /* writes every two minutes only */
    CU_ASSERT_TRUE(once(&in).known);
}

static void silence_keeps_what_others_set(void)
{
    struct lxe_guest_report r = { .source = LXE_REPORT_NONE };
    struct aero_demand_input in = input(&r);
    struct aero_demand d;

    in.held_kib = 500 * MIB;
    in.resting_kib = 700 * MIB;
    d = once(&in);
    CU_ASSERT_FALSE(d.known);
    CU_ASSERT_EQUAL(d.kib, 700 * MIB);
    CU_ASSERT_EQUAL(d.need_kib, LXE_UNKNOWN);
}

static void qubes_says_used_only(void)
{
    struct lxe_guest_report r = {
        .source = LXE_REPORT_QUBES,
        .total_kib = LXE_UNKNOWN,
        .available_kib = LXE_UNKNOWN,
        .used_kib = 320 * MIB,
        .psi_some_x100 = LXE_UNKNOWN,
    };
    struct aero_demand_input in = input(&r);

    in.static_max_kib = 1280 * MIB; /* of which 1/64 is struct pages */
    CU_ASSERT_EQUAL(once(&in).need_kib, 340 * MIB);
    r.used_kib = LXE_UNKNOWN;
    CU_ASSERT_FALSE(once(&in).known);
}

static void fast_up_slow_down(void)
{
    struct aero_demand_memory memory = { 0 };
    struct lxe_guest_report r = agent(1000 * MIB, 900 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand low, high, after, late;

    aero_demand_estimate(&in, &memory, &low);
    r = agent(1000 * MIB, 200 * MIB);
    in.now_ns += 2 * LXE_NS_PER_SEC;
    aero_demand_estimate(&in, &memory, &high);
    CU_ASSERT_EQUAL(high.kib, 1000 * MIB);
    for (int i = 0; i < 30; i++) {
        in.now_ns += 2 * LXE_NS_PER_SEC;
        aero_demand_estimate(&in, &memory, &high);
    }
    r = agent(1000 * MIB, 900 * MIB);
    in.now_ns += 2 * LXE_NS_PER_SEC;
    aero_demand_estimate(&in, &memory, &after);
    CU_ASSERT(after.kib > 700 * MIB);
    CU_ASSERT(after.kib < high.kib);
    for (int i = 0; i < 100; i++) {
        in.now_ns += 2 * LXE_NS_PER_SEC;
        aero_demand_estimate(&in, &memory, &late);
    }
    CU_ASSERT(late.kib < low.kib + 10 * MIB);
    CU_ASSERT(late.kib >= low.kib);
}

static void never_beyond_bounds_for_any_report(void)
{
    uint64_t seed = unit_seed();

    for (int i = 0; i < 20000; i++) {
        struct lxe_guest_report r = {
            .source = (enum lxe_report_source)unit_below(&seed, 4),
            .total_kib = unit_random(&seed) >> unit_below(&seed, 64),
            .available_kib = unit_random(&seed) >> unit_below(&seed, 64),
            .used_kib = unit_random(&seed) >> unit_below(&seed, 64),
            .psi_some_x100 = unit_below(&seed, 20000),
        };
        struct aero_demand_input in = input(&r);
        struct aero_demand d = once(&in);

        if (d.kib > in.static_max_kib ||
            (d.known && d.need_kib > in.held_kib)) {
            CU_FAIL("demand out of bounds");
            return;
        }
    }
    CU_PASS("all within bounds");
}

/* It freed 300 MiB: after 10 s most of that may go to others who lack it. */
static void what_was_freed_is_soon_forgotten(void)
{
    struct lxe_guest_report r = agent(1000 * MIB, 500 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand_memory memory = { 0 };
    struct aero_demand d;

    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.fresh_kib, d.kib);
    r.available_kib = 800 * MIB;
    for (int i = 0; i < 10; i++) {
        in.now_ns += LXE_NS_PER_SEC;
        aero_demand_estimate(&in, &memory, &d);
    }
    CU_ASSERT(d.fresh_kib >= 250 * MIB && d.fresh_kib < 320 * MIB);
    CU_ASSERT(d.kib > 420 * MIB);
}

/* 16 MiB/s for 5 s: in two more it will need 32 MiB more, or nearly. */
static void what_rises_is_looked_ahead(void)
{
    struct lxe_guest_report r = agent(1000 * MIB, 900 * MIB);
    struct aero_demand_input in = input(&r);
    struct aero_demand_memory memory = { 0 };
    struct aero_demand d;

    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.rise_kib, 0);
    for (int i = 0; i < 5; i++) {
        in.now_ns += LXE_NS_PER_SEC;
        r.available_kib -= 16 * MIB;
        aero_demand_estimate(&in, &memory, &d);
    }
    CU_ASSERT(d.rise_kib > 28 * MIB && d.rise_kib <= 32 * MIB);
    in.now_ns += LXE_NS_PER_SEC;
    r.available_kib += 80 * MIB;
    aero_demand_estimate(&in, &memory, &d);
    CU_ASSERT_EQUAL(d.rise_kib, 0);
}

static const struct unit_test tests[] = {
    { "used and margin", used_and_margin },
    { "a full guest asks for more", full_guest_asks_for_more_than_it_has },
    { "what cannot be swapped is kept", what_cannot_be_swapped_is_kept },
    { "what it does not give is kept", what_it_does_not_give_is_kept },
    { "pressure doubles the margin", pressure_doubles_the_margin },
    { "what is read back is missing", what_is_read_back_is_missing },
    { "what is read back shows the cache in use",
      what_is_read_back_shows_the_cache_in_use },
    { "little read back counts under pressure",
      little_read_back_counts_under_pressure },
    { "silent ones are probed", silent_ones_are_probed },
    { "liars are bounded", liars_are_bounded },
    { "old reports are not trusted", old_reports_are_not_trusted },
    { "silence keeps what others set", silence_keeps_what_others_set },
    { "Qubes says used only", qubes_says_used_only },
    { "fast up, slow down", fast_up_slow_down },
    { "what was freed is soon forgotten", what_was_freed_is_soon_forgotten },
    { "what rises is looked ahead", what_rises_is_looked_ahead },
    { "any report stays in bounds", never_beyond_bounds_for_any_report },
};

int main(void)
{
    return unit_run("demand", tests, sizeof(tests) / sizeof(tests[0]));
}
