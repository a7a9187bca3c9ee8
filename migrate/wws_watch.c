/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wws_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define SLICE_NS     (200 * LXE_NS_PER_MS)
#define SAMPLE_PAGES 2000
#define MAX_CPU      0.2  /* of one CPU */
#define MAX_PAUSE    0.02 /* of the guest's time, by log-dirty looks */

struct watch {
    struct lxe_host *host;
    const struct mig_wws_watch *how;
    bool cancelled;
};

static bool wait_until(void *data, uint64_t until_ns)
{
    struct watch *w = data;

    for (;;) {
        uint64_t now_ns = w->host->ops->now_ns(w->host);

        w->cancelled = w->how->cancelled && w->how->cancelled(w->how->data);
        if (w->cancelled)
            return false;
        if (now_ns >= until_ns)
            return true;
        lxe_sleep_ns(until_ns - now_ns < SLICE_NS ? until_ns - now_ns
                                                  : SLICE_NS);
    }
}

static uint64_t cpu_ns(void *data)
{
    struct timespec t;

    (void)data;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * LXE_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void show(void *data, const struct mig_wws_progress *progress)
{
    struct watch *w = data;

    if (w->how->progress)
        w->how->progress(w->how->data, progress);
}

/*
 * What a round will write can be read off a curve that reaches so far, and
 * only guessed beyond; bounds need three windows.
 */
static uint64_t window_ns(const struct mig_wws_watch *how)
{
    uint64_t most = how->duration_ns / 32 * 9;
    uint64_t least = how->duration_ns / 8;

    if (!how->round_ns)
        return 0;
    if (how->round_ns < least)
        return least;
    return how->round_ns < most ? how->round_ns : most;
}

int mig_wws_watch(struct lxe_host *host, const struct lxe_domain *dom,
                  const struct mig_wws_watch *how, struct mig_wws *out,
                  struct lxe_err *err)
{
    struct watch w = { .host = host, .how = how };
    const struct mig_wws_ask ask = {
        .method = how->method,
        .duration_ns = how->duration_ns,
        .window_ns = window_ns(how),
        .max_cpu = MAX_CPU,
        .max_pause = MAX_PAUSE,
        .sample_pages = SAMPLE_PAGES,
        .seed = lxe_now_ns(),
    };
    const struct mig_wws_io io = { wait_until, cpu_ns, show, &w };
    _cleanup_free_ struct mig_wws_run *run = calloc(1, sizeof(*run));
    int rc;

    if (!run)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = mig_wws_measure(host, dom, &ask, &io, run, err);
    if (w.cancelled)
        return lxe_fail(err, -ECANCELED, "cancelled while watching the guest");
    if (!rc)
        *out = run->wws;
    return rc;
}
