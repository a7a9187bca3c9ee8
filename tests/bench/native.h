/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The benchmarks that need no Xen: the real libxenguest on fakexen. One saver
 * is compared with another on the same machine in the same minute; the
 * figures are not those of a real host.
 */
#ifndef BENCH_NATIVE_H
#define BENCH_NATIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "fx_migration.h"

struct bench_options {
    bool quick;          /* a few runs, to see that all works */
    unsigned pairs;      /* of the throughput runs */
    unsigned repeats;    /* of the sweep */
    const char *ways[4]; /* throttle= of the sweep; NULL ends them */
};

/* Prints a table, and writes its figures. Returns false where a run failed,
 * or restored a guest that differs. */
bool bench_throughput(const struct bench_options *options, struct lxe_jw *w);
bool bench_memory(const struct bench_options *options, struct lxe_jw *w);
bool bench_limiter(const struct bench_options *options, struct lxe_jw *w);
bool bench_sweep(const struct bench_options *options, struct lxe_jw *w);

/* A guest of `mib` MiB that has all its pages and writes none. */
void bench_idle_guest(struct fx_migration *m, unsigned mib);

/*
 * Runs a migration. Returns false, and says why, where it failed or restored
 * a guest that differs; into a sink nothing is restored.
 */
bool bench_run(const struct fx_migration *m, struct fx_outcome *o);

/* The value below which `share` of them lie; sorts them. 0 of none. */
double bench_quantile(double *values, size_t count, double share);

#endif
