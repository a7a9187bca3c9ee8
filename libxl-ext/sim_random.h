/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator's random numbers: equal seeds give equal runs. */
#ifndef LXE_SIM_RANDOM_H
#define LXE_SIM_RANDOM_H

#include <stdint.h>

/* The next number of a generator (splitmix64) whose state is *state. */
static inline uint64_t lxe_sim_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
