/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proxmox VE (pve-manager, PVE/AutoBalloon.pm and Service/pvestatd.pm): every
 * 10 s,
 *
 *   goal = 80 % of the host's memory - what is used; nothing within 10 MiB
 *   desired = min + (sum of what all have beyond min + goal) by shares
 *
 * by at most 100 MiB a guest. When it grows, guests first whose free memory
 * is under a quarter of their minimum; when it shrinks, those first whose is
 * above. It knows no requests: a domain starts where memory is free.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "peer.h"

#define LOOK_NS  (10 * LXE_NS_PER_SEC)
#define GOAL     0.80
#define BAND_KIB (10 << 10)
#define STEP_KIB (100 << 10)

struct proxmox {
    struct lxe_host *host;
};

static void *open_peer(struct lxe_host *host)
{
    struct proxmox *p = calloc(1, sizeof(*p));

    if (p)
        p->host = host;
    return p;
}

static bool short_of_memory(const struct peer_guest *g)
{
    uint64_t idle = g->held_kib > g->used_kib ? g->held_kib - g->used_kib : 0;

    return idle < g->min_kib / 4;
}

/* What a guest should come to, if all of these share the goal. */
static int64_t change_of(const struct peer_guest *g, int64_t each)
{
    int64_t change = (int64_t)g->min_kib + each - (int64_t)g->held_kib;

    if (change > STEP_KIB)
        return STEP_KIB;
    return change < -STEP_KIB ? -STEP_KIB : change;
}

/* Lets one half of the guests move; returns what is left of the goal. */
static int64_t move(struct proxmox *p, const struct peer_view *view,
                    int64_t goal_kib, bool those_short)
{
    int64_t beyond = goal_kib, n = 0;

    for (size_t i = 0; i < view->count; i++)
        if (short_of_memory(&view->guests[i]) == those_short) {
            beyond += (int64_t)view->guests[i].held_kib -
                      (int64_t)view->guests[i].min_kib;
            n++;
        }
    for (size_t i = 0; i < view->count && n; i++) {
        const struct peer_guest *g = &view->guests[i];
        int64_t change = change_of(g, beyond > 0 ? beyond / n : 0);

        if (short_of_memory(g) != those_short ||
            (change > 0) != (goal_kib > 0))
            continue;
        if (change + (int64_t)g->held_kib < (int64_t)g->min_kib)
            continue;
        peer_set(p->host, g, (uint64_t)((int64_t)g->held_kib + change));
        goal_kib -= change;
    }
    return goal_kib;
}

static uint64_t look(void *peer, uint64_t now_ns)
{
    struct proxmox *p = peer;
    struct peer_view view;
    int64_t goal_kib;
    bool grows;

    (void)now_ns;
    peer_look(p->host, &view);
    goal_kib = (int64_t)view.free_kib + PEER_RESERVE_KIB -
               (int64_t)((1 - GOAL) * (double)view.total_kib);
    grows = goal_kib > 0;
    if (goal_kib > -BAND_KIB && goal_kib < BAND_KIB)
        return LOOK_NS;
    goal_kib = move(p, &view, goal_kib, grows);
    if (grows ? goal_kib > BAND_KIB : goal_kib < -BAND_KIB)
        move(p, &view, goal_kib, !grows);
    return LOOK_NS;
}

static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    struct proxmox *p = peer;

    (void)now_ns;
    (void)until_ns;
    return peer_ask_free(p->host, kib);
}

const struct peer_ops peer_proxmox = {
    .name = "Proxmox",
    .open = open_peer,
    .close = free,
    .look = look,
    .ask = ask,
};
