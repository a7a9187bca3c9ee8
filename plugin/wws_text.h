/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A writable working set in a terminal: a table, and pictures in text. */
#ifndef AERO_WWS_TEXT_H
#define AERO_WWS_TEXT_H

#include <stdio.h>

#include "wws_measure.h"

/*
 * Writes all of it.
 * @name   the domain's, already escaped
 * @width  columns of the terminal; 0: not known
 * Returns 0, -ENOMEM or -EIO.
 */
int aero_wws_text(FILE *out, const char *name, const struct mig_wws_run *run,
                  size_t width);

/*
 * The lengths of windows that are worth telling: 1, 2 and 5 times powers of
 * ten, from what was measured to thrice as long.
 * @out  room for AERO_WWS_ROWS
 */
#define AERO_WWS_ROWS 16
size_t aero_wws_windows(const struct mig_wws *wws,
                        uint64_t out[AERO_WWS_ROWS]);

#endif
