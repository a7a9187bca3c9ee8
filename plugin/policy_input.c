/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "guest_state.h"
#include "numa.h"
#include "speed.h"

#define DEAD_BAND_KIB (4u << 10)
#define SLACK_PART    16u
#define SHRINK_PART   8u

/*
 * The target as a promise of memory. dom0 is not made to follow its own; for
 * a domain that takes what was reserved for it, the reservation stands; one
 * that is shrunk to be migrated must find its memory if that fails.
 */
static uint64_t promised_kib(const struct aero_known *k,
                             const struct aero_guest *g, bool takes_reserved)
{
    const struct aero_migration *m =
        aero_migrations_find(k->migrations, g->dom.domid);
    uint64_t standing = aero_guest_standing_kib(g);

    if (m && m->original_target_kib != LXE_UNKNOWN &&
        m->original_target_kib > standing)
        return m->original_target_kib;
    return g->condition.state == AERO_GUEST_HOST || takes_reserved
               ? g->held_kib
               : standing;
}

void aero_policy_input_guest(const struct aero_known *k,
                             const struct aero_guest *g,
                             struct aero_policy_guest *out)
{
    bool takes_reserved =
        aero_reservations_following(k->reservations, g->dom.domid);

    memset(out, 0, sizeof(*out)); /* aero_decision_same() compares all bytes */
    out->movable = aero_guest_movable(g->condition.state) && !takes_reserved;
    out->min_kib = g->min_kib;
    out->max_kib = g->max_kib;
    out->min_is_set = g->min_is_set;
    out->shares = g->shares;
    out->demand_kib = g->demand.kib;
    out->demand_known = g->demand.known;
    out->need_kib = g->demand.need_kib;
    out->rise_kib = g->demand.rise_kib;
    out->fresh_kib = g->demand.fresh_kib;
    out->keep_kib = g->demand.keep_kib;
    out->why = g->demand.why;
    out->target_kib = promised_kib(k, g, takes_reserved);
    out->held_kib = g->held_kib;
    out->floor_kib = g->condition.floor_kib;
    out->speed_kib_s = aero_speed_kib_s(&g->speed);
    out->stuck_shrink = g->condition.stuck_shrink;
    out->stuck_grow = g->condition.stuck_grow;
    out->nodes = g->dom.nodes;
}

struct aero_policy_guest *aero_policy_input_guests(const struct aero_known *k)
{
    struct aero_policy_guest *out =
        malloc((k->guests->count + 1) * sizeof(*out));

    for (size_t i = 0; out && i < k->guests->count; i++)
        aero_policy_input_guest(k, &k->guests->items[i], &out[i]);
    return out;
}

/* Growth that is promised and not taken yet. */
static uint64_t owed_kib(const struct aero_known *k,
                         const struct aero_guest *g)
{
    bool takes_reserved =
        aero_reservations_following(k->reservations, g->dom.domid);

    return lxe_less(promised_kib(k, g, takes_reserved), g->held_kib);
}

uint64_t aero_unpromised_kib(const struct aero_known *k)
{
    uint64_t promised = k->config->host_reserve_kib +
                        aero_reservations_held_kib(k->reservations);

    for (size_t i = 0; i < k->guests->count; i++)
        promised += owed_kib(k, &k->guests->items[i]);
    return lxe_less(k->memory->free_kib, promised);
}

uint64_t aero_unpromised_on_kib(const struct aero_known *k, unsigned node)
{
    uint64_t promised = aero_reservations_node_held_kib(k->reservations, node);

    for (size_t i = 0; i < k->guests->count; i++)
        if (aero_may_be_on(k->guests->items[i].dom.nodes, node))
            promised += owed_kib(k, &k->guests->items[i]);
    return lxe_less(k->numa->nodes[node].free_kib, promised);
}

struct aero_policy_host aero_policy_input_host(const struct aero_known *k)
{
    uint64_t waiting = aero_reservations_waiting_kib(k->reservations);
    uint64_t unpromised = waiting ? aero_unpromised_kib(k) : 0;

    return (struct aero_policy_host){
        .free_kib = k->memory->free_kib,
        .keep_free_kib = k->config->host_reserve_kib + waiting +
                         aero_reservations_held_kib(k->reservations),
        .change_kib = k->config->change_per_tick_kib,
        .dead_band_kib = DEAD_BAND_KIB,
        .slack_part = SLACK_PART,
        .tax = k->config->idle_tax,
        .missing_kib = lxe_less(waiting, unpromised),
        .no_surplus = k->state >= AERO_HOST_HARD,
        .short_nodes = k->short_nodes,
        /* Somebody waits for memory: gently would be too late. */
        .shrink_part = waiting || k->state >= AERO_HOST_HARD ? 0
                                                             : SHRINK_PART,
    };
}

void aero_policy_input_pools(const struct aero_known *k,
                             struct aero_node_pools *out)
{
    uint64_t any = 0;

    *out = (struct aero_node_pools){ 0 };
    for (unsigned n = 0; k->numa->count > 1 && n < k->numa->count; n++) {
        struct aero_node_pool *pool = &out->nodes[n];

        pool->free_kib = k->numa->nodes[n].free_kib;
        pool->keep_kib =
            aero_reservations_node_held_kib(k->reservations, n) +
            aero_reservations_node_waiting_kib(k->reservations, n);
        any |= pool->keep_kib;
    }
    out->count = any ? k->numa->count : 0;
}

static uint64_t lacks_kib(const struct aero_policy_guest *g)
{
    return g->movable ? lxe_less(lxe_min(g->demand_kib, g->max_kib),
                                 g->held_kib)
                      : 0;
}

int aero_policy_input_short_nodes(const struct aero_known *k,
                                  const struct aero_policy_guest *guests,
                                  uint64_t *nodes)
{
    const struct aero_reservations *r = k->reservations;
    _cleanup_free_ struct aero_numa_want *wants = NULL;
    size_t n = 0;

    *nodes = 0;
    if (k->numa->count <= 1)
        return 0;
    wants = calloc(k->guests->count + r->count + 1, sizeof(*wants));
    if (!wants)
        return -ENOMEM;
    for (size_t i = 0; i < k->guests->count; i++)
        wants[n++] = (struct aero_numa_want){ guests[i].nodes,
                                              lacks_kib(&guests[i]) };
    for (size_t i = 0; i < r->count; i++)
        wants[n++] = (struct aero_numa_want){
            r->items[i].nodes,
            lxe_less(r->items[i].kib, r->items[i].taken_kib),
        };
    *nodes = aero_numa_short(k->numa, wants, n);
    return 0;
}
