/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A migration's line to the daemon of its own host: the daemon leaves the
 * domain's target alone from begin to end, shows the progress to others, and
 * undoes what we did if we die. Without a daemon all of it does nothing.
 */
#ifndef MIG_DAEMON_LINK_H
#define MIG_DAEMON_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "report.h"
#include "status.h"

struct lxe_rpc;

struct mig_daemon_link {
    struct lxe_rpc *rpc; /* NULL: no daemon */
    uint32_t domid;
    bool hurried;        /* the guest stands still: no answer is waited for */
    uint64_t silent_until_ns; /* one that did not answer is left alone */
    bool announced;      /* begin was answered; those below are its */
    char to[256];
    uint64_t original_target_kib;
    unsigned weight;
    uint64_t max_rate_bps; /* its own limit; 0: none */
    /* What the daemon last gave it of the host's rate; 0: no limit. */
    uint64_t share_bps;
};

/* Connects. No daemon is no error, but one that may not be asked is. */
int mig_daemon_open(struct mig_daemon_link *link, uint32_t domid,
                    struct lxe_err *err);
void mig_daemon_close(struct mig_daemon_link *link);

/*
 * What all migrations of the host together may send, in bytes/s; 0: no limit,
 * or not known.
 */
uint64_t mig_daemon_host_rate(struct mig_daemon_link *link);

/*
 * Announces the migration.
 * @link  whose weight and max_rate_bps the caller has set
 * @original_target_kib  to be set again if our connection breaks
 * @floor_kib            gets the domain's min by policy; 0 if unknown
 * Returns 0, or -EREMOTEIO with the daemon's reason to refuse.
 */
int mig_daemon_begin(struct mig_daemon_link *link, const char *to,
                     uint64_t original_target_kib, uint64_t *floor_kib,
                     struct lxe_err *err);

/*
 * Tells how far it is. Where the daemon went away, announces the migration to
 * the one that took its place. The answer sets link->share_bps. Failures are
 * only logged. A daemon that did not answer in time is not asked again for a
 * minute, and not at all while link->hurried: each time would be a guest's
 * downtime, or hold up a save that waits to tell how far it is.
 */
void mig_daemon_update(struct mig_daemon_link *link, const char *stage,
                       const struct mig_status *progress);

/*
 * From now on a broken connection must not resume the guest here. If this
 * fails, the migration must not commit. A daemon that has ended or hangs is
 * not waited for: the journal tells it, when it comes back. Returns 0 or
 * -EREMOTEIO.
 */
int mig_daemon_commit(struct mig_daemon_link *link, struct lxe_err *err);

/* The end; the daemon balances the domain again if it is still here. */
void mig_daemon_end(struct mig_daemon_link *link, enum mig_outcome outcome);

/*
 * At the target: asks for memory to be held, and waits for it.
 * Returns 0, or -EREMOTEIO with the reason.
 */
int mig_daemon_reserve(struct mig_daemon_link *link, uint64_t kib,
                       const char *domain, uint64_t timeout_ms,
                       uint64_t *reservation_id, struct lxe_err *err);

/* What the domain takes from now on is counted against the reservation. */
void mig_daemon_transfer(struct mig_daemon_link *link,
                         uint64_t reservation_id, uint32_t domid);

#endif
