/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hot_pages.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "peek_policy.h"

struct mig_hot_pages {
    pthread_mutex_t lock;
    struct lxe_dirty_log *log;
    bool held;
    bool fresh; /* the bitmap was fetched in this round */
    struct mig_peek_policy policy;
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
    mig_peek_init(&hot->policy, log->pages);
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

void mig_hot_release(struct mig_hot_pages *hot, uint64_t now_ns)
{
    pthread_mutex_lock(&hot->lock);
    hot->held = false;
    hot->fresh = false;
    mig_peek_round(&hot->policy, now_ns);
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
    uint64_t dirty, took_ns = lxe_now_ns();
    int rc = hot->log->ops->peek(hot->log, &dirty, &err);

    took_ns = lxe_now_ns() - took_ns;
    hot->fresh = !rc;
    if (rc == -EBUSY)
        hot->stats.busy++;
    else if (rc)
        lxe_debug("%s", err.text);
    hot->stats.peeks++;
    hot->stats.peek_ns += took_ns;
    mig_peek_done(&hot->policy, now_ns, took_ns);
}

const uint64_t *mig_hot_begin(struct mig_hot_pages *hot, uint64_t now_ns,
                              uint64_t *pages)
{
    pthread_mutex_lock(&hot->lock);
    *pages = hot->log->pages;
    if (hot->held)
        return NULL;
    if (mig_peek_due(&hot->policy, now_ns))
        peek(hot, now_ns);
    return hot->fresh ? hot->log->bitmap : NULL;
}

void mig_hot_end(struct mig_hot_pages *hot, uint64_t skipped_pages,
                 uint64_t page_ns)
{
    mig_peek_saved(&hot->policy, skipped_pages * page_ns);
    hot->stats.saved_ns += skipped_pages * page_ns;
    pthread_mutex_unlock(&hot->lock);
}

void mig_hot_stats(struct mig_hot_pages *hot, struct mig_hot_stats *out)
{
    pthread_mutex_lock(&hot->lock);
    *out = hot->stats;
    pthread_mutex_unlock(&hot->lock);
}
