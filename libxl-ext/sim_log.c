/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log-dirty sessions on a simulated host. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/units.h"
#include "sim_host.h"

/* ---- the mode ---- */

/* One page of bitmap for 128 MiB, one of split tables for 2 MiB. */
static uint64_t pool_need_kib(const struct lxe_sim_guest_def *def)
{
    uint64_t mib = def->static_max_kib / 1024;

    return LXE_KIB_PER_PAGE * (mib / 128 + 1 + mib / 2 + 1);
}

static int check_device(const struct lxe_sim_guest *g, struct lxe_err *err)
{
    return g->def->passthrough
               ? lxe_fail(err, -EINVAL, "domain %u has a PCI device of its"
                          " own, and Xen logs no dirty pages then", g->domid)
               : 0;
}

int lxe_sim_check_devices(struct lxe_host *host, uint32_t domid,
                          struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_CHECK_DEVICES, domid, &g,
                                  err);

    if (rc)
        return rc;
    rc = check_device(g, err);
    lxe_sim_end(sim);
    return rc;
}

int lxe_sim_log_on(struct lxe_sim *sim, struct lxe_sim_guest *g,
                   struct lxe_err *err)
{
    const struct lxe_sim_guest_def *def = g->def;

    if (!g->domid)
        return lxe_fail(err, -EINVAL, "dom0 cannot log its writes");
    if (check_device(g, err))
        return -EINVAL;
    if (g->pages)
        return lxe_fail(err, -EBUSY, "domain %u logs its writes already",
                        g->domid);
    if (def->paging_pool_kib < pool_need_kib(def))
        return lxe_fail(err, -ENOMEM,
                        "domain %u: its paging pool has %llu KiB and needs "
                        "%llu; raise shadow_memory", g->domid,
                        (unsigned long long)def->paging_pool_kib,
                        (unsigned long long)pool_need_kib(def));
    g->pages = lxe_sim_pages_new(&def->writes,
                                 def->static_max_kib / LXE_KIB_PER_PAGE,
                                 sim->scenario->seed + g->domid);
    return g->pages ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
}

void lxe_sim_log_off(struct lxe_sim_guest *g)
{
    lxe_sim_pages_free(g->pages);
    g->pages = NULL;
}

uint64_t lxe_sim_log_count(struct lxe_sim_guest *g)
{
    lxe_sim_pages_flush(g->pages, g->given_kib / LXE_KIB_PER_PAGE);
    return lxe_bitmap_count(g->pages->dirty, g->pages->pages);
}

static size_t bitmap_bytes(uint64_t pages)
{
    return lxe_bitmap_words(pages) * sizeof(uint64_t);
}

uint64_t lxe_sim_log_clean(struct lxe_sim_guest *g)
{
    uint64_t count = lxe_sim_log_count(g);

    memset(g->pages->dirty, 0, bitmap_bytes(g->pages->pages));
    return count;
}

/* ---- a session ---- */

static struct lxe_sim_log *log_of(struct lxe_dirty_log *log)
{
    return (struct lxe_sim_log *)log;
}

static int log_peek_count(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                          struct lxe_err *err)
{
    struct lxe_sim_log *l = log_of(log);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(l->sim, LXE_SIM_OP_DIRTY_PEEK_COUNT,
                                  l->domid, &g, err);

    if (rc)
        return rc;
    *dirty_pages = lxe_sim_log_count(g);
    lxe_sim_end(l->sim);
    return 0;
}

static int log_peek(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                    struct lxe_err *err)
{
    struct lxe_sim_log *l = log_of(log);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(l->sim, LXE_SIM_OP_DIRTY_PEEK, l->domid,
                                  &g, err);

    if (rc)
        return rc;
    *dirty_pages = lxe_sim_log_count(g);
    memcpy(log->bitmap, g->pages->dirty, bitmap_bytes(log->pages));
    lxe_sim_end(l->sim);
    return 0;
}

static int log_clean(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                     struct lxe_err *err)
{
    struct lxe_sim_log *l = log_of(log);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(l->sim, LXE_SIM_OP_DIRTY_CLEAN, l->domid,
                                  &g, err);

    if (rc)
        return rc;
    lxe_sim_log_count(g);
    memcpy(log->bitmap, g->pages->dirty, bitmap_bytes(log->pages));
    *dirty_pages = lxe_sim_log_clean(g);
    lxe_sim_end(l->sim);
    return 0;
}

/* The domain may have gone, or be dying: then the mode went with it. */
static void log_close(struct lxe_dirty_log *log)
{
    struct lxe_sim_log *l = log_of(log), **at = &l->sim->logs;
    struct lxe_sim_guest *g;

    pthread_mutex_lock(&l->sim->lock);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    g = lxe_sim_world_find(&l->sim->world, l->domid);
    if (g)
        lxe_sim_log_off(g);
    lxe_sim_end(l->sim);
    free(log->bitmap);
    free(l);
}

static const struct lxe_dirty_log_ops log_ops = {
    .peek_count = log_peek_count,
    .peek = log_peek,
    .clean = log_clean,
    .close = log_close,
};

static struct lxe_sim_log *log_new(struct lxe_sim *sim, uint32_t domid,
                                   uint64_t pages)
{
    struct lxe_sim_log *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->base.ops = &log_ops;
    l->base.pages = pages;
    l->base.bitmap = calloc(1, bitmap_bytes(pages));
    if (!l->base.bitmap) {
        free(l);
        return NULL;
    }
    l->sim = sim;
    l->domid = domid;
    return l;
}

int lxe_sim_log_open(struct lxe_host *host, uint32_t domid,
                     struct lxe_dirty_log **out, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    struct lxe_sim_log *l = NULL;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_DIRTY_LOG_OPEN, domid, &g,
                                  err);

    if (rc)
        return rc;
    rc = lxe_sim_log_on(sim, g, err);
    if (!rc) {
        l = log_new(sim, domid, g->pages->pages);
        if (!l) {
            lxe_sim_log_off(g);
            rc = lxe_fail(err, -ENOMEM, "out of memory");
        }
    }
    if (l) {
        l->next = sim->logs;
        sim->logs = l;
        *out = &l->base;
    }
    lxe_sim_end(sim);
    return rc;
}
