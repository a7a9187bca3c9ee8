/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A writable working set as one picture that needs nothing else. */
#ifndef AERO_WWS_SVG_H
#define AERO_WWS_SVG_H

#include <stdio.h>

#include "wws_measure.h"

/* @name  any text; is escaped. The caller checks the stream for errors. */
void aero_wws_svg(FILE *out, const char *name, const struct mig_wws_run *run);

#endif
