/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "demand.h"

#include "base/clock.h"
#include "base/u64.h"
#include "base/units.h"

#define FAST_NS (5 * LXE_NS_PER_SEC)
#define SLOW_NS (30 * LXE_NS_PER_SEC)

/* A period of samples is 30 s. */
#define SAMPLES_FAST_NS (30 * LXE_NS_PER_SEC)
#define SAMPLES_SLOW_NS (300 * LXE_NS_PER_SEC)

#define READ_BACK_S     10
#define READ_BACK_MAX_S 1e6 /* pages: beyond it no machine can be */
#define MISSING_SAID_KIB (4u << 10)
#define COUNT_APART_S   0.5

/* What rises at a pace is looked ahead so long: memory needs its time. */
#define RISE_NS   (2 * LXE_NS_PER_SEC)
#define LATELY_NS (1500 * LXE_NS_PER_MS)

/* One that thrashes lacks memory as soon as it has less than 1/n of its margin
 * left: the rest is its page cache, which it misses too. */
#define THRASH_PART 4

#define PRESSURE_X100 500 /* 5 % of the time some task waited for memory */
#define PRESSED_NS (60 * LXE_NS_PER_SEC)

/* Linux keeps a 64-byte struct page for each page the guest may ever have. */
#define PAGE_STRUCT_SHARE 64

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
    used = lxe_min(r->total_kib - r->available_kib, in->held_kib);
    kernel = in->held_kib > r->total_kib ? in->held_kib - r->total_kib : 0;
    out->used_kib = used;
    out->available_kib = r->available_kib;
    out->need_kib = lxe_min(used + kernel, in->held_kib);
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
    out->used_kib = lxe_min(used, in->held_kib);
    out->need_kib = lxe_min(out->used_kib + kernel, in->held_kib);
    return true;
}

static double average(double old, double now, double dt_ns, double tau_ns)
{
    return old + (now - old) * dt_ns / (dt_ns + tau_ns);
}

/*
 * How much more it will need in RISE_NS if it goes on like this: an average is
 * behind what rises steadily by its time constant.
 */
static uint64_t rise(const struct aero_demand_memory *m, uint64_t need_kib)
{
    double behind = (double)need_kib - m->lately_kib;

    if (behind <= 0)
        return 0;
    return (uint64_t)(behind * (double)RISE_NS / (double)LATELY_NS);
}

/* Takes one sample; returns the highest of the three averages. */
static uint64_t highest(struct aero_demand_memory *m, uint64_t now_ns,
                        uint64_t need_kib, bool sampled)
{
    double now = (double)need_kib, top = now;
    double dt = (double)lxe_less(now_ns, m->last_ns);

    if (!m->primed || m->sampled != sampled) {
        m->primed = true;
        m->sampled = sampled;
        m->fast_kib = now;
        m->slow_kib = now;
        m->lately_kib = now;
    } else {
        m->fast_kib = average(m->fast_kib, now, dt,
                              sampled ? SAMPLES_FAST_NS : FAST_NS);
        m->lately_kib = average(m->lately_kib, now, dt, LATELY_NS);
        m->slow_kib = average(m->slow_kib, now, dt,
                              sampled ? SAMPLES_SLOW_NS : SLOW_NS);
    }
    m->last_ns = now_ns;
    if (m->fast_kib > top)
        top = m->fast_kib;
    if (m->slow_kib > top)
        top = m->slow_kib;
    return (uint64_t)top;
}

static double pages_s(uint64_t was, uint64_t is, double dt_s)
{
    double rate;

    if (was == LXE_UNKNOWN || is == LXE_UNKNOWN || is < was)
        return 0; /* it was started again, or says nothing of it */
    rate = (double)(is - was) / dt_s;
    return rate < READ_BACK_MAX_S ? rate : READ_BACK_MAX_S;
}

/*
 * What it misses: a page that it reads back within READ_BACK_S should never
 * have left. At once up, and down over SLOW_NS.
 */
static uint64_t missing(const struct aero_demand_input *in,
                        struct aero_demand_memory *m)
{
    const struct lxe_guest_report *r = in->report;
    uint64_t said_ns = in->now_ns - in->report_age_ns;
    double dt_s = (double)said_ns - (double)m->counted_ns, refault, swap, now;

    dt_s /= (double)LXE_NS_PER_SEC;
    if (m->counted && dt_s < COUNT_APART_S)
        return (uint64_t)m->missing_kib;
    refault = m->counted ? pages_s(m->refaults, r->refaults, dt_s) : 0;
    swap = m->counted ? pages_s(m->swapins, r->swapins, dt_s) : 0;
    now = (refault > swap ? refault : swap) * READ_BACK_S * LXE_KIB_PER_PAGE;
    if (now > (double)in->margin_kib)
        now = (double)in->margin_kib;
    if (m->counted)
        m->missing_kib = average(m->missing_kib, now,
                                 (double)(said_ns - m->counted_ns), SLOW_NS);
    if (now > m->missing_kib)
        m->missing_kib = now;
    m->counted = true;
    m->counted_ns = said_ns;
    m->refaults = r->refaults;
    m->swapins = r->swapins;
    return (uint64_t)m->missing_kib;
}

/*
 * Whether the guest's tasks wait for memory, or did so lately: more memory ends
 * the wait, and would be taken away again at once.
 */
static bool pressed(const struct aero_demand_input *in,
                    struct aero_demand_memory *memory)
{
    uint64_t psi = in->report->psi_some_x100;

    if (psi != LXE_UNKNOWN && psi >= PRESSURE_X100) {
        memory->pressed = true;
        memory->pressed_ns = in->now_ns;
    } else if (in->now_ns - memory->pressed_ns > PRESSED_NS) {
        memory->pressed = false;
    }
    return memory->pressed;
}

static uint64_t margin(const struct aero_demand_input *in, uint64_t need_kib)
{
    uint64_t m = need_kib / 4;

    if (m < AERO_MARGIN_MIN_KIB)
        m = AERO_MARGIN_MIN_KIB;
    return lxe_min(m, in->margin_kib);
}

static bool has_activity(const struct aero_demand_input *in)
{
    return in->activity && in->activity->seen_ns &&
           in->now_ns - in->activity->seen_ns <=
               AERO_ACTIVITY_AGE_S * LXE_NS_PER_SEC;
}

/* Judged by the pages that it writes. */
static void by_activity(const struct aero_demand_input *in,
                        struct aero_demand_memory *memory,
                        struct aero_demand *out)
{
    uint64_t relief = aero_relief_step(&memory->relief, in->floor_kib,
                                       in->now_ns);
    uint64_t need = highest(memory, in->now_ns, in->activity->high_kib, true);

    need = lxe_min(need, in->held_kib);
    *out = (struct aero_demand){
        .kib = need + margin(in, need),
        .known = true,
        .need_kib = need,
        .used_kib = LXE_UNKNOWN,
        .available_kib = LXE_UNKNOWN,
        .why = "by the pages that it writes",
    };
    if (out->kib < relief) {
        out->kib = relief;
        out->need_kib = lxe_min(relief, in->held_kib);
        out->why = "by the pages that it writes; it stopped giving";
    }
    if (in->static_max_kib != LXE_UNKNOWN)
        out->kib = lxe_min(out->kib, in->static_max_kib);
    out->fresh_kib = out->kib;
}

/*
 * Whether a guest reads back so much that it has no idle memory: what it keeps
 * in its cache was used later than what it had to give up, or it would have
 * given up that.
 */
static bool thrashes(const struct aero_demand_memory *memory,
                     uint64_t lost_kib)
{
    return lost_kib >= AERO_MARGIN_MIN_KIB ||
           (memory->pressed && lost_kib >= MISSING_SAID_KIB);
}

static uint64_t probed(const struct aero_demand_input *in,
                       struct aero_demand_memory *memory, const char **why)
{
    const struct aero_probe_input probe = {
        .now_ns = in->now_ns,
        .held_kib = in->held_kib,
        .resting_kib = in->resting_kib,
        .floor_kib = in->floor_kib,
        .wanted = in->scarce,
    };
    uint64_t kib = aero_probe_step(&memory->probe, &probe);

    if (kib < in->resting_kib)
        *why = "reports nothing, found by taking a little at a time";
    return kib;
}

static void fall_back(const struct aero_demand_input *in, const char *why,
                      bool reported, struct aero_demand_memory *memory,
                      struct aero_demand *out)
{
    /* Who once reported was moved by us: what it holds is what it needs. */
    out->kib = reported ? in->held_kib : in->resting_kib;
    if (!reported && in->probe)
        out->kib = probed(in, memory, &why);
    if (in->static_max_kib != LXE_UNKNOWN)
        out->kib = lxe_min(out->kib, in->static_max_kib);
    out->fresh_kib = out->kib;
    out->known = false;
    out->told = false;
    out->need_kib = LXE_UNKNOWN;
    out->keep_kib = 0;
    out->used_kib = LXE_UNKNOWN;
    out->available_kib = LXE_UNKNOWN;
    out->why = why;
    memory->primed = false;
    memory->counted = false;
    memory->missing_kib = 0;
}

/*
 * By what is in use now: what it used a while ago was freed. Where the guest
 * does not tell its swap it may have enough.
 */
static uint64_t keep(const struct aero_demand_input *in, uint64_t need_kib)
{
    uint64_t swap = in->report->swap_free_kib, least = 0;

    if (swap != LXE_UNKNOWN)
        least = lxe_less(need_kib + AERO_BREATH_KIB, swap);
    if (in->keeps_use)
        least = lxe_max(least, need_kib);
    return lxe_min(least, in->held_kib);
}

static bool read_report(const struct aero_demand_input *in,
                        struct aero_demand *out)
{
    out->available_kib = LXE_UNKNOWN;
    if (in->report->source == LXE_REPORT_QUBES)
        return need_by_used(in, out);
    return need_by_available(in, out);
}

/* One that thrashes has too little already, whatever it said a while ago. */
static void keep_what_it_has(const struct aero_demand_input *in,
                             uint64_t need_kib, uint64_t lost_kib,
                             struct aero_demand *out)
{
    if (out->kib < in->held_kib + lost_kib) {
        out->kib = in->held_kib + lost_kib;
        out->need_kib = in->held_kib - lxe_min(margin(in, need_kib),
                                               in->held_kib - need_kib);
    }
    out->fresh_kib = out->kib;
    out->rise_kib = lxe_max(out->rise_kib,
                            (out->kib - out->need_kib) / THRASH_PART);
}

void aero_demand_estimate(const struct aero_demand_input *in,
                          struct aero_demand_memory *memory,
                          struct aero_demand *out)
{
    enum lxe_report_source source = in->report->source;
    uint64_t need, fresh, lost;
    unsigned margins;

    out->rise_kib = 0;
    if (source == LXE_REPORT_NONE && has_activity(in)) {
        by_activity(in, memory, out);
        return;
    }
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
    out->keep_kib = keep(in, out->need_kib);
    need = lxe_min(highest(memory, in->now_ns, out->need_kib, false),
                   in->held_kib);
    out->rise_kib = rise(memory, out->need_kib);
    fresh = lxe_min(lxe_max(out->need_kib, (uint64_t)memory->fast_kib),
                    in->held_kib);
    out->known = true;
    out->told = true;
    lost = missing(in, memory);
    margins = pressed(in, memory) ? 2 : 1;
    out->kib = need + margin(in, need) * margins + lost;
    out->fresh_kib = fresh + margin(in, fresh) * margins + lost;
    if (thrashes(memory, lost))
        keep_what_it_has(in, need, lost, out);
    if (in->static_max_kib != LXE_UNKNOWN)
        out->kib = lxe_min(out->kib, in->static_max_kib);
    out->why = lost < MISSING_SAID_KIB
                   ? "by its report"
                   : "by its report and by what it reads back";
}
