/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory the host has to spare, as one of four states, and which
 * guest should move where ballooning is not enough. Pure.
 *
 * Spare is what no guest needs now: what is free beyond the reserve and
 * promises, and what guests hold beyond their working sets and minima.
 *
 *   0   1 %   2 %     4 %      6 %                       of all memory
 *   |----|-----|-------|--------|------------------>  spare
 *    low       |       |        |
 *          hard|       |        |     each state is entered below its level,
 *                  soft|        |     and left above the next better one's
 *                           high
 */
#ifndef AERO_HOST_STATE_H
#define AERO_HOST_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum aero_host_state {
    AERO_HOST_HIGH, /* enough for everyone */
    AERO_HOST_SOFT, /* told, no more */
    AERO_HOST_HARD, /* nobody is given more than its demand; shrinks hurry */
    AERO_HOST_LOW,  /* and reservations get no more than is to spare */
    AERO_HOST_STATES,
};

/* Of each state, in thousandths of all memory; none above the one before. */
struct aero_host_levels {
    unsigned level[AERO_HOST_STATES];
};

/*
 * The state that follows `was`. A level of 0 switches its state off.
 * @spare_kib, @total_kib  of the host
 */
enum aero_host_state aero_host_state_next(
    enum aero_host_state was, uint64_t spare_kib, uint64_t total_kib,
    const struct aero_host_levels *levels);

/* "high", "soft", "hard", "low". */
const char *aero_host_state_name(enum aero_host_state state);

/* A guest that could be migrated away. */
struct aero_mover {
    uint32_t domid;
    uint64_t need_kib; /* its working set: what must be sent, and what its
                          going adds to what is to spare */
};

/*
 * Which guest should move so that `lack_kib` more are to spare: the smallest
 * whose going is enough, as it is the cheapest to send; else the largest.
 * The lower domid where two are equal.
 * Returns it, or NULL where there is none.
 */
const struct aero_mover *aero_host_should_move(
    const struct aero_mover *movers, size_t count, uint64_t lack_kib);

/*
 * What is missing to the level at which all is well, in KiB.
 */
uint64_t aero_host_lack_kib(uint64_t spare_kib, uint64_t total_kib,
                            const struct aero_host_levels *levels);

#endif
