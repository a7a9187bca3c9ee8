/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undoes what a migration did, from its journal: one that fails undoes itself
 * by this, and one that was killed is undone by whoever finds its journal.
 *
 *   at the source   name, log-dirty mode, suspension, pause, cap, target
 *   at the target   a half-received domain is destroyed, if it is ours; one
 *                   that runs gets the memory back that it came without
 *
 * Once the target was told to go on, the guest may run there, and nothing is
 * done to it here but to say where to look.
 */
#ifndef MIG_REPAIR_H
#define MIG_REPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"
#include "journal.h"

enum mig_repair_verdict {
    MIG_REPAIR_NOTHING, /* no such domain any more, or all is well */
    MIG_REPAIR_UNDO,    /* the guest belongs here */
    MIG_REPAIR_DESTROY, /* remains of a guest that is elsewhere */
    MIG_REPAIR_GIVE_BACK, /* it has come here, with less than it had */
    MIG_REPAIR_ADVISE,  /* only a person who sees both hosts can tell */
};

/*
 * Pure: what is to be done for a migration that has ended.
 * @now  at the source the domain with the journal's domid, at the target the
 *       one with its UUID; NULL where there is none
 */
enum mig_repair_verdict mig_repair_judge(const struct mig_journal *j,
                                         const struct lxe_domain *now);

/* What lxe_host has not; lxe_xl's on Xen. Each returns 0 or a negative errno. */
struct mig_repair_ops {
    int (*rename)(void *data, uint32_t domid, const char *from,
                  const char *to, struct lxe_err *err);
    int (*destroy)(void *data, uint32_t domid, struct lxe_err *err);
    int (*log_dirty_off)(void *data, uint32_t domid, struct lxe_err *err);
    /* Takes back a request to suspend that the guest has not yet seen. */
    int (*cancel_suspend)(void *data, uint32_t domid, bool *was_pending,
                          struct lxe_err *err);
    /* Whether a process saves it now. */
    bool (*is_saved)(void *data, uint32_t domid);
};

struct mig_repair {
    struct lxe_host *host;
    const struct mig_repair_ops *ops;
    void *data;
    const char *dir; /* of the journals */
    /* Lets the host's time pass; NULL sleeps. */
    void (*wait)(void *data, uint64_t ns);
};

/* On Xen: @xl is a struct lxe_xl. */
struct lxe_xl;
extern const struct mig_repair_ops mig_repair_xen;

/*
 * Undoes at once all that a journal of the source holds: every step, even if
 * one fails; each failure is logged. Our own save has ended by then.
 * Returns 0; -ESRCH where the guest was destroyed or started anew meanwhile,
 * and nothing is left to undo; -EBUSY where somebody else saves it, and has
 * it suspended, maybe, so that nothing may be touched; or the first failure.
 */
int mig_repair_undo(const struct mig_repair *r, const struct mig_journal *j,
                    struct lxe_err *err);

/*
 * Watches a guest for some seconds that was asked to suspend, and may do so
 * although nobody waits for it any more; resumes it then.
 * Returns 0, also where the guest is gone; -EBUSY where it is somebody else
 * who has suspended it, to save it; or another negative errno.
 */
int mig_repair_resume_late(const struct mig_repair *r,
                           const struct mig_journal *j, struct lxe_err *err);

/*
 * At the target: raises the guest of a journal to the target that it had at
 * the source, or its static maximum if that is less. One that has as much, or
 * is gone, is left alone.
 * Returns 0 or the host's errors.
 */
int mig_repair_give_back(struct lxe_host *host, const struct mig_journal *j,
                         struct lxe_err *err);

/*
 * Tells what to do about a guest that may run at the other host, its target
 * having been told to start it; the caller has told of that.
 */
void mig_repair_advise(uint32_t domid);

struct mig_repair_count {
    unsigned running;  /* migrations that go on */
    unsigned repaired;
    unsigned open;     /* those that still need somebody */
};

/*
 * Repairs what all dead migrations left, and removes their journals. Only one
 * process does it at a time; another waits. A guest that was asked to suspend
 * may do so late: it is watched for ten seconds.
 * Returns 0, or -EACCES, -ENOMEM where the journals cannot be read.
 */
int mig_repair_all(const struct mig_repair *r, struct mig_repair_count *count,
                   struct lxe_err *err);

/*
 * An administrator has seen that a guest does not run at the target: undoes
 * its migration here, committed or not, unless the target has said that it
 * runs there.
 * @what  domid, name or UUID
 * @out   gets its journal
 * Returns 0; -ESRCH where no journal is about it, or it has gone; -EBUSY where
 * its migration goes on; -EALREADY where it has moved; what failed.
 */
int mig_repair_take_back(const struct mig_repair *r, const char *what,
                         struct mig_journal *out, struct lxe_err *err);

#endif
