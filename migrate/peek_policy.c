/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peek_policy.h"

#include "base/clock.h"

#define MIN_BASE_NS (50 * LXE_NS_PER_MS)
#define BIG_PAGES   (UINT64_C(1) << 24) /* 64 GiB */
#define COST_SHARE  20 /* a PEEK may take 1/20 of the time to the next */

void mig_peek_init(struct mig_peek_policy *p, uint64_t log_pages)
{
    uint64_t pages = log_pages < BIG_PAGES ? log_pages : BIG_PAGES;

    *p = (struct mig_peek_policy){
        .base_ns = MIN_BASE_NS + MIN_BASE_NS * pages / BIG_PAGES,
        .backoff = 1,
    };
}

/* What one has brought is known when the next is due, or the round is over. */
static void judge(struct mig_peek_policy *p)
{
    if (!p->open)
        return;
    p->open = false;
    if (p->saved_ns > 2 * p->cost_ns)
        p->backoff = 1;
    else if (p->backoff < MIG_PEEK_MAX_BACKOFF)
        p->backoff *= 2;
}

void mig_peek_round(struct mig_peek_policy *p, uint64_t now_ns)
{
    judge(p);
    p->round_ns = now_ns;
}

bool mig_peek_due(struct mig_peek_policy *p, uint64_t now_ns)
{
    uint64_t before = p->backoff;

    if (now_ns < p->next_ns)
        return false;
    judge(p);
    if (p->backoff <= before)
        return true;
    /* It did not pay: what was left of a longer interval is still to wait. */
    p->next_ns += (p->backoff - before) * p->base_ns;
    return now_ns >= p->next_ns;
}

void mig_peek_done(struct mig_peek_policy *p, uint64_t now_ns,
                   uint64_t took_ns)
{
    uint64_t interval_ns = p->backoff * p->base_ns;

    if (interval_ns < COST_SHARE * took_ns)
        interval_ns = COST_SHARE * took_ns;
    p->next_ns = now_ns + took_ns + interval_ns;
    p->open = now_ns >= p->round_ns + p->base_ns;
    p->cost_ns = took_ns;
    p->saved_ns = 0;
}

void mig_peek_saved(struct mig_peek_policy *p, uint64_t saved_ns)
{
    p->saved_ns += saved_ns;
}
