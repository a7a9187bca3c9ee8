/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rivals.h"

#include "base/clock.h"

#define DOUBLINGS 4

static uint64_t alone_ns(const struct aero_rival *r)
{
    unsigned times = r->given_up ? r->given_up - 1 : 0;

    return ((uint64_t)AERO_RIVAL_ALONE_S << times) * LXE_NS_PER_SEC;
}

/* Of the last AERO_RIVAL_CHANGES, with which the ring is full. */
static uint64_t oldest_ns(const struct aero_rival *r)
{
    return r->changed_ns[r->changes % AERO_RIVAL_CHANGES];
}

bool aero_rival_change(struct aero_rival *r, uint64_t now_ns)
{
    r->changed_ns[r->changes++ % AERO_RIVAL_CHANGES] = now_ns;
    if (r->alone) {
        r->until_ns = now_ns + alone_ns(r);
        return false;
    }
    if (++r->recent < AERO_RIVAL_CHANGES ||
        now_ns - oldest_ns(r) > AERO_RIVAL_WINDOW_S * LXE_NS_PER_SEC)
        return false;
    if (r->given_up <= DOUBLINGS)
        r->given_up++;
    r->alone = true;
    r->until_ns = now_ns + alone_ns(r);
    return true;
}

bool aero_rival_alone(struct aero_rival *r, uint64_t now_ns)
{
    if (r->alone && now_ns >= r->until_ns) {
        r->alone = false;
        r->recent = 0;
    }
    return r->alone;
}

void aero_rival_take_back(struct aero_rival *r)
{
    r->alone = false;
    r->recent = 0;
    r->given_up = 0;
}

const char *aero_rival_guess(const struct lxe_domain *dom)
{
    if (dom->dynamic_min_kib != LXE_UNKNOWN)
        return "XAPI's squeezed?";
    if (dom->report.source == LXE_REPORT_QUBES)
        return "Qubes' qmemman?";
    return "xl mem-set, libvirt?";
}
