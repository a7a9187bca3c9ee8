/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated guest's writes to its pages, as Xen's log-dirty mode sees them.
 *
 * Time makes writes due; they are put into the bitmap only when somebody
 * looks, and each in the order of one random sequence, so that what is seen
 * does not depend on how often one looked.
 */
#ifndef LXE_SIM_PAGES_H
#define LXE_SIM_PAGES_H

#include <stdint.h>

#include "sim_scenario.h"

struct lxe_sim_pages {
    const struct lxe_sim_writes *writes;
    uint64_t *dirty;     /* written since the last clean */
    uint64_t pages;      /* bits in it */
    uint64_t hot_first;  /* the hot set is one run of pages from here, or as
                            near as what is in use allows */
    uint64_t random;
    uint64_t hot_credit; /* pages x ns, below one page */
    uint64_t hot_due;
    uint64_t uniform_credit;
    uint64_t uniform_due;
};

/* Starts logging. @pages of the whole guest. NULL where memory is short. */
struct lxe_sim_pages *lxe_sim_pages_new(const struct lxe_sim_writes *writes,
                                        uint64_t pages, uint64_t seed);
void lxe_sim_pages_free(struct lxe_sim_pages *p);

/* The guest ran for a time, at this share (percent) of its speed. */
void lxe_sim_pages_run(struct lxe_sim_pages *p, uint64_t ns,
                       uint64_t percent);

/* Puts what is due into the bitmap. @present pages from 0 on are in use. */
void lxe_sim_pages_flush(struct lxe_sim_pages *p, uint64_t present);

#endif
