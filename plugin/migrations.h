/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Migrations that clients announced. While one stands, the domain's target is
 * left to its client. If the client's connection ends before it said how the
 * migration ended, the guest gets back what it had: it is resumed if it is
 * suspended, and its target is set again. Once the client has said that it
 * commits, the guest may run at the other side, and is left as it is.
 */
#ifndef AERO_MIGRATIONS_H
#define AERO_MIGRATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "host.h"

#define AERO_MIGRATIONS_MAX   32
#define AERO_MIGRATION_TO     256
#define AERO_MIGRATION_DETAIL 4096 /* bytes of progress that are kept */
#define AERO_MIGRATION_TRIES  30   /* ticks in which an undo is tried */

struct aero_migration {
    uint64_t owner;                /* the client's number */
    uint32_t domid;
    char uuid[LXE_UUID_TEXT];
    char name[LXE_DOM_NAME];
    char to[AERO_MIGRATION_TO];    /* as the client names the target host */
    uint64_t original_target_kib;
    uint64_t started_ns;
    bool committed;
    bool lost;                     /* its client is gone: to be undone */
    unsigned tries;
    char detail[AERO_MIGRATION_DETAIL]; /* last update, as a JSON object */
};

struct aero_migrations {
    struct aero_migration *items;
    size_t count;
};

/* Frees all; nothing is undone. */
void aero_migrations_clear(struct aero_migrations *all);

/* The migration of a domain, or NULL. */
struct aero_migration *aero_migrations_find(const struct aero_migrations *all,
                                            uint32_t domid);

/* The same, if it is this owner's; else NULL and -ENOENT in err. */
struct aero_migration *aero_migrations_owned(const struct aero_migrations *all,
                                             uint64_t owner, uint32_t domid,
                                             struct lxe_err *err);

/*
 * Notes that a client begins to migrate a domain.
 * Returns 0; -EBUSY where it is being migrated already, or there are too
 * many; -ENOMEM.
 */
int aero_migrations_begin(struct aero_migrations *all, uint64_t owner,
                          const struct lxe_domain *dom, const char *to,
                          uint64_t original_target_kib, uint64_t now_ns,
                          struct lxe_err *err);

/* Keeps what the client says of its progress. Returns 0, -E2BIG, -ENOMEM. */
int aero_migrations_update(struct aero_migration *m,
                           const struct lxe_json *members,
                           struct lxe_err *err);

/* The client said how it ended: forgets it. */
void aero_migrations_end(struct aero_migrations *all,
                         struct aero_migration *m);

/* A client went. Returns how many of its migrations are now to be undone. */
size_t aero_migrations_lose_owner(struct aero_migrations *all, uint64_t owner);

/*
 * Undoes what lost clients left. What fails is tried again at the next call.
 * Called once a tick.
 */
void aero_migrations_undo(struct aero_migrations *all, struct lxe_host *host);

#endif
