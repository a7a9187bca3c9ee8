/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which pages of a batch to leave for later: those that the guest has written
 * again since their round began (Clark et al. 2005, section 4). A page left
 * out is dirty in the log, so a later round or the final pass sends it.
 *
 * That holds only under five conditions (docs/migration.md), and this file
 * keeps three of them:
 *
 *   1. Nothing is left out after suspend: the final CLEAN clears bits whose
 *      pages are sent once and never again. mig_hot_hold() comes before it
 *      and is then never released.
 *   3. A PEEK never runs beside libxc's CLEAN: both are preempted by Xen, and
 *      the second gets -EBUSY, which fails the migration. mig_hot_hold()
 *      waits for a PEEK that is under way, and none starts until release.
 *      What was seen before a CLEAN says nothing about the round after it:
 *      hold() forgets it.
 *   4. The same hold covers libxc's verify pass.
 *
 * Condition 2 is stream_edit.c's, and 5 (a frozen balloon) session.c's.
 *
 * Holds wait for looks even where another thread makes them.
 */
#ifndef MIG_HOT_PAGES_H
#define MIG_HOT_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dirty_log.h"

struct mig_hot_pages;

struct mig_hot_stats {
    uint64_t peeks;      /* bitmaps fetched */
    uint64_t peek_ns;    /* time they took, in which Xen pauses the guest */
    uint64_t busy;       /* refused because the log was in use */
    uint64_t saved_ns;   /* time that what was left out had taken to send */
};

/*
 * Takes over a dirty log that was attached to the domain (dirty_log.h), which
 * mig_hot_close() closes. It starts held. Returns 0 or -ENOMEM.
 */
int mig_hot_open(struct lxe_dirty_log *log, struct mig_hot_pages **out,
                 struct lxe_err *err);
void mig_hot_close(struct mig_hot_pages *hot);

/* From here on nothing is left out and no PEEK runs. May be called again. */
void mig_hot_hold(struct mig_hot_pages *hot);

/* A new round begins, and its CLEAN is over. */
void mig_hot_release(struct mig_hot_pages *hot, uint64_t now_ns);

/*
 * How many pages are dirty now, by a PEEK that fetches no bitmap and is never
 * preempted. To be called while held, so never beside another PEEK.
 * Returns 0 or a negative errno; -EBUSY is normal.
 */
int mig_hot_count(struct mig_hot_pages *hot, uint64_t *dirty_pages,
                  struct lxe_err *err);

/* The same while a round is sent: -EBUSY while held. */
int mig_hot_sample(struct mig_hot_pages *hot, uint64_t *dirty_pages,
                   struct lxe_err *err);

/*
 * The pages to leave out of a batch; between begin and end a hold waits.
 * Fetches a new bitmap where peek_policy.h says that it pays.
 * @pages  gets the bitmap's size
 * Returns the bitmap, or NULL: then nothing may be left out. mig_hot_end() is
 * to be called either way.
 */
const uint64_t *mig_hot_begin(struct mig_hot_pages *hot, uint64_t now_ns,
                              uint64_t *pages);

/*
 * Ends it, and learns whether skipping pays.
 * @skipped_pages  left out of this batch
 * @page_ns        time that sending one page takes now
 */
void mig_hot_end(struct mig_hot_pages *hot, uint64_t skipped_pages,
                 uint64_t page_ns);

/* What it did so far; may be asked from any thread. */
void mig_hot_stats(struct mig_hot_pages *hot, struct mig_hot_stats *out);

#endif
