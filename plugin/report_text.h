/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration's report, and a list of them, as text for a terminal. */
#ifndef AERO_REPORT_TEXT_H
#define AERO_REPORT_TEXT_H

#include <stdio.h>

#include "cli_table.h"
#include "report_read.h"

/*
 * Writes what happened; texts of the report are escaped.
 * @width  columns of the terminal; 0: cut nothing
 * Returns 0, -ENOMEM or -EIO.
 */
int aero_report_text(FILE *out, const struct mig_run *run, size_t width);

/* A table with a row a run. Returns NULL without memory. */
struct aero_table *aero_report_list(void);

/* @run  NULL where its file cannot be read */
void aero_report_list_add(struct aero_table *table, const char *id,
                          const struct mig_run *run);

#endif
