/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pack.h"

#include <errno.h>
#include <stdlib.h>

#include <zstd.h>

/* From this window on, matches far back are looked for in their own way. */
#define LONG_WINDOW_LOG 22u

struct mig_pack {
    ZSTD_CCtx *zstd;
    size_t size; /* of out */
    uint8_t out[];
};

static unsigned window_log(uint64_t bytes)
{
    unsigned log = MIG_PACK_WINDOW_MIN_LOG;

    while (log < MIG_PACK_WINDOW_MAX_LOG && UINT64_C(1) << log < bytes)
        log++;
    return log;
}

static bool set(struct mig_pack *p, ZSTD_cParameter what, int value)
{
    return !ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, what, value));
}

static bool set_window(struct mig_pack *p, uint64_t bytes)
{
    unsigned log = window_log(bytes);

    return !bytes ||
           (set(p, ZSTD_c_windowLog, (int)log) &&
            set(p, ZSTD_c_enableLongDistanceMatching, log >= LONG_WINDOW_LOG));
}

int mig_pack_open(unsigned level, uint64_t window_bytes,
                  struct mig_pack **out, struct lxe_err *err)
{
    size_t size = ZSTD_CStreamOutSize();
    struct mig_pack *p = malloc(sizeof(*p) + size);

    *out = NULL;
    if (!p)
        return lxe_fail(err, -ENOMEM, "out of memory");
    p->size = size;
    p->zstd = ZSTD_createCCtx();
    if (!p->zstd || !set(p, ZSTD_c_compressionLevel, (int)level) ||
        !set(p, ZSTD_c_checksumFlag, 1) ||
        !set_window(p, window_bytes)) {
        mig_pack_free(p);
        return lxe_fail(err, -ENOMEM, "cannot set up zstd");
    }
    *out = p;
    return 0;
}

void mig_pack_free(struct mig_pack *pack)
{
    if (!pack)
        return;
    ZSTD_freeCCtx(pack->zstd);
    free(pack);
}

/* Goes on until zstd has taken it all, and with flush or end given it all. */
static int take_one(struct mig_pack *p, const struct iovec *iov,
                    ZSTD_EndDirective how, mig_pack_sink *sink, void *data)
{
    ZSTD_inBuffer in = { iov->iov_base, iov->iov_len, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { p->out, p->size, 0 };
        int rc = 0;

        left = ZSTD_compressStream2(p->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return -ENOMEM; /* nothing else can go wrong in it */
        if (out.pos)
            rc = sink(data, p->out, out.pos);
        if (rc)
            return rc;
    } while (how == ZSTD_e_continue ? in.pos < in.size : left > 0);
    return 0;
}

int mig_pack_take(struct mig_pack *pack, const struct iovec *iov, int count,
                  bool end, mig_pack_sink *sink, void *data)
{
    const struct iovec nothing = { NULL, 0 };
    int rc = 0;

    for (int i = 0; i < count && !rc; i++)
        rc = take_one(pack, &iov[i], ZSTD_e_continue, sink, data);
    return rc ? rc
              : take_one(pack, &nothing, end ? ZSTD_e_end : ZSTD_e_flush, sink,
                         data);
}
