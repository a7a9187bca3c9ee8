/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One outgoing migration: its stages, each with its undo.
 *
 *   stage            does                              undone by
 *   0 plan           finds the domain, its facts
 *   1 reserve        reaches the target, which makes   closing the transport
 *                    room
 *   2 page cache     announces, shrinks, freezes       target back, end
 *   3 pre-copy       the save helper's rounds          SIGTERM to the helper
 *   4 stop and copy  likewise, the guest suspended     resume
 *   5 commit         renames, gives permission         only what the target
 *                                                      hands back
 *
 * Each change is written into the journal (journal.h) before it is made.
 * Until permission is given a failure, Ctrl-C or SIGTERM leaves the guest
 * running here with its memory restored. After it nothing is cancelled.
 */
#ifndef MIG_SESSION_H
#define MIG_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "costs.h"
#include "limits.h"
#include "report.h"
#include "status.h"
#include "transport.h"
#include "wws.h"

enum mig_stage {
    MIG_STAGE_PLAN,
    MIG_STAGE_RESERVE,
    MIG_STAGE_PAGE_CACHE,
    MIG_STAGE_WATCH, /* where it is to be foretold, and no curve was given */
    MIG_STAGE_PRECOPY,
    MIG_STAGE_STOP_COPY,
    MIG_STAGE_COMMIT,
};

/* "plan", "reserve", … */
const char *mig_stage_name(enum mig_stage stage);

struct mig_session_config {
    const char *domain; /* domid, name or UUID */
    const char *to;     /* host, or the whole command */
    const char *how;    /* xl's -s */
    enum mig_receiver receiver;
    struct mig_limits limits;
    bool page_cache;    /* free it first */
    uint64_t margin_kib;
    bool verify;        /* libxc's --debug */
    const char *helper_path;
    const struct mig_wws *wws; /* what to predict it from; NULL: watch */
    uint64_t watch_ns;     /* the guest for so long, to predict; 0: do not */
    double wire_bps;       /* of the wire; 0: not known */
    struct mig_cost_range costs; /* of this host */
    unsigned weight;       /* of its part of the host's rate; 0: default */
    uint64_t stall_ns;     /* nothing sent for so long: undone; 0: never */

    /*
     * Told at each new stage (status NULL), while the guest shrinks (also
     * NULL), and of each status of the helper.
     */
    void (*progress)(void *data, enum mig_stage stage,
                     const struct mig_report *report,
                     const struct mig_status *status);
    void *data;
};

/*
 * Runs it to its end. The caller has blocked SIGINT, SIGTERM and SIGHUP in
 * all threads, and ignores SIGPIPE.
 * @report   zeroed by the caller; filled in whatever happens
 * @signal   gets the signal that cancelled it; 0 if none did
 * Returns the outcome, with the reason in err unless it is MIG_MOVED.
 */
enum mig_outcome mig_session_run(const struct mig_session_config *config,
                                 struct mig_report *report, int *signal,
                                 struct lxe_err *err);

#endif
