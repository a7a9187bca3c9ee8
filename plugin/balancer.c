/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "balancer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/u64.h"
#include "base/units.h"
#include "judge.h"
#include "moves.h"
#include "node_pools.h"
#include "numa.h"
#include "shortage.h"

void aero_balancer_init(struct aero_balancer *b, struct lxe_host *host,
                        const struct aero_config *config)
{
    memset(b, 0, sizeof(*b));
    b->host = host;
    b->config = config;
    b->should_move = AERO_NO_DOMID;
    aero_sampler_init(&b->sampler, host, NULL);
}

void aero_balancer_clear(struct aero_balancer *b)
{
    aero_sampler_clear(&b->sampler);
    aero_guests_clear(&b->guests);
    aero_migrations_clear(&b->migrations);
}

static struct aero_moves moves(struct aero_balancer *b,
                               struct aero_trouble *trouble)
{
    return (struct aero_moves){
        .host = b->host,
        .guests = &b->guests,
        .counters = &b->counters,
        .trouble = trouble,
    };
}

static int look(struct aero_balancer *b, uint64_t now_ns, struct lxe_err *err)
{
    struct lxe_domain_list list = { 0 };
    int rc = b->host->ops->list_domains(b->host, &list, err);

    if (rc)
        return lxe_err_prefix(err, "cannot list the domains");
    rc = aero_guests_update(&b->guests, &list, now_ns);
    lxe_domain_list_free(&list);
    if (rc)
        return lxe_fail(err, rc, "out of memory");
    rc = b->host->ops->memory(b->host, &b->memory, err);
    return rc ? lxe_err_prefix(err, "cannot tell how much memory is free") : 0;
}

/* A host with one node is asked once; without an answer there are none. */
static void look_at_nodes(struct aero_balancer *b,
                          struct aero_trouble *trouble)
{
    struct lxe_err err = { 0 };

    if (b->numa.count == 1)
        return;
    if (b->host->ops->numa(b->host, &b->numa, &err)) {
        b->numa.count = 0;
        aero_trouble_note(trouble, err.text);
    }
}

/* Where the host cannot be seen at all its connections may have died. */
static int look_again(struct aero_balancer *b, uint64_t now_ns,
                      struct lxe_err *err)
{
    struct lxe_err again = { 0 };
    int rc = look(b, now_ns, err);

    if (!rc || rc == -ENOMEM)
        return rc;
    if (b->host->ops->reconnect(b->host, &again)) {
        lxe_debug("cannot connect anew: %s", again.text);
        return rc;
    }
    b->reconnects++;
    lxe_warn("%s; connected anew", err->text);
    *err = (struct lxe_err){ 0 };
    return look(b, now_ns, err);
}

/* A host's clock that goes back would make ages of hundreds of years. */
static uint64_t tick_time(struct aero_balancer *b)
{
    uint64_t now_ns = b->host->ops->now_ns(b->host);

    if (now_ns > b->now_ns)
        b->now_ns = now_ns;
    return b->now_ns;
}

static bool wants_agent(const struct aero_balancer *b,
                        const struct aero_guest *g)
{
    return b->config->agent && !g->prepared && g->dom.domid &&
           !g->dom.building && !g->dom.dying;
}

/* Creates the keys of a guest's agent. */
static void prepare_agent(struct aero_balancer *b, struct aero_guest *g,
                          struct aero_trouble *trouble)
{
    struct lxe_err err = { 0 };
    int rc = b->host->ops->prepare_agent(b->host, g->dom.domid, &err);

    g->prepared = rc == 0;
    if (rc && rc != -ESRCH)
        aero_trouble_note(trouble, err.text);
}

/*
 * The target as a promise of memory. dom0 is not made to follow its own; for
 * a domain that takes what was reserved for it, the reservation stands; one
 * that is shrunk to be migrated must find its memory if that fails.
 */
static uint64_t promised_kib(const struct aero_balancer *b,
                             const struct aero_guest *g)
{
    const struct aero_migration *m =
        aero_migrations_find(&b->migrations, g->dom.domid);

    if (m && m->original_target_kib != LXE_UNKNOWN &&
        m->original_target_kib > aero_guest_standing_kib(g))
        return m->original_target_kib;
    if (g->condition.state == AERO_GUEST_HOST ||
        aero_reservations_following(&b->reservations, g->dom.domid))
        return g->held_kib;
    return aero_guest_standing_kib(g);
}

static void policy_guest(const struct aero_balancer *b,
                         const struct aero_guest *g,
                         struct aero_policy_guest *out)
{
    memset(out, 0, sizeof(*out)); /* aero_decision_same() compares all bytes */
    out->movable = aero_guest_movable(g->condition.state) &&
                   !aero_reservations_following(&b->reservations,
                                                g->dom.domid);
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
    out->target_kib = promised_kib(b, g);
    out->held_kib = g->held_kib;
    out->floor_kib = g->condition.floor_kib;
    out->speed_kib_s = aero_speed_kib_s(&g->speed);
    out->stuck_shrink = g->condition.stuck_shrink;
    out->stuck_grow = g->condition.stuck_grow;
    out->nodes = g->dom.nodes;
}

static struct aero_policy_guest *policy_input(const struct aero_balancer *b)
{
    struct aero_policy_guest *in =
        malloc((b->guests.count + 1) * sizeof(*in));

    for (size_t i = 0; in && i < b->guests.count; i++)
        policy_guest(b, &b->guests.items[i], &in[i]);
    return in;
}

/* Growth that is promised and not taken yet. */
static uint64_t owed_kib(const struct aero_balancer *b,
                         const struct aero_guest *g)
{
    return lxe_less(promised_kib(b, g), g->held_kib);
}

/* What the policy is given of a guest follows at once, while its record is at
 * hand. */
static void look_at_guests(struct aero_balancer *b, uint64_t now_ns,
                           struct aero_policy_guest *in,
                           struct aero_trouble *trouble)
{
    bool scarce = b->state >= AERO_HOST_SOFT;

    for (size_t i = 0; i < b->guests.count; i++) {
        struct aero_guest *g = &b->guests.items[i];
        bool announced = aero_migrations_find(&b->migrations, g->dom.domid);

        if (wants_agent(b, g))
            prepare_agent(b, g, trouble);
        b->counters.foreign_changes +=
            aero_judge_guest(g, b->config, announced, scarce, now_ns);
        policy_guest(b, g, &in[i]);
    }
}

/* What is free and promised to nobody. */
static uint64_t unpromised_kib(const struct aero_balancer *b)
{
    uint64_t promised = b->config->host_reserve_kib +
                        aero_reservations_held_kib(&b->reservations);

    for (size_t i = 0; i < b->guests.count; i++)
        promised += owed_kib(b, &b->guests.items[i]);
    return lxe_less(b->memory.free_kib, promised);
}

/* The same of a node: whoever may take from it is taken to do so. */
static uint64_t unpromised_on_kib(const struct aero_balancer *b, unsigned node)
{
    uint64_t promised = aero_reservations_node_held_kib(&b->reservations,
                                                        node);

    for (size_t i = 0; i < b->guests.count; i++)
        if (aero_may_be_on(b->guests.items[i].dom.nodes, node))
            promised += owed_kib(b, &b->guests.items[i]);
    return lxe_less(b->numa.nodes[node].free_kib, promised);
}

/* What is kept of which node; where there is but one, of none. */
static void node_pools(const struct aero_balancer *b,
                       struct aero_node_pools *pools)
{
    uint64_t any = 0;

    *pools = (struct aero_node_pools){ 0 };
    for (unsigned n = 0; b->numa.count > 1 && n < b->numa.count; n++) {
        struct aero_node_pool *pool = &pools->nodes[n];

        pool->free_kib = b->numa.nodes[n].free_kib;
        pool->keep_kib =
            aero_reservations_node_held_kib(&b->reservations, n) +
            aero_reservations_node_waiting_kib(&b->reservations, n);
        any |= pool->keep_kib;
    }
    pools->count = any ? b->numa.count : 0;
}

static struct aero_policy_host policy_host(const struct aero_balancer *b)
{
    uint64_t waiting = aero_reservations_waiting_kib(&b->reservations);
    uint64_t unpromised = waiting ? unpromised_kib(b) : 0;

    return (struct aero_policy_host){
        .free_kib = b->memory.free_kib,
        .keep_free_kib = b->config->host_reserve_kib + waiting +
                         aero_reservations_held_kib(&b->reservations),
        .change_kib = b->config->change_per_tick_kib,
        .dead_band_kib = AERO_DEAD_BAND_KIB,
        .slack_part = AERO_SLACK_PART,
        .tax = b->config->idle_tax,
        .missing_kib = waiting > unpromised ? waiting - unpromised : 0,
        .no_surplus = b->state >= AERO_HOST_HARD,
        .short_nodes = b->short_nodes,
        /* Somebody waits for memory: gently would be too late. */
        .shrink_part = waiting || b->state >= AERO_HOST_HARD
                           ? 0 : AERO_SHRINK_PART,
    };
}

static uint64_t lacks_kib(const struct aero_policy_guest *g)
{
    uint64_t to = g->demand_kib < g->max_kib ? g->demand_kib : g->max_kib;

    return g->movable && to > g->held_kib ? to - g->held_kib : 0;
}

/* Finds the nodes that are short, by what guests lack and what is reserved. */
static int judge_nodes(struct aero_balancer *b,
                       const struct aero_policy_guest *in)
{
    const struct aero_reservations *r = &b->reservations;
    _cleanup_free_ struct aero_numa_want *wants = NULL;
    size_t n = 0;

    b->short_nodes = 0;
    if (b->numa.count <= 1)
        return 0;
    wants = calloc(b->guests.count + r->count + 1, sizeof(*wants));
    if (!wants)
        return -ENOMEM;
    for (size_t i = 0; i < b->guests.count; i++)
        wants[n++] = (struct aero_numa_want){ in[i].nodes, lacks_kib(&in[i]) };
    for (size_t i = 0; i < r->count; i++)
        wants[n++] = (struct aero_numa_want){
            r->items[i].nodes,
            lxe_less(r->items[i].kib, r->items[i].taken_kib),
        };
    b->short_nodes = aero_numa_short(&b->numa, wants, n);
    return 0;
}

/* What stands is judged, not what somebody waits for. */
static uint64_t spare_kib(const struct aero_balancer *b,
                          const struct aero_policy_guest *in)
{
    struct aero_policy_host host = policy_host(b);

    host.keep_free_kib -= aero_reservations_waiting_kib(&b->reservations);
    return aero_policy_spare_kib(&host, in, b->guests.count);
}

/* When the daemon starts it knows of no guest yet what it needs. */
static bool knows_guests(const struct aero_balancer *b, uint64_t now_ns)
{
    if (b->ticks && now_ns - b->first_ns >= AERO_BOOT_S * LXE_NS_PER_SEC)
        return true;
    for (size_t i = 0; i < b->guests.count; i++)
        if (b->guests.items[i].condition.state == AERO_GUEST_BOOTING)
            return false;
    return true;
}

/* Memory is low: finds who should move, and says so. */
static int suggest_move(struct aero_balancer *b,
                        const struct aero_policy_guest *in)
{
    uint64_t lack = aero_host_lack_kib(b->spare_kib, b->memory.total_kib,
                                       &b->config->host_levels);
    int rc = aero_shortage_find_mover(&b->guests, in, lack, &b->should_move);
    const struct aero_guest *g = aero_guests_find(&b->guests, b->should_move);

    /* Where none says what it needs, little to spare is how it always is. */
    if (g)
        aero_shortage_text(g, b->spare_kib, b->shortage, sizeof(b->shortage));
    return rc;
}

/* Finds the host's state, and in the worst one who should move. */
static int judge_host(struct aero_balancer *b,
                      const struct aero_policy_guest *in, uint64_t now_ns)
{
    enum aero_host_state was = b->state;
    int rc = 0;

    b->spare_kib = spare_kib(b, in);
    if (!knows_guests(b, now_ns))
        return 0;
    b->state = aero_host_state_next(was, b->spare_kib, b->memory.total_kib,
                                    &b->config->host_levels);
    b->should_move = AERO_NO_DOMID;
    b->shortage[0] = '\0';
    if (b->state == AERO_HOST_LOW)
        rc = suggest_move(b, in);
    if (b->state != was)
        lxe_info("host: %s, was %s: %" PRIu64 " KiB to spare%s%s",
                 aero_host_state_name(b->state), aero_host_state_name(was),
                 b->spare_kib, b->shortage[0] ? "; " : "", b->shortage);
    return rc;
}

static void show(const struct aero_balancer *b,
                 const struct aero_policy_guest *in,
                 const struct aero_policy_target *out,
                 const struct aero_policy_host *host,
                 const struct aero_node_pools *pools)
{
    struct aero_tick tick = {
        .number = b->ticks + 1,
        .now_ns = b->host->ops->now_ns(b->host),
        .reserve_kib = b->config->host_reserve_kib,
        .host = host,
        .pools = pools,
        .host_facts = {
            .state = aero_host_state_name(b->state),
            .total_kib = b->memory.total_kib,
            .claimed_kib = b->memory.claimed_kib,
            .spare_kib = b->spare_kib,
        },
        .guests = b->guests.items,
        .in = in,
        .out = out,
        .count = b->guests.count,
    };

    if (b->decided)
        b->decided(&tick, b->decided_data);
}

static int balance(struct aero_balancer *b, uint64_t now_ns,
                   struct aero_trouble *trouble)
{
    struct aero_moves m = moves(b, trouble);
    struct aero_policy_host host;
    struct aero_node_pools pools;
    _cleanup_free_ struct aero_policy_guest *in =
        malloc((b->guests.count + 1) * sizeof(*in));
    _cleanup_free_ struct aero_policy_target *out =
        malloc((b->guests.count + 1) * sizeof(*out));

    if (!in || !out) {
        aero_trouble_note(trouble, "out of memory");
        return -ENOMEM;
    }
    look_at_guests(b, now_ns, in, trouble);
    if (b->config->samples)
        aero_sampler_tick(&b->sampler, &b->guests, now_ns);
    if (judge_nodes(b, in) || judge_host(b, in, now_ns)) {
        aero_trouble_note(trouble, "out of memory");
        return -ENOMEM;
    }
    host = policy_host(b);
    node_pools(b, &pools);
    if (aero_node_pools_run(&host, &pools, in, b->guests.count, out)) {
        aero_trouble_note(trouble, "out of memory");
        return -ENOMEM;
    }
    aero_moves_carry_out(&m, in, out, &host, &pools);
    show(b, in, out, &host, &pools);
    return 0;
}

/* A domain that was created for a reservation takes it, until it runs. */
static void meet_new_domains(struct aero_balancer *b)
{
    for (size_t i = 0; i < b->guests.count; i++) {
        const struct aero_guest *g = &b->guests.items[i];

        if (g->dom.domid)
            aero_reservations_meet(&b->reservations, g->dom.name,
                                   g->dom.domid, g->seen_ns);
        if (g->dom.running && g->dom.target_kib != LXE_UNKNOWN &&
            aero_reservations_arrived(&b->reservations, g->dom.domid))
            lxe_info("domain %" PRIu32 " (%s): runs; its reservation is free",
                     g->dom.domid, g->dom.name);
    }
}

static void follow_transfers(struct aero_balancer *b)
{
    if (!b->reservations.count)
        return;
    meet_new_domains(b);
    for (size_t i = 0; i < b->reservations.count; i++) {
        uint32_t domid = b->reservations.items[i].domid;
        const struct aero_guest *g = aero_guests_find(&b->guests, domid);

        if (domid != AERO_NO_DOMID)
            aero_reservations_follow(&b->reservations, domid,
                                     g ? g->dom.current_kib : 0);
    }
}

static void tell(struct aero_balancer *b, const struct aero_reservation *r)
{
    b->counters.granted += r->held;
    if (r->held)
        lxe_info("reservation %" PRIu64 ": %" PRIu64 " KiB held for %s",
                 r->id, r->kib, r->label);
    else
        lxe_info("reservation %" PRIu64 ", %" PRIu64 " KiB for %s: %s",
                 r->id, r->kib, r->label, r->why);
    if (b->reserved)
        b->reserved(r, b->reserved_data);
}

/* Who stopped short, and so lets a reservation fail. */
static const char *who_stopped(const struct aero_balancer *b)
{
    for (size_t i = 0; i < b->guests.count; i++)
        if (b->guests.items[i].condition.floor_kib)
            return b->guests.items[i].dom.name;
    return NULL;
}

/*
 * What a NUMA node could have free at most beyond what is kept of it, from all
 * guests that may have memory there; and what of that no guest needs.
 */
static int judge_node(const struct aero_balancer *b, unsigned node,
                      uint64_t keep_kib, uint64_t *most_kib,
                      uint64_t *spare_kib)
{
    const struct lxe_numa_node *is = &b->numa.nodes[node];
    struct aero_policy_host host = { .free_kib = is->free_kib,
                                     .keep_free_kib = keep_kib };
    _cleanup_free_ struct aero_policy_guest *in = policy_input(b);
    size_t n;

    if (!in)
        return -ENOMEM;
    n = aero_node_guests(in, b->guests.count, node);
    *most_kib = lxe_min(aero_policy_obtainable_kib(&host, in, n),
                        lxe_less(is->size_kib, keep_kib));
    *spare_kib = lxe_min(aero_policy_spare_kib(&host, in, n), *most_kib);
    return 0;
}

/* A node that does not tell what it has refuses nobody. */
static int find_obtainable(const struct aero_balancer *b,
                           struct aero_room *room)
{
    _cleanup_free_ struct aero_policy_guest *in = policy_input(b);
    struct aero_policy_host host = policy_host(b);
    uint64_t spare;
    int rc = in ? 0 : -ENOMEM;

    if (rc)
        return rc;
    memset(room, 0xff, sizeof(*room));
    host.keep_free_kib -= aero_reservations_waiting_kib(&b->reservations);
    room->kib = aero_policy_obtainable_kib(&host, in, b->guests.count);
    for (unsigned n = 0; !rc && n < b->numa.count; n++)
        if (aero_reservations_node_waiting_kib(&b->reservations, n))
            rc = judge_node(b, n, aero_reservations_node_held_kib(
                                      &b->reservations, n),
                            &room->node_kib[n], &spare);
    return rc;
}

/* The number of the node that it is of, or -1. */
static int node_of(const struct aero_balancer *b,
                   const struct aero_reservation *r)
{
    for (unsigned n = 0; n < b->numa.count; n++)
        if (r->nodes == UINT64_C(1) << n)
            return (int)n;
    return -1;
}

static void tell_hopeless(struct aero_balancer *b, struct aero_reservation *r,
                          const struct aero_room *most)
{
    const char *stopped = who_stopped(b);
    char text[LXE_UNIT_TEXT], where[32] = "";
    uint64_t most_kib = most->kib;
    int node = node_of(b, r);

    if (node >= 0 && most->node_kib[node] < most_kib) {
        most_kib = most->node_kib[node];
        snprintf(where, sizeof(where), " on NUMA node %d", node);
    }
    snprintf(r->why, sizeof(r->why), "cannot be had any more: at most %s"
             " could be freed%s%s%.64s", lxe_format_kib(text, most_kib), where,
             stopped ? "; one that stopped shrinking is " : "",
             stopped ? stopped : "");
    b->counters.refused++;
    tell(b, r);
}

/* A guest that stops short may make a reservation one that cannot be met. */
static void refuse_hopeless(struct aero_balancer *b)
{
    struct aero_reservation r;
    struct aero_room most;

    if (!aero_reservations_waiting_kib(&b->reservations) ||
        find_obtainable(b, &most))
        return;
    while (aero_reservations_refuse(&b->reservations, &most, &r))
        tell_hopeless(b, &r, &most);
}

static const struct aero_reservation *grant_next(struct aero_balancer *b,
                                                 uint64_t now_ns)
{
    struct aero_room room = { .kib = unpromised_kib(b) };

    for (unsigned n = 0; n < b->numa.count; n++)
        if (aero_reservations_node_waiting_kib(&b->reservations, n))
            room.node_kib[n] = unpromised_on_kib(b, n);
    return aero_reservations_grant(&b->reservations, &room, now_ns);
}

static void settle_reservations(struct aero_balancer *b, uint64_t now_ns)
{
    const struct aero_reservation *granted;
    struct aero_reservation late;

    if (!b->reservations.count)
        return;
    while ((granted = grant_next(b, now_ns)))
        tell(b, granted);
    refuse_hopeless(b);
    while (aero_reservations_expire(&b->reservations, now_ns, &late)) {
        snprintf(late.why, sizeof(late.why), "the memory did not come free in"
                 " time; see the reasons in 'xl-aerostat mem-status'");
        b->counters.timed_out++;
        tell(b, &late);
    }
}

/* A client that migrates a guest sets its target, and sets it back before it
 * says that it failed. */
static void note_moving(struct aero_balancer *b)
{
    for (size_t i = 0; i < b->migrations.count; i++) {
        struct aero_guest *g =
            aero_guests_find(&b->guests, b->migrations.items[i].domid);

        if (g)
            g->moving = true;
    }
}

/* Keeps what the tick ran into. */
static void end_with_trouble(struct aero_balancer *b,
                             const struct aero_trouble *trouble)
{
    b->counters.errors += trouble->count;
    memcpy(b->trouble, trouble->text, sizeof(b->trouble));
}

int aero_balancer_tick(struct aero_balancer *b)
{
    uint64_t now_ns = tick_time(b);
    struct aero_trouble trouble = { .before = b->trouble };
    struct lxe_err err = { 0 };
    int rc;

    b->counters.ticks++;
    aero_migrations_look(&b->migrations, b->host->ops->now_ns(b->host));
    note_moving(b);
    aero_migrations_undo(&b->migrations, b->host);
    rc = look_again(b, now_ns, &err);
    if (rc) {
        aero_trouble_note(&trouble, err.text);
    } else {
        look_at_nodes(b, &trouble);
        follow_transfers(b);
        rc = balance(b, now_ns, &trouble);
        settle_reservations(b, now_ns);
        aero_self_moves_tick(&b->self_moves, b->config, &b->guests, b->host);
    }
    end_with_trouble(b, &trouble);
    if (!rc && !b->ticks++)
        b->first_ns = now_ns;
    return rc;
}

/* A node that is named must be able to have it; what it has to spare. */
static int fit_to_node(const struct aero_balancer *b,
                       struct aero_reservation *r, uint64_t *spare_kib,
                       struct lxe_err *err)
{
    int node = node_of(b, r);
    char text[2][LXE_UNIT_TEXT];
    uint64_t most, keep;

    if (node < 0)
        return 0;
    keep = aero_reservations_node_held_kib(&b->reservations, (unsigned)node) +
           aero_reservations_node_waiting_kib(&b->reservations,
                                              (unsigned)node);
    if (judge_node(b, (unsigned)node, keep, &most, spare_kib))
        return lxe_fail(err, -ENOMEM, "out of memory");
    if (r->least_kib > most)
        return lxe_fail(err, -ENOSPC, "%s cannot be had on NUMA node %d: at"
                        " most %s could be freed there with all its guests at"
                        " their minima; name another node, or none",
                        lxe_format_kib(text[0], r->least_kib), node,
                        lxe_format_kib(text[1], most));
    return 0;
}

static int fit_to_host(const struct aero_balancer *b,
                       const struct aero_reservation *r, uint64_t *spare_kib,
                       struct lxe_err *err)
{
    _cleanup_free_ struct aero_policy_guest *in = policy_input(b);
    struct aero_policy_host host = policy_host(b);
    char text[2][LXE_UNIT_TEXT];
    uint64_t most;

    if (!in)
        return lxe_fail(err, -ENOMEM, "out of memory");
    most = aero_policy_obtainable_kib(&host, in, b->guests.count);
    *spare_kib = aero_policy_spare_kib(&host, in, b->guests.count);
    if (r->least_kib > most)
        return lxe_fail(err, -ENOSPC, "%s cannot be had: at most %s could be"
                        " freed with all guests at their minima",
                        lxe_format_kib(text[0], r->least_kib),
                        lxe_format_kib(text[1], most));
    return 0;
}

/* It must be such as could be had; beyond its least, only what is to spare. */
static int fit(const struct aero_balancer *b, struct aero_reservation *r,
               struct lxe_err *err)
{
    uint64_t spare = 0, there = UINT64_MAX;
    char text[2][LXE_UNIT_TEXT];
    int rc = fit_to_host(b, r, &spare, err);

    if (!rc)
        rc = fit_to_node(b, r, &there, err);
    if (rc)
        return rc;
    spare = lxe_min(spare, there);
    if (b->state == AERO_HOST_LOW && r->least_kib > spare)
        return lxe_fail(err, -ENOSPC, "%s cannot be had: memory is low, and"
                        " %s of it to spare",
                        lxe_format_kib(text[0], r->least_kib),
                        lxe_format_kib(text[1], spare));
    r->kib = lxe_min(r->kib, lxe_max(spare, r->least_kib));
    return 0;
}

int aero_balancer_reserve(struct aero_balancer *b,
                          const struct aero_reservation *wanted,
                          struct lxe_err *err)
{
    struct aero_reservation fitting = *wanted;
    int rc;

    if (!b->ticks)
        return lxe_fail(err, -EAGAIN, "the host was not looked at yet;"
                                      " try again");
    rc = b->host->ops->memory(b->host, &b->memory, err);
    if (rc)
        return rc;
    if (!fitting.least_kib)
        fitting.least_kib = fitting.kib;
    if (b->numa.count == 1)
        fitting.nodes = 0;
    rc = fit(b, &fitting, err);
    if (rc)
        return rc;
    fitting.asked_ns = b->host->ops->now_ns(b->host);
    return aero_reservations_add(&b->reservations, &fitting, err) ? 0 : -EBUSY;
}

/* As aero_balancer_reserve() judges. */
uint64_t aero_balancer_obtainable_kib(const struct aero_balancer *b)
{
    struct aero_policy_host host = policy_host(b);
    _cleanup_free_ struct aero_policy_guest *in = policy_input(b);

    if (!in)
        return LXE_UNKNOWN;
    if (b->state == AERO_HOST_LOW)
        return b->spare_kib;
    return aero_policy_obtainable_kib(&host, in, b->guests.count);
}

bool aero_balancer_awaited(const struct aero_balancer *b)
{
    return aero_reservations_waiting_kib(&b->reservations) > 0 ||
           aero_reservations_expecting(&b->reservations);
}

void aero_balancer_stop(struct aero_balancer *b)
{
    uint64_t now_ns = b->host->ops->now_ns(b->host);
    struct aero_trouble trouble = { .before = b->trouble };
    struct aero_moves m = moves(b, &trouble);
    struct lxe_err err = { 0 };

    b->reservations.count = 0;
    if (look(b, now_ns, &err)) {
        lxe_warn("%s; targets stay as they are", err.text);
        return;
    }
    aero_moves_stop_shrinking(&m);
    b->counters.errors += trouble.count;
}
