/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Migrations of fake guests by the real libxenguest; see README.md. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fx_migration.h"
#include "fx_program.h"
#include "fx_random.h"
#include "limits.h"
#include "unit.h"

static struct fx_outcome outcome;

/* Runs it and checks what has to hold; says what did not. */
static const struct fx_outcome *run(const struct fx_migration *m)
{
    const char *wrong;

    fx_migrate(m, &outcome);
    wrong = fx_check(m, &outcome);
    if (wrong) {
        printf("\n  %s\n", wrong);
        fx_explain(m, &outcome);
    }
    CU_ASSERT_PTR_NULL(wrong);
    return &outcome;
}

static void add_writer(struct fx_migration *m, double pages_per_s,
                       uint32_t first, uint32_t pages)
{
    m->writers[m->writer_count++] = (struct fx_writer_config){
        .pages_per_s = pages_per_s,
        .first = first,
        .pages = pages,
        .seed = first + 1,
    };
}

/* Moves, and arrives whole. */
static const struct fx_outcome *moves(const struct fx_migration *m)
{
    const struct fx_outcome *o = run(m);

    CU_ASSERT_TRUE(o->saved);
    CU_ASSERT_TRUE(o->restored);
    if (!o->saved || !o->restored)
        fx_explain(m, o);
    return o;
}

/* ---- the fake itself ---- */

static void plain_save_and_restore(void)
{
    struct fx_migration m;

    fx_migration_init(&m, 1);
    m.saver = FX_SAVER_PLAIN;
    add_writer(&m, 20000, 0, 1024);
    moves(&m);
}

static void stock_helpers(void)
{
    struct fx_migration m;

    if (!fx_have_stock()) {
        printf("(left out: Xen's helper is not here) ");
        return;
    }
    fx_migration_init(&m, 2);
    m.saver = FX_SAVER_STOCK;
    m.stock_restore = true;
    add_writer(&m, 20000, 0, 1024);
    moves(&m);
}

/* ---- ours ---- */

static void idle_guest(void)
{
    struct fx_migration m;

    fx_migration_init(&m, 3);
    moves(&m);
}

/* As large as Xen's own, so that round 0 walks a million frames. */
static void whole_address_space(void)
{
    struct fx_migration m;

    fx_migration_init(&m, 4);
    m.guest.ram_pages = 32 * FX_PAGES_PER_MIB;
    m.guest.top_gfn = 0;
    add_writer(&m, 20000, 0, 16 * FX_PAGES_PER_MIB);
    moves(&m);
}

static uint64_t skipped(const struct fx_outcome *o)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < o->save.round_count; i++)
        n += o->save.rounds[i].skipped_pages;
    return n;
}

/*
 * A guest with a hot set that a slow wire cannot take: many rounds of 100 ms
 * and more, and pages that are dirty again before their turn. What is left
 * never fits, be the writer as slow as it may: the restless pages take 6.5 ms.
 */
static void hot_migration(struct fx_migration *m, const char *limits)
{
    fx_migration_init(m, 5);
    m->guest.hole_percent = 0;
    m->guest.restless_pages = 64;
    add_writer(m, 20000, 256, 768);
    snprintf(m->limits, sizeof(m->limits), "min-rate=40MB max-rate=40MB "
             "max-downtime=1ms suspend-cost=0ms suspend-pages=0 "
             "last-cost=0ms stall-rounds=0 %s", limits);
}

static void hot_pages_are_skipped(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=3");
    CU_ASSERT(skipped(moves(&m)) > 0);
    hot_migration(&m, "max-rounds=3 skip=no");
    CU_ASSERT_EQUAL(skipped(moves(&m)), 0);
}

/* Nothing may look at the log while a CLEAN is under way, however long. */
static void slow_cleans(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=4");
    m.log_us = 10000;
    m.faults[0] = (struct fx_fault){ .domid = FX_SOURCE, .nth = 1,
                                     .call = FX_CALL_CLEAN, .times = 10,
                                     .delay_us = 120000 };
    CU_ASSERT(skipped(moves(&m)) > 0);
}

/* xl migrate --debug: all is sent again while the guest is suspended. */
static void verified(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=2");
    m.verify = true;
    moves(&m);
}

static void holes_are_left_out(void)
{
    struct fx_migration m;
    const struct fx_outcome *o;

    fx_migration_init(&m, 6);
    m.guest.hole_percent = 60;
    m.guest.top_gfn = 0;
    m.wired = true;
    o = moves(&m);
    /* Entries for them alone would be eight megabytes. */
    CU_ASSERT(o->wire.bytes < 8 * FX_PAGES_PER_MIB * FX_PAGE);
}

static void whole_with_built_helper(void)
{
    struct fx_migration m;

    if (!fx_have_stock() || fx_sanitized()) {
        printf("(left out: %s) ", fx_sanitized() ? "it has sanitizers"
                                                 : "Xen's helper is not here");
        return;
    }
    hot_migration(&m, "max-rounds=3");
    m.saver = FX_SAVER_BUILT;
    m.stock_restore = true;
    moves(&m);
}

/* ---- when pre-copy stops ---- */

static unsigned live_rounds(const struct fx_outcome *o)
{
    unsigned n = 0;

    for (unsigned i = 0; i < o->save.round_count; i++)
        n += !o->save.rounds[i].final;
    return n;
}

static void stops_when_it_fits(void)
{
    struct fx_migration m;
    const struct fx_outcome *o;

    fx_migration_init(&m, 7);
    snprintf(m.limits, sizeof(m.limits), "max-downtime=10s");
    add_writer(&m, 1000, 0, 1024);
    o = moves(&m);
    CU_ASSERT_EQUAL(live_rounds(o), 1);
    CU_ASSERT_PTR_NULL(strstr(o->save.stop_reason, "limit reached"));
}

static void stops_after_rounds(void)
{
    struct fx_migration m;
    const struct fx_outcome *o;

    hot_migration(&m, "max-rounds=3");
    o = moves(&m);
    CU_ASSERT_EQUAL(live_rounds(o), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(o->save.stop_reason, "round limit"));
}

/* The set is written again in each round, so no round brings anything. */
static void stops_without_gain(void)
{
    struct fx_migration m;
    const struct fx_outcome *o;

    hot_migration(&m, "stall-rounds=2 max-rounds=1000 timeout=20s");
    o = moves(&m);
    CU_ASSERT(live_rounds(o) >= 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(o->save.stop_reason, "brought nothing"));
}

static void stops_in_time(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=10000 timeout=300ms");
    CU_ASSERT_PTR_NOT_NULL(strstr(moves(&m)->save.stop_reason, "time limit"));
    hot_migration(&m, "max-rounds=10000 timeout=300ms on-timeout=abort");
    run(&m);
    CU_ASSERT_FALSE(outcome.saved);
    CU_ASSERT_FALSE(outcome.save.suspend_asked);
    CU_ASSERT_TRUE(outcome.alive);
}

static void limits_change_on_the_way(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=10000");
    snprintf(m.change, sizeof(m.change), "max-downtime=10s");
    m.change_us = 300000;
    CU_ASSERT_PTR_NULL(strstr(moves(&m)->save.stop_reason, "limit reached"));
}

static void keeps_the_rate(void)
{
    struct fx_migration m;
    const struct fx_outcome *o;
    double seconds;

    fx_migration_init(&m, 8);
    m.guest.ram_pages = 16 * FX_PAGES_PER_MIB;
    m.guest.top_gfn = 20 * FX_PAGES_PER_MIB;
    m.wired = true;
    snprintf(m.limits, sizeof(m.limits), "max-rate=40MB rate-policy=fixed");
    o = moves(&m);
    seconds = (double)(o->end_ns - o->start_ns) / 1e9;
    /* A slow machine makes it slower, never faster; 10 ms of burst. */
    CU_ASSERT(o->wire.bytes <= 40e6 * (seconds + 0.010));
}

/*
 * With it a guest gets there that would not by itself. A writer that a busy
 * machine gave no time has nothing to be slowed for: then once more.
 */
static void slowed_guest(const char *way)
{
    struct fx_migration m;
    unsigned tries = 10;

    hot_migration(&m, "max-rounds=20 timeout=2s max-downtime=10ms");
    snprintf(m.limits + strlen(m.limits), 20, " throttle=%s", way);
    while (!(moves(&m)->save.end.slowed_mean_percent > 0) && --tries)
        ;
    CU_ASSERT(tries > 0);
    m.kill = (struct fx_kill){ SIGKILL, 400000, true };
    run(&m);
    m.kill.signal = SIGTERM;
    run(&m);
    m.kill.signal = 0;
    m.die_at_suspend = true;
    run(&m);
}

static void slowed_by_a_cap(void)
{
    slowed_guest("cap");
}

static void slowed_by_pauses(void)
{
    slowed_guest("pause");
}

/* ---- what goes wrong ---- */

static void suspend_goes_wrong(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=2");
    m.refuse_suspend = true;
    CU_ASSERT_FALSE(run(&m)->saved);
    hot_migration(&m, "max-rounds=2");
    m.die_at_suspend = true;
    CU_ASSERT_FALSE(run(&m)->saved);
    hot_migration(&m, "max-rounds=2");
    m.die_after_suspend = true;
    CU_ASSERT_FALSE(run(&m)->saved);
    CU_ASSERT_TRUE(outcome.alive);
}

/* Calls that have to work once, or the save fails; and the errors. */
static const struct {
    enum fx_call call;
    int errnum[3];
    bool harmless; /* without it a save goes on as well */
} hypercalls[] = {
    { FX_CALL_INFO, { ESRCH }, false },
    { FX_CALL_PAGE_TYPES, { ENOMEM, EFAULT, EINVAL }, false },
    { FX_CALL_GET_POLICY, { ESRCH }, false },
    { FX_CALL_GET_TSC, { EINVAL }, false },
    { FX_CALL_GET_CONTEXT, { ENOMEM, EINVAL }, false },
    { FX_CALL_CLEAN, { EBUSY, ENOMEM, EINVAL }, false },
    { FX_CALL_FINAL, { EBUSY, ENOMEM }, false },
    { FX_CALL_MAX_GFN, { ESRCH }, false },
    { FX_CALL_GET_PARAM, { EINVAL, ESRCH }, false },
    { FX_CALL_MAP, { ENOMEM, EFAULT }, false },
    { FX_CALL_MAP_PAGE, { ENOENT, EINVAL }, false },
    { FX_CALL_PEEK, { EBUSY, ENOMEM, EINVAL }, true },
    { FX_CALL_COUNT, { EBUSY, EINVAL }, true },
    { FX_CALL_LOG_OFF, { EBUSY }, true },
};

/* Small and quick, but with several rounds, PEEKs and skipped pages. */
static void quick_migration(struct fx_migration *m)
{
    fx_migration_init(m, 9);
    m->guest.ram_pages = 1024;
    m->guest.top_gfn = 1200;
    add_writer(m, 50000, 100, 500);
    snprintf(m->limits, sizeof(m->limits), "max-downtime=0ms suspend-cost=0ms "
             "suspend-pages=0 last-cost=0ms stall-rounds=0 max-rounds=4");
}

static void fails_at(unsigned i, int errnum, unsigned nth, unsigned times)
{
    struct fx_migration m;
    const struct fx_outcome *o;

    quick_migration(&m);
    m.faults[0] = (struct fx_fault){ .domid = FX_SOURCE,
                                     .call = hypercalls[i].call, .nth = nth,
                                     .times = times, .errnum = errnum };
    o = run(&m);
    /* How often the racing guest makes it call varies. */
    if (o->calls[hypercalls[i].call] < nth)
        return;
    CU_ASSERT_EQUAL(o->saved, hypercalls[i].harmless);
    if (o->saved != hypercalls[i].harmless)
        fx_explain(&m, o);
    /* Page types and mappings fail in the final pass as well. */
    if (!o->saved && hypercalls[i].call != FX_CALL_LOG_OFF)
        CU_ASSERT_FALSE(o->restored);
}

static void each_hypercall_fails(void)
{
    struct fx_migration m;
    unsigned calls[FX_CALLS];

    quick_migration(&m);
    /* On a busy machine a guest may not get to write before the first round
     * is over, and then there is no CLEAN. */
    for (unsigned try = 0; try < 20; try++) {
        memcpy(calls, moves(&m)->calls, sizeof(calls));
        if (calls[FX_CALL_CLEAN] > 1)
            break;
    }
    for (unsigned i = 0; i < sizeof(hypercalls) / sizeof(*hypercalls); i++) {
        unsigned last = calls[hypercalls[i].call];

        CU_ASSERT(last > 0);
        for (unsigned e = 0; e < 3 && hypercalls[i].errnum[e]; e++)
            fails_at(i, hypercalls[i].errnum[e], 1, 1);
        for (unsigned nth = 2; nth <= last; nth += nth < 4 ? 1 : nth)
            fails_at(i, hypercalls[i].errnum[0], nth, 1);
        fails_at(i, hypercalls[i].errnum[0], last, 1);
        if (hypercalls[i].harmless)
            fails_at(i, hypercalls[i].errnum[0], 1, 1000);
    }
}

/* libxc turns log-dirty mode off and on again where it is on already. */
static void log_dirty_is_on_already(void)
{
    struct fx_migration m;

    quick_migration(&m);
    m.faults[0] = (struct fx_fault){ .domid = FX_SOURCE, .nth = 1, .times = 1,
                                     .call = FX_CALL_LOG_ON,
                                     .errnum = EINVAL };
    moves(&m);
    m.faults[0].times = 2;
    CU_ASSERT_FALSE(run(&m)->saved);
}

static void killed_at(enum fx_call call, unsigned nth, int sig)
{
    struct fx_migration m;

    quick_migration(&m);
    m.faults[0] = (struct fx_fault){ .domid = FX_SOURCE, .call = call,
                                     .nth = nth, .times = 1, .signal = sig };
    run(&m);
    if (outcome.calls[call] < nth)
        return;
    CU_ASSERT_EQUAL(outcome.killed, sig == SIGKILL);
    /* The last call comes when the stream is whole; the handshake that then
     * follows is not libxc's. */
    if (sig == SIGKILL && call != FX_CALL_LOG_OFF)
        CU_ASSERT_FALSE(outcome.restored);
}

static void killed_at_each_hypercall(void)
{
    for (unsigned i = 0; i < sizeof(hypercalls) / sizeof(*hypercalls); i++)
        for (unsigned nth = 1; nth <= 3; nth += 2) {
            killed_at(hypercalls[i].call, nth, SIGKILL);
            killed_at(hypercalls[i].call, nth, SIGTERM);
        }
}

/* While it asks how large the guest is, before there is a stream. */
static void ended_before_it_began(void)
{
    struct fx_migration m;

    quick_migration(&m);
    m.faults[0] = (struct fx_fault){ .domid = FX_SOURCE, .call = FX_CALL_INFO,
                                     .nth = 1, .times = 1,
                                     .signal = SIGTERM };
    CU_ASSERT_FALSE(run(&m)->saved);
    CU_ASSERT_EQUAL(outcome.calls[FX_CALL_LOG_ON], 0);
}

/* What the target lacks is not found out before the save has ended, so the
 * save may have gone well; but nothing may be declared restored. */
static void the_target_fails(void)
{
    static const enum fx_call calls[] = {
        FX_CALL_INFO, FX_CALL_MAX_GFN, FX_CALL_SET_POLICY, FX_CALL_POPULATE,
        FX_CALL_MAP, FX_CALL_MAP_PAGE, FX_CALL_SET_TSC, FX_CALL_SET_PARAM,
        FX_CALL_SET_CONTEXT, FX_CALL_MAP_RESOURCE,
    };

    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct fx_migration m;

        quick_migration(&m);
        m.faults[0] = (struct fx_fault){ .domid = FX_TARGET, .nth = 1,
                                         .call = calls[i], .times = 1,
                                         .errnum = ENOMEM };
        CU_ASSERT_FALSE(run(&m)->restored);
    }
}

static void breaks_at(uint64_t at)
{
    struct fx_migration m;

    fx_migration_init(&m, 10);
    m.guest.ram_pages = 600;
    m.guest.top_gfn = 800;
    m.wired = true;
    m.wire.break_at = at;
    run(&m);
    if (outcome.restored)
        printf("\n  restored from %" PRIu64 " bytes\n", at);
    CU_ASSERT_FALSE(outcome.restored);
}

/* In front of each kind of record, within its header, its body, its end. */
static void the_wire_breaks(void)
{
    struct fx_migration m;
    struct fx_wire_seen seen;

    fx_migration_init(&m, 10);
    m.guest.ram_pages = 600;
    m.guest.top_gfn = 800;
    m.wired = true;
    seen = moves(&m)->wire;
    breaks_at(1);
    breaks_at(24);
    breaks_at(39);
    for (unsigned type = 0; type < FX_RECORD_TYPES; type++) {
        if (!seen.length[type])
            continue;
        breaks_at(seen.at[type]);
        breaks_at(seen.at[type] + 4);
        if (seen.length[type] <= 8)
            continue;
        breaks_at(seen.at[type] + 8);
        breaks_at(seen.at[type] + 8 + seen.length[type] / 2);
        breaks_at(seen.at[type] + seen.length[type] - 1);
    }
}

/*
 * Packed: a hot set that goes over and over, whole and in pieces, paced, and
 * cut anywhere.
 */
static void packed(void)
{
    const struct fx_outcome *o;
    struct fx_migration m;

    fx_migration_init(&m, 11);
    snprintf(m.limits, sizeof(m.limits),
             "compress=1 compress-window=64M max-rounds=6 max-rate=60MB"
             " rate-policy=fixed");
    m.socket_bytes = 4096;
    m.wired = true;
    m.wire.piece_bytes = 777;
    add_writer(&m, 30000, 0, 1024);
    o = moves(&m);
    CU_ASSERT_TRUE(o->save.end.wire_bytes > 0);
    CU_ASSERT_TRUE(o->save.end.wire_bytes < o->save.end.bytes);
    CU_ASSERT_TRUE(o->save.end.pack_ns > 0);
}

static void packed_and_cut(void)
{
    struct fx_migration m;
    uint64_t all;

    fx_migration_init(&m, 12);
    m.guest.ram_pages = 600;
    m.guest.top_gfn = 800;
    m.wired = true;
    snprintf(m.limits, sizeof(m.limits), "compress=1");
    all = moves(&m)->wire.bytes;
    for (unsigned i = 1; i < 8; i++) {
        m.wire.break_at = all * i / 8;
        CU_ASSERT_FALSE(run(&m)->restored);
    }
}

/* Bytes drip through small buffers, and signals end the waits for it. */
static void short_writes_and_signals(void)
{
    struct fx_migration m;

    quick_migration(&m);
    m.socket_bytes = 2048;
    m.wired = true;
    m.wire = (struct fx_wire_config){ .piece_bytes = 700,
                                      .rate_bps = 20000000 };
    m.storm_us = 100;
    moves(&m);
    hot_migration(&m, "max-rounds=3");
    m.storm_us = 200;
    moves(&m);
}

static void the_wire_stalls_and_the_user_cancels(void)
{
    struct fx_migration m;

    quick_migration(&m);
    m.wired = true;
    m.wire.stall_at = 300000;
    m.wire.stall_us = 1000000;
    m.kill = (struct fx_kill){ SIGTERM, 50000, true };
    CU_ASSERT_FALSE(run(&m)->saved);
}

/*
 * They come to each process of a terminal, with Ctrl-C, Ctrl-\\, Ctrl-Z and
 * when it is closed. Who runs the migration decides, and the kernel tells of
 * its end.
 */
static void what_the_terminal_sends(void)
{
    static const int signals[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP };
    struct fx_migration m;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        hot_migration(&m, "max-rounds=3");
        m.kill = (struct fx_kill){ signals[i], 50000, true };
        moves(&m);
    }
}

static void the_restorer_is_killed(void)
{
    struct fx_migration m;

    hot_migration(&m, "max-rounds=3");
    m.kill = (struct fx_kill){ SIGKILL, 100000, true };
    m.kill_restorer = true;
    CU_ASSERT_FALSE(run(&m)->restored);
}

static void by_chance(void)
{
    struct fx_tally tally = { 0 };
    uint64_t from = unit_seed();

    for (uint64_t seed = from; seed < from + 20; seed++)
        CU_ASSERT_TRUE(fx_random_run(seed, &tally));
    printf("  %u moved, %u failed, %u killed; %u skipped pages\n",
           tally.moved, tally.failed, tally.killed, tally.skipped);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        { "xc_domain_save() to xc_domain_restore()", plain_save_and_restore },
        { "Xen's own helpers at both ends", stock_helpers },
        { "the helper that was built", whole_with_built_helper },
        { "an idle guest", idle_guest },
        { "a whole address space, with a writer", whole_address_space },
        { "hot pages are skipped", hot_pages_are_skipped },
        { "slow CLEANs", slow_cleans },
        { "all pages sent again to verify them", verified },
        { "holes are left out", holes_are_left_out },
        { "stops when the rest fits", stops_when_it_fits },
        { "stops after so many rounds", stops_after_rounds },
        { "stops in time, or gives up", stops_in_time },
        { "limits that change on the way", limits_change_on_the_way },
        { "keeps the rate", keeps_the_rate },
        { "rounds that bring nothing", stops_without_gain },
        { "slowed by a cap, and let go", slowed_by_a_cap },
        { "slowed by pauses, and let go", slowed_by_pauses },
        { "suspending goes wrong", suspend_goes_wrong },
        { "each hypercall fails", each_hypercall_fails },
        { "log-dirty mode is on already", log_dirty_is_on_already },
        { "killed at each hypercall", killed_at_each_hypercall },
        { "ended before it began", ended_before_it_began },
        { "the target fails", the_target_fails },
        { "the wire breaks", the_wire_breaks },
        { "packed", packed },
        { "packed, and cut", packed_and_cut },
        { "short writes and signals", short_writes_and_signals },
        { "a stalled wire, and the user cancels",
          the_wire_stalls_and_the_user_cancels },
        { "what the terminal sends is for others", what_the_terminal_sends },
        { "the restorer is killed", the_restorer_is_killed },
        { "by chance", by_chance },
    };

    fx_program_role(argc, argv);
    return unit_run("fakexen", tests, sizeof(tests) / sizeof(tests[0]));
}
