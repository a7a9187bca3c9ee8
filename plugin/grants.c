/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "grants.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/units.h"
#include "obtainable.h"

/* A domain that was created for a reservation takes it, until it runs. */
static void meet_new_domains(struct aero_reservations *all,
                             const struct aero_guests *guests)
{
    for (size_t i = 0; i < guests->count; i++) {
        const struct aero_guest *g = &guests->items[i];

        if (g->dom.domid)
            aero_reservations_meet(all, g->dom.name, g->dom.domid, g->seen_ns);
        if (g->dom.running && g->dom.target_kib != LXE_UNKNOWN &&
            aero_reservations_arrived(all, g->dom.domid))
            lxe_info("domain %" PRIu32 " (%s): runs; its reservation is free",
                     g->dom.domid, g->dom.name);
    }
}

void aero_grants_follow(struct aero_reservations *all,
                        const struct aero_guests *guests)
{
    if (!all->count)
        return;
    meet_new_domains(all, guests);
    for (size_t i = 0; i < all->count; i++) {
        uint32_t domid = all->items[i].domid;
        const struct aero_guest *g = aero_guests_find(guests, domid);

        if (domid == AERO_NO_DOMID)
            continue;
        if (g)
            aero_reservations_follow(all, domid, g->dom.current_kib);
        else
            aero_reservations_lost(all, domid);
    }
}

static void tell(const struct aero_grants *g, const struct aero_reservation *r)
{
    g->counters->granted += r->held;
    if (r->held)
        lxe_info("reservation %" PRIu64 ": %" PRIu64 " KiB held for %s",
                 r->id, r->kib, r->label);
    else
        lxe_info("reservation %" PRIu64 ", %" PRIu64 " KiB for %s: %s",
                 r->id, r->kib, r->label, r->why);
    if (g->reserved)
        g->reserved(r, g->data);
}

/* Who stopped short, and so lets a reservation fail. */
static const char *who_stopped(const struct aero_guests *guests)
{
    for (size_t i = 0; i < guests->count; i++)
        if (guests->items[i].condition.floor_kib)
            return guests->items[i].dom.name;
    return NULL;
}

static void refuse(const struct aero_grants *g, struct aero_reservation *r,
                   const struct aero_room *most)
{
    char text[LXE_UNIT_TEXT], where[32] = "";
    uint64_t most_kib = most->kib;
    int node = aero_reservation_node(r);

    if (node >= 0 && most->node_kib[node] < most_kib) {
        most_kib = most->node_kib[node];
        snprintf(where, sizeof(where), " on NUMA node %d", node);
    }
    snprintf(r->why, sizeof(r->why), "cannot be had any more: at most %s"
             " could be freed%s; one that stopped shrinking is %.64s",
             lxe_format_kib(text, most_kib), where,
             who_stopped(g->known->guests));
    g->counters->refused++;
    tell(g, r);
}

/*
 * A guest that stops short may make a reservation one that cannot be met. One
 * that is left alone for a moment, as it is paused, does not: there is time
 * until the deadline.
 */
static void refuse_hopeless(const struct aero_grants *g)
{
    struct aero_reservation r;
    struct aero_room most;

    if (!aero_reservations_waiting_kib(g->reservations) ||
        !who_stopped(g->known->guests) ||
        aero_obtainable_room(g->known, &most))
        return;
    while (aero_reservations_refuse(g->reservations, &most, &r))
        refuse(g, &r, &most);
}

static const struct aero_reservation *grant_next(const struct aero_grants *g,
                                                 uint64_t now_ns)
{
    const struct aero_known *k = g->known;
    struct aero_room room = { .kib = aero_unpromised_kib(k) };

    for (unsigned n = 0; n < k->numa->count; n++)
        if (aero_reservations_node_waiting_kib(g->reservations, n))
            room.node_kib[n] = aero_unpromised_on_kib(k, n);
    return aero_reservations_grant(g->reservations, &room, now_ns);
}

void aero_grants_settle(const struct aero_grants *g, uint64_t now_ns)
{
    const struct aero_reservation *granted;
    struct aero_reservation late;

    if (!g->reservations->count)
        return;
    while ((granted = grant_next(g, now_ns)))
        tell(g, granted);
    refuse_hopeless(g);
    while (aero_reservations_expire(g->reservations, now_ns, &late)) {
        snprintf(late.why, sizeof(late.why), "the memory did not come free in"
                 " time; see the reasons in 'xl-aerostat mem-status'");
        g->counters->timed_out++;
        tell(g, &late);
    }
}
