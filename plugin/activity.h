/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the pages that a guest writes tell of what it needs: a sample's counts
 * in, an estimate with its bounds out. Pure. For guests that say nothing.
 *
 *   of n pages that were looked at, chosen at random, k were written
 *   share = k / n, between the ends of Wilson's interval (95 %)
 *   size  = share * what the guest held as the period began
 *
 * A page that is read only, or written with what it held, does not count: the
 * size is a lower bound of the memory in use. So it is the upper end of the
 * interval that is used, and a guest that stops short of what it was asked to
 * give has shown that it needs more.
 */
#ifndef AERO_ACTIVITY_H
#define AERO_ACTIVITY_H

#include <stddef.h>
#include <stdint.h>

#define AERO_ACTIVITY_AGE_S 600u /* an older estimate is not trusted */

struct aero_activity {
    uint64_t seen_ns; /* when it was looked last; 0: never */
    uint64_t kib;     /* distinct memory written in a period */
    uint64_t low_kib; /* bounds of 95 % */
    uint64_t high_kib;
};

/* Counts of one period, or of its begin. */
struct aero_activity_counts {
    size_t looked;  /* pages that were there */
    size_t written; /* of them */
    uint64_t held_kib;
};

/* Estimates; where no page was looked at nothing changes. */
void aero_activity_estimate(const struct aero_activity_counts *counts,
                            uint64_t now_ns, struct aero_activity *out);

/*
 * A period that is not over yet raises the estimate of the last one where it
 * is above it already, and never lowers it.
 */
void aero_activity_raise(const struct aero_activity_counts *counts,
                         uint64_t now_ns, struct aero_activity *out);

/*
 * What a guest that stopped short is left with: an eighth more than that, for
 * 4 minutes, the next time for 8, 16, 32, then for an hour. Zero it for a new
 * guest.
 */
struct aero_relief {
    uint64_t kib;
    uint64_t until_ns;
    unsigned times;
};

/*
 * Takes a sample. @floor_kib  it stopped short there; 0: it does not resist
 * Returns the least it is to be left with, 0 for no such bound.
 */
uint64_t aero_relief_step(struct aero_relief *relief, uint64_t floor_kib,
                          uint64_t now_ns);

#endif
