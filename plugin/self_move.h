/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests that ask to be moved (docs/xenstore.md). The administrator says in
 * aerostat.conf which domain may go where; everything else is refused, with
 * the reason. At most one such migration runs at a time, a guest may begin one
 * in ten minutes, and is answered once in ten seconds.
 */
#ifndef AERO_SELF_MOVE_H
#define AERO_SELF_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon_config.h"
#include "guests.h"
#include "host.h"

#define AERO_SELF_MOVE_S   600u
#define AERO_SELF_ANSWER_S 10u
#define AERO_SELF_TEXT     256

struct aero_self_moves {
    uint32_t domid; /* of the one that runs */
    uint64_t id;    /* its request; 0: none runs */
    /* Starts to move a domain, without waiting. Returns 0 or -errno. */
    int (*start)(uint32_t domid, const char *to, void *data);
    void *data;
};

/*
 * Pure: whether a guest may be moved as it asks.
 * @reason  gets why not
 */
bool aero_self_move_allowed(const struct aero_config *config,
                            const struct aero_guest *guest, const char *to,
                            bool busy, uint64_t now_ns,
                            char reason[AERO_SELF_TEXT]);

/* Answers the guests that ask, and starts what is allowed. Once a tick. */
void aero_self_moves_tick(struct aero_self_moves *moves,
                          const struct aero_config *config,
                          struct aero_guests *guests, struct lxe_host *host);

/* The migration that runs has ended. */
void aero_self_moves_ended(struct aero_self_moves *moves,
                           struct lxe_host *host, bool moved);

#endif
