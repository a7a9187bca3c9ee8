/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim_guest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/u64.h"
#include "base/units.h"
#include "sim_random.h"

#define DRIVER_TRIES    4
#define DRIVER_SLEEP_NS (3600 * LXE_NS_PER_SEC)
#define REFAULT_NS      (10 * LXE_NS_PER_SEC) /* a page is wanted again */
#define PSI_WINDOW_NS   (10 * LXE_NS_PER_SEC) /* of "avg10" */

static uint64_t whole_pages_kib(uint64_t kib)
{
    return kib - kib % LXE_KIB_PER_PAGE;
}

/* ---- its life ---- */

/* Nothing is told. */
static void forget(struct lxe_guest_report *r)
{
    r->total_kib = r->available_kib = r->used_kib = LXE_UNKNOWN;
    r->swap_used_kib = r->swap_free_kib = LXE_UNKNOWN;
    r->refaults = r->psi_some_x100 = LXE_UNKNOWN;
    r->swapins = LXE_UNKNOWN;
}

struct lxe_sim_guest *lxe_sim_guest_new(const struct lxe_sim_guest_def *def,
                                        uint32_t domid, uint64_t seed)
{
    struct lxe_sim_guest *g = calloc(1, sizeof(*g));
    uint64_t state = seed * 65537 + domid, a, b;

    if (!g)
        return NULL;
    a = lxe_sim_random(&state);
    b = lxe_sim_random(&state);
    g->def = def;
    g->domid = domid;
    snprintf(g->uuid, sizeof(g->uuid),
             "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
             (unsigned)(b >> 48 & 0x3fff) | 0x8000,
             b & UINT64_C(0xffffffffffff));
    forget(&g->report);
    if (domid == 0)
        strcpy(g->uuid, "00000000-0000-0000-0000-000000000000");
    return g;
}

void lxe_sim_guest_free(struct lxe_sim_guest *g)
{
    if (!g)
        return;
    lxe_sim_pages_free(g->pages);
    lxe_sim_pages_free(g->sampled);
    free(g);
}

bool lxe_sim_guest_runs(const struct lxe_sim_guest *g)
{
    return !g->building && !g->pauses && !g->suspended && !g->dying;
}

/* ---- its memory ---- */

uint64_t lxe_sim_guest_demand_kib(const struct lxe_sim_guest_def *def,
                                  uint64_t now_ns)
{
    const struct lxe_sim_point *p = def->demand;
    size_t i = 0;
    double part;

    while (i + 1 < def->demand_count && p[i + 1].at_ns <= now_ns)
        i++;
    if (def->demand_steps || i + 1 == def->demand_count ||
        now_ns < p[i].at_ns)
        return p[i].used_kib;
    part = (double)(now_ns - p[i].at_ns) /
           (double)(p[i + 1].at_ns - p[i].at_ns);
    return (uint64_t)((double)p[i].used_kib * (1 - part) +
                      (double)p[i + 1].used_kib * part);
}

uint64_t lxe_sim_guest_total_kib(const struct lxe_sim_guest *g)
{
    return lxe_less(g->given_kib, g->def->videoram_kib);
}

uint64_t lxe_sim_guest_available_kib(const struct lxe_sim_guest *g)
{
    return lxe_less(lxe_sim_guest_total_kib(g), g->use.resident_kib);
}

/*
 * What its programs ask for. Patient ones take no more while too little would
 * be left available, and keep what they have.
 */
static void want(struct lxe_sim_guest *g, uint64_t now_ns)
{
    struct lxe_sim_use *u = &g->use;
    uint64_t trace = lxe_sim_guest_demand_kib(g->def, now_ns), most = trace;

    if (g->def->patient_kib)
        most = lxe_max(u->demand_kib, lxe_less(lxe_sim_guest_total_kib(g),
                                               g->def->patient_kib));
    u->demand_kib = lxe_min(trace, most);
    u->waiting_kib = trace - u->demand_kib;
}

/* Shares its memory out between what it uses, its swap and its cache. */
static void settle(struct lxe_sim_guest *g)
{
    struct lxe_sim_use *u = &g->use;
    uint64_t total = lxe_sim_guest_total_kib(g), over;

    u->resident_kib = lxe_min(u->demand_kib, total);
    over = u->demand_kib - u->resident_kib;
    u->swap_kib = lxe_min(over, g->def->swap_kib);
    u->unmet_kib = over - u->swap_kib;
    u->cache_kib = lxe_min(u->cache_kib, total - u->resident_kib);
}

void lxe_sim_guest_boot(struct lxe_sim_guest *g, uint64_t now_ns)
{
    g->use.demand_kib = lxe_sim_guest_demand_kib(g->def, now_ns);
    g->use.cache_kib = g->def->page_cache_kib;
    g->driver.target_kib = g->target_kib;
    g->report_at_ns = now_ns;
    settle(g);
}

static void fill_cache(struct lxe_sim_guest *g, uint64_t dt_ns)
{
    struct lxe_sim_use *u = &g->use;
    uint64_t room = lxe_min(lxe_sim_guest_available_kib(g),
                            g->def->page_cache_kib);

    u->cache_credit += g->def->page_cache_kib * dt_ns;
    u->cache_kib += lxe_min(u->cache_credit / g->def->page_cache_fill_ns,
                            lxe_less(room, u->cache_kib));
    u->cache_credit %= g->def->page_cache_fill_ns;
}

/* Pages that are wanted and not there are wanted again every few seconds. */
static void feel_pressure(struct lxe_sim_guest *g, uint64_t dt_ns)
{
    struct lxe_sim_use *u = &g->use;
    uint64_t hot = lxe_min(g->def->page_cache_hot_kib,
                           lxe_sim_guest_available_kib(g));
    uint64_t missing = g->def->page_cache_hot_kib - hot + u->swap_kib +
                       u->unmet_kib;
    double share = missing ? (double)missing /
                                 (double)(missing + g->given_kib)
                           : 0;

    u->refault_credit += missing / LXE_KIB_PER_PAGE * dt_ns;
    u->refaults += u->refault_credit / REFAULT_NS;
    u->refault_credit %= REFAULT_NS;
    u->psi_x100 += (10000 * share - u->psi_x100) * (double)dt_ns /
                   (double)PSI_WINDOW_NS;
}

/* ---- what it says ---- */

/* A liar's word for its use, a greedy one's, or the truth. */
static uint64_t said_used_kib(const struct lxe_sim_guest *g)
{
    uint64_t total = lxe_sim_guest_total_kib(g);

    if (g->def->greedy)
        return total;
    return lxe_min(total,
                   g->use.resident_kib * g->def->report_percent / 100);
}

static uint64_t said_swap_kib(const struct lxe_sim_guest *g)
{
    if (g->def->greedy)
        return lxe_sim_guest_total_kib(g) / 4;
    return g->use.swap_kib * g->def->report_percent / 100;
}

static void say_agent(const struct lxe_sim_guest *g,
                      struct lxe_guest_report *r)
{
    r->total_kib = lxe_sim_guest_total_kib(g);
    r->used_kib = said_used_kib(g);
    r->available_kib = r->total_kib - r->used_kib;
    r->swap_used_kib = said_swap_kib(g);
    r->swap_free_kib = g->def->swap_kib - g->use.swap_kib;
    r->refaults = g->use.refaults;
    r->psi_some_x100 = g->def->greedy ? 9000 : (uint64_t)g->use.psi_x100;
}

static void say_xenserver(const struct lxe_sim_guest *g,
                          struct lxe_guest_report *r)
{
    r->total_kib = lxe_sim_guest_total_kib(g);
    r->used_kib = said_used_kib(g);
    r->available_kib = r->total_kib - r->used_kib;
}

static void say(struct lxe_sim_guest *g)
{
    struct lxe_guest_report *r = &g->report;

    r->source = (enum lxe_report_source)g->def->report;
    r->seq++;
    forget(r);
    if (r->source == LXE_REPORT_AGENT)
        say_agent(g, r);
    else if (r->source == LXE_REPORT_XENSERVER)
        say_xenserver(g, r);
    else
        r->used_kib = said_used_kib(g) + said_swap_kib(g);
}

/* data/ is a guest's own; elsewhere the host must have made the keys first. */
static bool may_say(const struct lxe_sim_guest *g)
{
    return g->def->report == LXE_REPORT_XENSERVER ||
           (g->def->report != LXE_REPORT_NONE && g->prepared);
}

bool lxe_sim_guest_live(struct lxe_sim_guest *g, uint64_t now_ns,
                        uint64_t dt_ns)
{
    bool wrote = false;

    if (!lxe_sim_guest_runs(g))
        return false;
    want(g, now_ns);
    settle(g);
    fill_cache(g, dt_ns);
    feel_pressure(g, dt_ns);
    if (g->report.drop_pending && now_ns >= g->drop_at_ns) {
        g->use.cache_kib = 0;
        g->report.drop_pending = false;
        g->report_at_ns = now_ns;
        wrote = true;
    }
    if (may_say(g) && now_ns >= g->report_at_ns) {
        say(g);
        g->report_at_ns = now_ns + g->def->report_ns;
        wrote = true;
    }
    return wrote;
}

/* ---- its balloon driver ---- */

static bool driver_works(const struct lxe_sim_guest *g, uint64_t now_ns)
{
    uint64_t every = g->def->stuck_every_ns;

    return lxe_sim_guest_runs(g) && !g->def->stuck && !g->def->no_balloon &&
           !(every && now_ns / every % 2);
}

/* Only another value, by a page at least, wakes a driver that gave up. */
static void driver_watch(struct lxe_sim_guest *g)
{
    struct lxe_sim_driver *d = &g->driver;

    if (d->target_kib / LXE_KIB_PER_PAGE ==
        g->target_kib / LXE_KIB_PER_PAGE)
        return;
    d->target_kib = g->target_kib;
    d->fails = 0;
    d->wake_ns = 0;
}

/* It waits 2, 4 and 8 s for its next try, then an hour. */
static void driver_failed(struct lxe_sim_driver *d, uint64_t now_ns)
{
    d->credit = 0;
    if (++d->fails < DRIVER_TRIES) {
        d->wake_ns = now_ns + (LXE_NS_PER_SEC << d->fails);
        return;
    }
    d->fails = 0;
    d->wake_ns = now_ns + DRIVER_SLEEP_NS;
}

/* How much of what can be moved its speed allows now, in whole steps. */
static uint64_t driver_pace(struct lxe_sim_guest *g, uint64_t movable_kib,
                            uint64_t dt_ns)
{
    uint64_t step = lxe_min(g->def->balloon_step_kib, movable_kib);
    struct lxe_sim_driver *d = &g->driver;
    uint64_t kib;

    if (!g->def->balloon_kib_s)
        return movable_kib;
    d->credit += g->def->balloon_kib_s * dt_ns;
    kib = d->credit / LXE_NS_PER_SEC / step * step;
    kib = lxe_min(kib, movable_kib - movable_kib % step);
    d->credit -= kib * LXE_NS_PER_SEC;
    if (d->credit > g->def->balloon_step_kib * LXE_NS_PER_SEC)
        d->credit = g->def->balloon_step_kib * LXE_NS_PER_SEC;
    return kib;
}

static uint64_t shrinkable_kib(const struct lxe_sim_guest *g,
                               uint64_t goal_kib)
{
    uint64_t kib = lxe_min(g->given_kib - goal_kib,
                           lxe_sim_guest_available_kib(g));

    return lxe_min(kib,
                   lxe_less(lxe_sim_guest_total_kib(g), g->def->floor_kib));
}

int64_t lxe_sim_guest_balloon(struct lxe_sim_guest *g, uint64_t now_ns,
                              uint64_t dt_ns, uint64_t free_kib)
{
    uint64_t goal, kib;
    bool grow;

    if (!driver_works(g, now_ns))
        return 0;
    driver_watch(g);
    goal = whole_pages_kib(g->target_kib + g->def->videoram_kib);
    if (goal == g->given_kib) {
        g->driver.fails = 0;
        g->driver.credit = 0;
        return 0;
    }
    if (now_ns < g->driver.wake_ns)
        return 0;
    grow = goal > g->given_kib;
    kib = whole_pages_kib(grow ? lxe_min(goal - g->given_kib, free_kib)
                               : shrinkable_kib(g, goal));
    if (!kib) {
        driver_failed(&g->driver, now_ns);
        return 0;
    }
    g->driver.fails = 0;
    kib = driver_pace(g, kib, dt_ns);
    return grow ? (int64_t)kib : -(int64_t)kib;
}

/* ---- seen from outside ---- */

void lxe_sim_guest_write(struct lxe_sim_guest *g, uint64_t ns)
{
    uint64_t percent = 100;

    if (!lxe_sim_guest_runs(g))
        return;
    if (g->cap_percent)
        percent = lxe_min(100, g->cap_percent / g->def->vcpus);
    if (g->pages)
        lxe_sim_pages_run(g->pages, ns, percent);
    if (g->sampled)
        lxe_sim_pages_run(g->sampled, ns, percent);
}

static void describe_state(const struct lxe_sim_guest *g,
                           struct lxe_domain *out)
{
    out->running = lxe_sim_guest_runs(g);
    out->paused = g->pauses > 0;
    out->suspended = g->suspended;
    out->shutdown = g->suspended;
    out->dying = g->dying;
    out->building = g->building;
    out->migrating = g->def->migrating;
    out->no_balloon = g->def->no_balloon;
    out->uncooperative = g->def->uncooperative;
}

void lxe_sim_guest_describe(const struct lxe_sim_guest *g,
                            struct lxe_domain *out)
{
    *out = (struct lxe_domain){
        .domid = g->domid,
        .type = (enum lxe_dom_type)g->def->type,
        .vcpus = (unsigned)g->def->vcpus,
        .current_kib = g->given_kib + g->claim_kib,
        .target_kib = g->building ? LXE_UNKNOWN : g->target_kib,
        .xen_max_kib = g->xen_max_kib,
        .static_max_kib =
            g->building ? LXE_UNKNOWN : g->def->static_max_kib,
        .videoram_kib = g->def->videoram_kib,
        .dynamic_min_kib = g->def->dynamic_min_kib,
        .dynamic_max_kib = g->def->dynamic_max_kib,
        .nodes = g->def->node == LXE_UNKNOWN ? 0 : UINT64_C(1) << g->def->node,
        .report = g->report,
    };
    strcpy(out->name, g->def->name);
    strcpy(out->uuid, g->uuid);
    describe_state(g, out);
}
