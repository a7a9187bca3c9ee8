/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "moves.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "apply.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/u64.h"
#include "base/units.h"
#include "guest_state.h"
#include "reason.h"
#include "rivals.h"

static void count_move(struct aero_counters *c, uint64_t from_kib,
                       uint64_t to_kib)
{
    if (to_kib > from_kib) {
        c->grows++;
        c->grow_kib += to_kib - from_kib;
    } else {
        c->shrinks++;
        c->shrink_kib += from_kib - to_kib;
    }
}

/* Returns whether it is set. */
static bool set_target(const struct aero_moves *m, struct aero_guest *g,
                       uint64_t kib)
{
    struct lxe_err err = { 0 };
    char text[AERO_WARNING_TEXT];
    int rc = m->host->ops->set_target(m->host, g->dom.domid, kib, &err);

    /* One that failed may stand none the less: it is nobody else's. */
    g->set_kib = kib;
    if (rc == -ESRCH)
        return false; /* it went: normal */
    if (rc) {
        snprintf(text, sizeof(text), "domain %" PRIu32 " (%.40s): %s",
                 g->dom.domid, g->dom.name, err.text);
        aero_trouble_note(m->trouble, text);
        return false;
    }
    count_move(m->counters, aero_guest_standing_kib(g), kib);
    g->written_kib = kib;
    g->dom.target_kib = kib;
    return true;
}

static void tell_move(const struct aero_guest *g, uint64_t from_kib,
                      const char *reason)
{
    char from[LXE_UNIT_TEXT], to[LXE_UNIT_TEXT];

    lxe_info("domain %" PRIu32 " (%s): target %s -> %s: %s", g->dom.domid,
             g->dom.name, lxe_format_kib(from, from_kib),
             lxe_format_kib(to, g->dom.target_kib), reason);
}

/* Sets a target for the policy's reason. */
static void follow_policy(const struct aero_moves *m, struct aero_guest *g,
                          uint64_t kib, const struct aero_reason *reason)
{
    uint64_t from_kib = aero_guest_standing_kib(g);
    char text[AERO_REASON_TEXT];

    if (!set_target(m, g, kib) || !lxe_log_shows(XTL_INFO))
        return;
    aero_reason_text(reason, text);
    tell_move(g, from_kib, text);
}

/* Sets one for another reason. */
static void set_target_for(const struct aero_moves *m, struct aero_guest *g,
                           uint64_t kib, const char *reason)
{
    uint64_t from_kib = aero_guest_standing_kib(g);

    if (set_target(m, g, kib))
        tell_move(g, from_kib, reason);
}

/* Changes the target by a page: towards what the guest holds, unless that is
 * above what it may be given. */
static void wake(const struct aero_moves *m, struct aero_guest *g)
{
    uint64_t target = aero_guest_standing_kib(g);

    if (target > g->held_kib ||
        aero_guest_top_kib(g) < target + LXE_KIB_PER_PAGE)
        target -= LXE_KIB_PER_PAGE;
    else
        target += LXE_KIB_PER_PAGE;
    set_target_for(m, g, target, "its balloon driver does not move: woken");
}

static struct aero_apply_guest *apply_input(
    const struct aero_policy_guest *in, const struct aero_policy_target *out,
    size_t count)
{
    struct aero_apply_guest *guests = malloc((count + 1) * sizeof(*guests));

    for (size_t i = 0; guests && i < count; i++)
        guests[i] = (struct aero_apply_guest){
            .movable = in[i].movable,
            .held_kib = in[i].held_kib,
            .target_kib = in[i].target_kib,
            .want_kib = out[i].target_kib,
            .nodes = in[i].nodes,
        };
    return guests;
}

static void set_targets(const struct aero_moves *m,
                        const struct aero_policy_guest *in,
                        const struct aero_policy_target *out,
                        const struct aero_policy_host *host,
                        const struct aero_node_pools *pools)
{
    size_t count = m->guests->count, n;
    _cleanup_free_ struct aero_apply_guest *guests =
        apply_input(in, out, count);
    _cleanup_free_ struct aero_apply_step *steps =
        malloc((count + 1) * sizeof(*steps));

    if (!guests || !steps) {
        aero_trouble_note(m->trouble, "out of memory");
        return;
    }
    for (unsigned node = 0; node < pools->count; node++)
        if (pools->nodes[node].keep_kib)
            aero_apply_cut(guests, count, node, pools->nodes[node].free_kib,
                           pools->nodes[node].keep_kib);
    n = aero_apply_plan(guests, count, host->free_kib, host->keep_free_kib,
                        steps);
    for (size_t i = 0; i < n; i++) {
        struct aero_guest *g = &m->guests->items[steps[i].index];

        follow_policy(m, g, steps[i].target_kib, &out[steps[i].index].reason);
        g->condition.wake = false; /* the driver has a new value */
    }
}

static void note_reason(struct aero_guest *g,
                        const struct aero_policy_target *out)
{
    if (aero_guest_movable(g->condition.state))
        g->reason = out->reason;
    else if (g->condition.state == AERO_GUEST_FOREIGN)
        g->reason = (struct aero_reason){
            .cause = AERO_CAUSE_FOREIGN,
            .why = aero_rival_guess(&g->dom),
        };
    else
        g->reason = (struct aero_reason){
            .cause = AERO_CAUSE_UNTOUCHED,
            .why = aero_guest_state_name(g->condition.state),
        };
}

void aero_moves_carry_out(const struct aero_moves *m,
                          const struct aero_policy_guest *in,
                          const struct aero_policy_target *out,
                          const struct aero_policy_host *host,
                          const struct aero_node_pools *pools)
{
    set_targets(m, in, out, host, pools);
    for (size_t i = 0; i < m->guests->count; i++) {
        struct aero_guest *g = &m->guests->items[i];

        note_reason(g, &out[i]);
        if (g->condition.wake)
            wake(m, g);
    }
}

void aero_moves_stop_shrinking(const struct aero_moves *m)
{
    for (size_t i = 0; i < m->guests->count; i++) {
        struct aero_guest *g = &m->guests->items[i];
        uint64_t target = aero_guest_standing_kib(g);
        uint64_t safe = lxe_min(g->held_kib, aero_guest_top_kib(g));

        if (aero_guest_movable(g->condition.state) &&
            target + aero_guest_tolerance_kib(target) < safe)
            set_target_for(m, g, safe,
                           "the daemon ends: no shrink is left half done");
    }
}
