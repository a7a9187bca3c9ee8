/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Water-filling: sharing a pool between vessels that have a bottom, a base, a
 * top, and a speed at which they fill. Pure, exact (no floating point), in
 * a few passes.
 *
 *   first   x = M * shares          up to the bases, all from nothing
 *   then    x = base + L * shares   once every base is full
 *
 * where M and L are levels, the same for all, and each x is cut to lo … hi.
 */
#ifndef AERO_WATER_H
#define AERO_WATER_H

#include <stddef.h>
#include <stdint.h>

struct aero_vessel {
    uint64_t lo;
    uint64_t hi;     /* not below lo; below 2^48 */
    uint64_t base;   /* may lie outside of lo and hi */
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
