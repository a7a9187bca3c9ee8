/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How well a guest's memory packs, and how fast, going by a sample of its
 * pages (pack_sample.h); and whether that pays. Pure.
 */
#ifndef MIG_PACKING_H
#define MIG_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define MIG_PACKING_AUTO_LEVEL 1 /* of zstd, where --compress is left to us */

/* All zero: not known. */
struct mig_packing {
    unsigned pages;          /* of the sample */
    double ratio, low, high; /* of memory to what it packs into: of the sample,
                                and where all of it is, to 95 in 100 */
    double bps;              /* bytes/s of memory that one processor packs */
};

/*
 * From groups of pages that were packed, one after another.
 * @bytes   that each group packed into; above 0
 * @groups  at least 1
 * @pages   of a group
 * @ns      of a processor, for all
 */
void mig_packing_estimate(const double *bytes, unsigned groups,
                          unsigned pages, double ns, struct mig_packing *out);

/*
 * The rate below which a wire is worth packing for, in bytes/s: each second of
 * a processor is to save one of the wire. A byte takes 1/bps seconds to pack,
 * and (1 - 1/ratio) of it need not be sent:
 *
 *   (1 - 1/ratio) / wire >= 1 / bps
 *
 * The lower ratio counts. 0 where nothing is known, or nothing is saved.
 */
double mig_packing_pays_below_bps(const struct mig_packing *packing);

/*
 * Whether a migration that leaves it to us is to be packed: where its rate is
 * limited, and it pays at that.
 * @max_bps  bytes/s; 0: no limit
 */
bool mig_packing_wanted(const struct mig_packing *packing, uint64_t max_bps);

/*
 * As JSON: an object with "pages", "ratio", "low", "high", "bps" and
 * "pays_below_bps", or null where nothing is known.
 */
void mig_packing_write(struct lxe_jw *w, const char *key,
                       const struct mig_packing *packing);

#endif
