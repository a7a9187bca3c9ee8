/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A random sample of a guest's populated pages, seen from outside by mapping
 * them read-only: their hashes, and what is in them. What has another hash
 * than before was written. Changes nothing in the guest and does not pause it;
 * a write that leaves a page as it was is not seen.
 *
 *   open (chooses the pages) ──> { look | visit }* ──> close
 */
#ifndef LXE_PAGE_SAMPLE_H
#define LXE_PAGE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LXE_PAGE_SAMPLE_MAX 4096 /* pages in one sample */

struct lxe_page_sample;

/*
 * Is given a page: LXE_PAGE_SIZE bytes, which the guest may write meanwhile.
 * @i  its place in the sample
 * Returns 0, or a negative errno to go no further.
 */
typedef int lxe_page_visit_fn(void *data, size_t i, const void *page);

struct lxe_page_sample_ops {
    /*
     * Hashes all pages now. A page that cannot be mapped, as it was ballooned
     * out meanwhile, is not there; that is no failure.
     * Returns 0, -ESRCH where the domain is gone, -EIO, -ENOMEM.
     */
    int (*look)(struct lxe_page_sample *sample, struct lxe_err *err);
    /*
     * Shows all pages that are there, in their order; hashes nothing. Errors
     * as of look, and what @visit returned, without a message.
     */
    int (*visit)(struct lxe_page_sample *sample, lxe_page_visit_fn *visit,
                 void *data, struct lxe_err *err);
    void (*close)(struct lxe_page_sample *sample);
};

/* All arrays belong to the sample and have `count` elements. */
struct lxe_page_sample {
    const struct lxe_page_sample_ops *ops;
    size_t count;     /* of pages: may be fewer than were asked for */
    uint64_t span;    /* highest frame number of the guest + 1 */
    uint64_t *gfns;   /* rising */
    uint64_t *hashes; /* at the last look, where there */
    bool *there;
};

/* A page's content as a number, 64 bits of xxHash (XXH3). */
uint64_t lxe_page_hash(const void *page);

/*
 * Tells which frames are populated: there[i] for gfns[i], at most
 * LXE_PAGE_ASK of them. Returns 0 or a negative errno.
 */
#define LXE_PAGE_ASK 1024
typedef int lxe_page_ask_fn(void *data, const uint64_t *gfns, size_t count,
                            bool *there, struct lxe_err *err);

/*
 * Chooses pages at random: frames from 0 to span - 1 are drawn, each with the
 * same chance, and those that are not populated are put back. Where few are,
 * it ends after 64 questions, with what it has.
 * @want    at most LXE_PAGE_SAMPLE_MAX
 * @random  the state of a generator; changed
 * @gfns    gets them, rising, none twice; room for @want
 * Returns 0, or what @ask failed with.
 */
int lxe_page_sample_choose(uint64_t span, size_t want, uint64_t *random,
                           lxe_page_ask_fn *ask, void *data, uint64_t *gfns,
                           size_t *count, struct lxe_err *err);

/*
 * Allocates a sample's arrays for at most @want pages; the object begins with
 * the sample and has @size bytes, zeroed. NULL where memory is short.
 */
void *lxe_page_sample_alloc(size_t size, size_t want);
void lxe_page_sample_free(struct lxe_page_sample *sample);

/*
 * A sample of a domain on this machine's Xen.
 * @xch  the caller's xc_interface, which outlives the sample
 * Errors as in host.h.
 */
int lxe_page_sample_open_xen(void *xch, uint32_t domid, size_t want,
                             uint64_t seed, struct lxe_page_sample **out,
                             struct lxe_err *err);

#endif
