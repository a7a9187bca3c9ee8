/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Qubes OS' qmemman (qubes-core-admin, qubes/qmemman/algo.py):
 *
 *   wanted = max(1.3 used, 200 MiB), used with swap, at most the maximum
 *
 * Where all wishes are met, the surplus is shared in proportion to them; else
 * those above go down to theirs, and what comes free is shared by those
 * below. Acts where 150 MiB would move in all, or 15 MiB to one below its
 * wish, and keeps 50 MiB free. A report counts when it changed by 30 MB. While
 * a request is served and its memory not taken nothing is balanced.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "peer.h"

#define LOOK_NS      (LXE_NS_PER_SEC / 4) /* reports wake it */
#define LEAST_KIB    (200u << 10)
#define LEFT_KIB     (50u << 10)
#define NOTICE_KIB   (30000000u / 1024)
#define TRANSFER_KIB (150u << 10)
#define UNDER_KIB    (15u << 10)
#define DONOR_KIB    (10u << 10)

struct qmemman {
    struct lxe_host *host;
    bool locked;
    uint64_t used_kib[PEER_DOMIDS]; /* as last noticed */
};

struct wish {
    uint64_t wanted_kib;
    double to_kib;
};

static void *open_peer(struct lxe_host *host)
{
    struct qmemman *q = calloc(1, sizeof(*q));

    if (q)
        q->host = host;
    return q;
}

/* Guests that report, with what they want. */
static void wishes(struct qmemman *q, struct peer_view *view,
                   struct wish *out)
{
    size_t kept = 0;

    peer_look(q->host, view);
    for (size_t i = 0; i < view->count; i++) {
        struct peer_guest g = view->guests[i];
        uint64_t now = g.used_kib + g.swap_kib;
        uint64_t *used = &q->used_kib[g.domid];

        if (!g.told)
            continue;
        if (now > *used + NOTICE_KIB || now + NOTICE_KIB < *used)
            *used = now;
        out[kept].wanted_kib = *used + *used * 3 / 10;
        if (out[kept].wanted_kib < LEAST_KIB)
            out[kept].wanted_kib = LEAST_KIB;
        if (out[kept].wanted_kib > g.max_kib)
            out[kept].wanted_kib = g.max_kib;
        view->guests[kept++] = g;
    }
    view->count = kept;
}

/* The surplus in proportion to the wishes; what one cannot take goes on. */
static void share_surplus(const struct peer_view *view, struct wish *w,
                          double surplus)
{
    for (int pass = 0; pass < 8 && surplus > 1; pass++) {
        double all = 0, left = 0;

        for (size_t i = 0; i < view->count; i++)
            if (w[i].to_kib < (double)view->guests[i].max_kib)
                all += (double)w[i].wanted_kib;
        for (size_t i = 0; i < view->count && all > 0; i++) {
            double max = (double)view->guests[i].max_kib;

            if (w[i].to_kib >= max)
                continue;
            w[i].to_kib += surplus * (double)w[i].wanted_kib / all;
            if (w[i].to_kib > max) {
                left += w[i].to_kib - max;
                w[i].to_kib = max;
            }
        }
        surplus = all > 0 ? left : 0;
    }
}

static void share_shortage(const struct peer_view *view, struct wish *w,
                           double free_kib)
{
    double all = 0;

    for (size_t i = 0; i < view->count; i++) {
        uint64_t held = view->guests[i].held_kib;

        w[i].to_kib = (double)held;
        if (held <= w[i].wanted_kib) {
            all += (double)w[i].wanted_kib;
        } else if (held - w[i].wanted_kib >= DONOR_KIB) {
            w[i].to_kib = (double)w[i].wanted_kib;
            free_kib += (double)(held - w[i].wanted_kib);
        }
    }
    for (size_t i = 0; i < view->count && free_kib > 0; i++)
        if (view->guests[i].held_kib <= w[i].wanted_kib)
            w[i].to_kib += free_kib * (double)w[i].wanted_kib / all;
}

static bool significant(const struct peer_view *view, const struct wish *w)
{
    double moved = 0;

    for (size_t i = 0; i < view->count; i++) {
        double change = w[i].to_kib - (double)view->guests[i].held_kib;

        if (view->guests[i].held_kib < w[i].wanted_kib && change > UNDER_KIB)
            return true;
        moved += change > 0 ? change : -change;
    }
    return moved > TRANSFER_KIB;
}

/* Those that give first; those that take find what is free by then. */
static void set_all(struct qmemman *q, const struct peer_view *view,
                    const struct wish *w)
{
    for (int grow = 0; grow < 2; grow++)
        for (size_t i = 0; i < view->count; i++) {
            const struct peer_guest *g = &view->guests[i];
            uint64_t to = (uint64_t)w[i].to_kib;

            if ((to > g->held_kib) == grow)
                peer_set(q->host, g, to);
        }
}

static uint64_t look(void *peer, uint64_t now_ns)
{
    struct wish w[PEER_DOMIDS];
    struct qmemman *q = peer;
    struct peer_view view;
    double free_kib, surplus;

    (void)now_ns;
    if (q->locked)
        return LOOK_NS;
    wishes(q, &view, w);
    free_kib = (double)view.free_kib + PEER_RESERVE_KIB - LEFT_KIB;
    surplus = free_kib;
    for (size_t i = 0; i < view.count; i++) {
        w[i].to_kib = (double)w[i].wanted_kib;
        surplus += (double)view.guests[i].held_kib -
                   (double)w[i].wanted_kib;
    }
    if (surplus > 0)
        share_surplus(&view, w, surplus);
    else
        share_shortage(&view, w, free_kib);
    if (significant(&view, w))
        set_all(q, &view, w);
    return LOOK_NS;
}

/* Brings those above their wish down to it. */
static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    struct wish w[PEER_DOMIDS];
    struct qmemman *q = peer;
    struct peer_view view;
    uint64_t most;

    (void)now_ns;
    (void)until_ns;
    wishes(q, &view, w);
    q->locked = true;
    if (view.free_kib >= kib)
        return PEER_GRANTED;
    most = view.free_kib;
    for (size_t i = 0; i < view.count; i++) {
        w[i].to_kib = (double)view.guests[i].held_kib;
        if (view.guests[i].held_kib < w[i].wanted_kib + DONOR_KIB)
            continue;
        most += view.guests[i].held_kib - w[i].wanted_kib;
        w[i].to_kib = (double)w[i].wanted_kib;
    }
    if (most < kib) {
        q->locked = false;
        return PEER_REFUSED;
    }
    set_all(q, &view, w);
    return PEER_WAIT;
}

static void took(void *peer, uint32_t domid)
{
    struct qmemman *q = peer;

    (void)domid;
    q->locked = false;
}

static void gone(void *peer)
{
    took(peer, 0);
}

const struct peer_ops peer_qmemman = {
    .name = "qmemman",
    .open = open_peer,
    .close = free,
    .look = look,
    .ask = ask,
    .took = took,
    .gone = gone,
};
