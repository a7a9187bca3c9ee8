/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated host with a crowd of like guests: 256 MiB each of at most 512,
 * all with an agent, on a host that has room for a tenth more.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdbool.h>
#include <stddef.h>

#include "host.h"

/*
 * Opens one on a manual clock.
 * @busy  each guest's demand goes up and down all the time; else it stays
 * NULL, told on stderr.
 */
struct lxe_host *crowd_open(size_t guests, bool busy);

/* The same as a scenario's text, which the caller frees; NULL: no memory. */
char *crowd_text(size_t guests, bool busy, size_t *len);

#endif
