/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated year of a balancer: guests that come and go, that are stuck and
 * lie, reservations, clocks that jump, a daemon that is started again. Nothing
 * may leak or drift, and after each tick all must be in order.
 *
 *   soak-memory [--days N] [--seed S]
 *
 * A month is one life of a machine. At its end all memory that was allocated
 * in it must be free again, but for what the allocator keeps at hand.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balancer.h"
#include "base/clock.h"
#include "base/log.h"
#include "decision_history.h"
#include "decision_log.h"
#include "host_sim.h"
#include "life.h"

#define DAY_S     UINT64_C(86400)
#define MONTH_S   (30 * DAY_S)
#define TICK_S    4u
#define OWNER     1
#define LOG_BYTES (4u << 20)

/* Chunks that are kept for the next allocation count as allocated. */
#define HEAP_BYTES (16u << 10)
#define RSS_KIB    2048u

struct counts {
    uint64_t ticks, restarts, jumps, stalls, arrivals, departures, pauses;
    uint64_t asked, granted, refused;
};

static struct soak {
    uint64_t state;            /* of the random numbers */
    struct lxe_host *host;
    struct lxe_host_ops ops;   /* the host's, with a clock that jumps */
    uint64_t (*now_ns)(struct lxe_host *host);
    uint64_t ahead_ns;
    struct aero_config config;
    struct aero_balancer balancer;
    struct aero_history history;
    struct aero_decision_log *log;
    char dir[64];
    unsigned visitor;          /* for whom memory is wanted */
    bool wanted;
    uint64_t held;             /* the reservation that was granted; 0: none */
    uint32_t domid;            /* that is built for it; 0: none */
    struct counts counts;
} soak;

static void fail(const char *what, uint64_t a, uint64_t b)
{
    fprintf(stderr, "\nbroken after %" PRIu64 " ticks: %s (%" PRIu64 ", %"
            PRIu64 ")\n", soak.counts.ticks, what, a, b);
    exit(1);
}

static void on_broken(const char *what, void *data)
{
    (void)data;
    fail(what, 0, 0);
}

static uint64_t between(uint64_t low, uint64_t high)
{
    return life_between(&soak.state, low, high);
}

static bool once_in(uint64_t seconds)
{
    return between(1, seconds / TICK_S) == 1;
}

/* ---- the daemon ---- */

static uint64_t jumping_now_ns(struct lxe_host *host)
{
    return soak.now_ns(host) + soak.ahead_ns;
}

static void on_decided(const struct aero_tick *tick, void *data)
{
    (void)data;
    if (aero_history_note(&soak.history, tick))
        fail("out of memory", 0, 0);
    aero_decision_log_note(soak.log, tick);
}

/* What is granted of a node is free there. */
static void check_node(const struct aero_reservation *r)
{
    const struct lxe_numa *numa = &soak.balancer.numa;

    for (unsigned n = 0; n < numa->count; n++)
        if (r->nodes == UINT64_C(1) << n && r->kib > numa->nodes[n].free_kib)
            fail("memory that was granted of a node is not there", r->kib,
                 numa->nodes[n].free_kib);
}

static void on_reserved(const struct aero_reservation *r, void *data)
{
    (void)data;
    if (r->held)
        check_node(r);
    soak.held = r->held ? r->id : 0;
    soak.wanted = r->held;
    soak.counts.granted += r->held;
    soak.counts.refused += !r->held;
}

static void start_daemon(void)
{
    struct lxe_err err = { 0 };

    aero_balancer_init(&soak.balancer, soak.host, &soak.config);
    soak.balancer.decided = on_decided;
    soak.balancer.reserved = on_reserved;
    soak.wanted = false;
    soak.held = 0;
    soak.domid = 0;
    if (aero_decision_log_open(soak.dir, LOG_BYTES, "soak", &soak.log, &err))
        fail(err.text, 0, 0);
}

/* @cleanly  as by systemctl; else as by kill -9 */
static void end_daemon(bool cleanly)
{
    if (cleanly)
        aero_balancer_stop(&soak.balancer);
    aero_balancer_clear(&soak.balancer);
    aero_history_clear(&soak.history);
    aero_decision_log_close(soak.log);
}

/* ---- what happens ---- */

static void ask(void)
{
    struct aero_reservation want = {
        .owner = OWNER,
        .deadline_ns = soak.host->ops->now_ns(soak.host) +
                       30 * LXE_NS_PER_SEC,
        .domid = AERO_NO_DOMID,
    };
    struct lxe_err err = { 0 };
    char name[16];

    soak.visitor = (unsigned)between(0, LIFE_VISITORS - 1);
    life_visitor(soak.visitor, name, &want.kib);
    if (once_in(2 * TICK_S))
        want.nodes = UINT64_C(1) << life_visitor_node(soak.visitor);
    soak.counts.asked++;
    soak.wanted = !aero_balancer_reserve(&soak.balancer, &want, &err);
    soak.counts.refused += !soak.wanted;
}

/* What was granted is there, unless the visitor is here already. */
static void arrive(void)
{
    struct lxe_err err = { 0 };
    char name[16];
    uint64_t kib;
    int rc;

    life_visitor(soak.visitor, name, &kib);
    rc = lxe_sim_create(soak.host, name, &soak.domid, &err);
    if (rc == -ENOMEM)
        fail("memory that was granted is not there", kib, 0);
    if (!rc)
        aero_reservations_transfer(&soak.balancer.reservations, OWNER,
                                   soak.held, soak.domid, &err);
    else
        aero_reservations_drop_owner(&soak.balancer.reservations, OWNER);
    soak.counts.arrivals += !rc;
    soak.wanted = !rc;
    soak.held = 0;
}

/* The client ends when its domain is built, or has gone. */
static void follow_visitor(void)
{
    const struct aero_guest *g;

    if (!soak.domid)
        return;
    g = aero_guests_find(&soak.balancer.guests, soak.domid);
    if (g && (g->dom.building || g->dom.target_kib == LXE_UNKNOWN))
        return;
    aero_reservations_drop_owner(&soak.balancer.reservations, OWNER);
    soak.domid = 0;
    soak.wanted = false;
}

/* Any guest but dom0, or 0. */
static uint32_t anyone(void)
{
    const struct aero_guests *all = &soak.balancer.guests;

    if (all->count < 2)
        return 0;
    return all->items[between(1, all->count - 1)].dom.domid;
}

/* A resident that goes is missed until the next month. */
static void depart(void)
{
    const struct aero_guest *g = aero_guests_find(&soak.balancer.guests,
                                                  anyone());

    if (g && !strncmp(g->dom.name, "visitor", 7))
        soak.counts.departures += !lxe_sim_destroy(soak.host, g->dom.domid,
                                                   NULL);
}

static void pause_one(void)
{
    uint32_t domid = anyone();
    struct lxe_err err = { 0 };

    if (domid && !soak.host->ops->pause(soak.host, domid, &err)) {
        soak.counts.pauses++;
        lxe_sim_advance(soak.host, between(1, 600) * LXE_NS_PER_SEC);
        soak.host->ops->unpause(soak.host, domid, &err);
    }
}

static void happen(void)
{
    if (!soak.wanted && once_in(1800))
        ask();
    if (soak.held)
        arrive();
    if (once_in(1800))
        depart();
    if (once_in(DAY_S / 4))
        pause_one();
    if (once_in(DAY_S)) {
        end_daemon(once_in(2 * TICK_S));
        start_daemon();
        soak.counts.restarts++;
    }
    if (once_in(DAY_S)) { /* the machine slept, or the clock was set */
        soak.ahead_ns = between(0, 7200) * LXE_NS_PER_SEC;
        soak.counts.jumps++;
    }
    if (once_in(DAY_S / 2)) { /* nobody runs the daemon */
        lxe_sim_advance(soak.host, between(1, 300) * LXE_NS_PER_SEC);
        soak.counts.stalls++;
    }
}

/* ---- what must hold ---- */

static void check_guest(const struct aero_guest *g)
{
    uint64_t least = g->min_kib < g->held_kib ? g->min_kib : g->held_kib;

    if (g->written_kib == LXE_UNKNOWN)
        return;
    if (g->written_kib + 4 < least)
        fail("a target below the minimum", g->written_kib, least);
    if (g->written_kib > aero_guest_top_kib(g))
        fail("a target above the maximum", g->written_kib,
             aero_guest_top_kib(g));
}

/* Memory is promised once: to guests on the way up, and to reservations. */
static void check_promises(void)
{
    const struct aero_balancer *b = &soak.balancer;
    uint64_t promised = 0;

    for (size_t i = 0; i < b->guests.count; i++) {
        const struct aero_guest *g = &b->guests.items[i];

        check_guest(g);
        if (g->dom.domid && g->dom.target_kib != LXE_UNKNOWN &&
            g->dom.target_kib > g->held_kib &&
            !aero_reservations_following(&b->reservations, g->dom.domid))
            promised += g->dom.target_kib - g->held_kib;
    }
    promised += aero_reservations_held_kib(&b->reservations);
    if (promised > b->memory.free_kib)
        fail("more is promised than is free", promised, b->memory.free_kib);
}

static void check_log(void)
{
    static const char *const names[] = { AERO_LOG_NAME, AERO_LOG_NAME ".1" };
    uint64_t size = 0;
    struct stat st;
    char path[128];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", soak.dir, names[i]);
        if (!stat(path, &st))
            size += (uint64_t)st.st_size;
    }
    if (!size || size > LOG_BYTES)
        fail("the log's size", size, LOG_BYTES);
}

static uint64_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static uint64_t resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    uint64_t all = 0, resident = 0;

    if (!f || fscanf(f, "%" SCNu64 " %" SCNu64, &all, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* ---- a month ---- */

static void begin_month(uint64_t seed, uint64_t length_s)
{
    soak.host = life_open(seed, length_s);
    if (!soak.host)
        exit(1);
    lxe_sim_set_invariant(soak.host, on_broken, NULL);
    soak.ops = *soak.host->ops;
    soak.now_ns = soak.ops.now_ns;
    soak.ops.now_ns = jumping_now_ns;
    soak.host->ops = &soak.ops;
    soak.ahead_ns = 0;
    start_daemon();
}

/* When all guests have gone nothing may be held or promised. */
static void end_month(void)
{
    struct aero_balancer *b = &soak.balancer;

    for (size_t i = 0; i < b->guests.count; i++)
        lxe_sim_destroy(soak.host, b->guests.items[i].dom.domid, NULL);
    aero_reservations_drop_owner(&b->reservations, OWNER);
    lxe_sim_advance(soak.host, 60 * LXE_NS_PER_SEC);
    if (aero_balancer_tick(b) || b->guests.count != 1)
        fail("guests that are not there", b->guests.count, 1);
    if (b->reservations.count)
        fail("reservations of nobody", b->reservations.count, 0);
    if (b->memory.free_kib + 576 * 1024 != b->memory.total_kib)
        fail("memory that went away", b->memory.free_kib,
             b->memory.total_kib);
    check_log();
    end_daemon(true);
    soak.host->ops->close(soak.host);
}

static void live_month(uint64_t seed, uint64_t length_s)
{
    soak.state = seed;
    begin_month(seed, length_s);
    for (uint64_t s = 0; s < length_s; s += TICK_S) {
        if (aero_balancer_tick(&soak.balancer))
            fail("a tick failed", 0, 0);
        soak.counts.ticks++;
        check_promises();
        follow_visitor();
        happen();
        lxe_sim_advance(soak.host, TICK_S * LXE_NS_PER_SEC);
    }
    end_month();
}

static void live(uint64_t seed, uint64_t days)
{
    uint64_t left_s = days * DAY_S, heap = 0, resident = 0;

    for (unsigned month = 0; left_s; month++) {
        uint64_t length_s = left_s < MONTH_S ? left_s : MONTH_S;

        live_month(seed + month, length_s);
        left_s -= length_s;
        if (!month) {
            heap = heap_bytes();
            resident = resident_kib();
        }
        if (heap_bytes() > heap + HEAP_BYTES)
            fail("memory stays allocated, bytes", heap, heap_bytes());
        if (resident_kib() > resident + RSS_KIB)
            fail("the program grows, KiB", resident, resident_kib());
    }
}

static void print_counts(uint64_t days)
{
    const struct counts *c = &soak.counts;

    printf("%" PRIu64 " days: %" PRIu64 " ticks, %" PRIu64 " restarts, %"
           PRIu64 " jumps of the clock, %" PRIu64 " stalls, %" PRIu64
           " pauses; %" PRIu64 " requests, %" PRIu64 " granted, %" PRIu64
           " refused; %" PRIu64 " arrivals, %" PRIu64 " departures; %" PRIu64
           " KiB resident\n", days, c->ticks, c->restarts, c->jumps,
           c->stalls, c->pauses, c->asked, c->granted, c->refused,
           c->arrivals, c->departures, resident_kib());
}

static void remove_log(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/" AERO_LOG_NAME, soak.dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/" AERO_LOG_NAME ".1", soak.dir);
    unlink(path);
    rmdir(soak.dir);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "days", required_argument, NULL, 'd' },
        { "seed", required_argument, NULL, 's' },
        { 0 },
    };
    uint64_t days = 1, seed = lxe_now_ns();
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (c) {
        case 'd': days = strtoull(optarg, NULL, 10); break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        default:
            fprintf(stderr, "usage: soak-memory [--days N] [--seed S]\n");
            return 2;
        }
    printf("--seed %" PRIu64 "\n", seed);
    fflush(stdout);
    strcpy(soak.dir, "/tmp/soak-memory.XXXXXX");
    if (!mkdtemp(soak.dir))
        return 1;
    lxe_log_open("soak-memory", XTL_CRITICAL, false);
    aero_config_defaults(&soak.config);
    live(seed, days);
    print_counts(days);
    aero_config_clear(&soak.config);
    lxe_log_close();
    remove_log();
    return 0;
}
