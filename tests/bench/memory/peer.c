/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t known(uint64_t value, uint64_t otherwise)
{
    return value != LXE_UNKNOWN ? value : otherwise;
}

static bool balloonable(const struct lxe_domain *d)
{
    return d->domid && d->domid < PEER_DOMIDS && d->running && !d->dying &&
           !d->building && !d->migrating && !d->no_balloon &&
           !d->uncooperative && d->target_kib != LXE_UNKNOWN;
}

static void add(struct peer_view *view, const struct lxe_domain *d)
{
    const struct lxe_guest_report *r = &d->report;
    uint64_t top = known(d->static_max_kib, d->target_kib);
    struct peer_guest *g = &view->guests[view->count++];

    *g = (struct peer_guest){
        .domid = d->domid,
        .held_kib = d->current_kib,
        .target_kib = d->target_kib,
        .min_kib = known(d->dynamic_min_kib, top / 4),
        .max_kib = known(d->dynamic_max_kib, top),
        .told = r->used_kib != LXE_UNKNOWN,
        .swap_kib = known(r->swap_used_kib, 0),
    };
    if (!g->told)
        return;
    g->used_kib = r->used_kib;
    if (r->total_kib != LXE_UNKNOWN && d->current_kib > r->total_kib)
        g->used_kib += d->current_kib - r->total_kib; /* its kernel's */
}

void peer_look(struct lxe_host *host, struct peer_view *view)
{
    struct lxe_domain_list list;
    struct lxe_host_memory memory;
    struct lxe_err err = { 0 };

    view->count = 0; /* the rest of it is large, and not looked at */
    view->free_kib = 0;
    if (host->ops->memory(host, &memory, &err) ||
        host->ops->list_domains(host, &list, &err)) {
        fprintf(stderr, "simulated host: %s\n", err.text);
        exit(1);
    }
    view->total_kib = memory.total_kib;
    if (memory.free_kib > PEER_RESERVE_KIB)
        view->free_kib = memory.free_kib - PEER_RESERVE_KIB;
    for (size_t i = 0; i < list.count; i++) {
        if (list.doms[i].domid && !list.doms[i].building)
            host->ops->prepare_agent(host, list.doms[i].domid, &err);
        if (balloonable(&list.doms[i]))
            add(view, &list.doms[i]);
    }
    lxe_domain_list_free(&list);
}

void peer_set(struct lxe_host *host, const struct peer_guest *g,
              uint64_t target_kib)
{
    struct lxe_err err = { 0 };

    if (target_kib < g->min_kib)
        target_kib = g->min_kib;
    if (target_kib > g->max_kib)
        target_kib = g->max_kib;
    target_kib &= ~UINT64_C(3);
    if (target_kib != g->target_kib)
        host->ops->set_target(host, g->domid, target_kib, &err);
}

enum peer_answer peer_ask_free(struct lxe_host *host, uint64_t kib)
{
    struct peer_view view;

    peer_look(host, &view);
    return view.free_kib >= kib ? PEER_GRANTED : PEER_WAIT;
}
