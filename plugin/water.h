/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Water-filling: sharing a pool between vessels that have a bottom, a top, a
 * speed at which they fill, and a knee above which they fill more slowly.
 * Pure, exact (no floating point), O(n log n).
 *
 *   x |            ___ hi       sum(x) <= pool
 *     |       __---
 *     |      /  knee            below the knee x = L * shares
 *     |     /                   above   x = knee + keep * (L * shares - knee)
 *     |____/ lo
 *     +-----------------> level L, the same for all
 */
#ifndef AERO_WATER_H
#define AERO_WATER_H

#include <stddef.h>
#include <stdint.h>

#define AERO_KEEP_ALL 1000u

struct aero_vessel {
    uint64_t lo;
    uint64_t hi;     /* not below lo; below 2^48 */
    uint64_t knee;   /* below 2^48; may lie outside of lo and hi */
    uint64_t shares; /* at least 1; below 2^24 */
    uint64_t x;      /* out */
};

/*
 * Fills the vessels from the pool. If the bottoms alone do not fit, every x
 * is its lo. Rounding down leaves less than one unit a vessel in the pool.
 * @count  below 2^16
 * @keep   how fast a vessel fills above its knee, in thousandths of its speed
 *         below: 1 to AERO_KEEP_ALL (no difference)
 * Returns 0 or -ENOMEM.
 */
int aero_water_fill(struct aero_vessel *vessels, size_t count, uint64_t pool,
                    unsigned keep);

#endif
