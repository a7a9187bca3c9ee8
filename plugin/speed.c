/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "speed.h"

#include "base/clock.h"

#define SAMPLE_NS (100 * LXE_NS_PER_MS) /* shorter ones are noise */
#define AVERAGE_S 1.0
#define BEGIN_NS  (500 * LXE_NS_PER_MS) /* a driver may take so long to begin */
#define FORGET_NS (60 * LXE_NS_PER_SEC)

static void learn(struct aero_speed *s, double kib_s, double dt_s,
                  uint64_t now_ns, bool arrived)
{
    if (arrived) /* it could have gone on */
        s->kib_s = kib_s > s->kib_s ? kib_s : s->kib_s;
    else if (s->known)
        s->kib_s += (kib_s - s->kib_s) * dt_s / (dt_s + AVERAGE_S);
    else
        s->kib_s = kib_s;
    if (kib_s > 0 || now_ns - s->asked_ns >= BEGIN_NS)
        s->known = true;
    if (kib_s > s->fastest_kib_s)
        s->fastest_kib_s = kib_s;
}

void aero_speed_sample(struct aero_speed *speed, uint64_t now_ns,
                       uint64_t held_kib, uint64_t target_kib,
                       uint64_t slack_kib)
{
    uint64_t dt_ns = now_ns > speed->last_ns ? now_ns - speed->last_ns : 0;
    bool asked = held_kib > target_kib + slack_kib;
    double dt_s = (double)dt_ns / (double)LXE_NS_PER_SEC, moved = 0;

    if (speed->asked && dt_ns < SAMPLE_NS)
        return;
    if (held_kib < speed->last_kib)
        moved = (double)(speed->last_kib - held_kib);
    if (speed->asked)
        learn(speed, moved / dt_s, dt_s, now_ns, !asked);
    if (asked && !speed->asked) {
        if (now_ns - speed->asked_ns >= FORGET_NS)
            speed->known = false;
        speed->asked_ns = now_ns;
    }
    speed->asked = asked;
    speed->last_ns = now_ns;
    speed->last_kib = held_kib;
}
