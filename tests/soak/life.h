/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated host for a soak: residents of all habits, good and bad, whose
 * demand changes every few minutes, and visitors that are not there yet.
 */
#ifndef SOAK_LIFE_H
#define SOAK_LIFE_H

#include <stdint.h>

#include "host.h"

#define LIFE_RESIDENTS 6u
#define LIFE_VISITORS  6u

/* low … high, both included, from a state that the caller seeds. */
uint64_t life_between(uint64_t *state, uint64_t low, uint64_t high);

/* Opens one whose demands change for so long; NULL, told on stderr. */
struct lxe_host *life_open(uint64_t seed, uint64_t length_s);

/* "visitor3": of one of LIFE_VISITORS, and how much memory it needs. */
void life_visitor(unsigned number, char name[16], uint64_t *kib);

/* The NUMA node that its memory comes from. */
unsigned life_visitor_node(unsigned number);

#endif
