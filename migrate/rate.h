/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast to send: a token bucket that holds a rate exactly, and the rate
 * that Clark et al. (NSDI 2005, section 4) choose for each round. Pure: the
 * caller brings the time.
 */
#ifndef MIG_RATE_H
#define MIG_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* 10^-9 byte: what rate x time comes in, so that nothing is rounded away. */
__extension__ typedef unsigned __int128 mig_nano_bytes;

struct mig_bucket {
    uint64_t rate_bps;    /* bytes/s; 0: unlimited */
    uint64_t burst_bytes; /* what it can hold */
    mig_nano_bytes level; /* what it holds */
    uint64_t last_ns;     /* when that was so */
};

/*
 * The burst for a rate in bytes/s: 10 ms at that rate, so that no second is
 * off by more than a hundredth, and at least 8 KiB. Unlimited (0) gives 1 MiB.
 */
uint64_t mig_burst_bytes(uint64_t rate_bps);

/*
 * How much to send at once at a rate: 2 ms of it, and at least 4 KiB, so that
 * it goes evenly and a sleep may end some milliseconds late before the bucket
 * is full and rate is lost; at most 100 KiB. Unlimited (0) gives 1 MiB. Never
 * above the burst.
 */
uint64_t mig_chunk_bytes(uint64_t rate_bps);

/*
 * Starts full.
 * @rate_bps     bytes/s; 0: unlimited
 * @burst_bytes  what may be sent at once after a pause; at least 1. More than
 *               this is never granted in one piece: split it
 * @now_ns       monotonic time
 */
void mig_bucket_init(struct mig_bucket *b, uint64_t rate_bps,
                     uint64_t burst_bytes, uint64_t now_ns);

/*
 * How long to wait, in nanoseconds, before `bytes` may be sent: 0 now,
 * UINT64_MAX never (more than the burst).
 */
uint64_t mig_bucket_wait_ns(struct mig_bucket *b, uint64_t bytes,
                            uint64_t now_ns);

/*
 * Takes the tokens for `bytes`, if they are there. Returns whether it did.
 * So over any interval no more is granted than rate x time + burst. A clock
 * that steps back adds nothing.
 */
bool mig_bucket_take(struct mig_bucket *b, uint64_t bytes, uint64_t now_ns);

/*
 * Changes the rate from now on. Time up to now counts at the old one; no
 * token is made up, and none is lost but those above a smaller burst.
 */
void mig_bucket_set_rate(struct mig_bucket *b, uint64_t rate_bps,
                         uint64_t burst_bytes, uint64_t now_ns);

enum mig_rate_policy {
    MIG_RATE_ADAPTIVE, /* Clark's */
    MIG_RATE_FIXED,    /* always the maximum */
};

enum mig_rate_phase {
    MIG_RATE_FIRST_ROUND,
    MIG_RATE_LATER_ROUND,
    MIG_RATE_FINAL_PASS, /* the guest is suspended */
};

struct mig_rate_limits {
    uint64_t min_bps; /* bytes/s; 0: MIG_RATE_MIN_DEFAULT_BPS */
    uint64_t max_bps; /* bytes/s; 0: unlimited. Wins over min_bps */
};

#define MIG_RATE_MIN_DEFAULT_BPS UINT64_C(12500000) /* 100 Mbit/s */
#define MIG_RATE_STEP_BPS        UINT64_C(6250000)  /* 50 Mbit/s */

/* The lower of two limits, in bytes/s; 0 is none. */
static inline uint64_t mig_rate_lower_bps(uint64_t a, uint64_t b)
{
    return a && (a < b || !b) ? a : b;
}

/*
 * The rate of the round to come. Adaptive: the first round goes at the
 * minimum, each later one at the rate at which the guest dirtied memory in
 * the one before plus 50 Mbit/s, within the limits; the final pass goes at
 * the maximum, since the guest stands still.
 * @dirty_bytes_per_s  of the last round; below 0 or not a number: unknown,
 *                     which counts as 0
 * Returns bytes/s; 0: unlimited.
 */
uint64_t mig_rate_next_bps(const struct mig_rate_limits *limits,
                           enum mig_rate_policy policy,
                           enum mig_rate_phase phase, double dirty_bytes_per_s);

#endif
