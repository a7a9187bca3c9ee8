/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "fx_guest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xenctrl.h>
#include <xen/hvm/params.h>

#include "unit.h"

#define SPECIAL_PAGES 8
#define BURST         64      /* pages written before the guest may be paused */
#define TICK_US       500
#define BACKLOG_NS    20000000 /* what a guest that stood still catches up */

uint64_t fx_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void fx_sleep_us(uint64_t us)
{
    struct timespec t = { (time_t)(us / 1000000),
                          (long)(us % 1000000) * 1000 };

    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

/* ---- making them ---- */

static struct fx_domain *free_place(uint32_t domid)
{
    struct fx_world *w = fx_world();

    for (unsigned i = 0; i < FX_DOMAINS; i++)
        if (!w->domains[i].domid) {
            w->domains[i].domid = domid;
            return &w->domains[i];
        }
    fprintf(stderr, "fakexen: the world is full\n");
    abort();
}

static void fill_page(struct fx_domain *d, uint64_t gfn, uint64_t *seed)
{
    uint64_t words[4];

    fx_populate(d, gfn);
    for (unsigned i = 0; i < 4; i++)
        words[i] = unit_random(seed);
    words[0] = gfn;
    for (unsigned at = 0; at < FX_PAGE; at += sizeof(words))
        memcpy(fx_page(d, gfn) + at, words, sizeof(words));
}

static void fill_memory(struct fx_domain *d, const struct fx_guest_config *c,
                        uint64_t *seed)
{
    bool hole = false;

    for (uint64_t gfn = 0; gfn < c->ram_pages; gfn++) {
        /* Holes come in runs of various lengths. */
        if (!(gfn % 16))
            hole = unit_below(seed, 100) < c->hole_percent;
        if (!hole || gfn == 0)
            fill_page(d, gfn, seed);
    }
    for (unsigned i = 0; i < SPECIAL_PAGES; i++)
        fill_page(d, d->top_gfn - i, seed);
}

static void set_params(struct fx_domain *d)
{
    d->params[HVM_PARAM_STORE_PFN] = d->top_gfn - 2;
    d->params[HVM_PARAM_CONSOLE_PFN] = d->top_gfn - 1;
    d->params[HVM_PARAM_IOREQ_PFN] = d->top_gfn - 4;
    d->params[HVM_PARAM_BUFIOREQ_PFN] = d->top_gfn - 5;
    d->params[HVM_PARAM_IDENT_PT] = (uint64_t)(d->top_gfn - 3) << 12;
    d->params[HVM_PARAM_NR_IOREQ_SERVER_PAGES] = 0;
    /* It has drivers of its own, so a resume has a return code to set. */
    d->params[HVM_PARAM_CALLBACK_IRQ] = UINT64_C(2) << 56 | 0xf3;
}

/* A policy that libxenguest takes in and gives out again. */
static void set_policy(struct fx_domain *d)
{
    xen_cpuid_leaf_t leaves[] = {
        { .leaf = 0, .subleaf = XEN_CPUID_NO_SUBLEAF, .a = 1,
          .b = 0x756e6547, .c = 0x6c65746e, .d = 0x49656e69 },
        { .leaf = 1, .subleaf = XEN_CPUID_NO_SUBLEAF, .a = 0x306f2 },
    };
    xen_msr_entry_t msrs[] = { { .idx = 0xce } };

    memcpy(d->leaves, leaves, sizeof(leaves));
    memcpy(d->msrs, msrs, sizeof(msrs));
    d->leaf_count = 2;
    d->msr_count = 1;
}

struct fx_domain *fx_guest_create(const struct fx_guest_config *config)
{
    struct fx_domain *d = free_place(config->domid);
    uint64_t seed = config->seed;

    d->top_gfn = config->top_gfn ? config->top_gfn : FX_GFNS - 1;
    d->restless_pages = config->restless_pages;
    d->sent_percent = config->sent_percent;
    fill_memory(d, config, &seed);
    set_params(d);
    set_policy(d);
    d->tsc_mode = 1;
    d->tsc_khz = 2400000;
    d->tsc_nsec = unit_random(&seed);
    d->tsc_incarnation = 1;
    for (unsigned i = 0; i < FX_CONTEXT; i++)
        d->context[i] = (uint8_t)unit_random(&seed);
    return d;
}

struct fx_domain *fx_target_create(uint32_t domid, bool garbage)
{
    struct fx_domain *d = free_place(domid);

    d->garbage = garbage;
    return d;
}

/* ---- writers ---- */

struct fx_writer {
    struct fx_domain *d;
    struct fx_writer_config config;
    pthread_t thread;
    atomic_bool stop;
    atomic_ulong count;
    uint64_t next; /* of a sweep */
};

/* The first write since the page was cleaned faults, and marks it dirty
 * before it goes on. */
static void write_page(struct fx_writer *w)
{
    struct fx_domain *d = w->d;
    uint64_t r = unit_random(&w->config.seed);
    uint64_t at = w->config.sweep ? w->next++ : r >> 16;
    uint64_t gfn = w->config.first + at % w->config.pages;
    uint64_t bit = UINT64_C(1) << (gfn % 64);
    uint64_t count = atomic_fetch_add(&w->count, 1);
    uint8_t *page = fx_page(d, gfn);

    if (!fx_present(d, gfn))
        return;
    if (atomic_load(&d->log_dirty) &&
        !(atomic_fetch_or(&d->dirty[gfn / 64], bit) & bit))
        atomic_fetch_add(&d->dirty_count, 1);
    memcpy(page + r % (FX_PAGE / 8) * 8, &r, sizeof(r));
    memcpy(page + 8, &count, sizeof(count));
}

static bool runs(const struct fx_domain *d)
{
    return !atomic_load(&d->suspended) && !atomic_load(&d->pauses);
}

static void write_burst(struct fx_writer *w, uint64_t pages)
{
    while (pages && !atomic_load(&w->stop)) {
        unsigned n = pages < BURST ? (unsigned)pages : BURST;

        fx_lock(&w->d->run_lock);
        if (!runs(w->d)) {
            fx_unlock(&w->d->run_lock);
            return;
        }
        for (unsigned i = 0; i < n; i++)
            write_page(w);
        fx_unlock(&w->d->run_lock);
        pages -= n;
    }
}

/* Of a processor that it gets just now. */
static double share_of_cpu(const struct fx_domain *d)
{
    unsigned cap = atomic_load(&d->cap_percent);
    double share = cap && cap < 100 ? cap / 100.0 : 1;

    if (d->sent_percent && atomic_load(&d->log_dirty))
        share *= d->sent_percent / 100.0;
    return share;
}

static void *writer_main(void *data)
{
    struct fx_writer *w = data;
    uint64_t last_ns = fx_now_ns();
    double due = 0;

    while (!atomic_load(&w->stop)) {
        uint64_t now_ns = fx_now_ns(), span_ns = now_ns - last_ns;
        double share = share_of_cpu(w->d);

        last_ns = now_ns;
        if (span_ns > BACKLOG_NS)
            span_ns = BACKLOG_NS;
        due += w->config.pages_per_s * share * (double)span_ns / 1e9;
        if (runs(w->d)) {
            atomic_fetch_add(&w->d->cpu_ns,
                             (uint64_t)(share * (double)span_ns));
            write_burst(w, (uint64_t)due);
        }
        due -= (double)(uint64_t)due;
        fx_sleep_us(TICK_US);
    }
    return NULL;
}

struct fx_writer *fx_writer_start(struct fx_domain *d,
                                  const struct fx_writer_config *config)
{
    struct fx_writer *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->d = d;
    w->config = *config;
    if (pthread_create(&w->thread, NULL, writer_main, w))
        abort();
    return w;
}

uint64_t fx_writer_count(const struct fx_writer *w)
{
    return atomic_load(&w->count);
}

void fx_writer_stop(struct fx_writer *w)
{
    if (!w)
        return;
    atomic_store(&w->stop, true);
    pthread_join(w->thread, NULL);
    free(w);
}

/* ---- comparing ---- */

/* The restorer clears these four. */
static bool cleared(const struct fx_domain *d, uint64_t gfn)
{
    return gfn == d->params[HVM_PARAM_STORE_PFN] ||
           gfn == d->params[HVM_PARAM_CONSOLE_PFN] ||
           gfn == d->params[HVM_PARAM_IOREQ_PFN] ||
           gfn == d->params[HVM_PARAM_BUFIOREQ_PFN];
}

static bool same_state(const struct fx_domain *a, const struct fx_domain *b)
{
    static const unsigned params[] = {
        HVM_PARAM_STORE_PFN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_IOREQ_PFN,
        HVM_PARAM_BUFIOREQ_PFN, HVM_PARAM_IDENT_PT,
    };

    for (unsigned i = 0; i < sizeof(params) / sizeof(params[0]); i++)
        if (a->params[params[i]] != b->params[params[i]])
            return false;
    return a->tsc_mode == b->tsc_mode && a->tsc_khz == b->tsc_khz &&
           a->tsc_nsec == b->tsc_nsec &&
           a->tsc_incarnation == b->tsc_incarnation &&
           !memcmp(a->context, b->context, FX_CONTEXT) &&
           a->leaf_count && b->leaf_count;
}

static const char *page_differs(const struct fx_domain *a,
                                const struct fx_domain *b, uint64_t gfn)
{
    if (fx_present(a, gfn) != fx_present(b, gfn))
        return fx_present(a, gfn) ? "was not populated"
                                  : "was populated, and is a hole";
    if (fx_present(a, gfn) && !cleared(a, gfn) &&
        memcmp(fx_page(a, gfn), fx_page(b, gfn), FX_PAGE))
        return "differs";
    return NULL;
}

unsigned fx_compare(const struct fx_domain *a, const struct fx_domain *b,
                    char *text, size_t size)
{
    unsigned differences = 0;

    if (!same_state(a, b)) {
        snprintf(text, size, "the state beside the memory differs");
        differences++;
    }
    for (uint64_t gfn = 0; gfn < FX_GFNS; gfn++) {
        const char *how;

        if (!atomic_load_explicit(&a->present[gfn / 64],
                                  memory_order_relaxed) &&
            !atomic_load_explicit(&b->present[gfn / 64],
                                  memory_order_relaxed)) {
            gfn |= 63;
            continue;
        }
        how = page_differs(a, b, gfn);
        if (how && !differences++)
            snprintf(text, size, "gfn 0x%llx %s", (unsigned long long)gfn,
                     how);
    }
    return differences;
}

/* ---- the toolstack's hand ---- */

void fx_suspend(struct fx_domain *d)
{
    fx_lock(&d->run_lock);
    atomic_store(&d->suspended, true);
    fx_unlock(&d->run_lock);
}

void fx_resume(struct fx_domain *d)
{
    atomic_store(&d->suspended, false);
}
