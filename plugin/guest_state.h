/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be done with a guest right now: facts in, state out. Pure.
 *
 * A guest that is asked to come to a target is judged by how it moves: at a
 * rate that can be expected of it, or not at all as far as we care. That is a
 * sixteenth of the fastest it was ever seen to shrink, but no less than 128
 * KiB/s and no more than 1 MiB/s. Without such progress for
 *
 *    5 s   it is slow; if it should shrink, what it holds is taken for its
 *          floor for two minutes: nobody is promised memory from below it;
 *   12 s   its driver is woken by a target one page off, once: Linux's goes
 *          to sleep for an hour after 14 s of failed tries, and the same
 *          target written again does not wake it;
 *   20 s   it is stuck in that direction, and is not asked again to move so
 *          for a minute, then two, four… up to 16.
 */
#ifndef AERO_GUEST_STATE_H
#define AERO_GUEST_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/u64.h"
#include "host.h"

enum aero_guest_state {
    AERO_GUEST_ACTIVE,
    AERO_GUEST_SLOW,
    AERO_GUEST_STUCK,
    AERO_GUEST_BOOTING,   /* from here on: not touched */
    AERO_GUEST_FIXED,     /* says that it cannot balloon */
    AERO_GUEST_FOREIGN,   /* another balancer manages it */
    AERO_GUEST_PAUSED,
    AERO_GUEST_BUILDING,
    AERO_GUEST_MIGRATING,
    AERO_GUEST_SHUTDOWN,
    AERO_GUEST_DYING,
    AERO_GUEST_HOST,      /* dom0 */
};

#define AERO_TOLERANCE_KIB (2u << 10) /* balloon drivers work in such steps */

#define AERO_SLOW_S       5u
#define AERO_WAKE_S       12u
#define AERO_STUCK_S      20u
#define AERO_BOOT_S       60u /* a guest that never reported settles so long */
#define AERO_REPORTING_S  10u /* one that reports */
#define AERO_FLOOR_S      120u
#define AERO_KEEPS_S      1800u
#define AERO_PROGRESS_KIB 256u

struct aero_state_input {
    uint64_t now_ns;
    uint64_t seen_ns;         /* when it was first seen */
    uint64_t first_report_ns; /* 0: has not reported */
    const struct lxe_domain *dom;
    uint64_t held_kib;        /* what it holds, in units of the target */
    bool announced;           /* a client is migrating it */
    uint64_t fastest_kib_s;   /* it was seen to shrink; 0: never */
    uint64_t idle_kib;        /* by its own word, or LXE_UNKNOWN */
    bool foreign;             /* another balancer manages it (rivals.h) */
};

/* What is kept of a guest between samples; zero it for a new guest. */
struct aero_state_memory {
    uint64_t last_ns;      /* of the last sample */
    int way;               /* of the target: -1 shrink, 1 grow, 0 met */
    uint64_t mark_kib;     /* held when it last made progress */
    uint64_t progress_ns;
    bool woken;
    uint64_t floor_kib;
    uint64_t floor_until_ns;
    int stuck_way;
    uint64_t stuck_until_ns;
    unsigned stuck_count;
    uint64_t stopped_idle_kib; /* what was idle when it last stopped short */
    uint64_t keeps_until_ns;
};

struct aero_guest_condition {
    enum aero_guest_state state;
    bool stuck_shrink; /* cannot be made smaller than it is */
    bool stuck_grow;   /* does not get larger */
    uint64_t floor_kib; /* it stopped short there; 0: not known to */
    bool keeps_use;    /* it was seen to give nothing of what it uses */
    bool wake;         /* change the target by one page now */
};

/* Judges one sample and updates the guest's memory. */
void aero_guest_judge(const struct aero_state_input *in,
                      struct aero_state_memory *memory,
                      struct aero_guest_condition *out);

/* Whether targets may be set in this state. */
static inline bool aero_guest_movable(enum aero_guest_state state)
{
    return state < AERO_GUEST_BOOTING;
}

/* "active", "stuck"…: as in mem.status. */
const char *aero_guest_state_name(enum aero_guest_state state);

/* How far from the target still counts as there, in KiB. */
static inline uint64_t aero_guest_tolerance_kib(uint64_t target_kib)
{
    return lxe_max(target_kib / 256, AERO_TOLERANCE_KIB);
}

#endif
