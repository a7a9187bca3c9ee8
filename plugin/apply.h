/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order in which targets are set: shrinks first, and growth only as
 * memory has come free. Pure: targets in, the list of writes out.
 *
 *   free ───────────────────────────────────────────────┐
 *   | kept free | in flight: promised, not yet taken | may be promised |
 *
 * A guest whose target stands above what it holds has been promised the
 * difference, whether or not it is touched now.
 */
#ifndef AERO_APPLY_H
#define AERO_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aero_apply_guest {
    bool movable;
    uint64_t held_kib;   /* in units of the target */
    uint64_t target_kib; /* as it stands */
    uint64_t want_kib;   /* as the policy wants it */
    uint64_t nodes;      /* NUMA nodes it may grow from, as in host.h; 0: any */
};

struct aero_apply_step {
    size_t index; /* of the guest */
    uint64_t target_kib;
};

/*
 * Lists what to write now, in order. Growth that does not fit is cut in
 * proportion and comes with a later tick.
 * @free_kib       what can be given away
 * @keep_free_kib  host reserve and reservations
 * @steps          has room for count steps
 * Returns the number of steps.
 */
size_t aero_apply_plan(const struct aero_apply_guest *guests, size_t count,
                       uint64_t free_kib, uint64_t keep_free_kib,
                       struct aero_apply_step *steps);

/*
 * Cuts growth that a NUMA node may have to give memory for to what of it may
 * be promised, in proportion: changes want_kib.
 * @free_kib       what the node can give away
 * @keep_free_kib  of it, for reservations
 */
void aero_apply_cut(struct aero_apply_guest *guests, size_t count,
                    unsigned node, uint64_t free_kib, uint64_t keep_free_kib);

#endif
