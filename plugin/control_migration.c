/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "control_migration.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"

static int migration_begin(struct aero_call *c)
{
    const char *to = lxe_json_str(aero_param(c, "to"));
    uint64_t target, weight = AERO_RATE_WEIGHT, rate_bps = 0;
    struct aero_guest *g;
    struct aero_migration *m;
    int rc = aero_need_domid(c, &g);

    if (!rc)
        rc = aero_need_u64(c, "original_target_kib", AERO_KIB_MAX, &target);
    if (!rc)
        rc = aero_take_u64(c, "weight", AERO_RATE_WEIGHT_MAX, &weight);
    if (!rc)
        rc = aero_take_u64(c, "max_rate_bps", AERO_RATE_MAX_BPS, &rate_bps);
    if (rc)
        return rc;
    if (!weight)
        return aero_refuse(c, AERO_RPC_PARAMS, "weight must be at least 1");
    if (!to || !*to || strlen(to) >= AERO_MIGRATION_TO)
        return aero_refuse(c, AERO_RPC_PARAMS, "to must name the target host");
    if (!g->dom.domid)
        return aero_refuse(c, AERO_RPC_PARAMS, "dom0 cannot be migrated");
    if (target > aero_guest_top_kib(g))
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "original_target_kib is above the domain's maxmem");
    rc = aero_migrations_begin(&c->m->balancer->migrations, c->peer->client,
                               &g->dom, to, target, aero_call_now_ns(c),
                               &c->err);
    if (rc)
        return aero_rpc_code(rc);
    m = aero_migrations_find(&c->m->balancer->migrations, g->dom.domid);
    m->pid = c->peer->pid;
    rc = aero_migrations_set_rate(&c->m->balancer->migrations, m,
                                  (unsigned)weight, rate_bps, &c->err);
    if (rc) {
        aero_migrations_end(&c->m->balancer->migrations, m);
        return aero_rpc_code(rc);
    }
    c->m->kick(c->m->data);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "min_kib", g->min_kib);
    aero_put_kib(c->w, "working_set_kib", g->demand.need_kib);
    lxe_jw_end_object(c->w);
    return 0;
}

static int need_migration(struct aero_call *c, struct aero_migration **out)
{
    uint64_t domid;
    int rc = aero_need_u64(c, "domid", UINT32_MAX - 1, &domid);

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

static int migration_update(struct aero_call *c)
{
    struct aero_migration *m;
    int rc = need_migration(c, &m);

    if (rc)
        return rc;
    rc = aero_migrations_update(m, c->params, &c->err);
    if (rc)
        return aero_rpc_code(rc);
    aero_migrations_share(&c->m->balancer->migrations);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    put_share(c->w, &c->m->balancer->migrations, m);
    lxe_jw_end_object(c->w);
    return 0;
}

/* What all migrations together may send. */
static int migration_rate(struct aero_call *c)
{
    struct aero_migrations *all = &c->m->balancer->migrations;
    char least[LXE_UNIT_TEXT], asked[LXE_UNIT_TEXT];
    uint64_t bps = all->max_rate_bps;
    int rc = aero_take_u64(c, "max_rate_bps", AERO_RATE_MAX_BPS, &bps);

    if (rc)
        return rc;
    if (aero_param(c, "max_rate_bps") && c->peer->uid != 0)
        return aero_refuse(c, AERO_RPC_DENIED, "only root may change the rate");
    if (bps && bps < AERO_RATE_MIN_BPS)
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "max_rate_bps must be at least %s, or 0 (none)"
                           " for no limit, not %s",
                           lxe_format_bps(least, AERO_RATE_MIN_BPS),
                           lxe_format_bps(asked, (double)bps));
    if (bps != all->max_rate_bps)
        lxe_info("process %d set the rate of all migrations to %" PRIu64
                 " bytes/s",
                 (int)c->peer->pid, bps);
    all->max_rate_bps = bps;
    aero_migrations_share(all);
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_u64(c->w, "max_rate_bps", bps);
    if (aero_param(c, "max_rate_bps"))
        aero_put_unkept(c->w, "aerostatd ends");
    lxe_jw_end_object(c->w);
    return 0;
}

static int migration_commit(struct aero_call *c)
{
    struct aero_migration *m;
    int rc = need_migration(c, &m);

    if (rc)
        return rc;
    m->committed = true;
    return aero_done(c);
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

static int migration_end(struct aero_call *c)
{
    const char *outcome = lxe_json_str(aero_param(c, "outcome"));
    struct aero_migration *m;
    int rc = need_migration(c, &m);

    if (rc)
        return rc;
    if (outcome_of(outcome) == AERO_OUTCOMES)
        return aero_refuse(
            c, AERO_RPC_PARAMS,
            "outcome must be moved, failed, cancelled or unknown");
    c->m->balancer->counters.migrations[outcome_of(outcome)]++;
    lxe_info("domain %" PRIu32 " (%s): migration to %s: %s", m->domid, m->name,
             m->to, outcome);
    aero_migrations_end(&c->m->balancer->migrations, m);
    c->m->kick(c->m->data);
    return aero_done(c);
}

/* The client itself undoes it, and says `end` when that is done. */
static int migration_cancel(struct aero_call *c)
{
    const struct aero_migration *m;
    uint64_t domid;
    int rc = aero_need_u64(c, "domid", UINT32_MAX - 1, &domid);

    if (rc)
        return rc;
    m = aero_migrations_find(&c->m->balancer->migrations, (uint32_t)domid);
    if (!m)
        return aero_refuse(c, AERO_RPC_DOMAIN,
                           "no migration of domain %" PRIu64 " is known",
                           domid);
    if (m->committed)
        return aero_refuse(c, AERO_RPC_CANNOT,
                           "too late: %s was told to start %s,"
                           " which may run there already",
                           m->to, m->name);
    if (m->lost || m->pid <= 1)
        return aero_refuse(c, AERO_RPC_CANNOT,
                           "who migrates %s has gone; that is"
                           " being undone",
                           m->name);
    if (kill(m->pid, SIGTERM))
        return aero_refuse(c, AERO_RPC_INTERNAL, "cannot signal process %d: %s",
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
    static const char *const ours[] = { "domid",       "name", "to",
                                        "committed",   "lost", "started_s_ago",
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

static int migration_list(struct aero_call *c)
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
                   (aero_call_now_ns(c) - m->started_ns) / LXE_NS_PER_SEC);
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

const struct aero_method aero_migration_methods[] = {
    { "migration.list", migration_list, false, { "" } },
    { "migration.begin",
      migration_begin,
      true,
      { "domid", "to", "original_target_kib", "weight", "max_rate_bps" } },
    { "migration.rate", migration_rate, false, { "max_rate_bps" } },
    { "migration.update", migration_update, true, { NULL } },
    { "migration.commit", migration_commit, true, { "domid" } },
    { "migration.cancel", migration_cancel, true, { "domid" } },
    { "migration.end", migration_end, true, { "domid", "outcome" } },
    { NULL, NULL, false, { NULL } },
};
