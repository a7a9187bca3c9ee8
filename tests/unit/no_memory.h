/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets one allocation of the program's own code fail. To be linked with
 * $(NO_MEMORY_WRAP); what shared libraries allocate within does not fail,
 * but for the calls by which yajl and libxlutil begin.
 */
#ifndef AEROSTAT_TESTS_NO_MEMORY_H
#define AEROSTAT_TESTS_NO_MEMORY_H

#include <stdbool.h>

/* From now on the n-th allocation fails, from 1; 0: none does. Counts anew. */
void no_memory_at(unsigned n);

/* Ends that. Returns how many there were. */
unsigned no_memory_end(void);

/* Whether one has failed. */
bool no_memory_was(void);

#endif
