/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One balancer through one scenario, and what it was worth to the guests. The
 * figures come from what goes on in the simulated guests, not from what they
 * say.
 */
#ifndef BENCH_COURSE_H
#define BENCH_COURSE_H

#include <stdint.h>

#include "course_make.h"
#include "peer.h"

#define COURSE_PATIENCE_S 30 /* how long a request waits */

struct course_result {
    double unmet_mib_s;     /* demand that had no memory, swapped or nowhere */
    double avoidable_mib_s; /* of it, what all of the host's memory, given to
                               the right guests, would have met */
    unsigned shortages;     /* times that a guest came to lack 4 MiB */
    double shortage_s;      /* all of their lengths */
    unsigned asked, granted;
    unsigned missed;        /* not granted, though it could have been */
    double granted_after_s; /* sum */
    unsigned moves;         /* changes of a target by 1 MiB or more */
    double moved_mib;
    double hours;
};

/* Adds to a result. Returns 0 or a negative errno, told on stderr. */
int course_run(const struct course *course, const struct peer_ops *ops,
               struct course_result *result);

#endif
