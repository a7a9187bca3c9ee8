/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much to slow a guest that outruns the wire, least harm first. Pure.
 *
 * Before each round it is known how many pages the round sends, how long that
 * takes, and from the round before, how many pages the guest writes in a time
 * of running (dirty_curve.h):
 *
 *   - If the guest at full speed leaves few enough pages for the final pass,
 *     or three tenths less than this round has, it is not slowed: pre-copy
 *     gets there by itself.
 *   - Else it is slowed as much as makes this round end with seven tenths of
 *     its pages, or with what the final pass may have where this is more.
 *   - No step takes away more than half of the speed that is left, and none
 *     goes beyond the limit. No round gives back more than as much again.
 *
 * So rounds shrink by a known factor, and a guest that calms down is let go
 * within a few rounds, seven from 99 %; not at once, since a guest that makes
 * up for the time in which it was slowed writes the more, the less it is.
 * Within a long round the same is asked again, of the rest of it and of what
 * was written since it began.
 */
#ifndef MIG_THROTTLE_H
#define MIG_THROTTLE_H

#include <stdint.h>

#include "dirty_curve.h"

struct mig_throttle_in {
    const struct mig_dirty_curve *curve; /* of the round before, or this one */
    double ran_ns;       /* of this one, that the guest ran; 0: it begins */
    double round_ns;     /* that the rest of the round takes */
    double round_pages;  /* that it sends, from its begin to its end */
    double final_pages;  /* that the final pass may have; may be below 0 */
    double max_slowed;   /* limit, 0 to 1 */
    double slowed;       /* now, 0 to 1, */
    double before;       /* and when the round began */
};

/* The share of its speed to take from the guest: 0 is none, always below 1. */
double mig_throttle_next(const struct mig_throttle_in *in);

/*
 * How long the next pause is, in ns, for a guest that is to stand still for a
 * share of the time; the rest of *cycle_ns it runs. The error of the pauses
 * before, which never end on time, is made good for.
 * @slowed   0 to 1
 * @owed_ns  that earlier pauses fell short of; below 0: they were too long
 */
uint64_t mig_throttle_pause_ns(double slowed, int64_t owed_ns,
                               uint64_t *cycle_ns);

#define MIG_THROTTLE_MAX_PAUSE_NS UINT64_C(50000000)

#endif
