/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest needs that says nothing: found by taking a little, slowly, and
 * seeing whether it still gives. Pure; the caller passes the time.
 *
 *   every 30 s   what it is left with is lowered by a 64th, while it gives
 *   it resists   an eighth more than that is left to it, and it is not asked
 *                again for a minute; then for two, four… up to an hour
 *   no need      the same steps upwards, to where it came from
 */
#ifndef AERO_PROBE_H
#define AERO_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct aero_probe_input {
    uint64_t now_ns;
    uint64_t held_kib;
    uint64_t resting_kib; /* its target as others last set it */
    uint64_t floor_kib;   /* it stopped short there; 0: it does not resist */
    bool wanted;          /* memory is scarce */
};

/* What is kept of a guest between samples; zero it for a new guest. */
struct aero_probe {
    uint64_t kib;     /* what it is left with; 0 before the first sample */
    uint64_t next_ns; /* the next step */
    unsigned refusals;
};

/* Takes a sample. Returns what it is to be left with, in KiB. */
uint64_t aero_probe_step(struct aero_probe *probe,
                         const struct aero_probe_input *in);

#endif
