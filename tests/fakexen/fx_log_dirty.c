/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log-dirty mode as Xen's paging code has it under HAP: CLEAN and PEEK pause
 * the guest and go in slices, between which Xen may be preempted; any other
 * operation on the domain is refused meanwhile. A PEEK without a bitmap reads
 * two counters, and no more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "fx_hypercall.h"
#include "fx_world.h"

#define SLICES 4

static void between_slices(void)
{
    uint32_t us = fx_world()->log_us / SLICES;
    struct timespec t = { .tv_sec = us / 1000000,
                          .tv_nsec = us % 1000000 * 1000L };

    if (us)
        nanosleep(&t, NULL);
    else
        sched_yield();
}

/* With run_lock held. */
static void write_again(struct fx_domain *d)
{
    if (atomic_load(&d->suspended) || atomic_load(&d->pauses))
        return;
    for (uint64_t gfn = 0; gfn < d->restless_pages; gfn++) {
        uint64_t bit = UINT64_C(1) << (gfn % 64), word;

        if (!fx_present(d, gfn))
            continue;
        memcpy(&word, fx_page(d, gfn), sizeof(word));
        word++;
        memcpy(fx_page(d, gfn), &word, sizeof(word));
        atomic_fetch_or(&d->dirty[gfn / 64], bit);
        atomic_fetch_add(&d->dirty_count, 1);
    }
}

static uint64_t fetch(struct fx_domain *d, size_t word, bool clean)
{
    return clean ? atomic_exchange(&d->dirty[word], 0)
                 : atomic_load(&d->dirty[word]);
}

static void copy_bitmap(struct fx_domain *d, struct xen_domctl_shadow_op *op,
                        bool clean)
{
    uint8_t *to = op->dirty_bitmap.p;
    uint64_t bits = op->pages < FX_GFNS ? op->pages : FX_GFNS;
    uint64_t slice = bits / 64 / SLICES + 1;

    for (uint64_t done = 0; done < bits; done += 64) {
        uint64_t word = fetch(d, done / 64, clean);
        uint64_t left = (bits - done + 7) / 8;

        memcpy(to + done / 8, &word, left < 8 ? left : 8);
        if (done / 64 % slice == 0)
            between_slices();
    }
    op->pages = bits;
}

static long fetch_log(struct fx_domain *d, struct xen_domctl_shadow_op *op)
{
    bool clean = op->op == XEN_DOMCTL_SHADOW_OP_CLEAN;

    /* A PEEK finds nothing then, but what would a CLEAN be for? */
    if (clean && !atomic_load(&d->log_dirty))
        atomic_fetch_add(&d->stray, 1);
    fx_lock(&d->run_lock);
    op->stats.fault_count = 0;
    op->stats.dirty_count = atomic_load(&d->dirty_count);
    if (op->dirty_bitmap.p)
        copy_bitmap(d, op, clean);
    if (clean) {
        atomic_store(&d->dirty_count, 0);
        write_again(d);
    }
    fx_unlock(&d->run_lock);
    return 0;
}

static long turn_on(struct fx_domain *d)
{
    if (atomic_load(&d->log_dirty))
        return -EINVAL;
    fx_lock(&d->run_lock);
    for (size_t i = 0; i < FX_WORDS; i++)
        atomic_store_explicit(&d->dirty[i], 0, memory_order_relaxed);
    atomic_store(&d->dirty_count, 0);
    atomic_store(&d->log_dirty, true);
    write_again(d);
    fx_unlock(&d->run_lock);
    return 0;
}

static long turn_off(struct fx_domain *d)
{
    fx_lock(&d->run_lock);
    atomic_store(&d->log_dirty, false);
    fx_unlock(&d->run_lock);
    return 0;
}

static enum fx_call call_of(const struct xen_domctl_shadow_op *op)
{
    switch (op->op) {
    case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
        return FX_CALL_LOG_ON;
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return FX_CALL_LOG_OFF;
    case XEN_DOMCTL_SHADOW_OP_PEEK:
        return op->dirty_bitmap.p ? FX_CALL_PEEK : FX_CALL_COUNT;
    case XEN_DOMCTL_SHADOW_OP_CLEAN:
        return op->mode & XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL ? FX_CALL_FINAL
                                                           : FX_CALL_CLEAN;
    default:
        return FX_CALLS;
    }
}

long fx_shadow_op(uint32_t domid, struct xen_domctl_shadow_op *op)
{
    struct fx_domain *d = fx_domain(domid);
    enum fx_call call = call_of(op);
    long rc;

    if (call == FX_CALLS)
        return -ENOSYS;
    if (!fx_trylock(&d->op_lock)) {
        atomic_fetch_add(&d->busy, 1);
        return -EBUSY;
    }
    rc = -fx_called(d, call);
    if (!rc && call == FX_CALL_LOG_ON)
        rc = turn_on(d);
    else if (!rc && call == FX_CALL_LOG_OFF)
        rc = turn_off(d);
    else if (!rc)
        rc = fetch_log(d, op);
    fx_unlock(&d->op_lock);
    return rc;
}
