/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim_world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

/* What libxl adds to each domain's limit (LIBXL_MAXMEM_CONSTANT). */
#define XEN_MAX_SLACK_KIB 1024

/* ---- the books ---- */

static void broken(struct lxe_sim_world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void broken(struct lxe_sim_world *w, const char *fmt, ...)
{
    char what[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (w->invariant) {
        w->invariant(what, w->invariant_data);
        return;
    }
    lxe_error("simulator at %.3f s: %s", (double)w->now_ns / 1e9, what);
    if (!lxe_logger())
        fprintf(stderr, "simulator: %s\n", what);
    abort();
}

void lxe_sim_world_check_guest(struct lxe_sim_world *w,
                               const struct lxe_sim_guest *g)
{
    const struct lxe_sim_guest_def *def = g->def;

    if (g->target_kib + def->videoram_kib > def->static_max_kib)
        broken(w, "domain %u: target %" PRIu64 " KiB is above static_max",
               g->domid, g->target_kib);
    if (g->given_kib + g->claim_kib > def->static_max_kib)
        broken(w, "domain %u: has %" PRIu64 " KiB, above static_max",
               g->domid, g->given_kib + g->claim_kib);
    if (g->claim_kib && !g->building)
        broken(w, "domain %u: holds a claim and is not being built",
               g->domid);
    if (!g->building && !g->dying &&
        lxe_sim_guest_total_kib(g) < def->floor_kib)
        broken(w, "domain %u: is below its floor", g->domid);
}

void lxe_sim_world_check(struct lxe_sim_world *w)
{
    uint64_t sum = w->scenario->xen_kib + w->free_kib;

    for (size_t i = 0; i < w->count; i++) {
        sum += w->guests[i]->given_kib + w->guests[i]->claim_kib;
        lxe_sim_world_check_guest(w, w->guests[i]);
    }
    if (w->free_kib > w->scenario->total_kib)
        broken(w, "free memory is negative");
    if (w->scrub_kib > w->free_kib)
        broken(w, "more memory is to be scrubbed than is free");
    if (sum != w->scenario->total_kib)
        broken(w, "memory adds up to %" PRIu64 " KiB, the host has %" PRIu64,
               sum, w->scenario->total_kib);
}

/* Xen hands out what is scrubbed first. */
static void take_free(struct lxe_sim_world *w, uint64_t kib)
{
    if (kib > w->free_kib)
        broken(w, "%" PRIu64 " KiB are taken, %" PRIu64 " are free", kib,
               w->free_kib);
    w->free_kib -= kib;
    if (w->scrub_kib > w->free_kib)
        w->scrub_kib = w->free_kib;
}

static void move(struct lxe_sim_world *w, struct lxe_sim_guest *g,
                 int64_t kib)
{
    if (kib > 0) {
        take_free(w, (uint64_t)kib);
        g->given_kib += (uint64_t)kib;
        if (g->given_kib > g->xen_max_kib)
            broken(w, "domain %u: grows beyond Xen's maximum", g->domid);
    } else if (kib < 0) {
        g->given_kib -= (uint64_t)-kib;
        w->free_kib += (uint64_t)-kib;
    }
}

/* ---- domains ---- */

struct lxe_sim_guest *lxe_sim_world_find(struct lxe_sim_world *w,
                                         uint32_t domid)
{
    size_t lo = 0, hi = w->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (w->guests[mid]->domid < domid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < w->count && w->guests[lo]->domid == domid ? w->guests[lo]
                                                          : NULL;
}

static struct lxe_sim_guest *find_def(struct lxe_sim_world *w,
                                      const struct lxe_sim_guest_def *def)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->guests[i]->def == def && !w->guests[i]->dying)
            return w->guests[i];
    return NULL;
}

static struct lxe_sim_guest *append(struct lxe_sim_world *w,
                                    const struct lxe_sim_guest_def *def)
{
    struct lxe_sim_guest *g;

    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 16;
        struct lxe_sim_guest **more = reallocarray(w->guests, room,
                                                   sizeof(*more));

        if (!more)
            return NULL;
        w->guests = more;
        w->room = room;
    }
    g = lxe_sim_guest_new(def, w->next_domid, w->scenario->seed);
    if (!g)
        return NULL;
    w->next_domid++;
    w->guests[w->count++] = g;
    return g;
}

static void finish_build(struct lxe_sim_world *w, struct lxe_sim_guest *g)
{
    g->given_kib += g->claim_kib;
    g->claim_kib = 0;
    g->building = false;
    lxe_sim_guest_boot(g, w->now_ns);
    lxe_sim_world_note_domains(w);
    lxe_sim_world_note_memory(w, g);
}

/* Claims its memory, as xl does, so that nobody else takes it meanwhile. */
static struct lxe_sim_guest *build(struct lxe_sim_world *w,
                                   const struct lxe_sim_guest_def *def,
                                   uint64_t build_ns)
{
    struct lxe_sim_guest *g = append(w, def);

    if (!g)
        return NULL;
    g->building = true;
    g->phase_ns = w->now_ns;
    g->phase_kib = def->memory_kib + def->videoram_kib;
    g->claim_kib = g->phase_kib;
    g->target_kib = def->memory_kib;
    g->xen_max_kib = g->phase_kib + XEN_MAX_SLACK_KIB;
    take_free(w, g->claim_kib);
    lxe_sim_world_note_domains(w);
    if (!build_ns)
        finish_build(w, g);
    return g;
}

struct lxe_sim_guest *lxe_sim_world_create(struct lxe_sim_world *w,
                                           size_t guest_index,
                                           struct lxe_err *err)
{
    const struct lxe_sim_guest_def *def = &w->scenario->guests[guest_index];
    uint64_t need = def->memory_kib + def->videoram_kib;
    struct lxe_sim_guest *g = NULL;

    if (find_def(w, def))
        lxe_fail(err, -EEXIST, "domain '%.80s' is there already", def->name);
    else if (need > w->free_kib)
        lxe_fail(err, -ENOMEM,
                 "domain '%.80s' needs %" PRIu64 " KiB, %" PRIu64 " are free",
                 def->name, need, w->free_kib);
    else if (!(g = build(w, def, def->build_ns)))
        lxe_fail(err, -ENOMEM, "out of memory");
    if (!g)
        w->refused_builds++;
    return g;
}

static void remove_guest(struct lxe_sim_world *w, struct lxe_sim_guest *g)
{
    size_t i = 0;

    while (w->guests[i] != g)
        i++;
    memmove(&w->guests[i], &w->guests[i + 1],
            (--w->count - i) * sizeof(*w->guests));
    lxe_sim_guest_free(g);
    lxe_sim_world_note_domains(w);
}

/* A dead domain's pages are free at once, and then scrubbed. */
static void release(struct lxe_sim_world *w, struct lxe_sim_guest *g,
                    uint64_t kib)
{
    g->given_kib -= kib;
    w->free_kib += kib;
    if (w->scenario->scrub_kib_s)
        w->scrub_kib += kib;
}

void lxe_sim_world_destroy(struct lxe_sim_world *w, struct lxe_sim_guest *g)
{
    if (g->dying)
        return;
    w->free_kib += g->claim_kib;
    g->claim_kib = 0;
    g->building = false;
    g->dying = true;
    g->phase_ns = w->now_ns;
    g->phase_kib = g->given_kib;
    lxe_sim_world_note_domains(w);
    if (!g->def->dying_ns) {
        release(w, g, g->given_kib);
        remove_guest(w, g);
    }
}

/* ---- time ---- */

/* How much of a phase's memory has moved by now: whole pages. */
static uint64_t phase_done_kib(const struct lxe_sim_world *w,
                               const struct lxe_sim_guest *g,
                               uint64_t length_ns)
{
    double part = (double)(w->now_ns - g->phase_ns) / (double)length_ns;
    uint64_t kib;

    if (part >= 1)
        return g->phase_kib;
    kib = (uint64_t)((double)g->phase_kib * part);
    return kib - kib % LXE_KIB_PER_PAGE;
}

static void step_build(struct lxe_sim_world *w, struct lxe_sim_guest *g)
{
    uint64_t done = phase_done_kib(w, g, g->def->build_ns);

    g->claim_kib -= done - g->given_kib;
    g->given_kib = done;
    if (!g->claim_kib)
        finish_build(w, g);
}

/* Returns whether the domain has gone, and g with it. */
static bool step_death(struct lxe_sim_world *w, struct lxe_sim_guest *g)
{
    uint64_t done = phase_done_kib(w, g, g->def->dying_ns);

    release(w, g, done - (g->phase_kib - g->given_kib));
    if (g->given_kib)
        return false;
    remove_guest(w, g);
    return true;
}

static void step_guest(struct lxe_sim_world *w, struct lxe_sim_guest *g)
{
    if (lxe_sim_guest_live(g, w->now_ns, w->scenario->step_ns))
        lxe_sim_world_note_memory(w, g);
    move(w, g, lxe_sim_guest_balloon(g, w->now_ns, w->scenario->step_ns,
                                     w->free_kib));
}

static void step_scrub(struct lxe_sim_world *w)
{
    uint64_t kib;

    w->scrub_credit += w->scenario->scrub_kib_s * w->scenario->step_ns;
    kib = w->scrub_credit / LXE_NS_PER_SEC;
    w->scrub_credit %= LXE_NS_PER_SEC;
    w->scrub_kib -= kib < w->scrub_kib ? kib : w->scrub_kib;
}

static void do_event(struct lxe_sim_world *w, const struct lxe_sim_event *e)
{
    struct lxe_sim_guest *g = find_def(w,
                                       &w->scenario->guests[e->guest_index]);
    struct lxe_err err = { 0 };

    if (e->action == LXE_SIM_CREATE) {
        if (!lxe_sim_world_create(w, e->guest_index, &err))
            lxe_warn("simulator: %s", err.text);
        return;
    }
    if (!g)
        return; /* gone before its event */
    if (e->action == LXE_SIM_DESTROY)
        lxe_sim_world_destroy(w, g);
    else if (e->action == LXE_SIM_PAUSE)
        g->pauses++;
    else if (g->pauses)
        g->pauses--;
}

static void step(struct lxe_sim_world *w)
{
    const struct lxe_sim_scenario *s = w->scenario;

    while (w->next_event < s->event_count &&
           s->events[w->next_event].at_ns <= w->now_ns)
        do_event(w, &s->events[w->next_event++]);
    step_scrub(w);
    for (size_t i = 0; i < w->count;) {
        struct lxe_sim_guest *g = w->guests[i];

        if (g->dying && step_death(w, g))
            continue; /* the next one stands in its place */
        if (g->building)
            step_build(w, g);
        else if (!g->dying)
            step_guest(w, g);
        i++;
    }
    lxe_sim_world_check(w);
}

void lxe_sim_world_advance(struct lxe_sim_world *w, uint64_t ns)
{
    uint64_t end = w->now_ns + ns;

    while (w->now_ns < end) {
        uint64_t part = w->scenario->step_ns - w->now_ns % w->scenario->step_ns;

        if (part > end - w->now_ns)
            part = end - w->now_ns;
        for (size_t i = 0; i < w->count; i++)
            lxe_sim_guest_write(w->guests[i], part);
        w->now_ns += part;
        if (w->now_ns % w->scenario->step_ns == 0)
            step(w);
    }
}

/* ---- events ---- */

void lxe_sim_world_note_domains(struct lxe_sim_world *w)
{
    w->domains_changed = w->watching;
}

void lxe_sim_world_note_memory(struct lxe_sim_world *w,
                               struct lxe_sim_guest *g)
{
    g->changed = w->watching;
}

/* From where the last one was found: all are taken in one round or two. */
static struct lxe_sim_guest *next_changed(struct lxe_sim_world *w)
{
    for (size_t n = 0; n < w->count; n++) {
        struct lxe_sim_guest *g;

        if (w->next_changed >= w->count)
            w->next_changed = 0;
        g = w->guests[w->next_changed++];
        if (g->changed)
            return g;
    }
    return NULL;
}

bool lxe_sim_world_next_event(struct lxe_sim_world *w, struct lxe_event *out)
{
    struct lxe_sim_guest *g;

    if (w->domains_changed) {
        w->domains_changed = false;
        *out = (struct lxe_event){ .kind = LXE_EVENT_DOMAINS };
        return true;
    }
    g = next_changed(w);
    if (!g)
        return false;
    g->changed = false;
    *out = (struct lxe_event){ .kind = LXE_EVENT_MEMORY, .domid = g->domid };
    return true;
}

/* ---- init and deinit ---- */

int lxe_sim_world_init(struct lxe_sim_world *w,
                       const struct lxe_sim_scenario *scenario,
                       struct lxe_err *err)
{
    struct lxe_sim_guest *g;

    *w = (struct lxe_sim_world){ .scenario = scenario };
    w->free_kib = scenario->total_kib - scenario->xen_kib;
    g = build(w, &scenario->dom0, 0);
    for (size_t i = 0; g && i < scenario->guest_count; i++)
        if (!scenario->guests[i].absent)
            g = build(w, &scenario->guests[i], 0);
    if (!g)
        return lxe_fail(err, -ENOMEM, "out of memory");
    lxe_sim_world_check(w);
    return 0;
}

void lxe_sim_world_deinit(struct lxe_sim_world *w)
{
    for (size_t i = 0; i < w->count; i++)
        lxe_sim_guest_free(w->guests[i]);
    free(w->guests);
    w->guests = NULL;
    w->count = 0;
}
