/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has happened since the daemon began, for the metrics. */
#ifndef AERO_COUNTERS_H
#define AERO_COUNTERS_H

#include <stdint.h>

enum aero_outcome {
    AERO_MOVED,
    AERO_FAILED,
    AERO_CANCELLED,
    AERO_UNKNOWN_OUTCOME,
    AERO_LOST, /* the client died, and it was undone */
    AERO_OUTCOMES,
};

struct aero_counters {
    uint64_t ticks;     /* that were begun */
    uint64_t ticks_ns;  /* how long they took, all together */
    uint64_t errors;    /* things that went wrong in them */
    uint64_t grows, grow_kib;     /* targets set, and by how much */
    uint64_t shrinks, shrink_kib;
    uint64_t granted, refused, timed_out; /* reservations */
    uint64_t migrations[AERO_OUTCOMES];
    uint64_t foreign_changes; /* of targets, by others */
};

#endif
