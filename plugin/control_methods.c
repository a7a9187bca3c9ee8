/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "control_methods.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#define RESERVE_TIMEOUT_MAX_MS (60u * 60u * 1000u)
#define PARAMS_MAX             5
#define RIVALS_TOLD            8 /* by name, in warnings */

/* One request on its way. */
struct call {
    struct aero_methods *m;
    const struct aero_peer *peer;
    const struct lxe_json *params;
    char id[AERO_REQUEST_ID]; /* as JSON; empty for a notification */
    struct lxe_jw *w;         /* in which the method writes "result" */
    bool later;               /* the answer comes later */
    struct lxe_err err;
};

typedef int method_fn(struct call *call);

struct method {
    const char *name;
    method_fn *fn;      /* returns 0, or an enum aero_rpc_error */
    bool root;
    const char *params[PARAMS_MAX]; /* all that are known; none: any */
};

/* ---- answers ---- */

static void send_text(struct aero_methods *m, uint64_t client,
                      struct lxe_jw *w)
{
    size_t len;
    const char *text = w ? lxe_jw_text(w, &len) : NULL;

    if (text)
        m->send(client, text, len, m->data);
    else
        lxe_warn("control: out of memory; an answer is lost");
}

/* Begins a response; the id is JSON already. */
static struct lxe_jw *begin(const char *id)
{
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *tree = NULL;

    if (!w)
        return NULL;
    lxe_jw_object(w);
    lxe_jw_str(w, "jsonrpc", "2.0");
    if (*id && !lxe_json_parse(id, strlen(id), &tree, NULL))
        lxe_jw_tree(w, "id", tree);
    else
        lxe_jw_null(w, "id");
    lxe_json_free(tree);
    return w;
}

static void send_error(struct aero_methods *m, uint64_t client,
                       const char *id, int code, const char *message)
{
    struct lxe_jw *w = begin(id);

    if (w) {
        lxe_jw_key(w, "error");
        lxe_jw_object(w);
        lxe_jw_i64(w, "code", code);
        lxe_jw_str(w, "message", message);
        lxe_jw_end_object(w);
        lxe_jw_end_object(w);
    }
    send_text(m, client, w);
    lxe_jw_free(w);
}

static int refuse(struct call *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(struct call *c, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->err.text, sizeof(c->err.text), fmt, ap);
    va_end(ap);
    return code;
}

/* The code for an errno whose message is in call->err. */
static int code_of(int rc)
{
    switch (rc) {
    case -ENOSPC:
        return AERO_RPC_CANNOT;
    case -EBUSY:
    case -EAGAIN:
        return AERO_RPC_BUSY;
    case -ESRCH:
        return AERO_RPC_DOMAIN;
    case -ENOENT:
    case -EINVAL:
    case -E2BIG:
        return AERO_RPC_PARAMS;
    default:
        return AERO_RPC_INTERNAL;
    }
}

static void put_kib(struct lxe_jw *w, const char *key, uint64_t kib)
{
    if (kib == LXE_UNKNOWN)
        lxe_jw_null(w, key);
    else
        lxe_jw_u64(w, key, kib);
}

/* ---- parameters ---- */

static const struct lxe_json *param(const struct call *c, const char *key)
{
    return lxe_json_get(c->params, key);
}

static int need_u64(struct call *c, const char *key, uint64_t max,
                    uint64_t *out)
{
    const struct lxe_json *node = param(c, key);

    if (!node)
        return refuse(c, AERO_RPC_PARAMS, "%s is missing", key);
    if (lxe_json_u64(node, out) || *out > max)
        return refuse(c, AERO_RPC_PARAMS,
                      "%s must be a whole number from 0 to %" PRIu64, key,
                      max);
    return 0;
}

/* Leaves *out as it is where the parameter is not there. */
static int take_u64(struct call *c, const char *key, uint64_t max,
                    uint64_t *out)
{
    return param(c, key) ? need_u64(c, key, max, out) : 0;
}

/* Sizes up to 2^50 KiB: sums of them never overflow. */
#define KIB_MAX (UINT64_C(1) << 50)
#define RATE_MAX_BPS UINT64_C(1000000000000000) /* nothing sends that fast */

static int need_domain(struct call *c, struct aero_guest **out)
{
    uint64_t domid;
    int rc = need_u64(c, "domid", UINT32_MAX - 1, &domid);

    if (rc)
        return rc;
    *out = aero_guests_find(&c->m->balancer->guests, (uint32_t)domid);
    if (!*out)
        return refuse(c, AERO_RPC_DOMAIN, "there is no domain %" PRIu64,
                      domid);
    return 0;
}

/* ---- daemon.info, mem.status ---- */

static uint64_t now_ns(const struct call *c)
{
    struct lxe_host *host = c->m->balancer->host;

    return host->ops->now_ns(host);
}

static int daemon_info(struct call *c)
{
    const struct aero_balancer *b = c->m->balancer;

    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_str(c->w, "version", PACKAGE_VERSION);
    lxe_jw_u64(c->w, "pid", (uint64_t)getpid());
    lxe_jw_str(c->w, "host", b->host->ops->name);
    lxe_jw_u64(c->w, "uptime_s",
               (now_ns(c) - c->m->start_ns) / LXE_NS_PER_SEC);
    lxe_jw_u64(c->w, "interval_ms", b->config->interval_ms);
    lxe_jw_end_object(c->w);
    return 0;
}

static const char *type_name(enum lxe_dom_type type)
{
    static const char *const names[] = { [LXE_DOM_PV] = "pv",
                                         [LXE_DOM_HVM] = "hvm",
                                         [LXE_DOM_PVH] = "pvh" };

    return names[type];
}

static void put_demand(struct lxe_jw *w, const struct aero_guest *g,
                       uint64_t now)
{
    uint64_t age = aero_guest_report_age_ns(g, now);

    lxe_jw_u64(w, "demand_kib", g->demand.kib);
    put_kib(w, "used_kib", g->demand.used_kib);
    put_kib(w, "available_kib", g->demand.available_kib);
    lxe_jw_str(w, "source", aero_guest_source_name(g->dom.report.source));
    lxe_jw_str(w, "reason", g->reason);
    if (age == LXE_UNKNOWN)
        lxe_jw_null(w, "age_ms");
    else
        lxe_jw_u64(w, "age_ms", age / LXE_NS_PER_MS);
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
    put_kib(w, "target_kib", g->dom.target_kib);
    put_kib(w, "static_max_kib", g->dom.static_max_kib);
    lxe_jw_u64(w, "min_kib", g->min_kib);
    lxe_jw_u64(w, "max_kib", g->max_kib);
    lxe_jw_u64(w, "shares", g->shares);
    put_demand(w, g, now);
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
    lxe_jw_u64(w, "reserved_kib",
               aero_reservations_held_kib(&b->reservations));
    lxe_jw_u64(w, "spare_kib", b->spare_kib);
    lxe_jw_u64(w, "obtainable_kib", b->obtainable_kib);
    lxe_jw_str(w, "state", aero_host_state_name(b->state));
    if (b->should_move == AERO_NO_DOMID)
        lxe_jw_null(w, "should_move");
    else
        lxe_jw_u64(w, "should_move", b->should_move);
    lxe_jw_end_object(w);
}

static void put_rival(struct lxe_jw *w, const struct aero_guest *g,
                      uint64_t now)
{
    uint64_t until = g->rival.until_ns;
    char text[AERO_WARNING_TEXT];

    snprintf(text, sizeof(text), "domain %" PRIu32 " (%s) is managed by"
             " another (%s): %" PRIu64 " changes of its target were not ours;"
             " left alone for %" PRIu64 " s more, or until 'xl mem-policy %"
             PRIu32 " --take-back'", g->dom.domid, g->dom.name,
             aero_rival_guess(&g->dom), g->rival.changes,
             (until > now ? until - now : 0) / LXE_NS_PER_SEC, g->dom.domid);
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

static int mem_status(struct call *c)
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
    put_rivals(c->w, &b->guests, now_ns(c));
    lxe_jw_end_array(c->w);
    lxe_jw_key(c->w, "domains");
    lxe_jw_array(c->w);
    for (size_t i = 0; i < b->guests.count; i++)
        put_domain(c->w, &b->guests.items[i], now_ns(c));
    lxe_jw_end_array(c->w);
    lxe_jw_end_object(c->w);
    return 0;
}

/* ---- mem.policy, mem.explain ---- */

static int change_policy(struct call *c, struct aero_guest *g)
{
    struct aero_domain_policy p = g->asked;
    uint64_t shares = p.shares, top = aero_guest_top_kib(g);
    int rc = take_u64(c, "min_kib", KIB_MAX, &p.min_kib);

    if (!rc)
        rc = take_u64(c, "max_kib", KIB_MAX, &p.max_kib);
    if (!rc)
        rc = take_u64(c, "shares", AERO_SHARES_MAX, &shares);
    if (rc)
        return rc;
    if (param(c, "shares") && !shares)
        return refuse(c, AERO_RPC_PARAMS, "shares must be at least 1");
    if ((param(c, "max_kib") && p.max_kib > top) ||
        (param(c, "min_kib") && p.min_kib > top))
        return refuse(c, AERO_RPC_PARAMS,
                      "%s was built for %" PRIu64 " KiB (maxmem) and can have"
                      " no more", g->dom.name, top);
    if ((p.min_kib != LXE_UNKNOWN ? p.min_kib : 0) >
        (p.max_kib != LXE_UNKNOWN ? p.max_kib : g->max_kib))
        return refuse(c, AERO_RPC_PARAMS, "min_kib would be above max_kib");
    p.shares = (unsigned)shares;
    g->asked = p;
    aero_guest_apply_policy(g, c->m->balancer->config);
    lxe_info("domain %" PRIu32 " (%s): process %d set min %" PRIu64
             " KiB, max %" PRIu64 " KiB, shares %u", g->dom.domid,
             g->dom.name, (int)c->peer->pid, g->min_kib, g->max_kib,
             g->shares);
    c->m->kick(c->m->data);
    return 0;
}

static int find_domain(struct call *c, struct aero_guest **out)
{
    const char *name = lxe_json_str(param(c, "domain"));

    if (!name)
        return refuse(c, AERO_RPC_PARAMS,
                      "domain must be a string: a domid, name or UUID");
    *out = aero_guests_find_text(&c->m->balancer->guests, name);
    if (!*out)
        return refuse(c, AERO_RPC_DOMAIN, "there is no domain '%s'", name);
    return 0;
}

/* A guest that was left to another balancer is ours again. */
static int take_back(struct call *c, struct aero_guest *g)
{
    bool yes;

    if (lxe_json_bool(param(c, "take_back"), &yes) || !yes)
        return refuse(c, AERO_RPC_PARAMS, "take_back must be true");
    aero_rival_take_back(&g->rival);
    lxe_info("domain %" PRIu32 " (%s): process %d took it back from another"
             " balancer", g->dom.domid, g->dom.name, (int)c->peer->pid);
    c->m->kick(c->m->data);
    return 0;
}

static int mem_policy(struct call *c)
{
    bool change = param(c, "min_kib") || param(c, "max_kib") ||
                  param(c, "shares");
    struct aero_guest *g;
    int rc = find_domain(c, &g);

    if (!rc && (change || param(c, "take_back")) && c->peer->uid != 0)
        rc = refuse(c, AERO_RPC_DENIED, "only root may change a policy");
    if (!rc && change)
        rc = change_policy(c, g);
    if (!rc && param(c, "take_back"))
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
        lxe_jw_str(c->w, "note", "lasts until aerostatd ends; write it into"
                                 " aerostat.conf to keep it");
    lxe_jw_end_object(c->w);
    return 0;
}

static int mem_explain(struct call *c)
{
    struct aero_guest *g;
    int rc = find_domain(c, &g);

    if (rc)
        return rc;
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "domid", g->dom.domid);
    lxe_jw_str(c->w, "name", g->dom.name);
    lxe_jw_str(c->w, "uuid", g->dom.uuid);
    aero_history_write(c->w, c->m->history, g->dom.domid, now_ns(c));
    lxe_jw_end_object(c->w);
    return 0;
}

/* ---- reservations ---- */

static int mem_reserve(struct call *c)
{
    struct aero_reservation wanted = { .owner = c->peer->client };
    const char *label = lxe_json_str(param(c, "domain"));
    const struct lxe_json *follow = param(c, "follow");
    uint64_t timeout_ms;
    int rc = need_u64(c, "kib", KIB_MAX, &wanted.least_kib);

    wanted.kib = wanted.least_kib;
    if (!rc)
        rc = take_u64(c, "max_kib", KIB_MAX, &wanted.kib);
    if (!rc)
        rc = need_u64(c, "timeout_ms", RESERVE_TIMEOUT_MAX_MS, &timeout_ms);
    if (rc)
        return rc;
    if (follow && lxe_json_bool(follow, &wanted.follow))
        return refuse(c, AERO_RPC_PARAMS, "follow must be true or false");
    if (wanted.follow && (!label || !*label))
        return refuse(c, AERO_RPC_PARAMS, "follow needs the domain's name");
    if (wanted.kib < wanted.least_kib)
        return refuse(c, AERO_RPC_PARAMS, "max_kib must not be below kib");
    if (!c->id[0])
        return refuse(c, AERO_RPC_REQUEST, "mem.reserve needs an id");
    if (!wanted.least_kib)
        return refuse(c, AERO_RPC_PARAMS, "kib must be at least 1");
    wanted.deadline_ns = now_ns(c) + timeout_ms * LXE_NS_PER_MS;
    snprintf(wanted.label, sizeof(wanted.label), "%s",
             label ? label : "a client");
    memcpy(wanted.request, c->id, sizeof(wanted.request));
    rc = aero_balancer_reserve(c->m->balancer, &wanted, &c->err);
    c->m->balancer->counters.refused += rc == -ENOSPC;
    if (rc)
        return code_of(rc);
    c->later = true;
    c->m->kick(c->m->data);
    return 0;
}

void aero_methods_reserved(const struct aero_reservation *r, void *methods)
{
    struct aero_methods *m = methods;
    struct lxe_jw *w;

    if (!r->held) {
        send_error(m, r->owner, r->request, AERO_RPC_CANNOT,
                   r->why);
        return;
    }
    w = begin(r->request);
    if (w) {
        lxe_jw_key(w, "result");
        lxe_jw_object(w);
        lxe_jw_u64(w, "id", r->id);
        lxe_jw_u64(w, "kib", r->kib);
        lxe_jw_end_object(w);
        lxe_jw_end_object(w);
    }
    send_text(m, r->owner, w);
    lxe_jw_free(w);
}

static int done(struct call *c)
{
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_end_object(c->w);
    return 0;
}

static int mem_release(struct call *c)
{
    uint64_t id;
    int rc = need_u64(c, "id", UINT64_MAX, &id);

    if (rc)
        return rc;
    rc = aero_reservations_release(&c->m->balancer->reservations,
                                   c->peer->client, id, &c->err);
    if (rc)
        return code_of(rc);
    c->m->kick(c->m->data);
    return done(c);
}

static int mem_transfer(struct call *c)
{
    uint64_t id, domid;
    int rc = need_u64(c, "id", UINT64_MAX, &id);

    /* Not looked up: the domain may be younger than the last tick. */
    if (!rc)
        rc = need_u64(c, "domid", UINT32_MAX - 1, &domid);
    if (rc)
        return rc;
    if (!domid)
        return refuse(c, AERO_RPC_PARAMS, "dom0 takes no reservation");
    rc = aero_reservations_transfer(&c->m->balancer->reservations,
                                    c->peer->client, id, (uint32_t)domid,
                                    &c->err);
    if (rc)
        return code_of(rc);
    c->m->kick(c->m->data);
    return done(c);
}

/* ---- migrations ---- */

static int migration_begin(struct call *c)
{
    const char *to = lxe_json_str(param(c, "to"));
    uint64_t target, weight = AERO_RATE_WEIGHT, rate_bps = 0;
    struct aero_guest *g;
    struct aero_migration *m;
    int rc = need_domain(c, &g);

    if (!rc)
        rc = need_u64(c, "original_target_kib", KIB_MAX, &target);
    if (!rc)
        rc = take_u64(c, "weight", AERO_RATE_WEIGHT_MAX, &weight);
    if (!rc)
        rc = take_u64(c, "max_rate_bps", RATE_MAX_BPS, &rate_bps);
    if (rc)
        return rc;
    if (!weight)
        return refuse(c, AERO_RPC_PARAMS, "weight must be at least 1");
    if (!to || !*to || strlen(to) >= AERO_MIGRATION_TO)
        return refuse(c, AERO_RPC_PARAMS, "to must name the target host");
    if (!g->dom.domid)
        return refuse(c, AERO_RPC_PARAMS, "dom0 cannot be migrated");
    if (target > aero_guest_top_kib(g))
        return refuse(c, AERO_RPC_PARAMS,
                      "original_target_kib is above the domain's maxmem");
    rc = aero_migrations_begin(&c->m->balancer->migrations, c->peer->client,
                               &g->dom, to, target, now_ns(c), &c->err);
    if (rc)
        return code_of(rc);
    m = aero_migrations_find(&c->m->balancer->migrations, g->dom.domid);
    m->pid = c->peer->pid;
    rc = aero_migrations_set_rate(&c->m->balancer->migrations, m,
                                  (unsigned)weight, rate_bps, &c->err);
    if (rc) {
        aero_migrations_end(&c->m->balancer->migrations, m);
        return code_of(rc);
    }
    c->m->kick(c->m->data);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "min_kib", g->min_kib);
    put_kib(c->w, "working_set_kib", g->demand.need_kib);
    lxe_jw_end_object(c->w);
    return 0;
}

static int need_migration(struct call *c, struct aero_migration **out)
{
    uint64_t domid;
    int rc = need_u64(c, "domid", UINT32_MAX - 1, &domid);

    if (rc)
        return rc;
    *out = aero_migrations_owned(&c->m->balancer->migrations, c->peer->client,
                                 (uint32_t)domid, &c->err);
    return *out ? 0 : AERO_RPC_PARAMS;
}

/* null: as fast as it goes. Left out where it sends nothing yet. */
static void put_share(struct lxe_jw *w, const struct aero_migrations *all,
                      const struct aero_migration *m)
{
    if (!all->max_rate_bps)
        lxe_jw_null(w, "max_rate_bps");
    else if (m->sending)
        lxe_jw_u64(w, "max_rate_bps", m->share_bps);
}

static int migration_update(struct call *c)
{
    struct aero_migration *m;
    int rc = need_migration(c, &m);

    if (rc)
        return rc;
    rc = aero_migrations_update(m, c->params, &c->err);
    if (rc)
        return code_of(rc);
    aero_migrations_share(&c->m->balancer->migrations);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    put_share(c->w, &c->m->balancer->migrations, m);
    lxe_jw_end_object(c->w);
    return 0;
}

/* What all migrations together may send. */
static int migration_rate(struct call *c)
{
    struct aero_migrations *all = &c->m->balancer->migrations;
    uint64_t bps = all->max_rate_bps;
    int rc = take_u64(c, "max_rate_bps", RATE_MAX_BPS, &bps);

    if (rc)
        return rc;
    if (param(c, "max_rate_bps") && c->peer->uid != 0)
        return refuse(c, AERO_RPC_DENIED, "only root may change the rate");
    if (bps && bps < AERO_RATE_MIN_BPS)
        return refuse(c, AERO_RPC_PARAMS, "max_rate_bps must be 0 (unlimited)"
                      " or at least %u", AERO_RATE_MIN_BPS);
    if (bps != all->max_rate_bps)
        lxe_info("process %d set the rate of all migrations to %" PRIu64
                 " bytes/s", (int)c->peer->pid, bps);
    all->max_rate_bps = bps;
    aero_migrations_share(all);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "max_rate_bps", bps);
    if (param(c, "max_rate_bps"))
        lxe_jw_str(c->w, "note", "lasts until aerostatd ends; write it into"
                                 " aerostat.conf to keep it");
    lxe_jw_end_object(c->w);
    return 0;
}

static int migration_commit(struct call *c)
{
    struct aero_migration *m;
    int rc = need_migration(c, &m);

    if (rc)
        return rc;
    m->committed = true;
    return done(c);
}

/* Returns AERO_OUTCOMES for a word that is none. */
static enum aero_outcome outcome_of(const char *word)
{
    static const char *const words[] = { [AERO_MOVED] = "moved",
                                         [AERO_FAILED] = "failed",
                                         [AERO_CANCELLED] = "cancelled",
                                         [AERO_UNKNOWN_OUTCOME] = "unknown" };

    for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(word, words[i]))
            return (enum aero_outcome)i;
    return AERO_OUTCOMES;
}

static int migration_end(struct call *c)
{
    const char *outcome = lxe_json_str(param(c, "outcome"));
    struct aero_migration *m;
    int rc = need_migration(c, &m);

    if (rc)
        return rc;
    if (outcome_of(outcome) == AERO_OUTCOMES)
        return refuse(c, AERO_RPC_PARAMS,
                      "outcome must be moved, failed, cancelled or unknown");
    c->m->balancer->counters.migrations[outcome_of(outcome)]++;
    lxe_info("domain %" PRIu32 " (%s): migration to %s: %s", m->domid, m->name,
             m->to, outcome);
    aero_migrations_end(&c->m->balancer->migrations, m);
    c->m->kick(c->m->data);
    return done(c);
}

/* The client itself undoes it, and says `end` when that is done. */
static int migration_cancel(struct call *c)
{
    const struct aero_migration *m;
    uint64_t domid;
    int rc = need_u64(c, "domid", UINT32_MAX - 1, &domid);

    if (rc)
        return rc;
    m = aero_migrations_find(&c->m->balancer->migrations, (uint32_t)domid);
    if (!m)
        return refuse(c, AERO_RPC_DOMAIN,
                      "no migration of domain %" PRIu64 " is known", domid);
    if (m->committed)
        return refuse(c, AERO_RPC_CANNOT, "too late: %s was told to start %s,"
                      " which may run there already", m->to, m->name);
    if (m->lost || m->pid <= 1)
        return refuse(c, AERO_RPC_CANNOT, "who migrates %s has gone; that is"
                      " being undone", m->name);
    if (kill(m->pid, SIGTERM))
        return refuse(c, AERO_RPC_INTERNAL, "cannot signal process %d: %s",
                      (int)m->pid, strerror(errno));
    lxe_info("domain %" PRIu32 " (%s): process %d cancels its migration",
             m->domid, m->name, (int)c->peer->pid);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_i64(c->w, "pid", m->pid);
    lxe_jw_end_object(c->w);
    return 0;
}

/* What the client said, without what we know better. */
static void put_progress(struct lxe_jw *w, const struct aero_migration *m)
{
    static const char *const ours[] = { "domid", "name", "to", "committed",
                                        "lost", "started_s_ago",
                                        "max_rate_bps" };
    struct lxe_json *tree;

    if (lxe_json_parse(m->detail, strlen(m->detail), &tree, NULL))
        return;
    if (!lxe_json_get(tree, "stage"))
        lxe_jw_str(w, "stage", "beginning");
    for (size_t i = 0; i < lxe_json_count(tree); i++) {
        const char *key = lxe_json_key_at(tree, i);
        bool known = false;

        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            known = known || !strcmp(key, ours[k]);
        if (!known)
            lxe_jw_tree(w, key, lxe_json_at(tree, i));
    }
    lxe_json_free(tree);
}

static int migration_list(struct call *c)
{
    const struct aero_migrations *all = &c->m->balancer->migrations;

    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_key(c->w, "migrations");
    lxe_jw_array(c->w);
    for (size_t i = 0; i < all->count; i++) {
        const struct aero_migration *m = &all->items[i];

        lxe_jw_object(c->w);
        lxe_jw_u64(c->w, "domid", m->domid);
        lxe_jw_str(c->w, "name", m->name);
        lxe_jw_str(c->w, "to", m->to);
        lxe_jw_u64(c->w, "started_s_ago",
                   (now_ns(c) - m->started_ns) / LXE_NS_PER_SEC);
        lxe_jw_bool(c->w, "committed", m->committed);
        lxe_jw_bool(c->w, "lost", m->lost);
        put_share(c->w, all, m);
        put_progress(c->w, m);
        lxe_jw_end_object(c->w);
    }
    lxe_jw_end_array(c->w);
    lxe_jw_end_object(c->w);
    return 0;
}

/* ---- dispatch ---- */

static const struct method methods[] = {
    { "daemon.info", daemon_info, false, { "" } },
    { "mem.status", mem_status, false, { "" } },
    { "mem.policy", mem_policy, false,
      { "domain", "min_kib", "max_kib", "shares", "take_back" } },
    { "mem.explain", mem_explain, false, { "domain" } },
    { "mem.reserve", mem_reserve, true,
      { "kib", "max_kib", "domain", "follow", "timeout_ms" } },
    { "mem.release", mem_release, true, { "id" } },
    { "mem.transfer", mem_transfer, true, { "id", "domid" } },
    { "migration.list", migration_list, false, { "" } },
    { "migration.begin", migration_begin, true,
      { "domid", "to", "original_target_kib", "weight", "max_rate_bps" } },
    { "migration.rate", migration_rate, false, { "max_rate_bps" } },
    { "migration.update", migration_update, true, { NULL } },
    { "migration.commit", migration_commit, true, { "domid" } },
    { "migration.cancel", migration_cancel, true, { "domid" } },
    { "migration.end", migration_end, true, { "domid", "outcome" } },
};

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (!strcmp(methods[i].name, name))
            return &methods[i];
    return NULL;
}

static int check_params(struct call *c, const struct method *method)
{
    if (c->params && lxe_json_type(c->params) != LXE_JSON_OBJECT)
        return refuse(c, AERO_RPC_PARAMS, "params must be an object");
    if (!method->params[0])
        return 0;
    for (size_t i = 0; i < lxe_json_count(c->params); i++) {
        const char *key = lxe_json_key_at(c->params, i);
        bool known = false;

        for (size_t k = 0; k < PARAMS_MAX && method->params[k]; k++)
            known = known || !strcmp(key, method->params[k]);
        if (!known)
            return refuse(c, AERO_RPC_PARAMS, "%s takes no '%.64s'",
                          method->name, key);
    }
    return 0;
}

static int call_method(struct call *c, const struct lxe_json *request)
{
    const char *name = lxe_json_str(lxe_json_get(request, "method"));
    const char *version = lxe_json_str(lxe_json_get(request, "jsonrpc"));
    const struct method *method;
    int rc;

    if (!name || !version || strcmp(version, "2.0"))
        return refuse(c, AERO_RPC_REQUEST,
                      "not a JSON-RPC 2.0 request; batches are not taken");
    method = find_method(name);
    if (!method)
        return refuse(c, AERO_RPC_METHOD, "there is no method '%.64s'", name);
    if (method->root && c->peer->uid != 0)
        return refuse(c, AERO_RPC_DENIED, "only root may call %s", name);
    c->params = lxe_json_get(request, "params");
    rc = check_params(c, method);
    return rc ? rc : method->fn(c);
}

/* Keeps the id as JSON; false where it is none that JSON-RPC allows. */
static bool take_id(struct call *c, const struct lxe_json *request)
{
    const struct lxe_json *id = lxe_json_get(request, "id");
    struct lxe_jw *w;
    const char *text;
    size_t len = 0;
    bool good;

    if (!id)
        return true;
    if (lxe_json_type(id) != LXE_JSON_STRING &&
        lxe_json_type(id) != LXE_JSON_NUMBER &&
        lxe_json_type(id) != LXE_JSON_NULL)
        return false;
    w = lxe_jw_new(false);
    if (w)
        lxe_jw_tree(w, NULL, id);
    text = w ? lxe_jw_text(w, &len) : NULL;
    good = text && len < sizeof(c->id);
    if (good)
        memcpy(c->id, text, len + 1);
    lxe_jw_free(w);
    return good;
}

static void answer(struct call *c, const struct lxe_json *request)
{
    int rc;

    c->w = begin(c->id);
    rc = c->w ? call_method(c, request)
              : refuse(c, AERO_RPC_INTERNAL, "out of memory");
    if (rc && (c->id[0] || rc == AERO_RPC_REQUEST)) {
        send_error(c->m, c->peer->client, c->id, rc, c->err.text);
    } else if (!rc && !c->later && c->id[0]) {
        lxe_jw_end_object(c->w);
        send_text(c->m, c->peer->client, c->w);
    }
    lxe_jw_free(c->w);
}

void aero_methods_line(struct aero_methods *m, const struct aero_peer *peer,
                       const char *text, size_t len, bool too_fast)
{
    struct call call = { .m = m, .peer = peer };
    struct lxe_json *request = NULL;

    if (lxe_json_parse(text, len, &request, &call.err)) {
        send_error(m, peer->client, "", AERO_RPC_PARSE, call.err.text);
        return;
    }
    if (!take_id(&call, request))
        send_error(m, peer->client, "", AERO_RPC_REQUEST,
                   "id must be a number, or a string of 60 bytes or less");
    else if (too_fast)
        send_error(m, peer->client, call.id, AERO_RPC_BUSY,
                   "too many requests in one second");
    else
        answer(&call, request);
    lxe_json_free(request);
}

void aero_methods_gone(struct aero_methods *m, uint64_t client)
{
    struct aero_balancer *b = m->balancer;
    size_t freed = aero_reservations_drop_owner(&b->reservations, client);
    size_t lost = aero_migrations_lose_owner(&b->migrations, client);

    b->counters.migrations[AERO_LOST] += lost;
    if (freed)
        lxe_info("a client went; %zu reservations of it are free", freed);
    if (lost)
        lxe_warn("a client went in the middle of %zu migrations; undoing",
                 lost);
    if (freed || lost)
        m->kick(m->data);
}
