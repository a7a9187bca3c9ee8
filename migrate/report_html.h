/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration's report as one HTML page that needs nothing else. */
#ifndef MIG_REPORT_HTML_H
#define MIG_REPORT_HTML_H

#include <stdio.h>

#include "report_read.h"

/*
 * Writes the page: no script, no resource from elsewhere; light and dark as
 * the reader has it, light in print. The caller checks the stream's error.
 * @version  of the program that writes it
 */
void mig_report_html(FILE *out, const struct mig_run *run,
                     const char *version);

#endif
