/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what was seen in several windows to the curve D(t) and its bounds
 * (docs/wws.md derives it). Pure.
 *
 *   series (t, pages) of windows ──> mean and bounds at each t ──> least
 *   concave majorant of each: rising, concave, through the origin
 *
 * Where a guest's writes are stationary, D(t) is the sum over its pages of
 * the distribution of the time until their next write, seen from a moment
 * that has nothing to do with them. Such a distribution is concave. The least
 * concave majorant of what was counted is then the maximum likelihood
 * estimate (Grenander, 1956), and nowhere farther from the truth than the
 * counts were at their worst (Marshall, 1970).
 */
#ifndef MIG_WWS_BUILD_H
#define MIG_WWS_BUILD_H

#include "wws.h"

/* How many distinct pages were written since the window began. */
struct mig_wws_sample {
    uint64_t window_ns; /* since it began; rising within a series */
    uint64_t pages;     /* not falling within a series */
};

/* One window, looked at several times. */
struct mig_wws_series {
    const struct mig_wws_sample *samples;
    size_t count;
    uint64_t looked_at; /* pages that were looked at; 0 for all of them */
};

/*
 * Builds the curve.
 * @series  two at least that have a sample; their windows may differ
 * @domain_pages  that the guest has; what was looked at stands for these
 * @method  is noted in the curve
 * @hot_pages  as mig_wws_hot_count() counted it; negative where the bits are
 *          not known: then it is where the curve's last stretch comes from,
 *          drawn back to a window of 0
 * Bounds: Student's for the spread over windows, and for samples of pages no
 * narrower than Wilson's for the share of them that was written.
 * Returns 0; -EINVAL where series are empty, fall, or say more than
 * domain_pages; -ENODATA where fewer than two windows have a sample.
 */
int mig_wws_build(const struct mig_wws_series *series, size_t count,
                  uint64_t domain_pages, enum mig_wws_method method,
                  double hot_pages, struct mig_wws *out, struct lxe_err *err);

/*
 * Wilson's score interval, 95 %, of a share k of n that was found in a sample
 * (E. B. Wilson, 1927). @n above 0; @low and @high get 0 to 1.
 */
void mig_wws_share_bounds(double k, double n, double *low, double *high);

/*
 * Notes one window's bitmap in counters, one byte a page, that stop at 255.
 * @bitmap  as base/bitmap.h has it
 */
void mig_wws_hot_add(uint8_t *counters, const uint64_t *bitmap,
                     uint64_t pages);

/*
 * How many pages were written in three of four windows or more.
 * @windows  at most 255; with fewer than 2 there is no hot set: 0
 */
uint64_t mig_wws_hot_count(const uint8_t *counters, uint64_t pages,
                           unsigned windows);

#endif
