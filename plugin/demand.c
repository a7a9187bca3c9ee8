/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demand.h"

#include "base/clock.h"

#define FAST_NS (5 * LXE_NS_PER_SEC)
#define SLOW_NS (30 * LXE_NS_PER_SEC)

#define PRESSURE_X100 500 /* 5 % of the time some task waited for memory */

/* Linux keeps a 64-byte struct page for each page the guest may ever have. */
#define PAGE_STRUCT_SHARE 64

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t age_limit_ns(enum lxe_report_source source)
{
    switch (source) {
    case LXE_REPORT_AGENT:
        return AERO_AGENT_AGE_S * LXE_NS_PER_SEC;
    case LXE_REPORT_XENSERVER:
        return AERO_XENSERVER_AGE_S * LXE_NS_PER_SEC;
    case LXE_REPORT_QUBES:
        return AERO_QUBES_AGE_S * LXE_NS_PER_SEC;
    case LXE_REPORT_NONE:
        break;
    }
    return 0;
}

/* Reads total and available; false where they contradict Xen or each other. */
static bool need_by_available(const struct aero_demand_input *in,
                              struct aero_demand *out)
{
    const struct lxe_guest_report *r = in->report;
    uint64_t used, kernel;

    if (r->total_kib == LXE_UNKNOWN || r->available_kib == LXE_UNKNOWN)
        return false;
    if (!r->total_kib || r->available_kib > r->total_kib)
        return false;
    if (in->static_max_kib != LXE_UNKNOWN &&
        r->total_kib > in->static_max_kib)
        return false;
    used = min_u64(r->total_kib - r->available_kib, in->held_kib);
    kernel = in->held_kib > r->total_kib ? in->held_kib - r->total_kib : 0;
    out->used_kib = used;
    out->available_kib = r->available_kib;
    out->need_kib = min_u64(used + kernel, in->held_kib);
    return true;
}

/* Qubes tells the memory in use only, swap included. */
static bool need_by_used(const struct aero_demand_input *in,
                         struct aero_demand *out)
{
    uint64_t used = in->report->used_kib, kernel = 0;

    if (used == LXE_UNKNOWN || !used)
        return false;
    if (in->static_max_kib != LXE_UNKNOWN)
        kernel = in->static_max_kib / PAGE_STRUCT_SHARE;
    out->used_kib = min_u64(used, in->held_kib);
    out->need_kib = min_u64(out->used_kib + kernel, in->held_kib);
    return true;
}

static double average(double old, double now, uint64_t dt_ns, uint64_t tau_ns)
{
    return old + (now - old) * (double)dt_ns / (double)(dt_ns + tau_ns);
}

/* Takes one sample; returns the highest of the three averages. */
static uint64_t highest(struct aero_demand_memory *m, uint64_t now_ns,
                        uint64_t need_kib)
{
    double now = (double)need_kib, top = now;
    uint64_t dt = now_ns > m->last_ns ? now_ns - m->last_ns : 0;

    if (!m->primed) {
        m->primed = true;
        m->fast_kib = now;
        m->slow_kib = now;
    } else {
        m->fast_kib = average(m->fast_kib, now, dt, FAST_NS);
        m->slow_kib = average(m->slow_kib, now, dt, SLOW_NS);
    }
    m->last_ns = now_ns;
    if (m->fast_kib > top)
        top = m->fast_kib;
    if (m->slow_kib > top)
        top = m->slow_kib;
    return (uint64_t)top;
}

static uint64_t margin(const struct aero_demand_input *in, uint64_t need_kib)
{
    uint64_t m = need_kib / 4;
    uint64_t psi = in->report->psi_some_x100;

    if (m < AERO_MARGIN_MIN_KIB)
        m = AERO_MARGIN_MIN_KIB;
    m = min_u64(m, in->margin_kib);
    return psi != LXE_UNKNOWN && psi >= PRESSURE_X100 ? 2 * m : m;
}

static void fall_back(const struct aero_demand_input *in, const char *why,
                      bool reported, struct aero_demand_memory *memory,
                      struct aero_demand *out)
{
    /* Who once reported was moved by us: what it holds is what it needs. */
    out->kib = reported ? in->held_kib : in->resting_kib;
    if (in->static_max_kib != LXE_UNKNOWN)
        out->kib = min_u64(out->kib, in->static_max_kib);
    out->known = false;
    out->need_kib = LXE_UNKNOWN;
    out->used_kib = LXE_UNKNOWN;
    out->available_kib = LXE_UNKNOWN;
    out->why = why;
    memory->primed = false;
}

static bool read_report(const struct aero_demand_input *in,
                        struct aero_demand *out)
{
    out->available_kib = LXE_UNKNOWN;
    if (in->report->source == LXE_REPORT_QUBES)
        return need_by_used(in, out);
    return need_by_available(in, out);
}

void aero_demand_estimate(const struct aero_demand_input *in,
                          struct aero_demand_memory *memory,
                          struct aero_demand *out)
{
    enum lxe_report_source source = in->report->source;
    uint64_t need;

    if (source == LXE_REPORT_NONE) {
        fall_back(in, "reports nothing", false, memory, out);
        return;
    }
    if (in->report_age_ns > age_limit_ns(source)) {
        fall_back(in, "its report is too old", true, memory, out);
        return;
    }
    if (!read_report(in, out)) {
        fall_back(in, "its report makes no sense", true, memory, out);
        return;
    }
    need = min_u64(highest(memory, in->now_ns, out->need_kib), in->held_kib);
    out->known = true;
    out->kib = need + margin(in, need);
    if (in->static_max_kib != LXE_UNKNOWN)
        out->kib = min_u64(out->kib, in->static_max_kib);
    out->why = "by its report";
}
