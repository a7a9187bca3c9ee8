/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looks at samples of the pages of guests that say nothing, so that
 * activity.h can tell what they write. At a bounded cost:
 *
 *   256 pages of a guest are chosen at random and hashed, read-only; again
 *   after 10, 20 and 30 s, which is a period; then others are chosen.
 *   All guests together take at most 1 % of one CPU, and a tick no more than
 *   20 ms of it and the look that goes beyond. Looks that would take more are
 *   done later, and periods become longer; the guests take turns, 64 at once.
 *
 * Nothing in the guest changes, and it is not paused.
 */
#ifndef AERO_SAMPLER_H
#define AERO_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "guests.h"
#include "host.h"

#define AERO_SAMPLE_PAGES    256u
#define AERO_SAMPLE_LOOK_S   10u
#define AERO_SAMPLE_PERIOD_S 30u
#define AERO_SAMPLES_AT_ONCE 64u
#define AERO_SAMPLE_CPU_PART 100u /* of one CPU: a hundredth */
#define AERO_SAMPLE_CREDIT_NS (20 * LXE_NS_PER_MS)

struct aero_sampled; /* a period that is under way */

/* Time of a CPU that the caller has used so far, in ns. */
typedef uint64_t aero_cpu_ns_fn(void);

struct aero_sampler {
    struct lxe_host *host;  /* the caller's */
    aero_cpu_ns_fn *cpu_ns;
    struct aero_sampled *items[AERO_SAMPLES_AT_ONCE];
    size_t count;
    uint64_t last_ns;
    int64_t credit_ns;      /* of CPU time that may be used now */
    uint64_t used_ns;       /* CPU time of all looks so far */
    uint64_t looks;
};

/* Zeroes it. @cpu_ns  NULL for this thread's CPU time */
void aero_sampler_init(struct aero_sampler *s, struct lxe_host *host,
                       aero_cpu_ns_fn *cpu_ns);

/*
 * Looks at what is due, and updates the guests' activity. Called once a tick;
 * what fails is tried again later.
 */
void aero_sampler_tick(struct aero_sampler *s, struct aero_guests *guests,
                       uint64_t now_ns);

/* Ends all periods; before the host is closed. */
void aero_sampler_clear(struct aero_sampler *s);

#endif
