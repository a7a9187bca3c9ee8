/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * oVirt's MOM with its balloon policy (mom, doc/balloon.rules): every 10 s,
 * over averages of 5 samples,
 *
 *   host under 20 % free: each guest shrinks towards used + a free part, which
 *     falls from 20 % of it to 0 with what the host has free, and below it
 *     where the host has 5 % or less; by at most 5 % of what it has;
 *   else each guest grows: to used + 20 % at once, and by 5 % towards its
 *     maximum.
 *
 * It knows no requests: a domain starts where memory is free.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "peer.h"

#define LOOK_NS   (10 * LXE_NS_PER_SEC)
#define SAMPLES   5
#define PRESSURE  0.20
#define CRITICAL  0.05
#define GUEST_FREE 0.20
#define STEP      0.05
#define SMALLEST  0.0025 /* of what it has: not worth it */

struct mom {
    struct lxe_host *host;
    double free_part;
    double used_kib[PEER_DOMIDS];
    bool seen[PEER_DOMIDS], primed;
};

static void *open_peer(struct lxe_host *host)
{
    struct mom *m = calloc(1, sizeof(*m));

    if (m)
        m->host = host;
    return m;
}

static double average(double before, double now, bool *seen)
{
    if (!*seen) {
        *seen = true;
        return now;
    }
    return before + (now - before) / SAMPLES;
}

static double shrunk(const struct mom *m, const struct peer_guest *g)
{
    double part = m->free_part <= CRITICAL
                      ? m->free_part - CRITICAL
                      : GUEST_FREE * m->free_part / PRESSURE;
    double to = m->used_kib[g->domid] * (1 + part);
    double least = (double)g->held_kib * (1 - STEP);

    return to > least ? to : least;
}

static double grown(const struct mom *m, const struct peer_guest *g)
{
    double to = m->used_kib[g->domid] * (1 + GUEST_FREE);
    double step = (double)g->held_kib * (1 + STEP);

    return to > step ? to : step;
}

static void decide(struct mom *m, const struct peer_guest *g)
{
    double held = (double)g->held_kib, to;

    if (m->free_part < PRESSURE) {
        to = shrunk(m, g);
        if (to > held)
            return;
    } else {
        to = grown(m, g);
    }
    if (to > held * (1 + SMALLEST) || to < held * (1 - SMALLEST))
        peer_set(m->host, g, (uint64_t)to);
}

static uint64_t look(void *peer, uint64_t now_ns)
{
    struct mom *m = peer;
    struct peer_view view;

    (void)now_ns;
    peer_look(m->host, &view);
    m->free_part = average(m->free_part, (double)view.free_kib /
                                             (double)view.total_kib,
                           &m->primed);
    for (size_t i = 0; i < view.count; i++) {
        const struct peer_guest *g = &view.guests[i];

        if (!g->told)
            continue;
        m->used_kib[g->domid] = average(m->used_kib[g->domid],
                                        (double)g->used_kib,
                                        &m->seen[g->domid]);
        decide(m, g);
    }
    return LOOK_NS;
}

static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    struct mom *m = peer;

    (void)now_ns;
    (void)until_ns;
    return peer_ask_free(m->host, kib);
}

const struct peer_ops peer_mom = {
    .name = "MOM",
    .open = open_peer,
    .close = free,
    .look = look,
    .ask = ask,
};
