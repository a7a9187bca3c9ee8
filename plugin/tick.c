/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tick.h"

#include "base/clock.h"

static void take_facts(const struct aero_guest *g, uint64_t now_ns,
                       struct aero_decision_facts *out)
{
    const struct lxe_guest_report *r = &g->dom.report;
    const struct aero_activity *a = &g->activity;
    uint64_t age_ns = aero_guest_report_age_ns(g, now_ns);

    *out = (struct aero_decision_facts){
        .state = aero_guest_state_name(g->condition.state),
        .source = aero_guest_source_name(r->source),
        .age_ms = age_ns == LXE_UNKNOWN ? age_ns : age_ns / LXE_NS_PER_MS,
        .current_kib = g->dom.current_kib,
        .target_kib = g->dom.target_kib,
        .static_max_kib = g->dom.static_max_kib,
        .need_kib = g->demand.need_kib,
        .used_kib = g->demand.used_kib,
        .available_kib = g->demand.available_kib,
        .total_kib = r->total_kib,
        .swap_used_kib = r->swap_used_kib,
        .swap_free_kib = r->swap_free_kib,
        .refaults = r->refaults,
        .swapins = r->swapins,
        .psi_some_x100 = r->psi_some_x100,
        .active_kib = a->seen_ns ? a->kib : LXE_UNKNOWN,
        .active_low_kib = a->seen_ns ? a->low_kib : LXE_UNKNOWN,
        .active_high_kib = a->seen_ns ? a->high_kib : LXE_UNKNOWN,
        .foreign_changes = g->rival.changes,
    };
}

void aero_tick_decision(const struct aero_tick *tick, size_t index,
                        struct aero_decision *out)
{
    const struct aero_guest *g = &tick->guests[index];

    out->in = tick->in[index];
    take_facts(g, tick->now_ns, &out->facts);
    out->out = tick->out[index];
    /* What mem.status shows: it also tells why a guest is not touched. */
    out->out.reason = g->reason;
    out->written_kib = g->written_kib;
}
