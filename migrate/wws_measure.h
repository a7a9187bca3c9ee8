/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Measures a guest's writable working set on a host, in windows one after the
 * other (docs/wws.md), and keeps to a budget of CPU and of the guest's time.
 *
 *   log-dirty   CLEAN ─peek─peek──peek────peek──────── CLEAN ─peek─ ...
 *   sample      choose, look ─look─look──look────look, choose, look ─ ...
 *               |<------------- one window ----------->|
 *
 * Looks come at growing distances, since D(t) bends early. After each, no
 * other comes before what it cost is within the shares that were asked for.
 */
#ifndef MIG_WWS_MEASURE_H
#define MIG_WWS_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"
#include "wws.h"

#define MIG_WWS_MAX_WINDOWS 64
#define MIG_WWS_CELLS       256 /* of the picture of memory */

struct mig_wws_ask {
    enum mig_wws_method method;
    uint64_t duration_ns;
    uint64_t window_ns;  /* of each window; 0: an eighth of the duration */
    double max_cpu;      /* share of one CPU, above 0 */
    double max_pause;    /* share of the guest's time, above 0 */
    size_t sample_pages; /* in each sample */
    uint64_t seed;       /* of the samples */
};

struct mig_wws_window {
    uint64_t begin_ns; /* since the measurement's begin */
    uint64_t length_ns;
    double pages;      /* distinct ones written in it */
};

/* What it took. Looks are peeks and CLEANs, or looks at a sample. */
struct mig_wws_cost {
    uint64_t elapsed_ns;
    uint64_t cpu_ns;    /* of this process, the hypercalls included */
    uint64_t pause_ns;  /* of the guest, at most: how long all calls took */
    uint64_t longest_pause_ns;
    unsigned looks;
};

struct mig_wws_run {
    struct mig_wws wws;
    struct mig_wws_window windows[MIG_WWS_MAX_WINDOWS];
    size_t window_count;
    /* Of each part of memory the share that is written in a window; below 0
     * where that is not known. */
    double heat[MIG_WWS_CELLS];
    uint64_t heat_pages; /* that all cells cover, from frame 0 on */
    struct mig_wws_cost cost;
    bool ended_early;
};

struct mig_wws_progress {
    uint64_t elapsed_ns, duration_ns;
    size_t windows, windows_planned;
    double pages; /* of the last window; below 0 before the first */
};

/* The effects that are not the host's. */
struct mig_wws_io {
    /* Lets the host's clock come to this time. False: end it now. */
    bool (*wait)(void *data, uint64_t until_ns);
    /* CPU time that this process has used. */
    uint64_t (*cpu_ns)(void *data);
    /* Told after each look; may be NULL. */
    void (*progress)(void *data, const struct mig_wws_progress *progress);
    void *data;
};

/*
 * Measures. Log-dirty mode is off again when it returns.
 * @dom  as the host gave it; must run
 * @run  filled in on success
 * Returns 0; -EINVAL for dom0 and guests that do not run; -EBUSY where the
 * guest is being saved, or somebody else has its log-dirty mode on; -ENODATA
 * where fewer than two windows fit into the time and the budget; what the
 * host failed with.
 */
int mig_wws_measure(struct lxe_host *host, const struct lxe_domain *dom,
                    const struct mig_wws_ask *ask,
                    const struct mig_wws_io *io, struct mig_wws_run *run,
                    struct lxe_err *err);

#endif
