/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's page cache need not travel. Before the first round the guest is
 * brought down to what it works with plus a margin: its agent drops the
 * cache, or the balloon alone squeezes it out. What the balloon took is a
 * hole that the save does not send.
 *
 *   before        |######## used ########|~~~~~ page cache ~~~~~|
 *   shrunk        |######## used ########|~margin~|   balloon   |
 *
 * Then the balloon is frozen: the log-dirty bitmap of an HVM or PVH guest
 * does not show balloon changes before Xen 4.22 (condition 5 of
 * docs/migration.md), so none may happen until the end.
 */
#ifndef MIG_PAGE_CACHE_H
#define MIG_PAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"

struct mig_page_cache_plan {
    uint64_t margin_kib;
    uint64_t floor_kib; /* never below; 0 for the default */
    uint64_t seen_kib;  /* what the guest had when it was looked at before, */
    uint64_t seen_ns;   /* at this time of the host's; 0: it was not */
    uint64_t goal_kib;  /* what its balloon was to bring it to; 0: nothing */
    /* Asked while waiting: true ends it with -ECANCELED. */
    bool (*cancelled)(void *data);
    /* Told while waiting; may be NULL. */
    void (*progress)(void *data, uint64_t current_kib, uint64_t goal_kib);
    /* Lets the host's time pass; NULL sleeps. */
    void (*wait)(void *data, uint64_t ns);
    void *data;
};

struct mig_page_cache_result {
    uint64_t original_target_kib;
    uint64_t before_kib, after_kib; /* what Xen had given it */
    bool dropped;                   /* by the agent */
    bool arrived;                   /* the balloon had all it was to take */
};

/*
 * Pure: the target to come down to.
 * @dom  the domain, its report taken after the cache was dropped
 * Returns KiB, at most the present target; the present one where nothing is
 * to be gained. What a guest reports is believed only down to a quarter of
 * what it has: below that a wrong word could kill it.
 */
uint64_t mig_page_cache_target_kib(const struct lxe_domain *dom,
                                   uint64_t margin_kib, uint64_t floor_kib);

/*
 * Shrinks and freezes. On failure the target is back at its old value.
 * @result  filled in either way
 * Returns 0, -ECANCELED or what the host failed with.
 */
int mig_page_cache_shrink(struct lxe_host *host, uint32_t domid,
                          const struct mig_page_cache_plan *plan,
                          struct mig_page_cache_result *result,
                          struct lxe_err *err);

/*
 * Waits until the balloon has rested for a second, whatever moved it: what it
 * does during the rounds would be lost (condition 5). A guest that has what
 * it was seen with a second ago rests already; where it is to be, the driver
 * has nothing left to do, and a tenth of a second is enough.
 * @rest_kib  gets what the guest has then
 * Returns 0; -EBUSY if it still moves after half a minute; -ECANCELED or what
 * the host failed with.
 */
int mig_page_cache_rest(struct lxe_host *host, uint32_t domid,
                        const struct mig_page_cache_plan *plan,
                        uint64_t *rest_kib, struct lxe_err *err);

/*
 * Pure: the target that a guest is created with at the other side, so that its
 * balloon has nothing to do there while it resumes. Its limit in Xen is just
 * above that, so it is no less than what is sent of it.
 * @original_target_kib  what it is to have in the end, and at most
 * @rest_target_kib, rest_kib  its target, and what it had, at rest
 * @videoram_kib  that is part of the latter and of no target
 */
uint64_t mig_page_cache_arrival_kib(uint64_t original_target_kib,
                                    uint64_t rest_target_kib,
                                    uint64_t rest_kib, uint64_t videoram_kib);

/* Gives the memory back. Returns 0 or a negative errno. */
int mig_page_cache_restore(struct lxe_host *host, uint32_t domid,
                           const struct mig_page_cache_result *result,
                           struct lxe_err *err);

#endif
