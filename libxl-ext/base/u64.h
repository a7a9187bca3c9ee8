/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What C lacks for unsigned numbers of 64 bits. Pure. */
#ifndef LXE_BASE_U64_H
#define LXE_BASE_U64_H

#include <stdint.h>

static inline uint64_t lxe_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t lxe_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* a - b; 0 where b is more. */
static inline uint64_t lxe_less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

#endif
