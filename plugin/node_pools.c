/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "node_pools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/u64.h"

/* Guests that share a pool. */
struct party {
    struct aero_policy_host host;
    struct aero_policy_guest *guests;
    struct aero_policy_target *out;
    size_t *index; /* of each, among all */
    size_t n;
};

/* What there is of a node, and what its guests would have; in KiB. */
struct sums {
    uint64_t held;      /* by those that can be moved */
    uint64_t promised;  /* to them, beyond that */
    uint64_t gone;      /* promised to the others */
    uint64_t goals;
    uint64_t most;      /* that they may come to, on the way */
};

bool aero_may_be_on(uint64_t guest_nodes, unsigned node)
{
    return !guest_nodes || guest_nodes & UINT64_C(1) << node;
}

size_t aero_node_guests(struct aero_policy_guest *guests, size_t count,
                        unsigned node)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (aero_may_be_on(guests[i].nodes, node))
            guests[n++] = guests[i];
    return n;
}

static void free_party(struct party *p)
{
    free(p->guests);
    free(p->out);
    free(p->index);
}

static int make_party(struct party *p, size_t room)
{
    *p = (struct party){
        .guests = malloc((room + 1) * sizeof(*p->guests)),
        .out = malloc((room + 1) * sizeof(*p->out)),
        .index = malloc((room + 1) * sizeof(*p->index)),
    };
    if (p->guests && p->out && p->index)
        return 0;
    free_party(p);
    return -ENOMEM;
}

static int run(struct party *p)
{
    return aero_policy_run(&p->host, p->guests, p->n, p->out);
}

static void answer(const struct party *p, struct aero_policy_target *out)
{
    for (size_t i = 0; i < p->n; i++)
        out[p->index[i]] = p->out[i];
}

static struct sums sum_up(const struct party *p, unsigned node)
{
    struct sums s = { 0 };

    for (size_t i = 0; i < p->n; i++) {
        const struct aero_policy_guest *g = &p->guests[i];
        uint64_t promised = lxe_less(g->target_kib, g->held_kib);

        if (!aero_may_be_on(g->nodes, node))
            continue;
        if (!g->movable) {
            s.gone += promised;
            continue;
        }
        s.held += g->held_kib;
        s.promised += promised;
        s.goals += p->out[i].goal_kib;
        s.most += lxe_max(p->out[i].goal_kib, g->held_kib + promised);
    }
    return s;
}

/* What the node's guests may have in all. */
static uint64_t pool_kib(const struct aero_node_pool *pool,
                         const struct sums *s)
{
    return lxe_less(pool->free_kib + s->held, pool->keep_kib + s->gone);
}

/* Those that may be on the node go over; the others stay. */
static void part(struct party *rest, struct party *apart, unsigned node)
{
    size_t n = 0;

    apart->n = 0;
    for (size_t i = 0; i < rest->n; i++) {
        const struct aero_policy_guest *g = &rest->guests[i];
        bool goes = g->movable && aero_may_be_on(g->nodes, node);
        struct party *to = goes ? apart : rest;
        size_t at = goes ? apart->n++ : n++;

        to->guests[at] = *g;
        to->index[at] = rest->index[i];
    }
    rest->n = n;
}

/*
 * Gives those of a node no more than its pool bears, nor than they should have
 * of the host's, and the rest what is left of that.
 */
static void share_pools(const struct aero_node_pool *pool,
                        const struct sums *s, struct party *apart,
                        struct party *rest)
{
    uint64_t bears = pool_kib(pool, s), gets = lxe_min(bears, s->goals);
    uint64_t kept = pool->keep_kib + s->gone;
    uint64_t missing = lxe_less(kept + s->promised, pool->free_kib);

    apart->host = rest->host;
    apart->host.free_kib = pool->free_kib;
    apart->host.keep_free_kib = kept + (bears - gets);
    apart->host.missing_kib = missing;
    apart->host.short_nodes = 0;
    rest->host.free_kib += lxe_less(s->held, gets);
    rest->host.keep_free_kib += lxe_less(gets, s->held);
    rest->host.missing_kib = lxe_less(rest->host.missing_kib, missing);
}

/* Says of those of a node why they give, or get no more. */
static void explain(struct party *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct aero_reason *r = &p->out[i].reason;

        r->on_node = true;
        r->for_node = p->out[i].target_kib < p->guests[i].target_kib;
    }
}

static int run_apart(const struct aero_node_pool *pool, unsigned node,
                     const struct sums *s, struct party *rest,
                     struct party *apart)
{
    int rc;

    part(rest, apart, node);
    share_pools(pool, s, apart, rest);
    rest->host.short_nodes &= ~(UINT64_C(1) << node);
    rc = run(apart);
    if (!rc)
        explain(apart);
    return rc ? rc : run(rest);
}

/*
 * A node whose guests come to more than it bears is done with. Then the rest
 * may have more, and so another node too much, but none less.
 */
static int run_nodes(const struct aero_node_pools *pools, struct party *rest,
                     struct party *apart, struct aero_policy_target *out)
{
    uint64_t done = 0;
    unsigned node = 0;
    int rc = run(rest);

    while (!rc && node < pools->count) {
        const struct aero_node_pool *pool = &pools->nodes[node];
        struct sums s = sum_up(rest, node);

        if (!pool->keep_kib || done & UINT64_C(1) << node ||
            s.most <= pool_kib(pool, &s)) {
            node++;
            continue;
        }
        rc = run_apart(pool, node, &s, rest, apart);
        if (!rc)
            answer(apart, out);
        done |= UINT64_C(1) << node;
        node = 0;
    }
    if (!rc)
        answer(rest, out);
    return rc;
}

int aero_node_pools_run(const struct aero_policy_host *host,
                        const struct aero_node_pools *pools,
                        const struct aero_policy_guest *guests, size_t count,
                        struct aero_policy_target *out)
{
    struct party rest, apart;
    int rc;

    if (!pools || !pools->count)
        return aero_policy_run(host, guests, count, out);
    rc = make_party(&rest, count);
    if (rc)
        return rc;
    rc = make_party(&apart, count);
    if (!rc) {
        rest.host = *host;
        rest.n = count;
        memcpy(rest.guests, guests, count * sizeof(*guests));
        for (size_t i = 0; i < count; i++)
            rest.index[i] = i;
        rc = run_nodes(pools, &rest, &apart, out);
        free_party(&apart);
    }
    free_party(&rest);
    return rc;
}
