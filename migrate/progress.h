/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shows a migration while it runs: one line that is rewritten on a terminal,
 * a line at each stage and round elsewhere, or JSON lines for a script.
 */
#ifndef MIG_PROGRESS_H
#define MIG_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "session.h"

enum mig_progress_style {
    MIG_PROGRESS_NONE,
    MIG_PROGRESS_LINE,  /* a terminal: rewritten in place */
    MIG_PROGRESS_LINES, /* a file or a pipe */
    MIG_PROGRESS_JSON,  /* on stdout; the others use stderr */
};

struct mig_progress {
    enum mig_progress_style style;
    bool line_open; /* the terminal's cursor is in our line */
    enum mig_stage stage;
    bool begun;
};

/*
 * For mig_session_config.progress; data is a struct mig_progress. Where nobody
 * takes what is written (a stopped terminal, a pipe that is full), it is left
 * out: waiting for that would hold up the migration, and be downtime at last.
 */
void mig_progress_show(void *data, enum mig_stage stage,
                       const struct mig_report *report,
                       const struct mig_status *status);

/* Ends the line, so that other output can follow. */
void mig_progress_end(struct mig_progress *progress);

/* The summary for people, after the end. Written to stderr. */
void mig_progress_summary(const struct mig_report *report);

#endif
