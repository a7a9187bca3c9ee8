/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Water-filling: sharing a pool between vessels that have a bottom, a top and
 * a speed at which they fill. Pure, exact (no floating point), O(n log n).
 *
 *        level = L
 *   lo <= x = floor(L * shares) <= hi        sum(x) <= pool
 */
#ifndef AERO_WATER_H
#define AERO_WATER_H

#include <stddef.h>
#include <stdint.h>

struct aero_vessel {
    uint64_t lo;
    uint64_t hi;     /* not below lo; below 2^48 */
    uint64_t shares; /* at least 1; below 2^24 */
    uint64_t x;      /* out */
};

/*
 * Fills the vessels from the pool. If the bottoms alone do not fit, every x
 * is its lo. Rounding down leaves less than one unit a vessel in the pool.
 * Returns 0 or -ENOMEM.
 */
int aero_water_fill(struct aero_vessel *vessels, size_t count, uint64_t pool);

#endif
