/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <zstd.h>

#include "xl_stream.h"

#define MAGIC_BYTES 4u

enum part {
    XL_HEADER,
    XL_CONFIGURATION,
    LIBXL_HEADER,
    LIBXL_RECORD,
    LIBXL_BODY,
    MAGIC,
    PACKED,
    REST,
};

struct mig_unpack {
    enum part part;
    uint8_t head[LXE_XL_HEADER_BYTES]; /* of the longest of the three */
    size_t have;                       /* bytes of it */
    uint64_t left;                     /* bytes of a body to pass on */
    ZSTD_DCtx *zstd;
    size_t size; /* of out */
    uint8_t out[];
};

int mig_unpack_open(enum mig_unpack_from from, struct mig_unpack **out,
                    struct lxe_err *err)
{
    size_t size = ZSTD_DStreamOutSize();
    struct mig_unpack *u = calloc(1, sizeof(*u) + size);

    *out = NULL;
    if (!u)
        return lxe_fail(err, -ENOMEM, "out of memory");
    u->part = from == MIG_UNPACK_XL ? XL_HEADER : MAGIC;
    u->size = size;
    u->zstd = ZSTD_createDCtx();
    if (!u->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax,
                                            MIG_PACK_WINDOW_MAX_LOG))) {
        mig_unpack_free(u);
        return lxe_fail(err, -ENOMEM, "cannot set up zstd");
    }
    *out = u;
    return 0;
}

void mig_unpack_free(struct mig_unpack *unpack)
{
    if (!unpack)
        return;
    ZSTD_freeDCtx(unpack->zstd);
    free(unpack);
}

bool mig_unpack_done(const struct mig_unpack *unpack)
{
    return unpack->part == REST;
}

/* ---- what comes before it ---- */

static size_t head_bytes(enum part part)
{
    switch (part) {
    case XL_HEADER:
        return LXE_XL_HEADER_BYTES;
    case LIBXL_HEADER:
        return LXE_LIBXL_HEADER_BYTES;
    case MAGIC:
        return MAGIC_BYTES;
    default:
        return LXE_LIBXL_RECORD_BYTES;
    }
}

/*
 * zstd as distributions build it also takes the formats of its versions before
 * 0.8: by old code, which is not told of our bound for its memory.
 */
static int check_magic(const struct mig_unpack *u, struct lxe_err *err)
{
    uint32_t magic;

    memcpy(&magic, u->head, sizeof(magic));
    return le32toh(magic) == ZSTD_MAGICNUMBER
               ? 0
               : lxe_fail(err, -EPROTO, "the packed stream is damaged: it is"
                          " not in zstd's format");
}

static int read_head(struct mig_unpack *u, struct lxe_err *err)
{
    int rc = 0;

    switch (u->part) {
    case XL_HEADER:
        rc = lxe_xl_read_header(u->head, &u->left, err);
        u->part = XL_CONFIGURATION;
        break;
    case LIBXL_HEADER:
        rc = lxe_libxl_read_header(u->head, err);
        u->part = LIBXL_RECORD;
        break;
    case MAGIC:
        rc = check_magic(u, err);
        u->part = PACKED;
        break;
    default:
        u->part = lxe_libxl_read_record(u->head, &u->left) ? MAGIC
                                                           : LIBXL_BODY;
        break;
    }
    return rc;
}

/* Returns how many bytes it took, or a negative errno. */
static ssize_t take_head(struct mig_unpack *u, const uint8_t *data, size_t len,
                         struct lxe_err *err)
{
    size_t want = head_bytes(u->part) - u->have;
    int rc = 0;

    if (len > want)
        len = want;
    memcpy(u->head + u->have, data, len);
    u->have += len;
    if (len == want) {
        u->have = 0;
        rc = read_head(u, err);
    }
    return rc ? rc : (ssize_t)len;
}

/* Bytes that are passed on unread: a body, or the rest. */
static size_t take_body(struct mig_unpack *u, size_t len)
{
    if (u->part == REST)
        return len;
    if (len > u->left)
        len = (size_t)u->left;
    u->left -= len;
    if (!u->left)
        u->part = u->part == XL_CONFIGURATION ? LIBXL_HEADER : LIBXL_RECORD;
    return len;
}

/* ---- the whole ---- */

/* Returns how many bytes it took, or a negative errno. */
static ssize_t take_packed(struct mig_unpack *u, const uint8_t *data,
                           size_t len, mig_pack_sink *sink, void *sink_data,
                           struct lxe_err *err)
{
    ZSTD_inBuffer in = { data, len, 0 };
    ZSTD_outBuffer out;
    int rc = 0;

    do {
        size_t left;

        out = (ZSTD_outBuffer){ u->out, u->size, 0 };
        left = ZSTD_decompressStream(u->zstd, &out, &in);
        if (ZSTD_isError(left))
            return lxe_fail(err, -EPROTO, "the packed stream is damaged: %s",
                            ZSTD_getErrorName(left));
        if (out.pos)
            rc = sink(sink_data, u->out, out.pos);
        if (!left)
            u->part = REST;
        /* A full buffer may mean that there is more to come of what it has. */
    } while (!rc && u->part == PACKED &&
             (in.pos < in.size || out.pos == out.size));
    return rc ? rc : (ssize_t)in.pos;
}

/* The first bytes are given to zstd once they are known to be its own. */
static ssize_t take_magic(struct mig_unpack *u, const uint8_t *data,
                          size_t len, mig_pack_sink *sink, void *sink_data,
                          struct lxe_err *err)
{
    ssize_t n = take_head(u, data, len, err);

    if (n < 0 || u->part == MAGIC)
        return n;
    len = (size_t)n;
    n = take_packed(u, u->head, MAGIC_BYTES, sink, sink_data, err);
    return n < 0 ? n : (ssize_t)len;
}

static ssize_t take_some(struct mig_unpack *u, const uint8_t *data, size_t len,
                         mig_pack_sink *sink, void *sink_data,
                         struct lxe_err *err)
{
    ssize_t n;
    int rc;

    switch (u->part) {
    case MAGIC:
        return take_magic(u, data, len, sink, sink_data, err);
    case PACKED:
        return take_packed(u, data, len, sink, sink_data, err);
    case XL_CONFIGURATION:
    case LIBXL_BODY:
    case REST:
        n = (ssize_t)take_body(u, len);
        break;
    default:
        n = take_head(u, data, len, err);
        break;
    }
    if (n <= 0)
        return n;
    rc = sink(sink_data, data, (size_t)n);
    return rc ? rc : n;
}

int mig_unpack_feed(struct mig_unpack *unpack, const void *data, size_t len,
                    mig_pack_sink *sink, void *sink_data, struct lxe_err *err)
{
    const uint8_t *at = data;

    while (len) {
        ssize_t n = take_some(unpack, at, len, sink, sink_data, err);

        if (n < 0)
            return (int)n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
