/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One record a guest: what Xen and the guest say, how old that is, and what
 * it may have. Holds no opinions; demand.c, guest_state.c and policy.c do.
 *
 *   held = current - offset     what it has, in units of its target
 *
 * What a guest's driver does not count is seen where it rests; before that it
 * is taken to be its video memory alone.
 */
#ifndef AERO_GUESTS_H
#define AERO_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "activity.h"
#include "base/u64.h"
#include "daemon_config.h"
#include "demand.h"
#include "guest_state.h"
#include "host.h"
#include "policy.h"
#include "rivals.h"
#include "speed.h"

/* By how it is used: a tick goes through all records, and reads of each what
 * stands before the name, which is dom's last member. */
struct aero_guest {
    uint64_t seen_ns;
    uint64_t first_report_ns; /* 0: never reported */
    uint64_t report_ns;       /* when the report last changed */
    uint64_t still_ns;        /* since when it has and shall have the same */
    int64_t offset_kib;
    uint64_t held_kib;
    uint64_t resting_kib; /* its target as others last set it */
    uint64_t set_kib;     /* as we last set it, or tried to; or LXE_UNKNOWN */
    uint64_t written_kib; /* the same, if it was in this tick */
    bool offset_known;
    bool prepared;        /* its agent's keys are there */
    bool moving;          /* a client migrates it, or did at the last tick:
                             its target is the client's, and no wish */
    bool retargeted;      /* by somebody else, since the last tick */
    bool min_is_set;
    unsigned shares;
    uint64_t min_kib;                /* what holds, of all sources */
    uint64_t max_kib;
    struct aero_domain_policy asked; /* by mem.policy; lost with the daemon */

    struct aero_demand_memory demand_memory;
    struct aero_demand demand;
    struct aero_state_memory state_memory;
    struct aero_guest_condition condition;
    struct aero_rival rival;
    struct aero_speed speed;
    struct aero_reason reason;
    struct lxe_domain dom;

    uint64_t self_answered_ns; /* its last wish to be moved; 0: never */
    uint64_t self_started_ns;
    struct aero_activity activity; /* where its pages are sampled */
    uint64_t sample_ns;            /* the last period began, or the next may */
};

struct aero_guests {
    struct aero_guest *items; /* by rising domid */
    size_t count;
};

/*
 * Takes a new snapshot: keeps the records of domains that are still there
 * (same domid and UUID), makes new ones, drops those that went.
 * Returns 0 or -ENOMEM, and then nothing has changed.
 */
int aero_guests_update(struct aero_guests *guests,
                       const struct lxe_domain_list *list, uint64_t now_ns);

/* Frees all records. */
void aero_guests_clear(struct aero_guests *guests);

/* The record of a domid, or NULL. */
struct aero_guest *aero_guests_find(const struct aero_guests *guests,
                                    uint32_t domid);

/* The record of what a person typed, as lxe_host_find() finds it; or NULL. */
struct aero_guest *aero_guests_find_text(const struct aero_guests *guests,
                                         const char *what);

/*
 * Works out min, max and shares: mem.policy's, else the file's, else XAPI's
 * dynamic range, else the defaults; never above static_max.
 */
void aero_guest_apply_policy(struct aero_guest *guest,
                             const struct aero_config *config);

/* Its target as it stands. One that nobody wrote yet promises nothing. */
static inline uint64_t aero_guest_standing_kib(const struct aero_guest *guest)
{
    return guest->dom.target_kib != LXE_UNKNOWN ? guest->dom.target_kib
                                                : guest->held_kib;
}

/*
 * The highest target that it can be given: static_max less video memory.
 * LXE_UNKNOWN until the toolstack has written static_max.
 */
static inline uint64_t aero_guest_top_kib(const struct aero_guest *guest)
{
    const struct lxe_domain *d = &guest->dom;

    return d->static_max_kib != LXE_UNKNOWN
               ? lxe_less(d->static_max_kib, d->videoram_kib)
               : LXE_UNKNOWN;
}

/* "agent", "none"…: as in mem.status. */
const char *aero_guest_source_name(enum lxe_report_source source);

/* The age of its report; LXE_UNKNOWN where it never reported. */
static inline uint64_t aero_guest_report_age_ns(
    const struct aero_guest *guest, uint64_t now_ns)
{
    return guest->first_report_ns ? now_ns - guest->report_ns : LXE_UNKNOWN;
}

#endif
