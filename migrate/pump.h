/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Carries libxc's stream to the socket, and edits and paces it on the way.
 *
 *   xc_domain_save() ──> pipe ──> [ parse | leave hot pages | pace ] ──> fd
 *   (the save's thread)           (the pump's thread)
 *
 * Where the descriptor is a TCP socket, the kernel is told the rate as well
 * (SO_MAX_PACING_RATE), so that what is written in pieces leaves evenly.
 *
 * The save's thread starts it, changes its rate, and waits for it to have
 * written everything (drain) at the end of each round, so that a round's
 * figures and the predicted downtime count what is still in the pipe.
 */
#ifndef MIG_PUMP_H
#define MIG_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hot_pages.h"
#include "status.h"

struct mig_pump;

/* What has gone through so far. */
struct mig_pump_stats {
    uint64_t sent_pages;    /* with their contents */
    uint64_t skipped_pages; /* left for later */
    uint64_t hole_frames;   /* left out: the guest has nothing there */
    uint64_t bytes;         /* written */
    uint64_t busy_ns;       /* time in which it moved pages, waits for libxc to
                               bring them, for the rate and for the socket
                               included; not that for holes */
    uint64_t busy_bytes;    /* written in that time */
    uint64_t busy_held_ns;  /* of that time, waited for the rate */
    uint64_t idle_ns;       /* waited for libxc to bring more */
    uint64_t held_ns;       /* waited for the rate */
    uint64_t blocked_ns;    /* waited for the socket, and wrote */
    struct mig_limiter_error limiter;
};

struct mig_pump_config {
    int out_fd;                /* blocking; stays the caller's */
    uint64_t rate_bps;         /* bytes/s to begin with; 0 is unlimited */
    struct mig_hot_pages *hot; /* NULL: leave nothing for later */
    /* Called by the pump's thread after each batch of pages; may be NULL. */
    void (*progress)(void *data);
    void *data;
};

/*
 * Starts the thread, and takes SIGUSR1 for its own use. Returns 0, -ENOMEM,
 * -EMFILE or -EAGAIN.
 */
int mig_pump_start(const struct mig_pump_config *config,
                   struct mig_pump **out, struct lxe_err *err);

/* Where xc_domain_save() writes. Stays the pump's. */
int mig_pump_fd(const struct mig_pump *pump);

/* From the next write on; 0 is unlimited. */
void mig_pump_set_rate(struct mig_pump *pump, uint64_t rate_bps);

/*
 * Waits until all that was written into the pipe is written out. The caller
 * is the one who writes into the pipe. Returns 0 or the pump's error.
 */
int mig_pump_drain(struct mig_pump *pump);

void mig_pump_stats(struct mig_pump *pump, struct mig_pump_stats *out);

/* Makes it write nothing more. Safe in a signal handler. */
void mig_pump_stop(struct mig_pump *pump);

/*
 * Closes the pipe, lets what is in it be written, ends the thread.
 * @complete  the save succeeded, so the stream must end with its END record
 * Returns 0, or the error that ended it: -EPIPE and the like from the socket,
 * -EPROTO for a stream it could not understand, -ECANCELED when stopped.
 */
int mig_pump_finish(struct mig_pump *pump, bool complete,
                    struct lxe_err *err);

/* After finish. */
void mig_pump_free(struct mig_pump *pump);

#endif
