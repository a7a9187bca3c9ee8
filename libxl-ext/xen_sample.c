/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A random sample of a guest's pages, by libxenforeignmemory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/units.h"
#include "page_sample.h"
#include "xen_compat.h"

#include <xenforeignmemory.h> /* after xenctrl.h, which makes us a tool */

struct xen_sample {
    struct lxe_page_sample sample; /* first */
    xc_interface *xch;
    xenforeignmemory_handle *fmem;
    uint32_t domid;
    xen_pfn_t *pfns;
    int *errors;
};

static int gone(uint32_t domid, struct lxe_err *err)
{
    return lxe_fail(err, -ESRCH, "there is no domain %" PRIu32, domid);
}

static int domain_info(xc_interface *xch, uint32_t domid,
                       xc_domaininfo_t *info, struct lxe_err *err)
{
    int n = xc_domain_getinfolist(xch, domid, 1, info);

    if (n < 0 && errno != ESRCH)
        return lxe_fail(err, -errno, "cannot ask Xen for domain %" PRIu32
                        ": %s", domid, strerror(errno));
    if (n != 1 || info->domain != domid || (info->flags & XEN_DOMINF_dying))
        return gone(domid, err);
    return 0;
}

static void *map(struct xen_sample *x, size_t count, struct lxe_err *err)
{
    void *pages = xenforeignmemory_map(x->fmem, x->domid, PROT_READ, count,
                                       x->pfns, x->errors);

    if (!pages && errno == ESRCH)
        gone(x->domid, err);
    else if (!pages)
        lxe_fail(err, -errno, "cannot map pages of domain %" PRIu32 ": %s",
                 x->domid, strerror(errno));
    return pages;
}

/*
 * Maps anew each time: a page that stays mapped would stay the guest's after
 * it gave it back, and what came in its place would not be seen.
 */
static int visit(struct lxe_page_sample *s, lxe_page_visit_fn *each,
                 void *data, struct lxe_err *err)
{
    struct xen_sample *x = (struct xen_sample *)s;
    struct lxe_err why = { 0 };
    xc_domaininfo_t info;
    size_t readable = 0;
    uint8_t *pages;
    int rc = 0;

    for (size_t i = 0; i < s->count; i++)
        x->pfns[i] = s->gfns[i];
    pages = map(x, s->count, &why);
    if (!pages)
        return lxe_fail(err, why.code, "%s", why.text);
    for (size_t i = 0; !rc && i < s->count; i++) {
        s->there[i] = !x->errors[i];
        readable += s->there[i];
        if (s->there[i])
            rc = each(data, i, pages + i * LXE_PAGE_SIZE);
    }
    xenforeignmemory_unmap(x->fmem, pages, s->count);
    return rc || readable ? rc : domain_info(x->xch, x->domid, &info, err);
}

static int hash(void *data, size_t i, const void *page)
{
    struct lxe_page_sample *s = data;

    s->hashes[i] = lxe_page_hash(page);
    return 0;
}

static int look(struct lxe_page_sample *s, struct lxe_err *err)
{
    return visit(s, hash, s, err);
}

static void close_sample(struct lxe_page_sample *s)
{
    struct xen_sample *x = (struct xen_sample *)s;

    if (!s)
        return;
    if (x->fmem)
        xenforeignmemory_close(x->fmem);
    free(x->pfns);
    free(x->errors);
    lxe_page_sample_free(s);
}

static const struct lxe_page_sample_ops xen_sample_ops = {
    .look = look,
    .visit = visit,
    .close = close_sample,
};

/* Holes and what is no RAM cannot be mapped. */
static int ask(void *data, const uint64_t *gfns, size_t count, bool *there,
               struct lxe_err *err)
{
    struct xen_sample *x = data;
    struct lxe_err why = { 0 };
    void *pages;

    for (size_t i = 0; i < count; i++)
        x->pfns[i] = gfns[i];
    pages = map(x, count, &why);
    if (!pages)
        return lxe_fail(err, why.code, "%s", why.text);
    for (size_t i = 0; i < count; i++)
        there[i] = !x->errors[i];
    xenforeignmemory_unmap(x->fmem, pages, count);
    return 0;
}

/*
 * A look at a page that is to be populated on demand populates it, from what
 * Xen keeps for the guest. Until its balloon driver has come to its first
 * target that is less than what may be asked for, and where nothing is left
 * Xen ends the guest. From then on there is a page for each, and stays.
 */
static int check_guest(xc_interface *xch, uint32_t domid, struct lxe_err *err)
{
    uint64_t pages, cached, entries;
    xc_domaininfo_t info;
    int rc = domain_info(xch, domid, &info, err);

    if (rc)
        return rc;
    if (!(info.flags & XEN_DOMINF_hvm_guest))
        return lxe_fail(err, -EOPNOTSUPP, "domain %" PRIu32 " is a PV guest, "
                        "whose pages cannot be sampled", domid);
    if (!xc_domain_get_pod_target(xch, domid, &pages, &cached, &entries) &&
        entries > cached)
        return lxe_fail(err, -EAGAIN, "domain %" PRIu32 " has %" PRIu64
                        " pages that are populated on demand, and memory for"
                        " %" PRIu64 " of them; wait until its balloon driver"
                        " has come to its target", domid, entries, cached);
    return 0;
}

static int prepare(struct xen_sample *x, size_t want, uint64_t seed,
                   struct lxe_err *err)
{
    size_t room = want > LXE_PAGE_ASK ? want : LXE_PAGE_ASK;
    struct lxe_page_sample *s = &x->sample;
    xen_pfn_t top;
    int rc;

    x->pfns = calloc(room, sizeof(*x->pfns));
    x->errors = calloc(room, sizeof(*x->errors));
    if (!x->pfns || !x->errors)
        return lxe_fail(err, -ENOMEM, "no memory for a sample of pages");
    x->fmem = xenforeignmemory_open(lxe_logger(), 0);
    if (!x->fmem)
        return lxe_fail(err, -ENODEV, "cannot map guests' memory: %s; is "
                        "xen-privcmd loaded?", strerror(errno));
    if (xc_domain_maximum_gpfn(x->xch, x->domid, &top) < 0)
        return lxe_fail(err, errno == ESRCH ? -ESRCH : -EIO, "cannot ask Xen "
                        "for the size of domain %" PRIu32 ": %s", x->domid,
                        strerror(errno));
    s->span = top + 1;
    rc = lxe_page_sample_choose(s->span, want, &seed, ask, x, s->gfns,
                                &s->count, err);
    if (!rc && !s->count)
        rc = lxe_fail(err, -ENODATA, "domain %" PRIu32 " has no pages to look "
                      "at", x->domid);
    return rc;
}

int lxe_page_sample_open_xen(void *xch, uint32_t domid, size_t want,
                             uint64_t seed, struct lxe_page_sample **out,
                             struct lxe_err *err)
{
    struct xen_sample *x;
    int rc = check_guest(xch, domid, err);

    if (rc)
        return rc;
    x = lxe_page_sample_alloc(sizeof(*x), want);
    if (!x)
        return lxe_fail(err, -ENOMEM, "no memory for a sample of pages");
    x->sample.ops = &xen_sample_ops;
    x->xch = xch;
    x->domid = domid;
    rc = prepare(x, want, seed, err);
    if (rc)
        close_sample(&x->sample);
    else
        *out = &x->sample;
    return rc;
}
