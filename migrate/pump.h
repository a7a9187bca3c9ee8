/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries libxc's stream to the target, and edits and paces it on the way.
 *
 *   xc_domain_save() ──> [ parse | leave hot pages | pack | pace ] ──> fd
 *
 * All of it in the thread that runs the save, within the write that libxc
 * makes: contents of pages are written from where libxc mapped them, and
 * nothing waits in between when that write returns. So a round's figures and
 * the predicted downtime count all that libxc has sent.
 */
#ifndef MIG_PUMP_H
#define MIG_PUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "hot_pages.h"
#include "outlet.h"
#include "pack.h"

struct mig_pump;

/* What has gone through so far. */
struct mig_pump_stats {
    uint64_t sent_pages;    /* with their contents */
    uint64_t skipped_pages; /* left for later */
    uint64_t hole_frames;   /* left out: the guest has nothing there */
    uint64_t busy_ns;       /* time in which it moved pages, waits for libxc to
                               bring them, for the rate and for the socket
                               included; not that for holes */
    uint64_t busy_bytes;    /* of the stream, written in that time, */
    uint64_t busy_packed_bytes; /* and what was written for them */
    uint64_t busy_held_ns;  /* of that time, waited for the rate */
    uint64_t plain_bytes;   /* written, as they were before packing */
    uint64_t pack_ns;       /* packing them */
    struct mig_outlet_stats out; /* its idle_ns has pack_ns in it */
};

struct mig_pump_config {
    int out_fd;                /* blocking; stays the caller's */
    uint64_t rate_bps;         /* bytes/s to begin with; 0 is unlimited */
    struct mig_hot_pages *hot; /* NULL: leave nothing for later */
    struct mig_pack *pack;     /* NULL: send it as it is; stays the caller's */
    /* Called after each batch of pages; may be NULL. */
    void (*progress)(void *data);
    void *data;
};

/* Returns 0 or -ENOMEM. */
int mig_pump_open(const struct mig_pump_config *config, struct mig_pump **out,
                  struct lxe_err *err);

/*
 * Takes the next bytes of the stream, in pieces of any size; a lxe_save_stream
 * (save_stream.h) of which the pump is the data.
 * Returns 0 with all of it written, but for heads of records that are not
 * whole; -EPIPE and the like from the descriptor, -EPROTO for a stream it
 * could not understand, -ECANCELED when stopped. An error is final.
 */
int mig_pump_take(void *pump, const struct iovec *iov, int count);

/* Returns 0, or the error that ended it; -ECANCELED once it is stopped. */
int mig_pump_check(const struct mig_pump *pump);

/* From the next write on; 0 is unlimited. From any thread. */
void mig_pump_set_rate(struct mig_pump *pump, uint64_t rate_bps);

/*
 * Waits until what was written has left for the target, as mig_outlet_drain().
 */
void mig_pump_drain(struct mig_pump *pump, uint64_t limit_ns);

/* From any thread. */
void mig_pump_stats(struct mig_pump *pump, struct mig_pump_stats *out);

/*
 * Makes it write nothing more. Safe in a signal handler. A write to a target
 * that takes nothing more goes on waiting, unless the handler ran in its
 * thread and put something else in place of the descriptor.
 */
void mig_pump_stop(struct mig_pump *pump);

/*
 * Says how it ended.
 * @complete  the save succeeded, so the stream must end with its END record
 * Returns 0, or the error that ended it, as from take; -EPIPE for a stream
 * that broke off.
 */
int mig_pump_finish(struct mig_pump *pump, bool complete,
                    struct lxe_err *err);

void mig_pump_free(struct mig_pump *pump);

#endif
