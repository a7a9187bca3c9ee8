/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XAPI's squeezed (ocaml/squeezed: lib/squeeze.ml, src/squeeze_xen.ml,
 * src/memory_server.ml). No guest is asked what it needs.
 *
 *   target = dmin + gamma (dmax - dmin)
 *   gamma  = clamp(surplus / sum of (dmax - dmin), 0, 1)
 *   surplus = free + sum of (held - dmin - 8 KiB) - what shall be free
 *
 * Differences are never below 0. A target counts as hit within 4 KiB.
 *
 * Every 10 s it looks whether the targets are others than these, and only then
 * balances; a request frees memory in the same way. Either goes on in steps of
 * a second until all have reached their targets and none changes: first only
 * those are told that shrink, and when none is left the others. One that makes
 * no progress towards its target for 5 s is left out; that is forgotten when
 * the next request or balancing begins. A request ends at once where enough is
 * free and all are at their targets, else when nothing moves any more: with
 * the memory, or refused. It holds until its domain has it.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/u64.h"
#include "peer.h"

#define POLL_NS  (10 * LXE_NS_PER_SEC)
#define STEP_NS  LXE_NS_PER_SEC
#define STUCK_NS (5 * LXE_NS_PER_SEC)
#define EXACT_KIB 4u

enum work { RESTS, BALANCES, FREES };

/* What is known of a guest's balloon driver, in one piece of work. */
struct driver {
    bool known, stuck;
    uint64_t held_kib, progress_ns;
};

struct squeezed {
    struct lxe_host *host;
    enum work work;
    uint64_t next_ns; /* the next step of it */
    uint64_t poll_ns;
    uint64_t wanted_kib;   /* of a request that is being served */
    uint64_t reserved_kib; /* granted, and perhaps being taken */
    uint32_t domid;        /* who takes it; 0: nobody yet */
    struct driver drivers[PEER_DOMIDS];
};

static void *open_peer(struct lxe_host *host)
{
    struct squeezed *s = calloc(1, sizeof(*s));

    if (s)
        s->host = host;
    return s;
}

/* What of the reservation is still free; it ends when its domain runs. */
static uint64_t not_taken_kib(struct squeezed *s)
{
    struct lxe_domain_list list;
    struct lxe_err err = { 0 };
    uint64_t left = s->reserved_kib;
    bool builds = false;

    if (!s->domid || s->host->ops->list_domains(s->host, &list, &err))
        return left;
    for (size_t i = 0; i < list.count; i++)
        if (list.doms[i].domid == s->domid && list.doms[i].building) {
            builds = true;
            left = lxe_less(left, list.doms[i].current_kib);
        }
    lxe_domain_list_free(&list);
    if (builds)
        return left;
    s->reserved_kib = 0;
    s->domid = 0;
    return 0;
}

static void look_at(struct squeezed *s, struct peer_view *view)
{
    peer_look(s->host, view);
    view->free_kib = lxe_less(view->free_kib, not_taken_kib(s));
}

static void begin(struct squeezed *s, enum work work, uint64_t now_ns)
{
    s->work = work;
    s->next_ns = now_ns;
    for (size_t i = 0; i < PEER_DOMIDS; i++)
        s->drivers[i].known = false;
}

static bool hits(uint64_t a, uint64_t b)
{
    return lxe_less(a, b) <= EXACT_KIB && lxe_less(b, a) <= EXACT_KIB;
}

/* Whether it makes progress; true in *news where it just was found stuck. */
static bool is_active(struct squeezed *s, const struct peer_guest *g,
                      uint64_t now_ns, bool *news)
{
    struct driver *d = &s->drivers[g->domid];
    bool was_stuck = d->known && d->stuck;

    if (!d->known)
        *d = (struct driver){ true, false, g->held_kib, now_ns };
    if (!hits(g->held_kib, g->target_kib) &&
        (g->target_kib > g->held_kib ? g->held_kib > d->held_kib
                                     : g->held_kib < d->held_kib)) {
        d->progress_ns = now_ns;
        d->stuck = false;
    }
    d->held_kib = g->held_kib;
    if (!hits(g->held_kib, g->target_kib) &&
        now_ns - d->progress_ns > STUCK_NS)
        d->stuck = true;
    *news = d->stuck && !was_stuck;
    return !d->stuck;
}

struct plan {
    struct peer_view view; /* active ones only */
    uint64_t to_kib[PEER_DOMIDS];
    uint64_t could_kib;    /* be free at most */
    bool frees;            /* some have to shrink: those come first */
    bool settled;          /* all at their targets, and these stay */
};

/* Takes out who is stuck; one that did not grow keeps what it has. */
static void keep_active(struct squeezed *s, struct plan *p, uint64_t now_ns)
{
    size_t kept = 0;
    bool news;

    for (size_t i = 0; i < p->view.count; i++) {
        const struct peer_guest *g = &p->view.guests[i];

        if (is_active(s, g, now_ns, &news))
            p->view.guests[kept++] = *g;
        else if (news)
            peer_set(s->host, g, lxe_min(g->target_kib, g->held_kib));
    }
    p->view.count = kept;
}

static uint64_t range_kib(const struct peer_guest *g)
{
    return lxe_less(g->max_kib, g->min_kib);
}

static void find_targets(struct plan *p, uint64_t wanted_kib)
{
    uint64_t range = 0;
    double gamma;

    p->could_kib = p->view.free_kib;
    for (size_t i = 0; i < p->view.count; i++) {
        const struct peer_guest *g = &p->view.guests[i];

        p->could_kib += lxe_less(g->held_kib, g->min_kib + 2 * EXACT_KIB);
        range += range_kib(g);
    }
    gamma = (double)lxe_less(p->could_kib, wanted_kib) /
            (double)lxe_max(range, 1);
    for (size_t i = 0; i < p->view.count; i++) {
        const struct peer_guest *g = &p->view.guests[i];
        double part = (gamma < 1 ? gamma : 1) * (double)range_kib(g);

        p->to_kib[i] = (g->min_kib + (uint64_t)part) & ~UINT64_C(3);
    }
}

static bool shrinks(const struct plan *p, size_t i)
{
    return lxe_less(p->view.guests[i].held_kib, p->to_kib[i]) > EXACT_KIB;
}

static void judge(struct plan *p)
{
    p->frees = false;
    p->settled = true;
    for (size_t i = 0; i < p->view.count; i++)
        p->frees |= shrinks(p, i);
    for (size_t i = 0; i < p->view.count; i++) {
        const struct peer_guest *g = &p->view.guests[i];

        p->settled &= hits(g->held_kib, g->target_kib) &&
                      (shrinks(p, i) != p->frees ||
                       p->to_kib[i] == g->target_kib);
    }
}

static struct plan *make_plan(struct squeezed *s, uint64_t now_ns)
{
    static struct plan p; /* large, and used up before the next one */

    look_at(s, &p.view);
    keep_active(s, &p, now_ns);
    find_targets(&p, s->wanted_kib);
    judge(&p);
    return &p;
}

/* One step of what is being done; false when it is over. */
static bool step(struct squeezed *s, uint64_t now_ns)
{
    struct plan *p;

    if (now_ns < s->next_ns)
        return true;
    s->next_ns = now_ns + STEP_NS;
    p = make_plan(s, now_ns);
    for (size_t i = 0; i < p->view.count && !p->settled; i++)
        if (shrinks(p, i) == p->frees)
            peer_set(s->host, &p->view.guests[i], p->to_kib[i]);
    if (p->settled)
        s->work = RESTS;
    return !p->settled;
}

/* Whether a target should be another one, with all drivers trusted. */
static bool is_unbalanced(struct squeezed *s, uint64_t now_ns)
{
    const struct plan *p;

    begin(s, RESTS, now_ns);
    p = make_plan(s, now_ns);
    for (size_t i = 0; i < p->view.count; i++)
        if (shrinks(p, i) == p->frees &&
            p->to_kib[i] != p->view.guests[i].target_kib)
            return true;
    return false;
}

static uint64_t look(void *peer, uint64_t now_ns)
{
    struct squeezed *s = peer;

    if (s->work == RESTS && now_ns >= s->poll_ns) {
        s->poll_ns = now_ns + POLL_NS;
        if (is_unbalanced(s, now_ns))
            begin(s, BALANCES, now_ns);
    }
    if (s->work == BALANCES && !step(s, now_ns))
        s->poll_ns = now_ns + POLL_NS;
    return STEP_NS / 4;
}

static bool has_at_once(struct squeezed *s, uint64_t kib)
{
    struct peer_view view;

    look_at(s, &view);
    for (size_t i = 0; i < view.count; i++)
        if (!hits(view.guests[i].held_kib, view.guests[i].target_kib))
            return false;
    return view.free_kib >= kib;
}

static enum peer_answer grant(struct squeezed *s, uint64_t kib)
{
    s->work = RESTS;
    s->wanted_kib = 0;
    s->reserved_kib = kib;
    return PEER_GRANTED;
}

static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    struct squeezed *s = peer;
    struct peer_view view;

    (void)until_ns;
    if (s->work == BALANCES)
        return PEER_WAIT; /* one thing is done at a time */
    if (s->work == RESTS) {
        if (has_at_once(s, kib))
            return grant(s, kib);
        begin(s, FREES, now_ns);
        s->wanted_kib = kib;
    }
    if (step(s, now_ns))
        return PEER_WAIT;
    look_at(s, &view);
    return view.free_kib >= kib ? grant(s, kib) : PEER_REFUSED;
}

static void took(void *peer, uint32_t domid)
{
    struct squeezed *s = peer;

    s->domid = domid;
}

static void gone(void *peer)
{
    struct squeezed *s = peer;

    s->work = RESTS;
    s->wanted_kib = s->reserved_kib = 0;
    s->domid = 0;
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
