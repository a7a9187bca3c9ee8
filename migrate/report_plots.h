/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pictures of a migration's report, each with its legend as HTML below
 * it. One that has nothing to show is left out. Pure, but for the stream that
 * they are written to.
 */
#ifndef MIG_REPORT_PLOTS_H
#define MIG_REPORT_PLOTS_H

#include <stdio.h>

#include "report_read.h"

/*
 * Rates as in Clark et al.'s figures: a bar a round, as wide as it took and
 * as high as it was fast, so that its area is what it sent; over it how fast
 * the guest dirtied memory meanwhile.
 */
void mig_plot_rates(FILE *out, const struct mig_run *run);

/* What was left to send, over time, by a logarithmic axis. */
void mig_plot_remaining(FILE *out, const struct mig_run *run);

/* What was predicted before it began, with its bounds, against the fact. */
void mig_plot_compared(FILE *out, const struct mig_run *run);

/* The downtime predicted after each round, against what it was. */
void mig_plot_predicted(FILE *out, const struct mig_run *run);

/* How much of its speed was taken from the guest, round by round. */
void mig_plot_slowed(FILE *out, const struct mig_run *run);

/* Bars whose parts are times: of the downtime, the stages and the waits. */
void mig_plot_downtime(FILE *out, const struct mig_run *run);
void mig_plot_stages(FILE *out, const struct mig_run *run);
void mig_plot_waits(FILE *out, const struct mig_run *run);

#endif
