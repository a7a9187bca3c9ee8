/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a guest's balloon gives memory back, as seen while it is asked to.
 * Pure; the caller passes the time.
 */
#ifndef AERO_SPEED_H
#define AERO_SPEED_H

#include <stdbool.h>
#include <stdint.h>

/* What is kept of a guest between samples; zero it for a new guest. */
struct aero_speed {
    bool asked;           /* to shrink, at the last sample */
    bool known;
    uint64_t asked_ns;    /* since when */
    uint64_t last_ns;
    uint64_t last_kib;
    double kib_s;         /* average of the last second or so */
    double fastest_kib_s; /* ever seen */
};

/*
 * Takes a sample.
 * @held_kib    what it holds
 * @target_kib  what it has been asked to come to until now
 * @slack_kib   how far above the target counts as there
 */
void aero_speed_sample(struct aero_speed *speed, uint64_t now_ns,
                       uint64_t held_kib, uint64_t target_kib,
                       uint64_t slack_kib);

/* KiB a second; UINT64_MAX where it was not asked for long. */
static inline uint64_t aero_speed_kib_s(const struct aero_speed *speed)
{
    return speed->known ? (uint64_t)speed->kib_s : UINT64_MAX;
}

#endif
