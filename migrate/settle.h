/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest still gets after it began to run here, when it has come up and
 * its network is back: the memory that it gave up to travel light, and, where
 * it says nothing itself, a word to its networks.
 *
 *   0 s   it runs; the source has its answer, and its program may end
 *   1 s   its target is what it was at the source
 *   3 s   it is announced, if it was not heard
 *
 * At once would be worse: its balloon would take memory with the processor
 * that its network waits for.
 */
#ifndef MIG_SETTLE_H
#define MIG_SETTLE_H

#include <stdbool.h>

#include "announce.h"
#include "daemon_link.h"
#include "host.h"
#include "journal.h"
#include "repair.h"

struct mig_settle {
    const char *journal_dir;
    struct mig_journal *journal;    /* of its reception; has its target */
    struct mig_announce *announce;  /* has listened since before it ran */
    struct mig_daemon_link *daemon; /* holds memory for it */
    const char *shown;              /* its name, for the log */
};

/*
 * Leaves it to a process of its own, which holds nothing that the source
 * waits for. That is in the journal before it begins, and removes the journal
 * when the guest has its memory. Where it cannot be started, the guest gets
 * its memory at once.
 * Returns whether the journal is needed no more, and the caller's to remove.
 */
bool mig_settle_begin(const struct mig_settle *s);

/*
 * Whether a guest comes here right now, or has yet to get its memory back.
 * What its target is then is not what it was meant to be.
 */
bool mig_settle_pending(const char *journal_dir, const char *uuid);

/*
 * Finds a guest that is to leave here. One that came a moment ago has its
 * memory back when this returns, and its target is what it was meant to be.
 * @r          of this host; what died on the way is repaired
 * @what       domid, name or UUID
 * @cancelled  asked while it waits
 * Returns 0; -ESRCH; -EBUSY where it does not get its memory back within ten
 * seconds; -ECANCELED; the host's errors.
 */
int mig_settle_find(const struct mig_repair *r, const char *what,
                    bool (*cancelled)(void *data), void *data,
                    struct lxe_domain *out, struct lxe_err *err);

#endif
