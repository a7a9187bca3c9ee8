/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of a report for people: three digits and a unit that fits. Pure; no
 * locale. What is not known (NaN) is "-".
 */
#ifndef MIG_FIGURES_H
#define MIG_FIGURES_H

#include <stdint.h>

#define MIG_FIGURE 32 /* bytes of a figure's text */

/* Each writes into buf and returns it. */
char *mig_fig_ms(char buf[MIG_FIGURE], double ms);       /* "81.9 ms" */
char *mig_fig_bytes(char buf[MIG_FIGURE], double bytes); /* "238 MB" */
char *mig_fig_rate(char buf[MIG_FIGURE], double bps);    /* "62.4 MB/s" */
char *mig_fig_kib(char buf[MIG_FIGURE], double kib);     /* "512 MiB" */
char *mig_fig_count(char buf[MIG_FIGURE], double count); /* "57,960" */
char *mig_fig_percent(char buf[MIG_FIGURE], double share); /* "0.74 %" */

/* Writes "2026-11-21 14:30:05 UTC". */
char *mig_fig_time(char buf[MIG_FIGURE], double seconds_since_1970);

#endif
