/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "repair.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/u64.h"
#include "qemu_log.h"
#include "save_procs.h"
#include "xl_domain.h"

#define AWAY       "--migratedaway"
#define INCOMING   "--incoming"
#define POLL_NS    (250 * LXE_NS_PER_MS)
#define SAVE_LOOKS 4 /* at a save that should have ended */
#define HELPER_NS  (10 * LXE_NS_PER_SEC) /* for the save helper to clean up */
#define SETTLE_NS  (10 * LXE_NS_PER_SEC) /* for a guest that suspends late */

/* ---- judging ---- */

static bool is_named(const struct lxe_domain *dom, const char *name,
                     const char *suffix)
{
    size_t len = strlen(name);

    return !strncmp(dom->name, name, len) && !strcmp(dom->name + len, suffix);
}

/* The target that it had, as far as it can have that here. */
static uint64_t whole_kib(const struct mig_journal *j,
                          const struct lxe_domain *now)
{
    return lxe_min(j->original_target_kib, now->static_max_kib);
}

static bool lacks_memory(const struct mig_journal *j,
                         const struct lxe_domain *now)
{
    return j->original_target_kib != LXE_UNKNOWN &&
           now->target_kib < whole_kib(j, now);
}

/*
 * A domain that is being received never ran here: xl gives it its own name
 * before it unpauses it. Before it has any, its domid must be the one that was
 * seen; one with another domid is being received by somebody else by now.
 * Later somebody may have renamed it.
 */
static enum mig_repair_verdict judge_target(const struct mig_journal *j,
                                            const struct lxe_domain *now)
{
    bool ours = j->domid ? now->domid == j->domid &&
                               (!now->name[0] ||
                                is_named(now, j->name, INCOMING))
                         : is_named(now, j->name, INCOMING);

    if (ours && now->paused)
        return MIG_REPAIR_DESTROY;
    return now->name[0] && !now->migrating && lacks_memory(j, now)
               ? MIG_REPAIR_GIVE_BACK
               : MIG_REPAIR_NOTHING;
}

enum mig_repair_verdict mig_repair_judge(const struct mig_journal *j,
                                         const struct lxe_domain *now)
{
    if (!now || now->dying || strcmp(now->uuid, j->uuid))
        return MIG_REPAIR_NOTHING;
    if (j->role == MIG_JOURNAL_TARGET)
        return judge_target(j, now);
    if (now->domid != j->domid)
        return MIG_REPAIR_NOTHING; /* it has been started anew */
    if (j->state == MIG_JOURNAL_OPEN)
        return MIG_REPAIR_UNDO;
    if (!now->suspended)
        return MIG_REPAIR_NOTHING; /* somebody has decided already */
    return j->state == MIG_JOURNAL_MOVED && is_named(now, j->name, AWAY)
               ? MIG_REPAIR_DESTROY
               : MIG_REPAIR_ADVISE;
}

void mig_repair_advise(uint32_t domid)
{
    lxe_error("nobody knows whether it did. Look at BOTH hosts with"
              " 'xl list':");
    lxe_error(" - it runs there: 'xl destroy %" PRIu32 "' here", domid);
    lxe_error(" - it does not: 'aerostat-migrate --take-back %" PRIu32
              "' here", domid);
    lxe_error("Never let both run.");
}

static void advise(const struct mig_journal *j)
{
    lxe_error("the migration of %s (domain %" PRIu32 ") to %s ended after the"
              " target was told to start the guest", j->name, j->domid, j->to);
    mig_repair_advise(j->domid);
}

/* ---- undoing ---- */

static void wait_ns(const struct mig_repair *r, uint64_t ns)
{
    if (r->wait)
        r->wait(r->data, ns);
    else
        lxe_sleep_ns(ns);
}

struct undo {
    const struct mig_repair *r;
    const struct mig_journal *j;
    struct lxe_err *err; /* gets the first failure */
    int rc;
    bool settled; /* the guest cannot suspend any more */
};

static void failed(struct undo *u, const char *what, int rc,
                   const struct lxe_err *why)
{
    lxe_error("%s: %s: %s", u->j->name, what, why->text);
    if (u->rc)
        return;
    u->rc = lxe_fail(u->err, rc, "%s: %s", what, why->text);
}

static void undo_name(struct undo *u)
{
    char away[LXE_DOM_NAME + sizeof(AWAY)];
    struct lxe_domain now;
    struct lxe_err why = { 0 };
    struct lxe_host *host = u->r->host;
    int rc;

    if (!u->j->renamed)
        return;
    rc = host->ops->get_domain(host, u->j->domid, &now, &why);
    if (!rc && !is_named(&now, u->j->name, AWAY))
        return;
    snprintf(away, sizeof(away), "%s" AWAY, u->j->name);
    if (!rc)
        rc = u->r->ops->rename(u->r->data, u->j->domid, away, u->j->name,
                               &why);
    if (rc)
        failed(u, "giving the guest its name back", rc, &why);
}

static void undo_log_dirty(struct undo *u)
{
    struct lxe_err why = { 0 };
    int rc = u->r->ops->log_dirty_off(u->r->data, u->j->domid, &why);

    if (rc)
        failed(u, "ending log-dirty mode", rc, &why);
}

/* A request that was still pending cannot be followed any more. */
static void undo_suspend(struct undo *u)
{
    struct lxe_host *host = u->r->host;
    struct lxe_domain now;
    struct lxe_err why = { 0 };
    bool was_pending = false;
    int rc = u->r->ops->cancel_suspend(u->r->data, u->j->domid, &was_pending,
                                       &why);

    u->settled = !rc && was_pending;
    if (!rc)
        rc = host->ops->get_domain(host, u->j->domid, &now, &why);
    if (!rc && now.suspended) {
        u->settled = true;
        rc = host->ops->resume(host, u->j->domid, &why);
    }
    if (rc)
        failed(u, "resuming the guest", rc, &why);
}

static void undo_pause(struct undo *u)
{
    struct lxe_host *host = u->r->host;
    struct lxe_domain now;
    struct lxe_err why = { 0 };
    int rc = host->ops->get_domain(host, u->j->domid, &now, &why);

    if (!rc && now.paused)
        rc = host->ops->unpause(host, u->j->domid, &why);
    if (rc)
        failed(u, "unpausing the guest", rc, &why);
}

static void undo_cap(struct undo *u)
{
    struct lxe_host *host = u->r->host;
    struct lxe_err why = { 0 };
    unsigned cap;
    int rc = host->ops->cap_get(host, u->j->domid, &cap, &why);

    if (!rc && cap != u->j->original_cap)
        rc = host->ops->cap_set(host, u->j->domid, u->j->original_cap, &why);
    if (rc)
        failed(u, "lifting the guest's cap", rc, &why);
}

static void undo_target(struct undo *u)
{
    struct lxe_host *host = u->r->host;
    struct lxe_domain now;
    struct lxe_err why = { 0 };
    int rc = host->ops->get_domain(host, u->j->domid, &now, &why);

    if (!rc && now.target_kib != u->j->original_target_kib)
        rc = host->ops->set_target(host, u->j->domid,
                                   u->j->original_target_kib, &why);
    if (rc)
        failed(u, "giving the guest its memory back", rc, &why);
}

/*
 * Whether it is saved by somebody else: what was asked to end may take a
 * moment, and so may the guard of its brake.
 */
static bool is_saved(const struct mig_repair *r, uint32_t domid)
{
    for (int i = 0; r->ops->is_saved(r->data, domid); i++) {
        if (i == SAVE_LOOKS)
            return true;
        wait_ns(r, POLL_NS);
    }
    return false;
}

static int fail_saved(const struct mig_journal *j, struct lxe_err *err)
{
    return lxe_fail(err, -EBUSY, "somebody else saves or migrates domain %"
                    PRIu32 " now", j->domid);
}

static int undo(struct undo *u)
{
    struct lxe_err why = { 0 };

    if (is_saved(u->r, u->j->domid)) {
        failed(u, "left as it is", fail_saved(u->j, &why), &why);
        return u->rc;
    }
    undo_name(u);
    if (u->j->saving) {
        undo_log_dirty(u);
        undo_suspend(u);
    }
    if (u->j->may_pause)
        undo_pause(u);
    if (u->j->original_cap != MIG_JOURNAL_NO_CAP)
        undo_cap(u);
    if (u->j->original_target_kib != LXE_UNKNOWN)
        undo_target(u);
    return u->rc;
}

/* Destroyed, or started anew; where that cannot be seen it is not. */
static bool is_gone(const struct mig_repair *r, const struct mig_journal *j)
{
    struct lxe_domain now;
    struct lxe_err why = { 0 };
    int rc = r->host->ops->get_domain(r->host, j->domid, &now, &why);

    return rc == -ESRCH || (!rc && (now.dying || strcmp(now.uuid, j->uuid)));
}

int mig_repair_undo(const struct mig_repair *r, const struct mig_journal *j,
                    struct lxe_err *err)
{
    struct undo u = { .r = r, .j = j, .err = err };

    if (!is_gone(r, j) && (!undo(&u) || !is_gone(r, j)))
        return u.rc;
    return lxe_fail(err, -ESRCH, "%s is not on this host any more", j->name);
}

/* ---- the dead ---- */

static bool has_ended(const struct mig_repair *r, const struct mig_process *p)
{
    struct lxe_host *host = r->host;
    uint64_t end_ns = host->ops->now_ns(host) + HELPER_NS;

    while (mig_process_alive(p)) {
        if (host->ops->now_ns(host) >= end_ns)
            return false;
        wait_ns(r, POLL_NS);
    }
    return true;
}

/*
 * A save helper outlives its libxl by what it takes to turn log-dirty mode
 * off. One that does not end is in our way, until it is seen to be dead: it
 * could turn the mode on behind us.
 */
static void end_helper(const struct mig_repair *r,
                       const struct mig_journal *j)
{
    if (has_ended(r, &j->helper))
        return;
    lxe_warn("%s: its save helper %d does not end; killing it", j->name,
             (int)j->helper.pid);
    kill(j->helper.pid, SIGKILL);
    if (!has_ended(r, &j->helper))
        lxe_warn("%s: it does not die either; going on", j->name);
}

int mig_repair_resume_late(const struct mig_repair *r,
                           const struct mig_journal *j, struct lxe_err *err)
{
    struct lxe_host *host = r->host;
    uint64_t end_ns = host->ops->now_ns(host) + SETTLE_NS;

    for (;;) {
        struct lxe_domain now;
        int rc = host->ops->get_domain(host, j->domid, &now, err);

        if (rc == -ESRCH || (!rc && strcmp(now.uuid, j->uuid)))
            return 0;
        if (!rc && now.suspended)
            return is_saved(r, j->domid)
                       ? fail_saved(j, err)
                       : host->ops->resume(host, j->domid, err);
        if (host->ops->now_ns(host) >= end_ns)
            return rc;
        wait_ns(r, POLL_NS);
    }
}

static int repair_source(const struct mig_repair *r,
                         const struct mig_journal *j, struct lxe_err *err)
{
    struct undo u = { .r = r, .j = j, .err = err };
    int rc;

    lxe_warn("the migration of %s (domain %" PRIu32 ") to %s died in stage"
             " '%s'; undoing it", j->name, j->domid, j->to, j->stage);
    end_helper(r, j);
    rc = undo(&u);
    if (!rc && j->saving && !u.settled)
        rc = mig_repair_resume_late(r, j, err);
    return rc;
}

static int destroy(const struct mig_repair *r, const struct mig_journal *j,
                   const struct lxe_domain *now, struct lxe_err *err)
{
    int rc;

    lxe_warn("destroying domain %" PRIu32 " (%s): %s", now->domid, now->name,
             j->role == MIG_JOURNAL_TARGET
                 ? "it was being received, and who received it died"
                 : "the guest has moved, and who moved it died");
    rc = r->ops->destroy(r->data, now->domid, err);
    return rc;
}

int mig_repair_give_back(struct lxe_host *host, const struct mig_journal *j,
                         struct lxe_err *err)
{
    struct lxe_domain now;
    int rc = lxe_host_find_uuid(host, j->uuid, &now, err);

    if (rc == -ESRCH || (!rc && !lacks_memory(j, &now)))
        return 0;
    return rc ? rc : host->ops->set_target(host, now.domid,
                                           whole_kib(j, &now), err);
}

/*
 * At the source it is the domain that we changed: another may have its UUID by
 * now, one that comes back, or is received from this host itself.
 */
static int find_guest(const struct mig_repair *r, const struct mig_journal *j,
                      struct lxe_domain *now, struct lxe_err *err)
{
    return j->role == MIG_JOURNAL_SOURCE
               ? r->host->ops->get_domain(r->host, j->domid, now, err)
               : lxe_host_find_uuid(r->host, j->uuid, now, err);
}

/* Whether nothing is left to do for this journal. */
static bool repair_one(const struct mig_repair *r,
                       const struct mig_journal *j)
{
    struct lxe_domain now;
    struct lxe_err why = { 0 };
    int rc = find_guest(r, j, &now, &why);

    if (!rc || rc == -ESRCH) {
        switch (mig_repair_judge(j, rc ? NULL : &now)) {
        case MIG_REPAIR_ADVISE:
            advise(j);
            return false;
        case MIG_REPAIR_UNDO:
            rc = repair_source(r, j, &why);
            break;
        case MIG_REPAIR_DESTROY:
            rc = destroy(r, j, &now, &why);
            break;
        case MIG_REPAIR_GIVE_BACK:
            lxe_warn("%s came here with less memory than it had, and who was"
                     " to give it back died; giving it back", j->name);
            rc = r->host->ops->set_target(r->host, now.domid,
                                          whole_kib(j, &now), &why);
            break;
        case MIG_REPAIR_NOTHING:
            rc = 0;
            break;
        }
    }
    if (rc)
        lxe_error("%s: not repaired: %s; try 'aerostat-migrate --repair'"
                  " again", j->name, why.text);
    return !rc;
}

/* -1 where nobody can lock; then two may do the same, which harms nothing. */
static int lock(const char *dir)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/repair.lock", dir);
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX))
        lxe_debug("cannot lock %s: %m", path);
    return fd;
}

static bool any_dead(const struct mig_journal_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!mig_journal_alive(&list->items[i]))
            return true;
    return false;
}

/*
 * Of a process that has ended: while others were repaired it may have lived,
 * and written that the target may start the guest. Now nobody changes it.
 * Returns 0; -ESRCH where it is there no more; as mig_journal_read_all().
 */
static int read_again(const struct mig_repair *r, const struct mig_journal *j,
                      struct mig_journal *out, struct lxe_err *err)
{
    struct mig_journal_list list;
    int rc = mig_journal_read_all(r->dir, &list, err);

    if (rc)
        return rc;
    rc = lxe_fail(err, -ESRCH, "the journal of %s is there no more", j->name);
    for (size_t i = 0; i < list.count; i++) {
        if (!mig_journal_same(&list.items[i], j))
            continue;
        *out = list.items[i];
        rc = 0;
    }
    mig_journal_list_free(&list);
    return rc;
}

static void repair_dead(const struct mig_repair *r,
                        const struct mig_journal *seen,
                        struct mig_repair_count *count)
{
    struct lxe_err err = { 0 };
    struct mig_journal j;
    int rc = read_again(r, seen, &j, &err);

    if (rc == -ESRCH)
        return; /* it came to its end */
    if (rc)
        lxe_error("%s", err.text);
    if (!rc && mig_journal_alive(&j)) {
        count->running++; /* in another process by now */
    } else if (!rc && repair_one(r, &j)) {
        mig_journal_remove(r->dir, &j);
        count->repaired++;
    } else {
        count->open++;
    }
}

static void repair_list(const struct mig_repair *r,
                        const struct mig_journal_list *list,
                        struct mig_repair_count *count)
{
    for (size_t i = 0; i < list->count; i++) {
        if (mig_journal_alive(&list->items[i]))
            count->running++;
        else
            repair_dead(r, &list->items[i], count);
    }
}

int mig_repair_all(const struct mig_repair *r, struct mig_repair_count *count,
                   struct lxe_err *err)
{
    _cleanup_close_ int fd = -1;
    struct mig_journal_list list;
    int rc = mig_journal_read_all(r->dir, &list, err);

    *count = (struct mig_repair_count){ 0 };
    if (rc)
        return rc;
    if (any_dead(&list)) { /* again, now that nobody else repairs them */
        mig_journal_list_free(&list);
        fd = lock(r->dir);
        rc = mig_journal_read_all(r->dir, &list, err);
        if (rc)
            return rc;
    }
    repair_list(r, &list, count);
    mig_journal_list_free(&list);
    return 0;
}

/*
 * Whether the guest may go on here, and is the one of the journal.
 * @j  as it was found; gets what it says now
 */
static int may_take_back(const struct mig_repair *r, struct mig_journal *j,
                         const char *what, struct lxe_err *err)
{
    bool alive = mig_journal_alive(j);
    struct lxe_domain now;
    int rc = alive ? 0 : read_again(r, j, j, err);

    if (rc)
        return rc;
    if (alive)
        return lxe_fail(err, -EBUSY, "the migration of %s goes on; see"
                        " 'xl-aerostat migrate-cancel'", what);
    if (j->state == MIG_JOURNAL_MOVED)
        return lxe_fail(err, -EALREADY, "%s has moved: %s said that it runs"
                        " there; 'aerostat-migrate --repair' removes what is"
                        " left of it here", what, j->to);
    rc = r->host->ops->get_domain(r->host, j->domid, &now, err);
    if (!rc && strcmp(now.uuid, j->uuid))
        rc = lxe_fail(err, -ESRCH, "domain %" PRIu32 " is another guest now;"
                      " 'aerostat-migrate --repair' forgets the migration of"
                      " %s", j->domid, what);
    return rc;
}

int mig_repair_take_back(const struct mig_repair *r, const char *what,
                         struct mig_journal *out, struct lxe_err *err)
{
    const struct mig_journal *found;
    struct mig_journal_list list;
    int rc = mig_journal_read_all(r->dir, &list, err);

    if (rc)
        return rc;
    found = mig_journal_find(&list, what);
    if (found)
        *out = *found;
    else
        rc = lxe_fail(err, -ESRCH, "no migration of %s is known here", what);
    mig_journal_list_free(&list);
    if (!rc)
        rc = may_take_back(r, out, what, err);
    if (!rc)
        rc = mig_repair_undo(r, out, err);
    if (!rc)
        mig_journal_remove(r->dir, out);
    return rc;
}

/* ---- on Xen ---- */

static int xen_rename(void *data, uint32_t domid, const char *from,
                      const char *to, struct lxe_err *err)
{
    return lxe_xl_rename(data, domid, from, to, err);
}

static int xen_destroy(void *data, uint32_t domid, struct lxe_err *err)
{
    return lxe_xl_destroy(data, domid, err);
}

/* QEMU's log costs some speed where it stays on; the guest is as whole. */
static int xen_log_dirty_off(void *data, uint32_t domid, struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    char socket[64];

    (void)data;
    snprintf(socket, sizeof(socket), LXE_QEMU_SOCKET, domid);
    if (lxe_qemu_log_off(socket, &why))
        lxe_warn("QEMU may still log what it writes to the guest: %s",
                 why.text);
    return lxe_xl_log_dirty_off(domid, err);
}

static int xen_cancel_suspend(void *data, uint32_t domid, bool *was_pending,
                              struct lxe_err *err)
{
    (void)data;
    return lxe_xl_cancel_suspend(domid, was_pending, err);
}

static bool xen_is_saved(void *data, uint32_t domid)
{
    (void)data;
    return lxe_save_is_running(domid);
}

const struct mig_repair_ops mig_repair_xen = {
    xen_rename, xen_destroy, xen_log_dirty_off, xen_cancel_suspend,
    xen_is_saved,
};
