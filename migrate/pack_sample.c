/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pack_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "pack.h"
#include "page_sample.h"

#define GROUP  32 /* pages that are packed in one go, as libxc's batches are */
#define GROUPS 16

struct sampling {
    struct mig_pack *pack;
    unsigned groups, pages; /* whole ones; in the one that is being filled */
    double bytes[GROUPS];   /* that each packed into */
    double ns;              /* of the processor, in packing */
    uint8_t group[GROUP * LXE_PAGE_SIZE];
};

static int count_bytes(void *data, const void *bytes, size_t len)
{
    struct sampling *s = data;

    (void)bytes;
    s->bytes[s->groups] += (double)len;
    return 0;
}

static double processor_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * LXE_NS_PER_SEC + (double)ts.tv_nsec;
}

static int pack_group(struct sampling *s)
{
    const struct iovec iov = { s->group, sizeof(s->group) };
    double begin_ns = processor_ns();
    int rc = mig_pack_take(s->pack, &iov, 1, false, count_bytes, s);

    s->ns += processor_ns() - begin_ns;
    s->groups++;
    s->pages = 0;
    return rc;
}

/* A copy, as the guest may be writing it. */
static int take_page(void *data, size_t i, const void *page)
{
    struct sampling *s = data;

    (void)i;
    memcpy(s->group + (size_t)s->pages * LXE_PAGE_SIZE, page, LXE_PAGE_SIZE);
    return ++s->pages == GROUP ? pack_group(s) : 0;
}

static int pack_pages(struct lxe_page_sample *sample, struct sampling *s,
                      struct mig_packing *out, struct lxe_err *err)
{
    int rc = sample->ops->visit(sample, take_page, s, err);

    if (rc)
        return rc;
    if (!s->groups)
        return lxe_fail(err, -ENODATA, "the guest has too few pages to tell"
                        " how well they pack");
    mig_packing_estimate(s->bytes, s->groups, GROUP, s->ns, out);
    return 0;
}

int mig_pack_sample(struct lxe_host *host, uint32_t domid, unsigned level,
                    uint64_t window_kib, struct mig_packing *out,
                    struct lxe_err *err)
{
    _cleanup_free_ struct sampling *s = calloc(1, sizeof(*s));
    struct lxe_page_sample *sample;
    int rc;

    *out = (struct mig_packing){ 0 };
    if (!s)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = mig_pack_open(level, window_kib * 1024, &s->pack, err);
    if (rc)
        return rc;
    rc = host->ops->page_sample_open(host, domid, GROUP * GROUPS,
                                     lxe_now_ns(), &sample, err);
    if (!rc) {
        rc = pack_pages(sample, s, out, err);
        sample->ops->close(sample);
    }
    mig_pack_free(s->pack);
    return rc;
}

int mig_pack_choose(struct lxe_host *host, uint32_t domid, uint64_t max_bps,
                    struct mig_limits *limits, struct mig_packing *out,
                    struct lxe_err *err)
{
    unsigned level = limits->compress_level;
    int rc = mig_pack_sample(host, domid,
                             level ? level : MIG_PACKING_AUTO_LEVEL,
                             limits->compress_window_kib, out, err);

    if (!rc && limits->compress_auto)
        limits->compress_level = mig_packing_wanted(out, max_bps)
                                     ? MIG_PACKING_AUTO_LEVEL
                                     : 0;
    return rc;
}
