/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test shares: a table of tests, and seeded randomness. */
#ifndef AEROSTAT_TESTS_UNIT_H
#define AEROSTAT_TESTS_UNIT_H

#include <stddef.h>
#include <stdint.h>

#include <CUnit/CUnit.h>

struct unit_test {
    const char *name;
    void (*fn)(void);
};

/* Runs the tests as one CUnit suite. Returns main's exit status. */
int unit_run(const char *suite, const struct unit_test *tests, size_t count);

/*
 * The seed of this run: $AEROSTAT_SEED, or the clock's where that is "random",
 * or one that is always the same, so that `make check` never fails by chance.
 * `make soak` tries others. Printed, so that a failure can be had again.
 */
uint64_t unit_seed(void);

/* A seed that no other run had. */
uint64_t unit_clock_seed(void);

/* The next number of a generator (splitmix64) whose state is *state. */
uint64_t unit_random(uint64_t *state);

/* A number below `below`, which is not 0. */
uint64_t unit_below(uint64_t *state, uint64_t below);

#endif
