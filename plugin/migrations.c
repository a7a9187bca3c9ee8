/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "wws_guard.h"

#define REPAIR_FIRST_NS (10 * LXE_NS_PER_SEC)
#define REPAIR_LAST_NS  (3600 * LXE_NS_PER_SEC)

void aero_migrations_clear(struct aero_migrations *all)
{
    free(all->items);
    all->items = NULL;
    all->count = 0;
}

struct aero_migration *aero_migrations_find(const struct aero_migrations *all,
                                            uint32_t domid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].domid == domid)
            return &all->items[i];
    return NULL;
}

struct aero_migration *aero_migrations_owned(const struct aero_migrations *all,
                                             uint64_t owner, uint32_t domid,
                                             struct lxe_err *err)
{
    struct aero_migration *m = aero_migrations_find(all, domid);

    if (m && m->owner == owner && !m->lost)
        return m;
    lxe_fail(err, -ENOENT,
             "this connection migrates no domain %" PRIu32, domid);
    return NULL;
}

/* A new entry, or NULL with a message. */
static struct aero_migration *add(struct aero_migrations *all,
                                  struct lxe_err *err)
{
    struct aero_migration *items;

    if (all->count == AERO_MIGRATIONS_MAX) {
        lxe_fail(err, -EBUSY, "%d migrations are under way; wait until one has"
                 " ended", AERO_MIGRATIONS_MAX);
        return NULL;
    }
    items = realloc(all->items, (all->count + 1) * sizeof(*items));
    if (!items) {
        lxe_fail(err, -ENOMEM, "out of memory");
        return NULL;
    }
    all->items = items;
    return &items[all->count++];
}

/* Whether it is known by its journal alone, and its client may come. */
static bool is_waiting(const struct aero_migration *m)
{
    return m->journalled && (!m->owner || m->lost);
}

int aero_migrations_begin(struct aero_migrations *all, uint64_t owner,
                          const struct lxe_domain *dom, const char *to,
                          uint64_t original_target_kib, uint64_t now_ns,
                          struct lxe_err *err)
{
    struct aero_migration *m = aero_migrations_find(all, dom->domid);

    if (m && !is_waiting(m))
        return lxe_fail(err, -EBUSY, "%s is being migrated to %s already",
                        m->name, m->to);
    if (!m)
        m = add(all, err);
    if (!m)
        return err ? err->code : -EBUSY;
    *m = (struct aero_migration){
        .owner = owner, .domid = dom->domid, .started_ns = now_ns,
        .original_target_kib = original_target_kib, .detail = "{}",
        .weight = AERO_RATE_WEIGHT,
    };
    memcpy(m->uuid, dom->uuid, sizeof(m->uuid));
    memcpy(m->name, dom->name, sizeof(m->name));
    snprintf(m->to, sizeof(m->to), "%s", to);
    lxe_info("domain %" PRIu32 " (%s): a client migrates it to %s", m->domid,
             m->name, m->to);
    return 0;
}

/* ---- rates ---- */

static size_t list_wants(const struct aero_migrations *all,
                         struct aero_rate_want wants[AERO_MIGRATIONS_MAX])
{
    for (size_t i = 0; i < all->count; i++) {
        const struct aero_migration *m = &all->items[i];

        wants[i] = (struct aero_rate_want){
            .weight = m->weight,
            .max_bps = m->max_rate_bps,
            .sending = m->sending && !m->lost,
            .suspended = m->suspended,
            .used_bps = m->used_bps,
            .share_bps = m->share_bps,
        };
    }
    return all->count;
}

int aero_migrations_set_rate(struct aero_migrations *all,
                             struct aero_migration *m, unsigned weight,
                             uint64_t max_rate_bps, struct lxe_err *err)
{
    struct aero_rate_want wants[AERO_MIGRATIONS_MAX];

    m->weight = weight;
    m->max_rate_bps = max_rate_bps;
    if (all->max_rate_bps &&
        !aero_rate_suffices(all->max_rate_bps, wants, list_wants(all, wants)))
        return lxe_fail(err, -ENOSPC, "too little of migration_max_rate would"
                        " be left for each of %zu migrations; wait until one"
                        " has ended, or see 'xl-aerostat migrate-rate'",
                        all->count);
    return 0;
}

void aero_migrations_share(struct aero_migrations *all)
{
    struct aero_rate_want wants[AERO_MIGRATIONS_MAX];
    size_t count = list_wants(all, wants);

    if (all->max_rate_bps)
        aero_rate_share(all->max_rate_bps, wants, count);
    for (size_t i = 0; i < count; i++)
        all->items[i].share_bps = all->max_rate_bps ? wants[i].share_bps : 0;
}

static void take_rate(struct aero_migration *m, const struct lxe_json *members)
{
    const char *stage = lxe_json_str(lxe_json_get(members, "stage"));
    double bps;

    m->suspended = stage && !strcmp(stage, "stop and copy");
    m->sending = m->suspended || (stage && !strcmp(stage, "pre-copy"));
    if (!lxe_json_double(lxe_json_get(members, "rate_bps"), &bps) &&
        bps >= 0 && bps < 1e15)
        m->used_bps = (uint64_t)bps;
    else
        m->used_bps = 0;
}

int aero_migrations_update(struct aero_migration *m,
                           const struct lxe_json *members,
                           struct lxe_err *err)
{
    struct lxe_jw *w = lxe_jw_new(false);
    const char *text = NULL;
    size_t len = 0;
    int rc = 0;

    if (w) {
        lxe_jw_tree(w, NULL, members);
        text = lxe_jw_text(w, &len);
    }
    if (!text)
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    else if (len >= sizeof(m->detail))
        rc = lxe_fail(err, -E2BIG, "an update may have %zu bytes at most",
                      sizeof(m->detail) - 1);
    else
        memcpy(m->detail, text, len + 1);
    if (!rc)
        take_rate(m, members);
    lxe_jw_free(w);
    return rc;
}

void aero_migrations_end(struct aero_migrations *all, struct aero_migration *m)
{
    size_t i = (size_t)(m - all->items);

    all->count--;
    memmove(m, m + 1, (all->count - i) * sizeof(*m));
}

size_t aero_migrations_lose_owner(struct aero_migrations *all, uint64_t owner)
{
    size_t lost = 0;

    for (size_t i = all->count; i-- > 0;) {
        struct aero_migration *m = &all->items[i];

        if (m->owner != owner || m->lost)
            continue;
        if (m->journalled) {
            m->lost = true;
            lost++;
            continue;
        }
        if (m->committed) {
            lxe_warn("domain %" PRIu32 " (%s): its migration to %s was being"
                     " committed when its client went; look at both hosts",
                     m->domid, m->name, m->to);
            aero_migrations_end(all, m);
            continue;
        }
        m->lost = true;
        lost++;
    }
    return lost;
}

/* ---- journals ---- */

static void adopt(struct aero_migrations *all, const struct mig_journal *j,
                  uint64_t now_ns)
{
    struct lxe_err err = { 0 };
    struct aero_migration *m = add(all, &err);

    if (!m)
        return; /* at the next look */
    *m = (struct aero_migration){
        .pid = j->owner.pid, .journalled = true, .domid = j->domid,
        .started_ns = now_ns, .original_target_kib = j->original_target_kib,
        .committed = j->state != MIG_JOURNAL_OPEN, .detail = "{}",
        .weight = AERO_RATE_WEIGHT,
    };
    memcpy(m->uuid, j->uuid, sizeof(m->uuid));
    memcpy(m->name, j->name, sizeof(m->name));
    memcpy(m->to, j->to, sizeof(m->to));
    lxe_debug("domain %" PRIu32 " (%s): its journal says that process %d"
              " migrates it to %s", m->domid, m->name, (int)j->owner.pid,
              m->to);
}

static void take_in(struct aero_migrations *all, const struct mig_journal *j,
                    bool alive, uint64_t now_ns)
{
    struct aero_migration *m = aero_migrations_find(all, j->domid);

    if (!m && (alive || j->state == MIG_JOURNAL_OPEN)) {
        adopt(all, j, now_ns);
        m = aero_migrations_find(all, j->domid);
    }
    if (!m || strcmp(m->uuid, j->uuid))
        return;
    m->journalled = true;
    m->lost = m->lost || !alive;
}

/* Journals that were there and are not: their migrations have ended. */
static void forget_ended(struct aero_migrations *all)
{
    for (size_t i = all->count; i-- > 0;) {
        struct aero_migration *m = &all->items[i];

        if (!m->journalled && !m->owner)
            aero_migrations_end(all, m);
    }
}

static void have_repaired(struct aero_journals *journals, uint64_t dead,
                          uint64_t now_ns)
{
    if (dead != journals->dead) {
        journals->next_ns = now_ns;
        journals->wait_ns = REPAIR_FIRST_NS;
    }
    journals->dead = dead;
    if (!dead || now_ns < journals->next_ns)
        return;
    journals->next_ns = now_ns + journals->wait_ns;
    journals->wait_ns *= 2;
    if (journals->wait_ns > REPAIR_LAST_NS)
        journals->wait_ns = REPAIR_LAST_NS;
    journals->repair(journals->data);
}

bool aero_migrations_look(struct aero_migrations *all, uint64_t now_ns)
{
    struct mig_journal_list list;
    struct lxe_err err = { 0 };
    uint64_t dead = 0;

    if (!all->journals.dir)
        return true;
    if (mig_journal_read_all(all->journals.dir, &list, &err)) {
        lxe_warn("%s", err.text);
        return false;
    }
    for (size_t i = 0; i < all->count; i++)
        all->items[i].journalled = false;
    for (size_t i = 0; i < list.count; i++) {
        const struct mig_journal *j = &list.items[i];
        bool alive = mig_journal_alive(j);

        if (j->role == MIG_JOURNAL_SOURCE)
            take_in(all, j, alive, now_ns);
        if (!alive)
            dead += j->owner.start_ticks * 1000003 + (uint64_t)j->owner.pid;
    }
    mig_journal_list_free(&list);
    forget_ended(all);
    if (all->journals.wws_dir)
        dead += mig_wws_guard_dead(all->journals.wws_dir);
    have_repaired(&all->journals, dead, now_ns);
    return true;
}

/* ---- undoing ---- */

/* Returns 0 when there is nothing more to do for it. */
static int undo_one(struct aero_migration *m, struct lxe_host *host)
{
    struct lxe_domain now;
    struct lxe_err err = { 0 };
    char size[LXE_UNIT_TEXT];
    int rc = host->ops->get_domain(host, m->domid, &now, &err);

    if (rc == -ESRCH || (!rc && (now.dying || strcmp(now.uuid, m->uuid))))
        return 0;
    if (!rc)
        rc = host->ops->resume(host, m->domid, &err);
    if (!rc)
        rc = host->ops->set_target(host, m->domid, m->original_target_kib,
                                   &err);
    if (rc == -ESRCH)
        return 0;
    if (rc) {
        lxe_warn("domain %" PRIu32 " (%s): cannot undo its lost migration: %s",
                 m->domid, m->name, err.text);
        return rc;
    }
    lxe_info("domain %" PRIu32 " (%s): the client that migrated it went; it"
             " goes on here, with its target of %s again", m->domid, m->name,
             lxe_format_kib(size, m->original_target_kib));
    return 0;
}

void aero_migrations_undo(struct aero_migrations *all, struct lxe_host *host)
{
    for (size_t i = all->count; i-- > 0;) {
        struct aero_migration *m = &all->items[i];

        if (!m->lost || m->journalled)
            continue;
        if (undo_one(m, host) == 0) {
            aero_migrations_end(all, m);
        } else if (++m->tries >= AERO_MIGRATION_TRIES) {
            lxe_error("domain %" PRIu32 " (%s): gave up; see whether it runs"
                      " ('xl list') and 'xl mem-set' it", m->domid, m->name);
            aero_migrations_end(all, m);
        }
    }
}
