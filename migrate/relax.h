/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far the downtime limit is relaxed for a guest that does not get there:
 * rather a longer pause, up to a limit that the user gave, than none at all
 * (as KubeVirt, and OpenStack's live_migration_downtime_steps). Pure.
 *
 *   step k of 10:  limit x (max / limit)^(k / 10)
 *
 * so each step is by the same factor, and the first ones give away least. A
 * step is made after each round that has stalled: one after which no fewer
 * pages were dirty than nine tenths of the fewest so far.
 */
#ifndef MIG_RELAX_H
#define MIG_RELAX_H

#include <stdbool.h>
#include <stdint.h>

#define MIG_RELAX_STEPS 10

struct mig_relax {
    unsigned step;         /* 0: the limit itself */
    uint64_t fewest_pages; /* dirty after a round so far */
};

/* Before the first round. */
void mig_relax_init(struct mig_relax *relax);

/* A round was sent, after which so many pages were dirty. */
void mig_relax_round(struct mig_relax *relax, uint64_t dirty_pages);

/*
 * The limit in force, in ns.
 * @limit_ns  what was asked for
 * @max_ns    how far it may go; 0 or below limit_ns: no further
 */
uint64_t mig_relax_limit_ns(const struct mig_relax *relax, uint64_t limit_ns,
                            uint64_t max_ns);

/* Whether it goes no further: the last step was made, or none is allowed. */
bool mig_relax_is_full(const struct mig_relax *relax, uint64_t limit_ns,
                       uint64_t max_ns);

#endif
