/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XAPI's squeezed (ocaml/squeezed/lib/squeeze.ml, and its design document):
 *
 *   target = dmin + gamma (dmax - dmin)
 *   gamma  = clamp(surplus / sum of (dmax - dmin), 0, 1)
 *
 * No guest is asked what it needs. All shrinks come first, then all grows.
 * A guest without movement for 5 s counts with what it has. Without a request
 * it looks every 10 s; a request polls, and is refused at once where all
 * guests at dmin do not free enough.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "peer.h"

#define POLL_NS     (10 * LXE_NS_PER_SEC)
#define REQUEST_NS  (LXE_NS_PER_SEC / 4)
#define INACTIVE_NS (5 * LXE_NS_PER_SEC)
#define NEAR_KIB    (4u << 10)

struct squeezed {
    struct lxe_host *host;
    uint64_t wanted_kib;
    uint64_t held_kib[PEER_DOMIDS];  /* when it last moved */
    uint64_t moved_ns[PEER_DOMIDS];
};

static void *open_peer(struct lxe_host *host)
{
    struct squeezed *s = calloc(1, sizeof(*s));

    if (s)
        s->host = host;
    return s;
}

static bool near(uint64_t a, uint64_t b)
{
    return a > b ? a - b <= NEAR_KIB : b - a <= NEAR_KIB;
}

static bool active(struct squeezed *s, const struct peer_guest *g,
                   uint64_t now_ns)
{
    if (s->held_kib[g->domid] != g->held_kib ||
        near(g->held_kib, g->target_kib)) {
        s->held_kib[g->domid] = g->held_kib;
        s->moved_ns[g->domid] = now_ns;
    }
    return now_ns - s->moved_ns[g->domid] < INACTIVE_NS;
}

struct sums {
    uint64_t least_kib, range_kib, held_kib;
};

static struct sums sum(struct squeezed *s, struct peer_view *view,
                       uint64_t now_ns)
{
    struct sums all = { 0 };
    size_t kept = 0;

    for (size_t i = 0; i < view->count; i++) {
        const struct peer_guest *g = &view->guests[i];

        if (!active(s, g, now_ns))
            continue;
        all.least_kib += g->min_kib;
        all.range_kib += g->max_kib - g->min_kib;
        all.held_kib += g->held_kib;
        view->guests[kept++] = *g;
    }
    view->count = kept;
    return all;
}

static double gamma_of(const struct squeezed *s, const struct peer_view *view,
                       const struct sums *all)
{
    uint64_t have = view->free_kib + all->held_kib;
    uint64_t gone = s->wanted_kib + all->least_kib;
    double gamma;

    if (have <= gone || !all->range_kib)
        return 0;
    gamma = (double)(have - gone) / (double)all->range_kib;
    return gamma < 1 ? gamma : 1;
}

static uint64_t look(void *peer, uint64_t now_ns)
{
    struct squeezed *s = peer;
    struct peer_view view;
    struct sums all;
    bool shrinking = false;
    double gamma;

    peer_look(s->host, &view);
    all = sum(s, &view, now_ns);
    gamma = gamma_of(s, &view, &all);
    for (int grow = 0; grow < 2 && !shrinking; grow++)
        for (size_t i = 0; i < view.count; i++) {
            const struct peer_guest *g = &view.guests[i];
            uint64_t to = g->min_kib + (uint64_t)(gamma *
                                      (double)(g->max_kib - g->min_kib));

            if ((to > g->held_kib) != grow || near(to, g->target_kib))
                continue;
            peer_set(s->host, g, to);
            shrinking |= !grow;
        }
    return s->wanted_kib || shrinking ? REQUEST_NS : POLL_NS;
}

static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    struct squeezed *s = peer;
    struct peer_view view;
    struct sums all;

    (void)until_ns;
    peer_look(s->host, &view);
    all = sum(s, &view, now_ns);
    s->wanted_kib = kib;
    if (view.free_kib >= kib)
        return PEER_GRANTED;
    if (view.free_kib + all.held_kib < kib + all.least_kib) {
        s->wanted_kib = 0;
        return PEER_REFUSED;
    }
    look(s, now_ns);
    return PEER_WAIT;
}

static void took(void *peer, uint32_t domid)
{
    struct squeezed *s = peer;

    (void)domid;
    s->wanted_kib = 0;
}

static void gone(void *peer)
{
    took(peer, 0);
}

const struct peer_ops peer_squeezed = {
    .name = "squeezed",
    .open = open_peer,
    .close = free,
    .look = look,
    .ask = ask,
    .took = took,
    .gone = gone,
};
