/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim_numa.h"

#include <string.h>

/* Takes what fits from a node; returns what does not. */
static uint64_t take(struct lxe_numa *numa, uint64_t node, uint64_t kib)
{
    uint64_t *left = &numa->nodes[node].free_kib;
    uint64_t fits = kib < *left ? kib : *left;

    *left -= fits;
    return kib - fits;
}

/* What is free on all nodes is given; by how much each has is left. */
static void spread(struct lxe_numa *numa, uint64_t free_kib)
{
    uint64_t left = 0;

    for (unsigned i = 0; i < numa->count; i++)
        left += numa->nodes[i].free_kib;
    for (unsigned i = 0; left && i < numa->count; i++)
        numa->nodes[i].free_kib = (uint64_t)(
            (unsigned __int128)numa->nodes[i].free_kib * free_kib / left);
}

void lxe_sim_numa(const struct lxe_sim_world *w, struct lxe_numa *out,
                  uint32_t domid, uint64_t *remote_kib)
{
    const struct lxe_sim_scenario *s = w->scenario;

    memset(out, 0, sizeof(*out));
    out->count = (unsigned)s->nodes;
    for (unsigned i = 0; i < out->count; i++) {
        out->nodes[i].size_kib = s->total_kib / s->nodes;
        out->nodes[i].free_kib = s->total_kib / s->nodes;
    }
    for (size_t i = 0; i < w->count; i++) {
        const struct lxe_sim_guest *g = w->guests[i];
        uint64_t kib = g->given_kib + g->claim_kib;
        uint64_t remote = g->def->node == LXE_UNKNOWN
                              ? 0 : take(out, g->def->node, kib);

        if (remote_kib && g->domid == domid)
            *remote_kib = remote;
    }
    spread(out, w->free_kib);
}
