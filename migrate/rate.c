/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rate.h"

#include "base/clock.h"

#define BURST_MIN_BYTES       UINT64_C(8192)
#define BURST_UNLIMITED_BYTES UINT64_C(1048576)
#define CHUNK_MIN_BYTES       UINT64_C(4096)
#define CHUNK_MAX_BYTES       UINT64_C(102400)

uint64_t mig_burst_bytes(uint64_t rate_bps)
{
    uint64_t ten_ms = rate_bps / 100;

    if (rate_bps == 0)
        return BURST_UNLIMITED_BYTES;
    return ten_ms > BURST_MIN_BYTES ? ten_ms : BURST_MIN_BYTES;
}

uint64_t mig_chunk_bytes(uint64_t rate_bps)
{
    uint64_t two_ms = rate_bps / 500;

    if (rate_bps == 0)
        return BURST_UNLIMITED_BYTES;
    if (two_ms > CHUNK_MAX_BYTES)
        return CHUNK_MAX_BYTES;
    return two_ms > CHUNK_MIN_BYTES ? two_ms : CHUNK_MIN_BYTES;
}

static mig_nano_bytes nano(uint64_t bytes)
{
    return (mig_nano_bytes)bytes * LXE_NS_PER_SEC;
}

void mig_bucket_init(struct mig_bucket *b, uint64_t rate_bps,
                     uint64_t burst_bytes, uint64_t now_ns)
{
    b->rate_bps = rate_bps;
    b->burst_bytes = burst_bytes > 0 ? burst_bytes : 1;
    b->level = nano(b->burst_bytes);
    b->last_ns = now_ns;
}

/*
 * A byte a second is a nano-byte a nanosecond, so the product is exact; with
 * 64 bits a side it cannot wrap, though its sum with the level could.
 */
static void refill(struct mig_bucket *b, uint64_t now_ns)
{
    mig_nano_bytes room = nano(b->burst_bytes) - b->level, gain;

    if (now_ns <= b->last_ns)
        return;
    gain = (mig_nano_bytes)b->rate_bps * (now_ns - b->last_ns);
    b->level += gain < room ? gain : room;
    b->last_ns = now_ns;
}

uint64_t mig_bucket_wait_ns(struct mig_bucket *b, uint64_t bytes,
                            uint64_t now_ns)
{
    mig_nano_bytes missing, wait;

    refill(b, now_ns);
    if (b->rate_bps == 0)
        return 0;
    if (bytes > b->burst_bytes)
        return UINT64_MAX;
    if (b->level >= nano(bytes))
        return 0;
    missing = nano(bytes) - b->level;
    wait = (missing + b->rate_bps - 1) / b->rate_bps;
    /* A clock that stepped back: that time has to pass again first. */
    if (now_ns < b->last_ns)
        wait += b->last_ns - now_ns;
    return wait < UINT64_MAX ? (uint64_t)wait : UINT64_MAX;
}

bool mig_bucket_take(struct mig_bucket *b, uint64_t bytes, uint64_t now_ns)
{
    if (mig_bucket_wait_ns(b, bytes, now_ns) != 0)
        return false;
    if (b->rate_bps != 0)
        b->level -= nano(bytes);
    return true;
}

void mig_bucket_set_rate(struct mig_bucket *b, uint64_t rate_bps,
                         uint64_t burst_bytes, uint64_t now_ns)
{
    refill(b, now_ns);
    b->rate_bps = rate_bps;
    b->burst_bytes = burst_bytes > 0 ? burst_bytes : 1;
    if (b->level > nano(b->burst_bytes))
        b->level = nano(b->burst_bytes);
}

static uint64_t capped(uint64_t bps, uint64_t max_bps)
{
    return max_bps != 0 && bps > max_bps ? max_bps : bps;
}

uint64_t mig_rate_next_bps(const struct mig_rate_limits *limits,
                           enum mig_rate_policy policy,
                           enum mig_rate_phase phase, double dirty_bytes_per_s)
{
    uint64_t min = limits->min_bps ? limits->min_bps : MIG_RATE_MIN_DEFAULT_BPS;
    uint64_t bps = 0;

    if (policy == MIG_RATE_FIXED || phase == MIG_RATE_FINAL_PASS)
        return limits->max_bps;
    if (phase == MIG_RATE_FIRST_ROUND)
        return capped(min, limits->max_bps);
    /* Beyond any wire; also what keeps the conversion and the sum in range. */
    if (dirty_bytes_per_s >= 1e18)
        return limits->max_bps;
    if (dirty_bytes_per_s > 0)
        bps = (uint64_t)dirty_bytes_per_s;
    bps += MIG_RATE_STEP_BPS;
    return capped(bps > min ? bps : min, limits->max_bps);
}
