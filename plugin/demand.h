/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory a guest needs: samples in, demand out. Pure.
 *
 *   0            need            need + margin
 *   |-------------|-----------------|
 *   used | kernel |     margin
 *
 *   need    what the guest says it uses, and what its kernel took before it
 *           began to count (held - total); never more than it holds
 *   margin  a quarter of the need, between 32 MiB and the configured cap;
 *           twice that under memory pressure and for a minute after it
 *
 * Besides, what it reads back of what it had to give up (refaults, or pages
 * swapped in: the rate, in 10 s) is missing, up to the configured cap. If that
 * is much, its page cache is in use too: then it is missing beyond
 * what the guest holds, and the need is that less the margin.
 *
 * What it uses and has no free swap for cannot be taken from it: its kernel
 * would end programs. With AERO_BREATH_KIB more that is what it must keep; and
 * all that it uses, where it was seen to give nothing of it.
 *
 * The need goes up at once and down slowly: it is the highest of a slow, a
 * fast and the current average.
 *
 * A guest that says nothing may be judged by the pages that it writes: its
 * need is the upper bound of what activity.h estimates.
 *
 * All sizes are in the units of the balloon target: held_kib is what Xen has
 * given the guest less what the target does not count (video memory).
 */
#ifndef AERO_DEMAND_H
#define AERO_DEMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "activity.h"
#include "host.h"
#include "probe.h"

#define AERO_MARGIN_MIN_KIB (32u << 10)
#define AERO_BREATH_KIB     (16u << 10)

/* A report that is older than its source's limit is not trusted. */
#define AERO_AGENT_AGE_S     60u  /* the agent reports every 10 s or sooner */
#define AERO_XENSERVER_AGE_S 300u /* its tools report every 120 s */
#define AERO_QUBES_AGE_S     600u /* silent while nothing changes */

struct aero_demand_input {
    uint64_t now_ns;
    uint64_t held_kib;
    uint64_t static_max_kib; /* its highest target, or LXE_UNKNOWN */
    uint64_t resting_kib;    /* its target as others last set it */
    uint64_t margin_kib;     /* cap of the margin, and of what is missing */
    bool probe;              /* a guest that says nothing may be probed */
    bool scarce;             /* memory is: probing takes, else it gives back */
    uint64_t floor_kib;      /* it stopped short there; 0: it does not resist */
    bool keeps_use;          /* it was seen to give nothing of what it uses */
    const struct lxe_guest_report *report;
    uint64_t report_age_ns;  /* since it last changed */
    const struct aero_activity *activity; /* by its pages, or NULL */
};

/* What is kept of a guest between samples; zero it for a new guest. */
struct aero_demand_memory {
    bool primed;
    bool sampled;           /* the averages are of activity */
    uint64_t last_ns;
    double fast_kib;
    double slow_kib;
    double lately_kib;      /* of a second or two */
    bool counted;           /* a report with counters was seen: these */
    uint64_t counted_ns;
    uint64_t refaults, swapins;
    double missing_kib;
    struct aero_probe probe;
    struct aero_relief relief;
    bool pressed;           /* under memory pressure, or lately */
    uint64_t pressed_ns;
};

struct aero_demand {
    uint64_t kib;           /* what it should have */
    bool known;             /* by a report that is fresh and makes sense,
                               or by its pages */
    bool told;              /* by a report */
    uint64_t need_kib;      /* working set, no margin; LXE_UNKNOWN if !known */
    uint64_t rise_kib;      /* at its pace it soon needs so much more: with
                               less of its margin left it lacks memory */
    uint64_t fresh_kib;     /* the same by the last seconds alone */
    uint64_t keep_kib;      /* with less its programs die, or it gives no
                               more; 0 if not known */
    uint64_t used_kib;      /* LXE_UNKNOWN where not told, likewise below */
    uint64_t available_kib;
    const char *why;        /* static text: where the number comes from */
};

/*
 * Estimates a guest's demand from its last report, and updates its memory.
 * Where there is no report that can be trusted, the demand is what the guest
 * has had so far: nothing is taken and nothing given.
 */
void aero_demand_estimate(const struct aero_demand_input *in,
                          struct aero_demand_memory *memory,
                          struct aero_demand *out);

#endif
