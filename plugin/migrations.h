/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Migrations that clients announced. While one stands, the domain's target is
 * left to its client. If the client's connection ends before it said how the
 * migration ended, the guest gets back what it had: it is resumed if it is
 * suspended, and its target is set again. Once the client has said that it
 * commits, the guest may run at the other side, and is left as it is.
 *
 * aerostat-migrate also keeps a journal (migrate/journal.h), which knows more
 * than what was announced here, and outlives both it and us. Where there is
 * one, what it says holds: a migration whose process lives goes on, announced
 * or not; that of a dead one is repaired by a program of its own, which we
 * start.
 */
#ifndef AERO_MIGRATIONS_H
#define AERO_MIGRATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "host.h"
#include "journal.h"
#include "rate_share.h"

#define AERO_MIGRATIONS_MAX   32
#define AERO_MIGRATION_TO     256
#define AERO_MIGRATION_DETAIL 4096 /* bytes of progress that are kept */
#define AERO_MIGRATION_TRIES  30   /* ticks in which an undo is tried */

struct aero_migration {
    uint64_t owner;                /* the client's number; 0: known by its
                                      journal alone */
    pid_t pid;                     /* of the client; 0 where not known */
    bool journalled;               /* its journal was there at the last look */
    uint32_t domid;
    char uuid[LXE_UUID_TEXT];
    char name[LXE_DOM_NAME];
    char to[AERO_MIGRATION_TO];    /* as the client names the target host */
    uint64_t original_target_kib; /* LXE_UNKNOWN: its journal tells none yet */
    uint64_t started_ns;
    bool committed;
    bool lost;                     /* its client is gone: to be undone */
    unsigned tries;
    unsigned weight;               /* of its share of the host's rate */
    uint64_t max_rate_bps;         /* its own limit; 0: none */
    uint64_t share_bps;            /* what it may send; 0: no limit of ours */
    uint64_t used_bps;             /* what it said that it sent lately */
    bool sending, suspended;       /* as its stage says */
    char detail[AERO_MIGRATION_DETAIL]; /* last update, as a JSON object */
};

/* Journals of dead migrations, and when somebody is to look after them. */
struct aero_journals {
    const char *dir;     /* NULL: none are looked at */
    const char *wws_dir; /* of measurements (wws_guard.h); NULL likewise */
    /* Starts the repair, without waiting for it. */
    void (*repair)(void *data);
    void *data;
    uint64_t dead;    /* tells one set of dead ones from another; 0: none */
    uint64_t next_ns, wait_ns;
};

struct aero_migrations {
    struct aero_migration *items;
    size_t count;
    uint64_t max_rate_bps; /* of all together; 0: unlimited */
    struct aero_journals journals;
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
 * Notes that a client begins to migrate a domain. One that was known by its
 * journal, or whose client lost its connection, it takes over.
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

/*
 * Sets what a migration is given of the host's rate.
 * @weight        1 to AERO_RATE_WEIGHT_MAX
 * @max_rate_bps  its own limit; 0 for none
 * Returns 0, or -ENOSPC where so many would have too little.
 */
int aero_migrations_set_rate(struct aero_migrations *all,
                             struct aero_migration *m, unsigned weight,
                             uint64_t max_rate_bps, struct lxe_err *err);

/* Shares the host's rate anew: sets share_bps of all. */
void aero_migrations_share(struct aero_migrations *all);

/* The client said how it ended: forgets it. */
void aero_migrations_end(struct aero_migrations *all,
                         struct aero_migration *m);

/* A client went. Returns how many of its migrations are now to be undone. */
size_t aero_migrations_lose_owner(struct aero_migrations *all, uint64_t owner);

/*
 * Looks at the journals: takes in the migrations that go on, forgets those
 * that have ended, and has dead ones repaired, again after 10 s, 20 s… up to
 * an hour while that does not help. Called once a tick, before undo.
 * Returns whether they could be read: else a migration may have one that is
 * not known, and may run at its target, so that nothing is to be undone.
 */
bool aero_migrations_look(struct aero_migrations *all, uint64_t now_ns);

/*
 * Undoes what lost clients left that keep no journal. What fails is tried again at the next call.
 * Called once a tick.
 */
void aero_migrations_undo(struct aero_migrations *all, struct lxe_host *host);

#endif
