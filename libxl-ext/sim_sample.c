/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Samples of pages on a simulated host. A page's hash counts its writes. Its
 * content is nothing in one half of memory, by turns of 16 MiB, and else two
 * thirds random.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/units.h"
#include "page_sample.h"
#include "sim_host.h"
#include "sim_random.h"

struct sim_sample {
    struct lxe_page_sample base; /* first */
    struct lxe_sim *sim;
    uint32_t domid;
};

static uint64_t present_pages(const struct lxe_sim_guest *g)
{
    return g->given_kib / LXE_KIB_PER_PAGE;
}

static void look_at(struct lxe_page_sample *s, struct lxe_sim_guest *g)
{
    struct lxe_sim_pages *p = g->sampled;

    lxe_sim_pages_flush(p, present_pages(g));
    for (size_t i = 0; i < s->count; i++) {
        s->there[i] = s->gfns[i] < present_pages(g);
        s->hashes[i] += lxe_bitmap_test(p->dirty, s->gfns[i]);
    }
    memset(p->dirty, 0, lxe_bitmap_words(p->pages) * sizeof(uint64_t));
}

static int look(struct lxe_page_sample *s, struct lxe_err *err)
{
    struct sim_sample *x = (struct sim_sample *)s;
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(x->sim, LXE_SIM_OP_PAGE_SAMPLE_LOOK,
                                  x->domid, &g, err);

    if (rc)
        return rc;
    look_at(s, g);
    lxe_sim_end(x->sim);
    return 0;
}

#define RANDOM_WORDS (LXE_PAGE_SIZE / sizeof(uint64_t) * 2 / 3)
#define TURN_PAGES   4096

static int show(const struct lxe_page_sample *s, size_t i,
                lxe_page_visit_fn *each, void *data)
{
    uint64_t page[LXE_PAGE_SIZE / sizeof(uint64_t)] = { 0 };
    uint64_t seed = s->gfns[i];

    for (size_t k = 0; k < RANDOM_WORDS && s->gfns[i] / TURN_PAGES % 2; k++)
        page[k] = lxe_sim_random(&seed);
    return each(data, i, page);
}

static int visit(struct lxe_page_sample *s, lxe_page_visit_fn *each,
                 void *data, struct lxe_err *err)
{
    struct sim_sample *x = (struct sim_sample *)s;
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(x->sim, LXE_SIM_OP_PAGE_SAMPLE_LOOK,
                                  x->domid, &g, err);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < s->count; i++) {
        s->there[i] = s->gfns[i] < present_pages(g);
        if (s->there[i])
            rc = show(s, i, each, data);
    }
    lxe_sim_end(x->sim);
    return rc;
}

static void close_sample(struct lxe_page_sample *s)
{
    struct sim_sample *x = (struct sim_sample *)s;
    struct lxe_sim_guest *g;

    pthread_mutex_lock(&x->sim->lock);
    g = lxe_sim_world_find(&x->sim->world, x->domid);
    if (g) {
        lxe_sim_pages_free(g->sampled);
        g->sampled = NULL;
    }
    lxe_sim_end(x->sim);
    lxe_page_sample_free(s);
}

static const struct lxe_page_sample_ops sim_sample_ops = {
    .look = look,
    .visit = visit,
    .close = close_sample,
};

static int ask(void *data, const uint64_t *gfns, size_t count, bool *there,
               struct lxe_err *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++)
        there[i] = gfns[i] < present_pages(data);
    return 0;
}

/* The seed is that of log-dirty mode: both see the same hot set. */
static int watch(struct lxe_sim *sim, struct lxe_sim_guest *g,
                 struct lxe_err *err)
{
    if (g->sampled)
        return lxe_fail(err, -EBUSY, "domain %u is being sampled already",
                        g->domid);
    g->sampled = lxe_sim_pages_new(&g->def->writes,
                                   g->def->static_max_kib / LXE_KIB_PER_PAGE,
                                   sim->scenario->seed + g->domid);
    return g->sampled ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
}

static int open_on(struct lxe_sim *sim, struct lxe_sim_guest *g, size_t want,
                   uint64_t seed, struct lxe_page_sample **out,
                   struct lxe_err *err)
{
    struct sim_sample *x;
    int rc = watch(sim, g, err);

    if (rc)
        return rc;
    x = lxe_page_sample_alloc(sizeof(*x), want);
    if (!x) {
        lxe_sim_pages_free(g->sampled);
        g->sampled = NULL;
        return lxe_fail(err, -ENOMEM, "out of memory");
    }
    x->base.ops = &sim_sample_ops;
    x->base.span = g->sampled->pages;
    x->sim = sim;
    x->domid = g->domid;
    lxe_page_sample_choose(x->base.span, want, &seed, ask, g, x->base.gfns,
                           &x->base.count, NULL);
    *out = &x->base;
    return 0;
}

int lxe_sim_sample_open(struct lxe_host *host, uint32_t domid, size_t want,
                        uint64_t seed, struct lxe_page_sample **out,
                        struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_PAGE_SAMPLE_OPEN, domid, &g,
                                  err);

    if (rc)
        return rc;
    rc = open_on(sim, g, want, seed, out, err);
    lxe_sim_end(sim);
    return rc;
}
