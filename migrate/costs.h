/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a migration takes beside the bytes that it sends: the same for each
 * migration from a host, and different between hosts. Learnt from the
 * reports of earlier migrations (docs/report.md), else assumed. Pure.
 */
#ifndef MIG_COSTS_H
#define MIG_COSTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "limits.h"

struct mig_costs {
    double suspend_ns;    /* from asking the guest to suspend until it stands
                             still */
    double suspend_pages; /* written by the guest's kernel meanwhile */
    double round_ns;      /* between rounds: CLEAN, counting, deciding */
    double walk_ns;       /* of the first round: frames that hold nothing */
    double last_ns;       /* of the last pass: what is no page */
    double pace;          /* of the guest while it is sent (pace.h) */
    double packed_first;  /* what pages took packed, in parts of what a sample
                             let expect (packing.h): in the first round */
    double packed_later;  /* and after it, where the guest had just written
                             them, and may have been sent before */
};

/* What is usual, and between what nearly all lie. */
struct mig_cost_range {
    struct mig_costs usual, low, high;
    unsigned learnt_from; /* migrations; 0: assumed */
};

#define MIG_COSTS_MAX_RUNS 16

/* What is assumed of a host that has not yet sent a guest: its pace is 1, and
 * it packs as its sample. */
void mig_costs_assume(struct mig_cost_range *out);

/*
 * What one report tells; NaN is a cost of which it tells nothing, as of the
 * pace where it has no curve, or of packing where it was not packed. Only of a
 * guest that was moved.
 * @bps  gets the bytes/s that the wire carried while nothing but the wire
 *       held the stream back; 0 where the rate was limited throughout
 * Returns 0, or -EINVAL for a report that does not tell.
 */
int mig_costs_of_report(const struct lxe_json *report, struct mig_costs *out,
                        double *bps);

/*
 * The medians over several migrations, the newest first, each of which counts
 * for a fifth less than the next newer one; with the least and the most as
 * bounds; of fewer than three, bounds are a third less and half as much again
 * at least. A cost of which none tells stays as it is in `out`, where
 * mig_costs_assume() or others' runs have put it. At most MIG_COSTS_MAX_RUNS
 * are looked at.
 */
void mig_costs_learn(struct mig_costs *runs, size_t count,
                     struct mig_cost_range *out);

/*
 * The median of what was seen, the newest first, weighed as above. Values
 * that are NaN do not count; NaN if all are.
 */
double mig_costs_median(const double *seen, size_t count);

/*
 * Tells the engine what a suspend and the last pass cost, if that was learnt.
 */
void mig_costs_apply(const struct mig_cost_range *costs,
                     struct mig_limits *limits);

#endif
