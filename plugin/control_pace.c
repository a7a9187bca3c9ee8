/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control_pace.h"

#include "base/clock.h"

bool aero_pace_take(struct aero_pace *p, const struct aero_pace_limit *limit,
                    size_t bytes, uint64_t now_ns)
{
    if (!p->requests || now_ns - p->second_ns >= LXE_NS_PER_SEC)
        *p = (struct aero_pace){ .second_ns = now_ns };
    if (p->requests >= limit->requests || p->bytes >= limit->bytes)
        return false;
    p->requests++;
    p->bytes += bytes;
    return true;
}

/* Rounded up: who comes early would only have to wait again. */
uint64_t aero_pace_wait_ms(const struct aero_pace *p, uint64_t now_ns)
{
    uint64_t spent_ns = now_ns - p->second_ns;

    if (spent_ns >= LXE_NS_PER_SEC)
        return 0;
    return (LXE_NS_PER_SEC - spent_ns) / LXE_NS_PER_MS + 1;
}
