/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hot_pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define MIN_INTERVAL_NS (50 * LXE_NS_PER_MS)
#define COST_SHARE      20 /* a PEEK may take 1/20 of the time to the next */
#define TRIAL_PEEKS     10 /* after so many a round knows whether they pay */

struct mig_hot_pages {
    pthread_mutex_t lock;
    struct lxe_dirty_log *log;
    bool held;
    bool fresh; /* the bitmap was fetched in this round */
    uint64_t next_peek_ns;
    uint64_t round_peeks, round_peek_ns, round_saved_ns;
    struct mig_hot_stats stats;
};

int mig_hot_open(struct lxe_dirty_log *log, struct mig_hot_pages **out,
                 struct lxe_err *err)
{
    struct mig_hot_pages *hot = calloc(1, sizeof(*hot));

    *out = hot;
    if (!hot)
        return lxe_fail(err, -ENOMEM, "out of memory");
    pthread_mutex_init(&hot->lock, NULL);
    hot->log = log;
    hot->held = true;
    return 0;
}

void mig_hot_close(struct mig_hot_pages *hot)
{
    if (!hot)
        return;
    hot->log->ops->close(hot->log);
    pthread_mutex_destroy(&hot->lock);
    free(hot);
}

void mig_hot_hold(struct mig_hot_pages *hot)
{
    pthread_mutex_lock(&hot->lock);
    hot->held = true;
    hot->fresh = false;
    pthread_mutex_unlock(&hot->lock);
}

void mig_hot_release(struct mig_hot_pages *hot)
{
    pthread_mutex_lock(&hot->lock);
    hot->held = false;
    hot->fresh = false;
    hot->round_peeks = hot->round_peek_ns = hot->round_saved_ns = 0;
    hot->stats.given_up = false;
    pthread_mutex_unlock(&hot->lock);
}

static int count(struct mig_hot_pages *hot, bool while_held,
                 uint64_t *dirty_pages, struct lxe_err *err)
{
    int rc;

    pthread_mutex_lock(&hot->lock);
    rc = hot->held == while_held
             ? hot->log->ops->peek_count(hot->log, dirty_pages, err)
             : lxe_fail(err, -EBUSY, "the dirty log is in use");
    pthread_mutex_unlock(&hot->lock);
    return rc;
}

int mig_hot_count(struct mig_hot_pages *hot, uint64_t *dirty_pages,
                  struct lxe_err *err)
{
    return count(hot, true, dirty_pages, err);
}

int mig_hot_sample(struct mig_hot_pages *hot, uint64_t *dirty_pages,
                   struct lxe_err *err)
{
    return count(hot, false, dirty_pages, err);
}

/* A failed PEEK costs nothing but its chance: the batch is sent whole. */
static void peek(struct mig_hot_pages *hot, uint64_t now_ns)
{
    struct lxe_err err = { 0 };
    uint64_t dirty, interval_ns, took_ns = lxe_now_ns();
    int rc = hot->log->ops->peek(hot->log, &dirty, &err);

    took_ns = lxe_now_ns() - took_ns;
    hot->fresh = !rc;
    if (rc == -EBUSY)
        hot->stats.busy++;
    else if (rc)
        lxe_debug("%s", err.text);
    hot->stats.peeks++;
    hot->stats.peek_ns += took_ns;
    hot->round_peeks++;
    hot->round_peek_ns += took_ns;
    interval_ns = took_ns * COST_SHARE;
    if (interval_ns < MIN_INTERVAL_NS)
        interval_ns = MIN_INTERVAL_NS;
    hot->next_peek_ns = now_ns + took_ns + interval_ns;
}

const uint64_t *mig_hot_begin(struct mig_hot_pages *hot, uint64_t now_ns,
                              uint64_t *pages)
{
    pthread_mutex_lock(&hot->lock);
    *pages = hot->log->pages;
    if (hot->held)
        return NULL;
    if (now_ns >= hot->next_peek_ns && !hot->stats.given_up)
        peek(hot, now_ns);
    return hot->fresh ? hot->log->bitmap : NULL;
}

void mig_hot_end(struct mig_hot_pages *hot, uint64_t skipped_pages,
                 uint64_t page_ns)
{
    hot->round_saved_ns += skipped_pages * page_ns;
    if (hot->round_peeks >= TRIAL_PEEKS &&
        hot->round_saved_ns < hot->round_peek_ns)
        hot->stats.given_up = true;
    pthread_mutex_unlock(&hot->lock);
}

void mig_hot_stats(struct mig_hot_pages *hot, struct mig_hot_stats *out)
{
    pthread_mutex_lock(&hot->lock);
    *out = hot->stats;
    pthread_mutex_unlock(&hot->lock);
}
