/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One rate for all migrations of a host, shared by weight. Pure.
 *
 * Who is limited to less than its part, by its own maximum rate or because it
 * does not use it, leaves the rest to the others. The sum is never above the
 * host's rate.
 */
#ifndef AERO_RATE_SHARE_H
#define AERO_RATE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AERO_RATE_MIN_BPS     100000u /* less never ends: limits.c */
#define AERO_RATE_WEIGHT      100u    /* of who does not say */
#define AERO_RATE_WEIGHT_MAX  10000u
#define AERO_RATE_STOPPED     8u      /* times the weight while suspended */

struct aero_rate_want {
    unsigned weight;   /* 1 to AERO_RATE_WEIGHT_MAX */
    uint64_t max_bps;  /* its own limit; 0: none */
    bool sending;      /* else it needs nothing */
    bool suspended;    /* its guest stands still, so it goes first */
    uint64_t used_bps; /* sent lately; 0 where not known */
    uint64_t share_bps; /* in: what it had, 0 for nothing; out: its share */
};

/*
 * Shares a rate.
 * @total_bps  bytes/s
 * A migration that used less than half of what it had is given twice what it
 * used, and so can double it with each sharing.
 */
void aero_rate_share(uint64_t total_bps, struct aero_rate_want *wants,
                     size_t count);

/*
 * Whether all would have AERO_RATE_MIN_BPS if all sent at once with no limits
 * of their own.
 */
bool aero_rate_suffices(uint64_t total_bps,
                        const struct aero_rate_want *wants, size_t count);

#endif
