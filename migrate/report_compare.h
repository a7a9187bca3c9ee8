/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was predicted before a migration, against what it came to. Pure.
 */
#ifndef MIG_REPORT_COMPARE_H
#define MIG_REPORT_COMPARE_H

#include "figures.h"
#include "report_read.h"

struct mig_compared {
    const char *name;             /* "downtime", … */
    struct mig_run_range predicted;
    double actual;                /* unknown: it did not come to it */
    char *(*figure)(char buf[MIG_FIGURE], double value);
};

#define MIG_COMPARED_MOST 5

/*
 * Fills in the figures that a prediction is known of, in the order in which
 * they are shown: downtime (the engine's), total (from the first round to the
 * last byte), bytes of the stream, those on the wire where it was packed,
 * rounds. Returns how many.
 */
size_t mig_report_compare(const struct mig_run *run,
                          struct mig_compared out[MIG_COMPARED_MOST]);

/* By how much more was predicted than came, as in the report: expected /
 * actual - 1; unknown where there is nothing to divide by. */
double mig_compared_error(const struct mig_compared *compared);

#endif
