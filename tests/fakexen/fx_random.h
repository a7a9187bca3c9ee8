/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Migrations by chance: a seed gives a guest, its load, limits and trouble. */
#ifndef FX_RANDOM_H
#define FX_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "fx_migration.h"

void fx_random_migration(struct fx_migration *m, uint64_t seed);

/* What came of many of them. */
struct fx_tally {
    unsigned runs, moved, failed, killed, skipped, wrong;
};

/*
 * Runs one, and checks it. One that goes wrong is told, with the command that
 * repeats it. Returns whether all held.
 */
bool fx_random_run(uint64_t seed, struct fx_tally *tally);

#endif
