/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the daemon sees and does, in Prometheus' text format (version 0.0.4);
 * docs/metrics.md lists the names.
 */
#ifndef AERO_METRICS_H
#define AERO_METRICS_H

#include <stdio.h>

#include "balancer.h"
#include "base/err.h"

/* Writes all metrics, as of the last tick. */
void aero_metrics_write(const struct aero_balancer *balancer, FILE *to);

/*
 * The same as a text of its own, which the caller frees.
 * @len  gets its length without the NUL
 * Returns NULL without memory.
 */
char *aero_metrics_text(const struct aero_balancer *balancer, size_t *len);

/*
 * Replaces a file by them, as a whole and readable by all. A reader sees the
 * old file or the new one. Returns 0 or a negative errno.
 */
int aero_metrics_file(const struct aero_balancer *balancer, const char *path,
                      struct lxe_err *err);

#endif
