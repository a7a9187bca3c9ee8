/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "balancer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "grants.h"
#include "judge.h"
#include "moves.h"
#include "node_pools.h"
#include "obtainable.h"
#include "policy_input.h"
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

static struct aero_known known(const struct aero_balancer *b)
{
    return (struct aero_known){
        .config = b->config,
        .guests = &b->guests,
        .reservations = &b->reservations,
        .migrations = &b->migrations,
        .memory = &b->memory,
        .numa = &b->numa,
        .state = b->state,
        .short_nodes = b->short_nodes,
    };
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
static void look_at_nodes(struct aero_balancer *b, struct aero_trouble *trouble)
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

/* What the policy is given of a guest follows at once, while its record is at
 * hand. */
static void look_at_guests(struct aero_balancer *b, uint64_t now_ns,
                           struct aero_policy_guest *in,
                           struct aero_trouble *trouble)
{
    struct aero_known k = known(b);
    bool scarce = b->state >= AERO_HOST_SOFT;

    for (size_t i = 0; i < b->guests.count; i++) {
        struct aero_guest *g = &b->guests.items[i];
        bool announced = aero_migrations_find(&b->migrations, g->dom.domid);

        if (wants_agent(b, g))
            prepare_agent(b, g, trouble);
        b->counters.foreign_changes +=
            aero_judge_guest(g, b->config, announced, scarce, now_ns);
        aero_policy_input_guest(&k, g, &in[i]);
    }
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
    struct aero_known k = known(b);
    int rc = 0;

    b->spare_kib = aero_obtainable_spare_kib(&k, in);
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

/* Runs the policy on what is known, and does as it says. */
static int decide(struct aero_balancer *b, const struct aero_policy_guest *in,
                  struct aero_policy_target *out, struct aero_trouble *trouble)
{
    struct aero_known k = known(b);
    struct aero_policy_host host = aero_policy_input_host(&k);
    struct aero_moves m = moves(b, trouble);
    struct aero_node_pools pools;
    int rc;

    aero_policy_input_pools(&k, &pools);
    rc = aero_node_pools_run(&host, &pools, in, b->guests.count, out);
    if (rc)
        return rc;
    aero_moves_carry_out(&m, in, out, &host, &pools);
    show(b, in, out, &host, &pools);
    return 0;
}

/* Returns 0 or -ENOMEM. */
static int balance(struct aero_balancer *b, uint64_t now_ns,
                   struct aero_trouble *trouble)
{
    struct aero_known k = known(b);
    _cleanup_free_ struct aero_policy_guest *in =
        malloc((b->guests.count + 1) * sizeof(*in));
    _cleanup_free_ struct aero_policy_target *out =
        malloc((b->guests.count + 1) * sizeof(*out));
    int rc;

    if (!in || !out)
        return -ENOMEM;
    look_at_guests(b, now_ns, in, trouble);
    if (b->config->samples)
        aero_sampler_tick(&b->sampler, &b->guests, now_ns);
    rc = aero_policy_input_short_nodes(&k, in, &b->short_nodes);
    if (!rc)
        rc = judge_host(b, in, now_ns);
    return rc ? rc : decide(b, in, out, trouble);
}

static void settle_reservations(struct aero_balancer *b, uint64_t now_ns)
{
    struct aero_known k = known(b);
    struct aero_grants grants = {
        .known = &k,
        .reservations = &b->reservations,
        .counters = &b->counters,
        .reserved = b->reserved,
        .data = b->reserved_data,
    };

    aero_grants_settle(&grants, now_ns);
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
    bool known;
    int rc;

    b->counters.ticks++;
    known = aero_migrations_look(&b->migrations,
                                 b->host->ops->now_ns(b->host));
    note_moving(b);
    if (known)
        aero_migrations_undo(&b->migrations, b->host);
    rc = look_again(b, now_ns, &err);
    if (rc) {
        aero_trouble_note(&trouble, err.text);
    } else {
        look_at_nodes(b, &trouble);
        aero_grants_follow(&b->reservations, &b->guests);
        rc = balance(b, now_ns, &trouble);
        if (rc)
            aero_trouble_note(&trouble, "out of memory");
        settle_reservations(b, now_ns);
        aero_self_moves_tick(&b->self_moves, b->config, &b->guests, b->host);
    }
    end_with_trouble(b, &trouble);
    if (!rc && !b->ticks++)
        b->first_ns = now_ns;
    return rc;
}

int aero_balancer_reserve(struct aero_balancer *b,
                          const struct aero_reservation *wanted,
                          struct lxe_err *err)
{
    struct aero_reservation fitting = *wanted;
    struct aero_known k = known(b);
    int rc;

    if (!b->ticks)
        return lxe_fail(err, -EAGAIN, "the host was not looked at yet;"
                                      " try again");
    rc = b->host->ops->memory(b->host, &b->memory, err);
    if (!rc)
        rc = aero_obtainable_fit(&k, &fitting, err);
    if (rc)
        return rc;
    fitting.asked_ns = b->host->ops->now_ns(b->host);
    return aero_reservations_add(&b->reservations, &fitting, err) ? 0 : -EBUSY;
}

/* As aero_balancer_reserve() judges. */
uint64_t aero_balancer_obtainable_kib(const struct aero_balancer *b)
{
    struct aero_known k = known(b);

    return b->state == AERO_HOST_LOW ? b->spare_kib : aero_obtainable_kib(&k);
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
