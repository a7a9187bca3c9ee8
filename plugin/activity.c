/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "activity.h"

#include "base/clock.h"
#include "wws_build.h"

#define RELIEF_PART    8u
#define RELIEF_NS      (240 * LXE_NS_PER_SEC)
#define RELIEF_MAX_NS  (3600 * LXE_NS_PER_SEC)
#define RELIEF_DOUBLES 4u

static struct aero_activity estimate(const struct aero_activity_counts *c,
                                     uint64_t now_ns)
{
    double low, high, held = (double)c->held_kib;

    mig_wws_share_bounds((double)c->written, (double)c->looked, &low, &high);
    return (struct aero_activity){
        .seen_ns = now_ns,
        .kib = (uint64_t)(held * (double)c->written / (double)c->looked),
        .low_kib = (uint64_t)(held * low),
        .high_kib = (uint64_t)(held * high),
    };
}

void aero_activity_estimate(const struct aero_activity_counts *counts,
                            uint64_t now_ns, struct aero_activity *out)
{
    if (counts->looked)
        *out = estimate(counts, now_ns);
}

void aero_activity_raise(const struct aero_activity_counts *counts,
                         uint64_t now_ns, struct aero_activity *out)
{
    struct aero_activity now;

    if (!counts->looked || !out->seen_ns)
        return;
    now = estimate(counts, now_ns);
    if (now.kib > out->kib)
        *out = now;
    out->seen_ns = now_ns;
}

static uint64_t relief_ns(unsigned times)
{
    uint64_t ns = RELIEF_NS << times;

    return ns < RELIEF_MAX_NS ? ns : RELIEF_MAX_NS;
}

uint64_t aero_relief_step(struct aero_relief *relief, uint64_t floor_kib,
                          uint64_t now_ns)
{
    if (now_ns >= relief->until_ns)
        relief->kib = 0;
    if (floor_kib > relief->kib) {
        relief->kib = floor_kib + floor_kib / RELIEF_PART;
        relief->until_ns = now_ns + relief_ns(relief->times);
        if (relief->times < RELIEF_DOUBLES)
            relief->times++;
    }
    return relief->kib;
}
