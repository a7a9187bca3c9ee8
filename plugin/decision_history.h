/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last decisions for each guest, in memory, for mem.explain: those that
 * did something (set a target) or where something but numbers changed (state,
 * bounds, shares). Pure: no clock, no I/O.
 *
 *   guest ──► newest, …, oldest        at most AERO_HISTORY_LENGTH
 */
#ifndef AERO_DECISION_HISTORY_H
#define AERO_DECISION_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "decision.h"
#include "tick.h"

#define AERO_HISTORY_LENGTH 16u

struct aero_past {
    uint64_t tick;
    uint64_t time_ms;
    uint64_t now_ns;
    struct aero_policy_host host;
    uint64_t reserve_kib;
    struct aero_host_facts host_facts;
    struct aero_decision decision;
};

struct aero_history_guest; /* one guest's */

struct aero_history {
    struct aero_history_guest *items; /* by rising domid, as of the last tick */
    size_t count;
};

/*
 * Notes a tick: keeps the records of guests that are still there, drops the
 * others'. Returns 0, or -ENOMEM: what could not be kept is lost.
 */
int aero_history_note(struct aero_history *history,
                      const struct aero_tick *tick);

/*
 * A guest's decisions: number 0 is the last tick's, whatever it did, and then
 * those kept, newest first. Returns NULL beyond the last, and for a domid
 * that the last tick did not see.
 */
const struct aero_past *aero_history_get(const struct aero_history *history,
                                         uint32_t domid, size_t number);

/*
 * Writes them into the object that is open: "decisions", an array with number
 * 0 first.
 */
void aero_history_write(struct lxe_jw *w, const struct aero_history *history,
                        uint32_t domid, uint64_t now_ns);

/* Frees all. */
void aero_history_clear(struct aero_history *history);

#endif
