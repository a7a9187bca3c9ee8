/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's events in the daemon's loop, and watching it again where that
 * was lost: with all its connections, or with that of the watches alone.
 */
#ifndef AERO_WATCHER_H
#define AERO_WATCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "host.h"

#define AERO_WATCH_AGAIN_S 10

struct aero_watcher {
    /* parameters */
    uv_loop_t *loop;
    struct lxe_host *host;
    lxe_event_fn *event; /* told of each event */
    void *data;
    /* state; zeroed at first */
    uv_poll_t *poll;     /* NULL where no events come by themselves */
    bool lost;           /* the host is not watched */
    uint64_t tried_ns;   /* to watch it, by its clock */
};

/* Watches the host. Returns 0 or a negative errno: then it is not watched. */
int aero_watcher_start(struct aero_watcher *w, struct lxe_err *err);

/* Takes in what waits, as it also does whenever something comes. */
void aero_watcher_dispatch(struct aero_watcher *w);

/*
 * After each tick: watches anew where the host's connections were made anew in
 * it, and every AERO_WATCH_AGAIN_S seconds where it is not watched.
 */
void aero_watcher_tick(struct aero_watcher *w, bool reconnected);

/* Before the loop and the host end. */
void aero_watcher_stop(struct aero_watcher *w);

#endif
