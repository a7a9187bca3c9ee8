/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "migrations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"

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

int aero_migrations_begin(struct aero_migrations *all, uint64_t owner,
                          const struct lxe_domain *dom, const char *to,
                          uint64_t original_target_kib, uint64_t now_ns,
                          struct lxe_err *err)
{
    const struct aero_migration *other = aero_migrations_find(all, dom->domid);
    struct aero_migration *items, *m;

    if (other)
        return lxe_fail(err, -EBUSY, "%s is being migrated to %s already",
                        other->name, other->to);
    if (all->count == AERO_MIGRATIONS_MAX)
        return lxe_fail(err, -EBUSY, "%d migrations are under way; wait until"
                                     " one has ended", AERO_MIGRATIONS_MAX);
    items = realloc(all->items, (all->count + 1) * sizeof(*items));
    if (!items)
        return lxe_fail(err, -ENOMEM, "out of memory");
    all->items = items;
    m = &items[all->count++];
    *m = (struct aero_migration){
        .owner = owner, .domid = dom->domid, .started_ns = now_ns,
        .original_target_kib = original_target_kib, .detail = "{}",
    };
    memcpy(m->uuid, dom->uuid, sizeof(m->uuid));
    memcpy(m->name, dom->name, sizeof(m->name));
    snprintf(m->to, sizeof(m->to), "%s", to);
    lxe_info("domain %" PRIu32 " (%s): a client migrates it to %s", m->domid,
             m->name, m->to);
    return 0;
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

        if (!m->lost)
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
