/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "self_move.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static bool is_listed(const struct aero_config *config, const char *name,
                      const char *to)
{
    for (size_t i = 0; i < config->self_count; i++)
        if (!strcmp(config->self_rules[i].name, name) &&
            !strcmp(config->self_rules[i].to, to))
            return true;
    return false;
}

/* Seconds until so long after a moment; 0 where that is over, or never was. */
static uint64_t left_s(uint64_t since_ns, unsigned wait_s, uint64_t now_ns)
{
    uint64_t end_ns = since_ns + wait_s * LXE_NS_PER_SEC;

    if (!since_ns || now_ns >= end_ns)
        return 0;
    return (end_ns - now_ns + LXE_NS_PER_SEC - 1) / LXE_NS_PER_SEC;
}

bool aero_self_move_allowed(const struct aero_config *config,
                            const struct aero_guest *guest, const char *to,
                            bool busy, uint64_t now_ns,
                            char reason[AERO_SELF_TEXT])
{
    uint64_t wait_s = left_s(guest->self_started_ns, AERO_SELF_MOVE_S,
                             now_ns);

    reason[0] = '\0';
    if (!config->self_count)
        snprintf(reason, AERO_SELF_TEXT, "this host's administrator lets no"
                 " guest move itself");
    else if (!is_listed(config, guest->dom.name, to))
        snprintf(reason, AERO_SELF_TEXT, "this host's administrator does not"
                 " let this guest move itself to %s", to);
    else if (guest->condition.state >= AERO_GUEST_PAUSED)
        snprintf(reason, AERO_SELF_TEXT, "it is %s",
                 aero_guest_state_name(guest->condition.state));
    else if (wait_s)
        snprintf(reason, AERO_SELF_TEXT, "it was tried lately; ask again in %"
                 PRIu64 " s", wait_s);
    else if (busy)
        snprintf(reason, AERO_SELF_TEXT, "another guest is moving itself; ask"
                 " again later");
    return !reason[0];
}

static void answer(struct lxe_host *host, uint32_t domid, uint64_t id,
                   const char *text)
{
    struct lxe_err err = { 0 };
    int rc = host->ops->move_answer(host, domid, id, text, &err);

    if (rc && rc != -ESRCH)
        lxe_warn("domain %" PRIu32 ": cannot answer its wish to be moved: %s",
                 domid, err.text);
}

static void refuse(struct lxe_host *host, const struct aero_guest *g,
                   const struct lxe_move_request *r, const char *reason)
{
    char text[AERO_SELF_TEXT + 16];

    lxe_info("domain %" PRIu32 " (%s) asks to be moved to %s: refused: %s",
             g->dom.domid, g->dom.name, r->to, reason);
    snprintf(text, sizeof(text), "refused: %s", reason);
    answer(host, g->dom.domid, r->id, text);
}

static void serve(struct aero_self_moves *moves,
                  const struct aero_config *config, struct aero_guest *g,
                  struct lxe_host *host, const struct lxe_move_request *r)
{
    uint64_t now_ns = host->ops->now_ns(host);
    char reason[AERO_SELF_TEXT];

    g->self_answered_ns = now_ns;
    if (moves->id == r->id && moves->domid == g->dom.domid) {
        answer(host, g->dom.domid, r->id, "begun"); /* it did not hear it */
        return;
    }
    if (!aero_self_move_allowed(config, g, r->to, moves->id, now_ns, reason)) {
        refuse(host, g, r, reason);
        return;
    }
    g->self_started_ns = now_ns;
    if (moves->start(g->dom.domid, r->to, moves->data)) {
        refuse(host, g, r, "this host cannot start a migration now");
        return;
    }
    lxe_info("domain %" PRIu32 " (%s) asks to be moved to %s: begun",
             g->dom.domid, g->dom.name, r->to);
    moves->domid = g->dom.domid;
    moves->id = r->id;
    answer(host, g->dom.domid, r->id, "begun");
}

void aero_self_moves_tick(struct aero_self_moves *moves,
                          const struct aero_config *config,
                          struct aero_guests *guests, struct lxe_host *host)
{
    uint64_t now_ns = host->ops->now_ns(host);

    if (!moves->start)
        return;
    for (size_t i = 0; i < guests->count; i++) {
        struct aero_guest *g = &guests->items[i];
        struct lxe_move_request r;
        struct lxe_err err = { 0 };

        if (!g->prepared ||
            left_s(g->self_answered_ns, AERO_SELF_ANSWER_S, now_ns))
            continue;
        if (!host->ops->move_request(host, g->dom.domid, &r, &err) && r.id)
            serve(moves, config, g, host, &r);
    }
}

void aero_self_moves_ended(struct aero_self_moves *moves,
                           struct lxe_host *host, bool moved)
{
    if (!moved)
        answer(host, moves->domid, moves->id,
               "failed: it goes on here; the host's log says why");
    moves->id = 0;
}
