/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seldom.h"

#include "base/clock.h"

unsigned aero_seldom(struct aero_seldom *s, uint64_t now_ns)
{
    unsigned count = ++s->untold;

    if (now_ns < s->next_ns)
        return 0;
    s->next_ns = now_ns + AERO_SELDOM_S * LXE_NS_PER_SEC;
    s->untold = 0;
    return count;
}
