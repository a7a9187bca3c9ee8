/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random scenarios for balancers (docs/scenarios.md): a host whose guests'
 * demand rises and falls, and requests for memory in between. Equal seeds
 * make equal ones.
 */
#ifndef BENCH_COURSE_MAKE_H
#define BENCH_COURSE_MAKE_H

#include <stddef.h>
#include <stdint.h>

#define COURSE_REQUESTS 32

/* Memory that somebody wants for a new domain, which then lives a while. */
struct course_request {
    char name[16]; /* of the scenario's guest, absent at the start */
    uint64_t kib;
    uint64_t at_s, lives_s;
};

struct course {
    uint64_t seed;
    uint64_t length_s;
    char *scenario; /* JSON */
    size_t scenario_len;
    struct course_request requests[COURSE_REQUESTS];
    size_t request_count;
};

/* Returns 0 or -ENOMEM. */
int course_make(uint64_t seed, uint64_t length_s, struct course *out);
void course_free(struct course *course);

#endif
