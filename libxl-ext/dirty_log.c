/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A log-dirty session by libxenctrl. */
#include "dirty_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "save_procs.h"
#include "xen_compat.h"

struct xen_log {
    struct lxe_dirty_log log; /* first */
    xc_interface *xch;
    uint32_t domid;
    bool ours;                    /* we turned it on, so we turn it off */
    struct xen_log *next;         /* in `sessions`, where it is ours */
    xc_hypercall_buffer_t buffer; /* holds the bitmap */
    int buffer_pages;
};

/* Those that have to be turned off; opened and closed by one thread. */
static struct xen_log *sessions;

static struct xen_log *xen_log(struct lxe_dirty_log *log)
{
    return (struct xen_log *)log;
}

static int op_failed(const struct xen_log *x, const char *op, int code,
                     struct lxe_err *err)
{
    switch (code) {
    case EBUSY:
        return lxe_fail(err, -EBUSY, "log-dirty %s of domain %" PRIu32 ": "
                        "another one is under way", op, x->domid);
    case ESRCH:
        return lxe_fail(err, -ESRCH, "domain %" PRIu32 " is gone", x->domid);
    case ENOMEM:
        return lxe_fail(err, -ENOMEM, "log-dirty %s of domain %" PRIu32 ": "
                        "its shadow pool is too small; raise shadow_memory in "
                        "its configuration", op, x->domid);
    case EOPNOTSUPP:
        return lxe_fail(err, -EOPNOTSUPP, "what domain %" PRIu32 " writes "
                        "cannot be logged: it is a PV guest, and the Xen of "
                        "this host was built without shadow paging", x->domid);
    default:
        return lxe_fail(err, -code, "log-dirty %s of domain %" PRIu32 ": %s",
                        op, x->domid, strerror(code));
    }
}

/* Without a bitmap Xen fills in its counters only, and is never preempted. */
static int peek_count(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                      struct lxe_err *err)
{
    struct xen_log *x = xen_log(log);
    xc_shadow_op_stats_t stats = { 0 };

    if (xc_logdirty_control(x->xch, x->domid, XEN_DOMCTL_SHADOW_OP_PEEK, NULL,
                            0, 0, &stats) < 0)
        return op_failed(x, "count", errno, err);
    *dirty_pages = stats.dirty_count;
    return 0;
}

static int read_bitmap(struct xen_log *x, unsigned op, const char *name,
                       uint64_t *dirty_pages, struct lxe_err *err)
{
    long long got = xc_logdirty_control(x->xch, x->domid, op, &x->buffer,
                                        x->log.pages, 0, NULL);

    if (got < 0)
        return op_failed(x, name, errno, err);
    if ((uint64_t)got != x->log.pages)
        return lxe_fail(err, -EIO, "log-dirty %s of domain %" PRIu32 ": Xen "
                        "gave %lld of %" PRIu64 " bits", name, x->domid, got,
                        x->log.pages);
    *dirty_pages = lxe_bitmap_count(x->log.bitmap, x->log.pages);
    return 0;
}

static int peek(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                struct lxe_err *err)
{
    return read_bitmap(xen_log(log), XEN_DOMCTL_SHADOW_OP_PEEK, "peek",
                       dirty_pages, err);
}

static int save_began(uint32_t domid, struct lxe_err *err)
{
    return lxe_fail(err, -EBUSY, "domain %" PRIu32 " is being saved or "
                    "migrated, and what it writes is logged for that; wait "
                    "until it is done", domid);
}

static int clean(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                 struct lxe_err *err)
{
    if (!xen_log(log)->ours)
        return lxe_fail(err, -EPERM, "log-dirty clean of domain %" PRIu32 ": "
                        "the bits belong to who turned it on",
                        xen_log(log)->domid);
    if (lxe_save_is_running(xen_log(log)->domid))
        return save_began(xen_log(log)->domid, err);
    return read_bitmap(xen_log(log), XEN_DOMCTL_SHADOW_OP_CLEAN, "clean",
                       dirty_pages, err);
}

static int turn(const struct xen_log *x, unsigned op)
{
    return xc_shadow_control(x->xch, x->domid, op, NULL, 0);
}

static void release(struct xen_log *x)
{
    if (x->log.bitmap)
        xc__hypercall_buffer_free_pages(x->xch, &x->buffer, x->buffer_pages);
    free(x);
}

#define SAVE_SETTLES_NS (5 * LXE_NS_PER_SEC)

/*
 * Whether a save has taken the mode over: libxc turns it off and on again as
 * it begins, and off at its end. One that has just begun may still fail before
 * that, so it is given time to.
 */
static bool left_to_a_save(const struct xen_log *x)
{
    uint64_t end_ns = lxe_now_ns() + SAVE_SETTLES_NS;

    while (lxe_save_is_running(x->domid)) {
        if (lxe_now_ns() >= end_ns)
            return true;
        lxe_sleep_ns(50 * LXE_NS_PER_MS);
    }
    return false;
}

static void close_log(struct lxe_dirty_log *log)
{
    struct xen_log *x = xen_log(log);
    struct xen_log **at = &sessions;

    if (!log)
        return;
    while (*at && *at != x)
        at = &(*at)->next;
    if (*at)
        *at = x->next;
    if (x->ours && !left_to_a_save(x) &&
        turn(x, XEN_DOMCTL_SHADOW_OP_OFF) && errno != ESRCH)
        lxe_error("cannot turn log-dirty mode of domain %" PRIu32 " off: %s",
                  x->domid, strerror(errno));
    release(x);
}

static const struct lxe_dirty_log_ops xen_log_ops = {
    .peek_count = peek_count,
    .peek = peek,
    .clean = clean,
    .close = close_log,
};

/*
 * The bitmap is as long as the guest's address space is now. As in libxc,
 * which asks once as well: memory does not appear beyond it meanwhile.
 */
static int allocate(xc_interface *xch, uint32_t domid, struct xen_log **out,
                    struct lxe_err *err)
{
    struct xen_log *x;
    xen_pfn_t top;
    size_t bytes;

    if (xc_domain_maximum_gpfn(xch, domid, &top) < 0)
        return lxe_fail(err, errno == ESRCH ? -ESRCH : -EIO, "cannot ask Xen "
                        "for the size of domain %" PRIu32 ": %s", domid,
                        strerror(errno));
    x = calloc(1, sizeof(*x));
    if (!x)
        return lxe_fail(err, -ENOMEM, "no memory for a log-dirty session");
    x->log.ops = &xen_log_ops;
    x->log.pages = top + 1;
    x->xch = xch;
    x->domid = domid;
    bytes = lxe_bitmap_words(x->log.pages) * sizeof(uint64_t);
    x->buffer_pages = (int)((bytes + LXE_PAGE_SIZE - 1) / LXE_PAGE_SIZE);
    x->log.bitmap = xc__hypercall_buffer_alloc_pages(xch, &x->buffer,
                                                     x->buffer_pages);
    if (!x->log.bitmap) {
        release(x);
        return lxe_fail(err, -ENOMEM, "no memory for a dirty bitmap of %zu "
                        "bytes", bytes);
    }
    memset(x->log.bitmap, 0, (size_t)x->buffer_pages * LXE_PAGE_SIZE);
    *out = x;
    return 0;
}

int lxe_dirty_log_attach(void *xch, uint32_t domid,
                         struct lxe_dirty_log **out, struct lxe_err *err)
{
    struct xen_log *x;
    int rc = allocate(xch, domid, &x, err);

    if (!rc)
        *out = &x->log;
    return rc;
}

/*
 * Xen takes a page per 128 MiB for the bitmap and one per 2 MiB for the split
 * tables out of the domain's pool, and where that is empty it fails a later
 * peek or clean, when bits are lost already: so look first. Xen tells the
 * pool's size for guests with hardware-assisted paging only; for others there
 * is nothing to check.
 */
static int check_pool(xc_interface *xch, uint32_t domid, struct lxe_err *err)
{
    uint64_t pool_bytes, need_bytes, ram_kib;
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(xch, domid, 1, &info) != 1 ||
        info.domain != domid)
        return lxe_fail(err, -ESRCH, "there is no domain %" PRIu32, domid);
    if (xc_get_paging_mempool_size(xch, domid, &pool_bytes))
        return 0;
    ram_kib = info.tot_pages * LXE_KIB_PER_PAGE;
    need_bytes = (ram_kib / (128 * 1024) + ram_kib / 2048 + 2) * LXE_PAGE_SIZE;
    if (pool_bytes < need_bytes)
        return lxe_fail(err, -ENOMEM, "the shadow pool of domain %" PRIu32
                        " has %" PRIu64 " KiB, and log-dirty mode takes %"
                        PRIu64 "; raise shadow_memory in its configuration",
                        domid, pool_bytes / 1024, need_bytes / 1024);
    return 0;
}

int lxe_dirty_log_open_xen(void *xch, uint32_t domid,
                           struct lxe_dirty_log **out, struct lxe_err *err)
{
    struct xen_log *x;
    int rc = lxe_save_is_running(domid) ? save_began(domid, err)
                                        : check_pool(xch, domid, err);

    if (!rc)
        rc = allocate(xch, domid, &x, err);
    if (rc)
        return rc;
    if (turn(x, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY)) {
        /* Xen says EINVAL for both: it is on, or a device is passed through.
         * The host has looked for devices before. */
        rc = errno == EINVAL
                 ? lxe_fail(err, -EBUSY, "log-dirty mode of domain %" PRIu32
                            " is on already (a migration?), or a device is "
                            "passed through to it", domid)
                 : op_failed(x, "enable", errno, err);
        release(x);
        return rc;
    }
    x->ours = true;
    x->next = sessions;
    sessions = x;
    *out = &x->log;
    return 0;
}

void lxe_dirty_log_end_all(void *xch)
{
    struct xen_log *x = sessions;

    while (x) {
        struct xen_log *next = x->next;

        if (x->xch == xch)
            close_log(&x->log);
        x = next;
    }
}
