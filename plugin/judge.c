/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "judge.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/u64.h"
#include "demand.h"
#include "guest_state.h"
#include "rivals.h"
#include "speed.h"

static bool changed_by_others(const struct aero_guest *g)
{
    enum aero_guest_state state = g->condition.state;

    return g->retargeted &&
           (aero_guest_movable(state) || state == AERO_GUEST_FOREIGN);
}

/* Whether somebody else balances the guest; says when that changes. */
static bool foreign(struct aero_guest *g, bool changed, uint64_t now_ns)
{
    bool was = g->rival.alone;

    if (changed && aero_rival_change(&g->rival, now_ns))
        lxe_warn("domain %" PRIu32 " (%s): %u changes of its target within"
                 " %u s were not ours (%s): left alone", g->dom.domid,
                 g->dom.name, AERO_RIVAL_CHANGES, AERO_RIVAL_WINDOW_S,
                 aero_rival_guess(&g->dom));
    if (was && !aero_rival_alone(&g->rival, now_ns))
        lxe_info("domain %" PRIu32 " (%s): left alone for long enough; ours"
                 " again", g->dom.domid, g->dom.name);
    return g->rival.alone;
}

static void estimate(struct aero_guest *g, const struct aero_config *config,
                     bool scarce, uint64_t now_ns)
{
    struct aero_demand_input in = {
        .now_ns = now_ns,
        .held_kib = g->held_kib,
        .static_max_kib = aero_guest_top_kib(g),
        .resting_kib = g->resting_kib != LXE_UNKNOWN ? g->resting_kib
                                                     : g->held_kib,
        .margin_kib = config->margin_kib,
        .probe = config->probe,
        .scarce = scarce,
        .floor_kib = g->condition.floor_kib,
        .keeps_use = g->condition.keeps_use,
        .report = &g->dom.report,
        .report_age_ns = aero_guest_report_age_ns(g, now_ns),
        .activity = config->samples ? &g->activity : NULL,
    };

    aero_demand_estimate(&in, &g->demand_memory, &g->demand);
}

bool aero_judge_guest(struct aero_guest *g, const struct aero_config *config,
                      bool announced, bool scarce, uint64_t now_ns)
{
    bool changed = changed_by_others(g);
    struct aero_state_input state = {
        .now_ns = now_ns,
        .seen_ns = g->seen_ns,
        .first_report_ns = g->first_report_ns,
        .dom = &g->dom,
        .held_kib = g->held_kib,
        .announced = announced,
        .foreign = foreign(g, changed, now_ns),
        .idle_kib = LXE_UNKNOWN,
    };
    enum aero_guest_state was = g->condition.state;
    uint64_t target = aero_guest_standing_kib(g);

    g->moving = announced;
    aero_speed_sample(&g->speed, now_ns, g->held_kib, target,
                      aero_guest_tolerance_kib(target));
    state.fastest_kib_s = (uint64_t)g->speed.fastest_kib_s;
    aero_guest_apply_policy(g, config);
    estimate(g, config, scarce, now_ns);
    if (g->demand.told)
        state.idle_kib = lxe_less(g->held_kib, g->demand.used_kib);
    aero_guest_judge(&state, &g->state_memory, &g->condition);
    if (g->condition.state != was)
        lxe_info("domain %" PRIu32 " (%s): %s", g->dom.domid, g->dom.name,
                 aero_guest_state_name(g->condition.state));
    return changed;
}
