/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes what the target makes of a packed stream: nothing is overread, and
 * what comes out of a whole one does not depend on the pieces it came in. (On
 * a damaged one zstd may stumble earlier or later.)
 *
 * Input: a byte of flags, a byte for the size of the pieces, then the stream.
 */
#include "unpack.h"

#include <stdlib.h>
#include <string.h>

#define MOST (8u << 20) /* bytes: a frame of few may stand for many */

enum { FROM_XL = 1 };

struct sum {
    uint64_t bytes, hash;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static int add(void *data, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    struct sum *sum = data;

    need(len > 0);
    if (sum->bytes + len > MOST)
        return -1;
    for (size_t i = 0; i < len; i++)
        sum->hash = (sum->hash ^ at[i]) * UINT64_C(0x100000001b3);
    sum->bytes += len;
    return 0;
}

/* Returns whether it was taken, and was whole. */
static bool run(const uint8_t *data, size_t size, bool from_xl, size_t piece,
                struct sum *sum)
{
    struct mig_unpack *u;
    struct lxe_err err = { 0 };
    bool whole;
    int rc = 0;

    need(!mig_unpack_open(from_xl ? MIG_UNPACK_XL : MIG_UNPACK_LIBXC, &u,
                          NULL));
    for (size_t at = 0; at < size && !rc; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        uint8_t *exact = malloc(n);

        need(exact != NULL);
        memcpy(exact, data + at, n);
        rc = mig_unpack_feed(u, exact, n, add, sum, &err);
        need(!rc || rc == -1 || err.text[0]);
        free(exact);
    }
    whole = !rc && mig_unpack_done(u);
    mig_unpack_free(u);
    return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum whole = { 0 }, pieces = { 0 };
    bool from_xl;

    if (size < 3)
        return 0;
    from_xl = data[0] & FROM_XL;
    if (run(data + 2, size - 2, from_xl, size, &whole) &&
        run(data + 2, size - 2, from_xl, 1 + data[1], &pieces))
        need(whole.bytes == pieces.bytes && whole.hash == pieces.hash);
    return 0;
}
