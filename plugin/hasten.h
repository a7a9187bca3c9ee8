/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Somebody waits for memory, and those who should give it are slow or do not
 * move: others give it meanwhile, and get it back later. Pure.
 *
 * Each donor is counted on for what its balloon will have given in a second.
 * What is missing beyond that is asked of the others, by price, but of none
 * more than it does not need. One that would have to give all that it can in
 * that second is asked for twice that and 16 MiB: so it shows when it becomes
 * faster, or moves at all.
 */
#ifndef AERO_HASTEN_H
#define AERO_HASTEN_H

#include <stddef.h>
#include <stdint.h>

/* All in pages. */
struct aero_donor {
    uint64_t held;
    uint64_t least;   /* it gives no more than down to here */
    uint64_t base;    /* as for aero_water_fill(), likewise the shares */
    unsigned shares;
    uint64_t speed;   /* pages a second; UINT64_MAX if nobody knows */
    uint64_t next;    /* in: its target by right; out: now, not above that */
};

/*
 * @missing  what is waited for and not free yet
 * @most     a target goes no further than this below what a guest holds
 * Returns 0 or -ENOMEM.
 */
int aero_hasten(struct aero_donor *donors, size_t count, uint64_t missing,
                uint64_t most);

#endif
