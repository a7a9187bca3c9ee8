/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* a * b / c, exact and rounded down; UINT64_MAX where that does not fit. */
#ifndef AERO_MUL_DIV_H
#define AERO_MUL_DIV_H

#include <stdint.h>

static inline uint64_t aero_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t product;
    unsigned __int128 wide;

    /* A division of 64 bits takes a fraction of the time of one of 128. */
    if (!__builtin_mul_overflow(a, b, &product))
        return product / c;
    wide = (unsigned __int128)a * b / c;
    return wide > UINT64_MAX ? UINT64_MAX : (uint64_t)wide;
}

#endif
