/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watches a guest before it moves: a measurement of its working set
 * (wws_measure.h) on the host's own clock, with a budget that does no harm.
 */
#ifndef MIG_WWS_WATCH_H
#define MIG_WWS_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"
#include "wws_measure.h"

struct mig_wws_watch {
    enum mig_wws_method method; /* log-dirty: only under wws_guard.h */
    uint64_t duration_ns;
    uint64_t round_ns; /* how long a round will take: as long should windows
                          be, as far as three fit; 0: not known */
    /* Asked a few times a second; true ends it early. May be NULL. */
    bool (*cancelled)(void *data);
    /* As in wws_measure.h; may be NULL. */
    void (*progress)(void *data, const struct mig_wws_progress *progress);
    void *data;
};

/* Returns 0; -ECANCELED; else as mig_wws_measure(). */
int mig_wws_watch(struct lxe_host *host, const struct lxe_domain *dom,
                  const struct mig_wws_watch *how, struct mig_wws *out,
                  struct lxe_err *err);

#endif
