/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much a client may ask for in a second. Pure.
 *
 * What is more is not refused: it stays unread until the second is over, so
 * that it costs the daemon nothing, and holds up whoever sends it.
 */
#ifndef AERO_CONTROL_PACE_H
#define AERO_CONTROL_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a second. */
struct aero_pace_limit {
    unsigned requests;
    size_t bytes;
};

/* Of one client; zero it. */
struct aero_pace {
    uint64_t second_ns; /* when its present second began */
    unsigned requests;  /* in it */
    size_t bytes;
};

/* Counts a request of so many bytes; false where it has to wait. */
bool aero_pace_take(struct aero_pace *pace, const struct aero_pace_limit *limit,
                    size_t bytes, uint64_t now_ns);

/* How long what has to wait waits. */
uint64_t aero_pace_wait_ms(const struct aero_pace *pace, uint64_t now_ns);

#endif
