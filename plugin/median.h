/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The median of numbers. Pure; O(n) on average. */
#ifndef AERO_MEDIAN_H
#define AERO_MEDIAN_H

#include <stddef.h>

/* Of an even count, the mean of the two in the middle; 0 of none. Reorders. */
double aero_median(double *numbers, size_t count);

#endif
