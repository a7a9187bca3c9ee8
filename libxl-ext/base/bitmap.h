/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bitmaps in Xen's layout: bit n is bit n % 64 of little-endian word n / 64. */
#ifndef LXE_BASE_BITMAP_H
#define LXE_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words of 64 bits that hold a bitmap of this many bits. */
static inline size_t lxe_bitmap_words(uint64_t bits)
{
    return (size_t)((bits + 63) / 64);
}

static inline bool lxe_bitmap_test(const uint64_t *map, uint64_t bit)
{
    return map[bit / 64] >> (bit % 64) & 1;
}

static inline void lxe_bitmap_set(uint64_t *map, uint64_t bit)
{
    map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void lxe_bitmap_clear(uint64_t *map, uint64_t bit)
{
    map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/* How many of the first `bits` bits are set. Bits beyond must be zero. */
static inline uint64_t lxe_bitmap_count(const uint64_t *map, uint64_t bits)
{
    uint64_t n = 0;

    for (size_t i = 0; i < lxe_bitmap_words(bits); i++)
        n += (uint64_t)__builtin_popcountll(map[i]);
    return n;
}

#endif
