/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pack_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "pack.h"
#include "page_sample.h"
#include "sim_random.h"

#define GROUPS  16
#define MOST    32 /* pages of a group: 512 in all */
#define UNTIMED 1  /* groups, in which zstd's memory is touched first */

struct sampling {
    struct mig_pack *pack;
    size_t pages;
    uint16_t order[GROUPS * MOST]; /* in which they are packed */
    unsigned group;                /* that is being packed */
    double bytes[GROUPS];          /* that each packed into */
    uint8_t page[GROUPS * MOST][LXE_PAGE_SIZE];
};

/* A copy, as the guest may be writing it. */
static int take_page(void *data, size_t i, const void *page)
{
    struct sampling *s = data;

    (void)i;
    memcpy(s->page[s->pages++], page, LXE_PAGE_SIZE);
    return 0;
}

static int count_bytes(void *data, const void *bytes, size_t len)
{
    struct sampling *s = data;

    (void)bytes;
    s->bytes[s->group] += (double)len;
    return 0;
}

/*
 * The sample comes by rising frame number, and neighbours are alike. Groups of
 * neighbours would differ more than samples do, and groups that each had their
 * part of every neighbourhood less; groups by lot tell how sure the mean is.
 */
static void shuffle(struct sampling *s, uint64_t seed)
{
    for (size_t i = 0; i < s->pages; i++)
        s->order[i] = (uint16_t)i;
    for (size_t i = s->pages; i > 1; i--) {
        size_t k = lxe_sim_random(&seed) % i;
        uint16_t was = s->order[i - 1];

        s->order[i - 1] = s->order[k];
        s->order[k] = was;
    }
}

/* In one go, as libxc's batches are. */
static int pack_group(struct sampling *s, unsigned pages)
{
    struct iovec iov[MOST];

    for (unsigned i = 0; i < pages; i++)
        iov[i] = (struct iovec){ s->page[s->order[s->group * pages + i]],
                                 LXE_PAGE_SIZE };
    return mig_pack_take(s->pack, iov, (int)pages, false, count_bytes, s);
}

static int pack_groups(struct sampling *s, uint64_t seed,
                       struct mig_packing *out, struct lxe_err *err)
{
    unsigned pages = (unsigned)(s->pages / GROUPS);
    uint64_t begin_ns = 0;
    int rc = 0;

    if (!pages)
        return lxe_fail(err, -ENODATA, "the guest has too few pages to tell"
                        " how well they pack");
    shuffle(s, seed);
    for (; !rc && s->group < GROUPS; s->group++) {
        if (s->group == UNTIMED)
            begin_ns = lxe_thread_cpu_ns();
        rc = pack_group(s, pages);
    }
    if (rc)
        return lxe_fail(err, rc, "out of memory");
    mig_packing_estimate(s->bytes, GROUPS, pages,
                         (double)(lxe_thread_cpu_ns() - begin_ns) * GROUPS /
                             (GROUPS - UNTIMED),
                         out);
    return 0;
}

int mig_pack_sample(struct lxe_host *host, uint32_t domid, unsigned level,
                    uint64_t window_kib, struct mig_packing *out,
                    struct lxe_err *err)
{
    _cleanup_free_ struct sampling *s = calloc(1, sizeof(*s));
    struct lxe_page_sample *sample;
    uint64_t seed = lxe_now_ns();
    int rc;

    *out = (struct mig_packing){ 0 };
    if (!s)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = mig_pack_open(level, window_kib * 1024, &s->pack, err);
    if (rc)
        return rc;
    rc = host->ops->page_sample_open(host, domid, GROUPS * MOST,
                                     seed, &sample, err);
    if (!rc) {
        rc = sample->ops->visit(sample, take_page, s, err);
        sample->ops->close(sample);
    }
    if (!rc)
        rc = pack_groups(s, seed, out, err);
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
