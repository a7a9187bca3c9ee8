/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "base/units.h"
#include "hasten.h"
#include "median.h"
#include "mul_div.h"
#include "water.h"

/* A part of a small guest is less than the balloon driver's own steps. */
#define SHRINK_MIN_KIB (16u << 10)

/* A guest that has its demand takes surplus when that is 1/n of its target, or
 * as much as a tick allows. */
#define SURPLUS_PART 3u

/* One of a short node gives up to 1/n of its right in an equal's place. */
#define NODE_PART 6u

/* One that lacks memory gets no less than so much more, or 1/n of its own, or
 * 1/n of that where it is free and its margin is gone. */
#define GROWTH_MIN_KIB   (192u << 10)
#define GROWTH_PART      8u
#define GROWTH_FREE_PART 4u

/* A margin is there to be used, down to 1/n of it, but not below this. */
#define MARGIN_LEFT_PART 8u
#define MARGIN_LEFT_KIB  (16u << 10)

/* What a tick allows, and of it a donor, where somebody waits or is short. */
#define HURRY_TIMES     4u
#define FOR_SHORT_TIMES 2u

/* Who will not have given in so many seconds what it was asked for is late. */
#define LATE_S 2u

/* Targets are whole superpages: a smaller step would only split one. */
#define STEP_PAGES 512u

/* A movable guest on its way through the steps. All in pages. As small as may
 * be: there is one a guest, and each step goes through all of them. */
struct slot {
    unsigned index; /* of the guest */
    unsigned shares;
    uint64_t lo, hi;
    uint64_t demand; /* between them */
    uint64_t need;   /* of it, without margin */
    uint64_t knee;   /* its demand as it is: what it pays no tax for */
    uint64_t held, target;
    uint64_t due;   /* by shares, then after tax and aid */
    uint64_t want;  /* where it should come to in the end */
    uint64_t next;  /* what this tick comes to */
    double price;   /* for what it holds */
    bool hastened;
    bool takes;    /* what is free, if there is enough */
    bool is_short; /* its margin is as good as used up */
    bool starves;  /* it has less than that, too */
    bool is_late;  /* it does not give what it was asked for */
    bool near_gave; /* in an equal's place, being on a short node */
};

/* The same where nodes matter. */
struct place {
    struct slot *slot;
    uint64_t rank; /* by which guests are equals */
    uint64_t room; /* it could give this in an equal's place */
    uint64_t give; /* an equal could give this in its place */
};

struct plan {
    const struct aero_policy_host *host;
    const struct aero_policy_guest *guests;
    struct slot *slots;
    struct aero_vessel *vessels;
    size_t n;
    uint64_t pool;    /* pages */
    uint64_t bottoms; /* sum, pages */
    uint64_t most;    /* pages that a target goes beyond what is held */
    uint64_t back;    /* held back of the surplus, pages */
    double median;    /* of the prices */
    bool any_short;
};

static uint64_t whole_steps(uint64_t pages)
{
    return pages - pages % STEP_PAGES;
}

static uint64_t whole_steps_up(uint64_t pages)
{
    return whole_steps(pages + STEP_PAGES - 1);
}

static uint64_t pages_up(uint64_t kib)
{
    return (kib + LXE_KIB_PER_PAGE - 1) / LXE_KIB_PER_PAGE;
}

/* The bounds that hold for a guest now, in pages. */
static void bounds(const struct aero_policy_guest *g, uint64_t *lo,
                   uint64_t *hi)
{
    uint64_t held = g->held_kib / LXE_KIB_PER_PAGE;
    uint64_t top = g->max_kib / LXE_KIB_PER_PAGE;

    *lo = lxe_min(pages_up(g->min_kib), top);
    *hi = lxe_max(whole_steps(top), *lo);
    if (!g->demand_known) {
        uint64_t left = lxe_min(g->demand_kib / LXE_KIB_PER_PAGE, top);

        /* Who is left as it is keeps each page; a top is in whole steps. */
        if (!g->min_is_set)
            *lo = *hi = lxe_max(left, *lo);
        else
            *hi = lxe_max(whole_steps(left), *lo);
    }
    *lo = lxe_max(*lo, lxe_min(pages_up(g->keep_kib), *hi));
    if (g->stuck_shrink) {
        *lo = lxe_max(*lo, lxe_min(held, top));
        *hi = lxe_max(*hi, *lo);
    }
    if (g->stuck_grow) {
        *hi = lxe_min(*hi, held);
        *lo = lxe_min(*lo, *hi);
    }
}

static void fill_slot(const struct aero_policy_guest *g, size_t index,
                      bool no_surplus, struct slot *s)
{
    *s = (struct slot){ .index = (unsigned)index, .shares = g->shares };
    bounds(g, &s->lo, &s->hi);
    s->knee = pages_up(g->demand_kib);
    /* In whole steps, or a little more would be rounded to less. */
    s->demand = lxe_min(lxe_max(whole_steps_up(s->knee), s->lo), s->hi);
    s->need = g->demand_known ? lxe_min(pages_up(g->need_kib), s->demand)
                              : s->demand;
    if (no_surplus)
        s->hi = s->demand;
    s->held = g->held_kib / LXE_KIB_PER_PAGE;
    s->target = g->target_kib / LXE_KIB_PER_PAGE;
}

/* What there is for all, and what of it is gone; in KiB. */
struct pool {
    uint64_t have, gone;
};

static struct pool begin_pool(const struct aero_policy_host *host)
{
    return (struct pool){ host->free_kib, host->keep_free_kib };
}

static void count_in(struct pool *pool, const struct aero_policy_guest *g)
{
    if (g->movable)
        pool->have += g->held_kib;
    else
        pool->gone += lxe_less(g->target_kib, g->held_kib);
}

/* Whether a guest lacks memory, or is about to, beyond what was promised. */
static bool is_short(const struct plan *p, const struct slot *s)
{
    uint64_t margin = s->demand - s->need;
    uint64_t left = lxe_max(margin / MARGIN_LEFT_PART,
                            MARGIN_LEFT_KIB / LXE_KIB_PER_PAGE);

    left = lxe_max(left, pages_up(p->guests[s->index].rise_kib));
    return s->target < s->demand && s->target < s->need + left;
}

/* Somebody lacks memory: what this one needed a while ago may go to it. */
static void forget_past(const struct plan *p, struct slot *s)
{
    const struct aero_policy_guest *g = &p->guests[s->index];
    uint64_t fresh;

    if (!g->demand_known || s->is_short)
        return;
    fresh = whole_steps_up(pages_up(g->fresh_kib));
    s->demand = lxe_min(s->demand, lxe_max(fresh, lxe_max(s->lo, s->need)));
}

/* Whether what was asked of a guest may stay asked. */
static bool may_give(const struct plan *p, const struct slot *s)
{
    if (s->target < s->lo || s->target > s->hi)
        return false;
    /* Where a reservation waits, until it has come down to its need. */
    return !s->is_short || (p->host->missing_kib && s->held >= s->need);
}

/*
 * Somebody lacks memory, and this one does not give what it was asked for: it
 * is taken to keep what its balloon will not have given soon.
 */
static void find_late(const struct plan *p, struct slot *s)
{
    const struct aero_policy_guest *g = &p->guests[s->index];
    uint64_t gives = g->speed_kib_s / LXE_KIB_PER_PAGE * LATE_S, soon;

    if (g->speed_kib_s == UINT64_MAX || !may_give(p, s))
        return;
    soon = lxe_min(lxe_less(s->held, gives), g->max_kib / LXE_KIB_PER_PAGE);
    s->is_late = soon > s->target;
    if (!s->is_late)
        return;
    s->lo = soon;
    s->hi = lxe_max(s->hi, soon);
    s->demand = lxe_max(s->demand, soon);
}

/*
 * How far a target goes beyond what a guest holds: further where somebody
 * waits or is short, as each step would be a move of its own, unless those of
 * a node shall have the time to give first.
 */
static uint64_t most_change(const struct plan *p)
{
    uint64_t most = lxe_max(p->host->change_kib / LXE_KIB_PER_PAGE, 1);
    bool hurry = p->any_short && !p->host->short_nodes;

    return p->host->missing_kib || hurry ? most * HURRY_TIMES : most;
}

/* The answer for a guest that is left alone. */
static struct aero_policy_target unmoved(const struct aero_policy_guest *g)
{
    return (struct aero_policy_target){
        .target_kib = g->target_kib,
        .goal_kib = g->target_kib,
        .price = 1,
    };
}

static void collect(struct plan *p, size_t count,
                    struct aero_policy_target *out)
{
    struct pool pool = begin_pool(p->host);

    for (size_t i = 0; i < count; i++) {
        const struct aero_policy_guest *g = &p->guests[i];
        struct slot *s = &p->slots[p->n];

        count_in(&pool, g);
        if (!g->movable) {
            out[i] = unmoved(g);
            continue;
        }
        p->n++;
        fill_slot(g, i, p->host->no_surplus, s);
        s->is_short = is_short(p, s);
        s->starves = s->is_short &&
                     s->target < s->need + MARGIN_LEFT_KIB / LXE_KIB_PER_PAGE;
        p->any_short |= s->is_short;
    }
    p->pool = lxe_less(pool.have, pool.gone) / LXE_KIB_PER_PAGE;
    p->most = most_change(p);
    for (size_t i = 0; i < p->n && p->any_short; i++) {
        forget_past(p, &p->slots[i]);
        find_late(p, &p->slots[i]);
    }
}

/* Each guest's part of the pool by its shares alone: the vessels' x. */
static int entitle(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];

        p->bottoms += s->lo;
        p->vessels[i] = (struct aero_vessel){
            .lo = s->lo, .hi = s->hi, .shares = s->shares,
        };
    }
    return aero_water_fill(p->vessels, p->n, p->pool);
}

/* What the tax leaves of it: all that is in use, and a part of what is not. */
static uint64_t taxed(const struct plan *p, const struct slot *s,
                      uint64_t right)
{
    uint64_t idle = lxe_less(right, s->demand);

    return right - idle / AERO_TAX_ALL * p->host->tax -
           idle % AERO_TAX_ALL * p->host->tax / AERO_TAX_ALL;
}

/* What the tax raises goes to those whose demand is above their part. */
static int meet_demands(struct plan *p)
{
    bool any = false;

    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];
        struct aero_vessel *v = &p->vessels[i];

        v->x = v->lo = taxed(p, s, v->x);
        v->hi = lxe_max(v->lo, s->demand);
        any |= s->demand > v->lo;
    }
    return any ? aero_water_fill(p->vessels, p->n, p->pool) : 0;
}

/* What is left then goes to all. */
static int share_rest(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        struct aero_vessel *v = &p->vessels[i];

        s->due = v->lo = v->base = v->x;
        v->hi = s->hi;
    }
    return aero_water_fill(p->vessels, p->n, p->pool);
}

/* In whole steps, but for its bounds. */
static uint64_t rounded(const struct slot *s, uint64_t want)
{
    return want == s->hi ? want : lxe_max(whole_steps(want), s->lo);
}

/*
 * Where each guest should come to: to what it got, less a part of what is
 * beyond its demand. That is held back, at most half of it, for those who will
 * ask next: without it each wish would move many guests a little.
 */
static void hold_back(struct plan *p)
{
    uint64_t beyond = 0;

    for (size_t i = 0; i < p->n; i++)
        beyond += lxe_less(p->vessels[i].x, p->slots[i].demand);
    if (p->host->slack_part)
        p->back = lxe_min(p->pool / p->host->slack_part, beyond / 2);
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        uint64_t want = p->vessels[i].x;

        if (p->back)
            want -= aero_mul_div(lxe_less(want, s->demand), p->back, beyond);
        s->want = rounded(s, want);
    }
}

static int share_out(struct plan *p)
{
    int rc = entitle(p);

    if (!rc)
        rc = meet_demands(p);
    if (!rc)
        rc = share_rest(p);
    if (!rc)
        hold_back(p);
    return rc;
}

/*
 * What a guest of a short node may give beyond its right: nothing of its
 * demand, and so little that it is not given back at once (band()).
 */
static struct place find_place(const struct plan *p, struct slot *s)
{
    uint64_t short_nodes = p->host->short_nodes, coarse = 0;
    uint64_t nodes = p->guests[s->index].nodes;
    uint64_t least = lxe_max(s->demand, s->lo);
    struct place to = { .slot = s };

    while (s->want >> coarse >= 8)
        coarse++;
    to.rank = s->want >> coarse << coarse;
    least = lxe_max(least, s->want - s->want / NODE_PART);
    if (nodes && !(nodes & ~short_nodes))
        to.room = whole_steps(lxe_less(s->want, least));
    else
        to.give = lxe_less(lxe_min(s->target, s->hi), s->want);
    return to;
}

static int compare_ranks(const void *pa, const void *pb)
{
    const struct place *a = pa, *b = pb;

    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static uint64_t part(uint64_t of, uint64_t n, uint64_t sum)
{
    return (uint64_t)((unsigned __int128)of * n / sum);
}

/* Among equals, those with room give in the place of the others. */
static void change_places(const struct place *equals, size_t count)
{
    uint64_t room = 0, give = 0, given = 0, most;

    for (size_t i = 0; i < count; i++) {
        room += equals[i].room;
        give += equals[i].give;
    }
    most = lxe_min(room, give);
    for (size_t i = 0; most && i < count; i++) {
        const struct place *e = &equals[i];
        uint64_t more = lxe_min(whole_steps_up(part(most, e->room, room)),
                                e->room);

        e->slot->want -= more;
        e->slot->near_gave = more > 0;
        given += more;
    }
    given = lxe_min(given, give);
    for (size_t i = 0; given && i < count; i++) {
        uint64_t less_now = part(given, equals[i].give, give);

        equals[i].slot->want += given == give ? less_now
                                              : whole_steps(less_now);
    }
}

/*
 * Where memory is wanted on a node, of equals those give who have theirs
 * there. Equals are guests whose right agrees in its first three binary
 * digits.
 */
static int prefer_nodes(struct plan *p)
{
    _cleanup_free_ struct place *all = NULL;

    if (!p->host->short_nodes)
        return 0;
    all = malloc((p->n + 1) * sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++)
        all[i] = find_place(p, &p->slots[i]);
    qsort(all, p->n, sizeof(*all), compare_ranks);
    for (size_t i = 0, end; i < p->n; i = end) {
        for (end = i + 1; end < p->n && all[end].rank == all[i].rank; end++)
            ;
        change_places(all + i, end - i);
    }
    return 0;
}

/*
 * Most that a guest is asked to give in one tick: more for one that lacks
 * memory, unless those of a node shall have the time to give first.
 */
static uint64_t most_down(const struct plan *p, const struct slot *s)
{
    uint64_t down;

    if (!p->host->shrink_part)
        return p->most;
    down = lxe_max(s->held / p->host->shrink_part,
                   SHRINK_MIN_KIB / LXE_KIB_PER_PAGE);
    if (p->any_short && !p->host->short_nodes)
        down *= FOR_SHORT_TIMES;
    return lxe_min(p->most, down);
}

/* Goes ahead of what a guest holds by no more than one tick's change. */
static void bound_change(struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];

        s->next = lxe_max(s->want, lxe_less(s->held, most_down(p, s)));
        /* What was promised already is not taken back for this bound. */
        s->next = lxe_min(s->next, lxe_max(s->held + p->most,
                                           lxe_min(s->target, s->want)));
    }
}

static uint64_t pages_s(uint64_t kib_s)
{
    return kib_s == UINT64_MAX ? kib_s : kib_s / LXE_KIB_PER_PAGE;
}

/* Somebody waits: who can give at once stands in for who is slow. */
static int hasten(struct plan *p)
{
    _cleanup_free_ struct aero_donor *d = NULL;
    int rc;

    if (!p->host->missing_kib)
        return 0;
    d = calloc(p->n + 1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];
        const struct aero_policy_guest *g = &p->guests[s->index];

        d[i] = (struct aero_donor){
            .held = s->held,
            .least = g->demand_known ? s->demand : s->lo,
            .base = s->due,
            .shares = s->shares,
            .speed = pages_s(g->speed_kib_s),
            .next = s->next,
        };
    }
    rc = aero_hasten(d, p->n, pages_up(p->host->missing_kib), p->most);
    for (size_t i = 0; i < p->n && !rc; i++) {
        p->slots[i].hastened = d[i].next < p->slots[i].next;
        p->slots[i].next = d[i].next;
    }
    return rc;
}

/* What a guest will hold soon that is on its way to a size. */
static uint64_t counted(const struct slot *s, uint64_t to)
{
    return s->is_late ? lxe_max(to, s->lo) : to;
}

/* Those who grow share a part of the pool; each has x of it so far. */
static int grow_within(struct plan *p, uint64_t rest, bool to_demands)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];
        uint64_t top = to_demands ? lxe_max(s->demand, s->held) : UINT64_MAX;
        bool grows = s->next > s->held;

        p->vessels[i].hi = grows ? lxe_min(s->next, top) : 0;
        p->vessels[i].lo = grows ? lxe_max(p->vessels[i].x, s->held) : 0;
        p->vessels[i].base = 0;
    }
    return aero_water_fill(p->vessels, p->n, rest);
}

/*
 * While some guests have not shrunk far enough yet, the others share what is
 * left of the pool for growing: first to their demands.
 */
static int bound_growth(struct plan *p)
{
    uint64_t rest = p->pool, wanted = 0;
    int rc;

    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];

        if (s->next <= s->held)
            rest = lxe_less(rest, counted(s, s->next));
        else
            wanted += s->next;
    }
    if (wanted <= rest)
        return 0;
    for (size_t i = 0; i < p->n; i++)
        p->vessels[i].x = 0;
    rc = grow_within(p, rest, true);
    if (!rc)
        rc = grow_within(p, rest, false);
    for (size_t i = 0; i < p->n && !rc; i++) {
        struct slot *s = &p->slots[i];
        uint64_t x = p->vessels[i].x;

        if (s->next > s->held)
            s->next = x == s->next ? x : lxe_max(whole_steps(x), s->held);
    }
    return rc;
}

static uint64_t growth_step(const struct slot *s)
{
    return lxe_min(GROWTH_MIN_KIB / LXE_KIB_PER_PAGE,
                   s->target / GROWTH_PART);
}

/*
 * How much more must be to be had in the end that it is worth a change. A
 * margin is there to be used: who has some of it left stays, and who has all
 * of it takes surplus only.
 */
static uint64_t band(const struct slot *s)
{
    if (!s->is_short)
        return UINT64_MAX;
    return lxe_max(growth_step(s), (s->demand - s->need) / 16);
}

/*
 * Whether a target may stay that is not the one by right. Memory that nobody
 * lacks may stay with who has it. Who lacks some takes what a tick allows,
 * where it is worth it for all that is to come.
 */
static bool may_stay(const struct plan *p, const struct slot *s)
{
    uint64_t least = p->host->dead_band_kib / LXE_KIB_PER_PAGE;
    uint64_t aim = s->is_short ? lxe_max(s->want, s->next) : s->next;

    if (s->is_late)
        return true;
    if (!least || s->hastened || s->target < s->lo || s->target > s->hi)
        return false;
    return lxe_less(s->next, s->target) < least ||
           lxe_less(aim, s->target) < band(s);
}

/* Whether so much of what is free is worth a change. */
static bool is_worth_it(const struct plan *p, const struct slot *s,
                        uint64_t to)
{
    uint64_t band = lxe_min(s->target / SURPLUS_PART, p->most);
    uint64_t least = p->host->dead_band_kib / LXE_KIB_PER_PAGE;

    if (s->starves)
        band = growth_step(s) / GROWTH_FREE_PART;
    return lxe_less(to, s->target) >= lxe_max(lxe_max(least, band), 1);
}

/* Whether it has its demand, or starves, and there is more for it by right. */
static bool would_take(const struct plan *p, const struct slot *s)
{
    return (s->target >= s->demand || s->starves) && !s->is_late &&
           is_worth_it(p, s, s->next);
}

/*
 * What is free, and not held back, goes to those who would take it; of them
 * to those who have least for their shares. Surplus comes from nowhere else:
 * those who have some would trade it without an end.
 */
static int share_free(struct plan *p, uint64_t sum)
{
    uint64_t pool = lxe_less(p->pool, lxe_min(sum + p->back, p->pool));
    int rc;

    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];

        p->vessels[i] = (struct aero_vessel){
            .lo = s->takes ? s->target : 0,
            .hi = s->takes ? s->next : 0,
            .shares = s->shares,
        };
        pool += p->vessels[i].lo;
    }
    rc = aero_water_fill(p->vessels, p->n, pool);
    for (size_t i = 0; i < p->n && !rc; i++) {
        struct slot *s = &p->slots[i];
        uint64_t x = p->vessels[i].x;

        if (s->takes && x != s->hi)
            x = whole_steps(x);
        if (s->takes)
            s->next = is_worth_it(p, s, x) ? x : s->target;
    }
    return rc;
}

static uint64_t excess(const struct slot *s)
{
    return lxe_less(s->target, s->next);
}

static int compare_excess(const void *pa, const void *pb)
{
    uint64_t a = excess(*(const struct slot *const *)pa);
    uint64_t b = excess(*(const struct slot *const *)pb);

    return a < b ? 1 : a > b ? -1 : 0;
}

/* Equals give together: the order of guests must not matter. */
static bool is_tie(struct slot *const *above, size_t i)
{
    return i && excess(above[i]) == excess(above[i - 1]);
}

/*
 * Lets stay who may, so that targets change when somebody gains by it. Where
 * that does not fit, those that are furthest above their right go down to it,
 * as few as will do.
 */
static int leave_out_changes(struct plan *p)
{
    _cleanup_free_ struct slot **above =
        malloc((p->n + 1) * sizeof(struct slot *));
    size_t n = 0, first = 0;
    uint64_t sum = 0;
    bool any_takes = false;

    if (!above)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        bool stays = may_stay(p, s);
        uint64_t to = stays ? s->target : s->next;

        s->takes = stays && would_take(p, s);
        any_takes |= s->takes;
        sum += counted(s, to);
        /* It stays asked for that, and not for more. */
        if (s->is_late)
            s->next = s->target;
        else if (stays && excess(s))
            above[n++] = s;
        else if (stays && !s->takes)
            s->next = s->target;
    }
    if (sum > p->pool)
        qsort(above, n, sizeof(struct slot *), compare_excess);
    while (first < n && (sum > p->pool || is_tie(above, first)))
        sum = lxe_less(sum, excess(above[first++]));
    for (size_t i = first; i < n; i++)
        above[i]->next = above[i]->target;
    return any_takes ? share_free(p, sum) : 0;
}

/* The price that a guest pays for what it holds: shares for each page. */
static double price(const struct plan *p, const struct slot *s)
{
    uint64_t active = lxe_min(s->held, s->knee);
    double idle = (double)(s->held - active);
    double cost = (double)active +
                  idle * AERO_TAX_ALL / (AERO_TAX_ALL - p->host->tax);

    return (double)s->shares / (cost > 1 ? cost : 1);
}

/* Prices say something beside others only. */
static int find_median(struct plan *p)
{
    _cleanup_free_ double *all = malloc((p->n + 1) * sizeof(*all));

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++)
        all[i] = p->slots[i].price = price(p, &p->slots[i]);
    p->median = aero_median(all, p->n);
    return 0;
}

static enum aero_cause cause(const struct plan *p, const struct slot *s)
{
    const struct aero_policy_guest *g = &p->guests[s->index];

    if (g->stuck_shrink && s->want == s->lo)
        return AERO_CAUSE_STUCK_SHRINK;
    if (g->stuck_grow && s->want == s->hi)
        return AERO_CAUSE_STUCK_GROW;
    if (s->is_late)
        return AERO_CAUSE_LATE;
    if (p->bottoms > p->pool)
        return AERO_CAUSE_MINIMA;
    if (!g->demand_known && s->lo == s->hi)
        return s->want == s->target ? AERO_CAUSE_LEFT : AERO_CAUSE_FOUND;
    if (s->want + STEP_PAGES <= s->demand)
        return AERO_CAUSE_SHORT;
    return s->want < s->demand + STEP_PAGES ? AERO_CAUSE_WANTS
                                            : AERO_CAUSE_SURPLUS;
}

/* The tax decides where a guest has neither its minimum nor its maximum. */
static bool tax_decides(const struct plan *p, const struct slot *s,
                        unsigned idle)
{
    return p->host->tax && idle >= 10 && p->n > 1 && s->want > s->lo &&
           s->want < s->hi;
}

static void explain(const struct plan *p, const struct slot *s,
                    struct aero_policy_target *out)
{
    const struct aero_policy_guest *g = &p->guests[s->index];

    out->reason = (struct aero_reason){
        .cause = cause(p, s),
        .why = g->why,
        .demand_kib = g->demand_kib,
        .goal_kib = out->goal_kib,
        .shares = s->shares,
        .at_min = s->want == s->lo,
        .cannot_give = g->keep_kib > g->min_kib,
        .at_max = s->want == s->hi,
        .for_node = s->near_gave,
        .hastened = s->hastened,
        .on_the_way = s->next != s->want && s->next != s->target,
    };
    if (!tax_decides(p, s, out->idle))
        return;
    out->reason.idle = out->idle;
    out->reason.price = out->price;
}

static void answer(const struct plan *p, const struct slot *s,
                   struct aero_policy_target *out)
{
    /* Not a whole number of pages only where somebody else set it. */
    out->target_kib = s->next == s->target
                          ? p->guests[s->index].target_kib
                          : s->next * LXE_KIB_PER_PAGE;
    out->goal_kib = s->want * LXE_KIB_PER_PAGE;
    out->idle = s->held > s->knee
                    ? (unsigned)((s->held - s->knee) * 1000 / s->held)
                    : 0;
    out->price = p->median > 0 ? s->price / p->median : 1;
    explain(p, s, out);
}

int aero_policy_run(const struct aero_policy_host *host,
                    const struct aero_policy_guest *guests, size_t count,
                    struct aero_policy_target *out)
{
    _cleanup_free_ struct slot *slots = malloc((count + 1) * sizeof(*slots));
    _cleanup_free_ struct aero_vessel *vessels =
        malloc((count + 1) * sizeof(*vessels));
    struct plan p = { .host = host, .guests = guests, .slots = slots,
                      .vessels = vessels };
    int rc;

    if (!slots || !vessels)
        return -ENOMEM;
    collect(&p, count, out);
    rc = share_out(&p);
    if (!rc)
        rc = prefer_nodes(&p);
    if (!rc)
        rc = find_median(&p);
    if (rc)
        return rc;
    bound_change(&p);
    rc = hasten(&p);
    if (!rc)
        rc = bound_growth(&p);
    if (rc)
        return rc;
    rc = leave_out_changes(&p);
    if (rc)
        return rc;
    for (size_t i = 0; i < p.n; i++)
        answer(&p, &p.slots[i], &out[p.slots[i].index]);
    return 0;
}

/* What is left where each movable guest goes down to its least. */
static uint64_t left_kib(const struct aero_policy_host *host,
                         const struct aero_policy_guest *guests, size_t count,
                         bool leave_needs)
{
    struct pool pool = begin_pool(host);
    uint64_t lo, hi;

    for (size_t i = 0; i < count; i++) {
        count_in(&pool, &guests[i]);
        if (!guests[i].movable)
            continue;
        bounds(&guests[i], &lo, &hi);
        lo = lxe_max(lo, guests[i].floor_kib / LXE_KIB_PER_PAGE);
        if (leave_needs && guests[i].demand_known)
            lo = lxe_min(lxe_max(pages_up(guests[i].need_kib), lo), hi);
        pool.gone += lo * LXE_KIB_PER_PAGE;
    }
    return lxe_less(pool.have, pool.gone);
}

uint64_t aero_policy_obtainable_kib(const struct aero_policy_host *host,
                                    const struct aero_policy_guest *guests,
                                    size_t count)
{
    return left_kib(host, guests, count, false);
}

uint64_t aero_policy_spare_kib(const struct aero_policy_host *host,
                               const struct aero_policy_guest *guests,
                               size_t count)
{
    return left_kib(host, guests, count, true);
}
