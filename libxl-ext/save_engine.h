/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs libxc's xc_domain_save() under a policy of ours, inside a save helper.
 *
 * The order in which the policy is called, in the thread that runs the save:
 *
 *   round(0, pages of round 0)      then libxc sends round 0
 *   round(1, -1)                    then libxc fetches and clears the dirty log
 *   round(1, dirty)                 then libxc sends round 1
 *   ...
 *   suspending()                    after a verdict to stop
 *   suspended(ok)                   then libxc sends the final pass
 *
 * STOP at a known count still sends that round live, then suspends; STOP at -1
 * suspends at once; ABORT fails the save, and the guest was never suspended.
 */
#ifndef LXE_SAVE_ENGINE_H
#define LXE_SAVE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "save_ipc.h"
#include "save_stream.h"

enum lxe_save_verdict { LXE_SAVE_CONTINUE, LXE_SAVE_STOP, LXE_SAVE_ABORT };

struct lxe_save_policy {
    /* @dirty_pages  -1 where it is asked before the dirty log is fetched */
    enum lxe_save_verdict (*round)(void *data, unsigned round,
                                   long dirty_pages);
    /* Returns 0; anything else leaves the guest running and fails the save. */
    int (*suspending)(void *data);
    void (*suspended)(void *data, bool ok);
    void *data;
};

struct lxe_save_job {
    uint32_t domid;
    uint32_t xc_flags;      /* XCFLAGS_*, as libxl gave them */
    uint32_t callback_bits; /* 1 << message number, as libxl gave them */
    int stream_fd;          /* libxc's stream is written here, or redirected */
};

/* What the engine needs to know of the domain before it starts. */
struct lxe_save_domain {
    uint64_t pages; /* that it has now */
    bool hvm;       /* HVM or PVH: translated by hardware */
};

struct lxe_save_engine;

/*
 * Opens libxc for one save; libxc logs through lxe_logger().
 * Returns 0 or -EIO.
 */
int lxe_save_engine_open(const struct lxe_save_job *job, struct lxe_ipc *ipc,
                         struct lxe_save_engine **out, struct lxe_err *err);
void lxe_save_engine_close(struct lxe_save_engine *engine);

/* Facts of the domain to be saved. Returns 0, -ESRCH or -EIO. */
int lxe_save_engine_domain(struct lxe_save_engine *engine,
                           struct lxe_save_domain *out, struct lxe_err *err);

/*
 * Hands over what libxc writes, instead of writing it to the descriptor that
 * the job said. Before run.
 * @stream  valid until run returns
 */
void lxe_save_engine_redirect(struct lxe_save_engine *engine,
                              const struct lxe_save_stream *stream);

/*
 * Runs the save to its end. NULL policy: libxc's own.
 * Log-dirty mode is off when it returns, however it ends, but for a save that
 * failed while somebody else looked at the dirty log: see log_off.
 * Returns 0, or the negative errno that libxc failed with.
 */
int lxe_save_engine_run(struct lxe_save_engine *engine,
                        const struct lxe_save_policy *policy,
                        struct lxe_err *err);

/*
 * Turns log-dirty mode off, after a save that failed. libxc has tried before;
 * but Xen refuses it (-EBUSY) beside another look at the dirty log, whose ever
 * that was, and libxc does not mind.
 */
void lxe_save_engine_log_off(struct lxe_save_engine *engine);

/*
 * Lets the guest go on after a save that failed when libxl is no longer there
 * to do it. Does nothing to a guest that is not suspended.
 */
void lxe_save_engine_resume_orphan(struct lxe_save_engine *engine);

#endif
