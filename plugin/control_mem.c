/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "control_mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"

#define RIVALS_TOLD 8 /* by name, in warnings */

/* ---- mem.status ---- */

static const char *type_name(enum lxe_dom_type type)
{
    static const char *const names[] = {
        [LXE_DOM_PV] = "pv", [LXE_DOM_HVM] = "hvm", [LXE_DOM_PVH] = "pvh"
    };

    return names[type];
}

static void put_demand(struct lxe_jw *w, const struct aero_guest *g,
                       uint64_t now)
{
    uint64_t age = aero_guest_report_age_ns(g, now);
    char reason[AERO_REASON_TEXT];

    aero_reason_text(&g->reason, reason);
    lxe_jw_u64(w, "demand_kib", g->demand.kib);
    aero_put_kib(w, "used_kib", g->demand.used_kib);
    aero_put_kib(w, "available_kib", g->demand.available_kib);
    lxe_jw_str(w, "source", aero_guest_source_name(g->dom.report.source));
    lxe_jw_str(w, "reason", reason);
    if (age == LXE_UNKNOWN)
        lxe_jw_null(w, "age_ms");
    else
        lxe_jw_u64(w, "age_ms", age / LXE_NS_PER_MS);
}

/* Only where there are several. */
static void put_nodes(struct lxe_jw *w, uint64_t nodes)
{
    lxe_jw_key(w, "nodes");
    lxe_jw_array(w);
    for (unsigned i = 0; i < LXE_NODES_MAX; i++)
        if (nodes & UINT64_C(1) << i)
            lxe_jw_u64(w, NULL, i);
    lxe_jw_end_array(w);
}

static void put_numa(struct lxe_jw *w, const struct aero_balancer *b)
{
    lxe_jw_key(w, "nodes");
    lxe_jw_array(w);
    for (unsigned i = 0; i < b->numa.count; i++) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "total_kib", b->numa.nodes[i].size_kib);
        lxe_jw_u64(w, "free_kib", b->numa.nodes[i].free_kib);
        lxe_jw_u64(w, "reserved_kib",
                   aero_reservations_node_held_kib(&b->reservations, i));
        lxe_jw_bool(w, "short", b->short_nodes & UINT64_C(1) << i);
        lxe_jw_end_object(w);
    }
    lxe_jw_end_array(w);
}

static void put_domain(struct lxe_jw *w, const struct aero_guest *g,
                       uint64_t now)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "domid", g->dom.domid);
    lxe_jw_str(w, "name", g->dom.name);
    lxe_jw_str(w, "uuid", g->dom.uuid);
    lxe_jw_str(w, "type", type_name(g->dom.type));
    lxe_jw_str(w, "state", aero_guest_state_name(g->condition.state));
    lxe_jw_u64(w, "current_kib", g->dom.current_kib);
    aero_put_kib(w, "target_kib", g->dom.target_kib);
    aero_put_kib(w, "static_max_kib", g->dom.static_max_kib);
    lxe_jw_u64(w, "min_kib", g->min_kib);
    lxe_jw_u64(w, "max_kib", g->max_kib);
    lxe_jw_u64(w, "shares", g->shares);
    put_demand(w, g, now);
    if (g->dom.nodes)
        put_nodes(w, g->dom.nodes);
    lxe_jw_end_object(w);
}

static void put_host(struct lxe_jw *w, const struct aero_balancer *b)
{
    lxe_jw_key(w, "host");
    lxe_jw_object(w);
    lxe_jw_u64(w, "total_kib", b->memory.total_kib);
    lxe_jw_u64(w, "free_kib", b->memory.free_kib);
    lxe_jw_u64(w, "claimed_kib", b->memory.claimed_kib);
    lxe_jw_u64(w, "reserve_kib", b->config->host_reserve_kib);
    lxe_jw_u64(w, "reserved_kib", aero_reservations_held_kib(&b->reservations));
    lxe_jw_u64(w, "spare_kib", b->spare_kib);
    aero_put_kib(w, "obtainable_kib", aero_balancer_obtainable_kib(b));
    lxe_jw_str(w, "state", aero_host_state_name(b->state));
    if (b->should_move == AERO_NO_DOMID)
        lxe_jw_null(w, "should_move");
    else
        lxe_jw_u64(w, "should_move", b->should_move);
    if (b->numa.count > 1)
        put_numa(w, b);
    lxe_jw_end_object(w);
}

static void put_rival(struct lxe_jw *w, const struct aero_guest *g,
                      uint64_t now)
{
    uint64_t until = g->rival.until_ns;
    char text[AERO_WARNING_TEXT];

    snprintf(text, sizeof(text),
             "domain %" PRIu32 " (%s) is managed by"
             " another (%s): %" PRIu64 " changes of its target were not ours;"
             " left alone for %" PRIu64
             " s more, or until 'xl mem-policy %" PRIu32 " --take-back'",
             g->dom.domid, g->dom.name, aero_rival_guess(&g->dom),
             g->rival.changes, (until > now ? until - now : 0) / LXE_NS_PER_SEC,
             g->dom.domid);
    lxe_jw_str(w, NULL, text);
}

static void put_rivals(struct lxe_jw *w, const struct aero_guests *guests,
                       uint64_t now)
{
    char text[AERO_WARNING_TEXT];
    size_t n = 0;

    for (size_t i = 0; i < guests->count; i++)
        if (guests->items[i].rival.alone && n++ < RIVALS_TOLD)
            put_rival(w, &guests->items[i], now);
    if (n <= RIVALS_TOLD)
        return;
    snprintf(text, sizeof(text), "and %zu more domains are managed by another",
             n - RIVALS_TOLD);
    lxe_jw_str(w, NULL, text);
}

static int mem_status(struct aero_call *c)
{
    const struct aero_balancer *b = c->m->balancer;

    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    put_host(c->w, b);
    lxe_jw_key(c->w, "warnings");
    lxe_jw_array(c->w);
    if (b->autoballoon[0])
        lxe_jw_str(c->w, NULL, b->autoballoon);
    if (b->trouble[0])
        lxe_jw_str(c->w, NULL, b->trouble);
    if (b->shortage[0])
        lxe_jw_str(c->w, NULL, b->shortage);
    put_rivals(c->w, &b->guests, aero_call_now_ns(c));
    lxe_jw_end_array(c->w);
    lxe_jw_key(c->w, "domains");
    lxe_jw_array(c->w);
    for (size_t i = 0; i < b->guests.count; i++)
        put_domain(c->w, &b->guests.items[i], aero_call_now_ns(c));
    lxe_jw_end_array(c->w);
    lxe_jw_end_object(c->w);
    return 0;
}

/* ---- mem.policy, mem.explain ---- */

static int take_shares(struct aero_call *c, uint64_t *shares)
{
    const struct lxe_json *node = aero_param(c, "shares");

    if (node && (lxe_json_u64(node, shares) || *shares < AERO_SHARES_MIN ||
                 *shares > AERO_SHARES_MAX))
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "shares must be a whole number from %u to %u",
                           AERO_SHARES_MIN, AERO_SHARES_MAX);
    return 0;
}

/* Whether a guest may have these bounds. Sizes in KiB. */
static int check_bounds(struct aero_call *c, const struct aero_guest *g,
                        const struct aero_domain_policy *p)
{
    uint64_t top = aero_guest_top_kib(g);
    uint64_t min = p->min_kib != LXE_UNKNOWN ? p->min_kib : 0;
    uint64_t max = p->max_kib != LXE_UNKNOWN ? p->max_kib : g->max_kib;
    char text[2][LXE_UNIT_TEXT];

    if ((aero_param(c, "max_kib") && p->max_kib > top) ||
        (aero_param(c, "min_kib") && p->min_kib > top))
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "%s was built for %s (maxmem) and can have no more",
                           g->dom.name, lxe_format_kib(text[0], top));
    if (min > max)
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "min_kib, %s, would be above max_kib, %s",
                           lxe_format_kib(text[0], min),
                           lxe_format_kib(text[1], max));
    return 0;
}

static int change_policy(struct aero_call *c, struct aero_guest *g)
{
    struct aero_domain_policy p = g->asked;
    uint64_t shares = p.shares;
    int rc = aero_take_u64(c, "min_kib", AERO_KIB_MAX, &p.min_kib);

    if (!rc)
        rc = aero_take_u64(c, "max_kib", AERO_KIB_MAX, &p.max_kib);
    if (!rc)
        rc = take_shares(c, &shares);
    if (!rc)
        rc = check_bounds(c, g, &p);
    if (rc)
        return rc;
    p.shares = (unsigned)shares;
    g->asked = p;
    aero_guest_apply_policy(g, c->m->balancer->config);
    lxe_info("domain %" PRIu32 " (%s): process %d set min %" PRIu64
             " KiB, max %" PRIu64 " KiB, shares %u",
             g->dom.domid, g->dom.name, (int)c->peer->pid, g->min_kib,
             g->max_kib, g->shares);
    c->m->kick(c->m->data);
    return 0;
}

/* A guest that was left to another balancer is ours again. */
static int take_back(struct aero_call *c, struct aero_guest *g)
{
    bool yes;

    if (lxe_json_bool(aero_param(c, "take_back"), &yes) || !yes)
        return aero_refuse(c, AERO_RPC_PARAMS, "take_back must be true");
    aero_rival_take_back(&g->rival);
    lxe_info("domain %" PRIu32 " (%s): process %d took it back from another"
             " balancer",
             g->dom.domid, g->dom.name, (int)c->peer->pid);
    c->m->kick(c->m->data);
    return 0;
}

static int mem_policy(struct aero_call *c)
{
    bool change = aero_param(c, "min_kib") || aero_param(c, "max_kib") ||
                  aero_param(c, "shares");
    struct aero_guest *g;
    int rc = aero_need_domain(c, &g);

    if (!rc && (change || aero_param(c, "take_back")) && c->peer->uid != 0)
        rc = aero_refuse(c, AERO_RPC_DENIED, "only root may change a policy");
    if (!rc && !g->dom.domid && (change || aero_param(c, "take_back")))
        rc = aero_refuse(c, AERO_RPC_PARAMS, "%s is dom0, which is never"
                         " balanced: no policy holds for it", g->dom.name);
    if (!rc && change)
        rc = change_policy(c, g);
    if (!rc && aero_param(c, "take_back"))
        rc = take_back(c, g);
    if (rc)
        return rc;
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "domid", g->dom.domid);
    lxe_jw_str(c->w, "name", g->dom.name);
    lxe_jw_u64(c->w, "min_kib", g->min_kib);
    lxe_jw_u64(c->w, "max_kib", g->max_kib);
    lxe_jw_u64(c->w, "shares", g->shares);
    if (change)
        aero_put_unkept(c->w, "aerostatd or the domain ends");
    lxe_jw_end_object(c->w);
    return 0;
}

static int mem_explain(struct aero_call *c)
{
    struct aero_guest *g;
    int rc = aero_need_domain(c, &g);

    if (rc)
        return rc;
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "domid", g->dom.domid);
    lxe_jw_str(c->w, "name", g->dom.name);
    lxe_jw_str(c->w, "uuid", g->dom.uuid);
    aero_history_write(c->w, c->m->history, g->dom.domid, aero_call_now_ns(c));
    lxe_jw_end_object(c->w);
    return 0;
}

/* ---- reservations ---- */

static int take_node(struct aero_call *c, uint64_t *nodes)
{
    unsigned count = c->m->balancer->numa.count;
    uint64_t node = LXE_UNKNOWN;
    int rc = aero_take_u64(c, "node", LXE_NODES_MAX - 1, &node);

    if (rc || node == LXE_UNKNOWN)
        return rc;
    if (!count)
        return aero_refuse(c, AERO_RPC_CANNOT, "the host's NUMA nodes are not"
                           " known yet; try again");
    if (node >= count)
        return aero_refuse(c, AERO_RPC_PARAMS, "this host has no NUMA node %"
                           PRIu64 "%s%u", node, count == 1 ? "; it has one, "
                           : "; the last one is ", count - 1);
    *nodes = UINT64_C(1) << node;
    return 0;
}

static int mem_reserve(struct aero_call *c)
{
    struct aero_reservation wanted = { .owner = c->peer->client };
    const char *label = lxe_json_str(aero_param(c, "domain"));
    const struct lxe_json *follow = aero_param(c, "follow");
    uint64_t timeout_ms;
    int rc = aero_need_u64(c, "kib", AERO_KIB_MAX, &wanted.least_kib);

    wanted.kib = wanted.least_kib;
    if (!rc)
        rc = aero_take_u64(c, "max_kib", AERO_KIB_MAX, &wanted.kib);
    if (!rc)
        rc =
            aero_need_u64(c, "timeout_ms", AERO_RESERVE_MAX_MS, &timeout_ms);
    if (rc)
        return rc;
    rc = take_node(c, &wanted.nodes);
    if (rc)
        return rc;
    if (follow && lxe_json_bool(follow, &wanted.follow))
        return aero_refuse(c, AERO_RPC_PARAMS, "follow must be true or false");
    if (wanted.follow && (!label || !*label))
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "follow needs the domain's name");
    if (wanted.kib < wanted.least_kib)
        return aero_refuse(c, AERO_RPC_PARAMS, "max_kib must not be below kib");
    if (!c->id[0])
        return aero_refuse(c, AERO_RPC_REQUEST, "mem.reserve needs an id");
    if (!wanted.least_kib)
        return aero_refuse(c, AERO_RPC_PARAMS, "kib must be at least 1");
    wanted.deadline_ns = aero_call_now_ns(c) + timeout_ms * LXE_NS_PER_MS;
    snprintf(wanted.label, sizeof(wanted.label), "%s",
             label ? label : "a client");
    memcpy(wanted.request, c->id, sizeof(wanted.request));
    rc = aero_balancer_reserve(c->m->balancer, &wanted, &c->err);
    c->m->balancer->counters.refused += rc == -ENOSPC;
    if (rc)
        return aero_rpc_code(rc);
    c->later = true;
    c->m->kick(c->m->data);
    return 0;
}

/* How much the node has now that it was to come from, where there is one. */
static void put_node_free(struct lxe_jw *w, const struct lxe_numa *numa,
                          uint64_t nodes)
{
    for (unsigned i = 0; i < numa->count && numa->count > 1; i++)
        if (nodes == UINT64_C(1) << i)
            lxe_jw_u64(w, "node_free_kib", numa->nodes[i].free_kib);
}

void aero_methods_reserved(const struct aero_reservation *r, void *methods)
{
    struct aero_methods *m = methods;
    struct lxe_jw *w;

    if (!r->held) {
        aero_answer_error(m, r->owner, r->request, AERO_RPC_CANNOT, r->why);
        return;
    }
    w = aero_answer_begin(r->request);
    if (w) {
        lxe_jw_key(w, "result");
        lxe_jw_object(w);
        lxe_jw_u64(w, "id", r->id);
        lxe_jw_u64(w, "kib", r->kib);
        put_node_free(w, &m->balancer->numa, r->nodes);
        lxe_jw_end_object(w);
        lxe_jw_end_object(w);
    }
    aero_answer_send(m, r->owner, r->request, w);
    if (!w) /* its client is told that it has none, and knows no id */
        aero_reservations_release(&m->balancer->reservations, r->owner, r->id,
                                  NULL);
    lxe_jw_free(w);
}

static int mem_release(struct aero_call *c)
{
    uint64_t id;
    int rc = aero_need_u64(c, "id", UINT64_MAX, &id);

    if (rc)
        return rc;
    rc = aero_reservations_release(&c->m->balancer->reservations,
                                   c->peer->client, id, &c->err);
    if (rc)
        return aero_rpc_code(rc);
    c->m->kick(c->m->data);
    return aero_done(c);
}

static int mem_transfer(struct aero_call *c)
{
    uint64_t id, domid;
    int rc = aero_need_u64(c, "id", UINT64_MAX, &id);

    /* Not looked up: the domain may be younger than the last tick. */
    if (!rc)
        rc = aero_need_u64(c, "domid", UINT32_MAX - 1, &domid);
    if (rc)
        return rc;
    if (!domid)
        return aero_refuse(c, AERO_RPC_PARAMS, "dom0 takes no reservation");
    rc = aero_reservations_transfer(&c->m->balancer->reservations,
                                    c->peer->client, id, (uint32_t)domid,
                                    &c->err);
    if (rc)
        return aero_rpc_code(rc);
    c->m->kick(c->m->data);
    return aero_done(c);
}

const struct aero_method aero_mem_methods[] = {
    { "mem.status", mem_status, false, { "" } },
    { "mem.policy",
      mem_policy,
      false,
      { "domain", "min_kib", "max_kib", "shares", "take_back" } },
    { "mem.explain", mem_explain, false, { "domain" } },
    { "mem.reserve",
      mem_reserve,
      true,
      { "kib", "max_kib", "domain", "follow", "node", "timeout_ms" } },
    { "mem.release", mem_release, true, { "id" } },
    { "mem.transfer", mem_transfer, true, { "id", "domid" } },
    { NULL, NULL, false, { NULL } },
};
