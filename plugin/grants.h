/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What becomes of reservations in a tick: they follow the domains that take
 * them, and those that wait are granted, refused or time out.
 */
#ifndef AERO_GRANTS_H
#define AERO_GRANTS_H

#include <stdint.h>

#include "counters.h"
#include "guests.h"
#include "policy_input.h"
#include "reservations.h"

/* On whose behalf; nothing of it is owned. */
struct aero_grants {
    const struct aero_known *known;
    struct aero_reservations *reservations; /* the same that are known */
    struct aero_counters *counters;         /* of what became of them */
    aero_reserved_fn *reserved;             /* may be NULL */
    void *data;
};

/* Tells the reservations which domains have come, and what these took. */
void aero_grants_follow(struct aero_reservations *reservations,
                        const struct aero_guests *guests);

/*
 * Grants those that wait what has come free, refuses those that cannot be had
 * any more, and drops those whose time is over; their clients are told.
 */
void aero_grants_settle(const struct aero_grants *grants, uint64_t now_ns);

#endif
