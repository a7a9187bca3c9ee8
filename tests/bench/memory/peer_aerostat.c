/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aerostat's own balancer, driven as the daemon drives it. */
#include <errno.h>
#include <stdlib.h>

#include "balancer.h"
#include "base/clock.h"
#include "peer.h"

#define LOOK_NS (LXE_NS_PER_SEC / 4) /* events bring ticks no closer */
#define OWNER   1

struct aerostat {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
    uint64_t last_ns;
    bool event;
    bool asked;
    uint64_t held;   /* the reservation's id; 0: none */
    bool late;
    uint32_t domid;  /* whom it follows */
};

static void on_reserved(const struct aero_reservation *r, void *data)
{
    struct aerostat *a = data;

    if (r->held)
        a->held = r->id;
    else
        a->late = true;
}

static void *open_peer(struct lxe_host *host)
{
    struct aerostat *a = calloc(1, sizeof(*a));
    struct lxe_err err = { 0 };

    if (!a)
        return NULL;
    a->host = host;
    aero_config_defaults(&a->config);
    a->config.host_reserve_kib = PEER_RESERVE_KIB;
    aero_balancer_init(&a->balancer, host, &a->config);
    a->balancer.reserved = on_reserved;
    a->balancer.reserved_data = a;
    if (host->ops->watch(host, &err)) {
        free(a);
        return NULL;
    }
    return a;
}

static void close_peer(void *peer)
{
    struct aerostat *a = peer;

    aero_balancer_clear(&a->balancer);
    aero_config_clear(&a->config);
    free(a);
}

static void on_event(const struct lxe_event *event, void *data)
{
    struct aerostat *a = data;

    (void)event;
    a->event = true;
}

static void drop(struct aerostat *a)
{
    aero_reservations_drop_owner(&a->balancer.reservations, OWNER);
    a->asked = a->late = false;
    a->held = 0;
    a->domid = 0;
}

/* xl ends, and with it the reservation, when the domain is built. */
static void end_transfer(struct aerostat *a)
{
    const struct aero_guest *g = aero_guests_find(&a->balancer.guests,
                                                  a->domid);

    if (a->domid && g && !g->dom.building)
        drop(a);
}

static uint64_t look(void *peer, uint64_t now_ns)
{
    struct aerostat *a = peer;
    struct lxe_err err = { 0 };

    a->host->ops->dispatch(a->host, on_event, a, &err);
    if (!a->event && a->last_ns &&
        now_ns - a->last_ns < a->config.interval_ms * LXE_NS_PER_MS)
        return LOOK_NS;
    a->event = false;
    a->last_ns = now_ns;
    aero_balancer_tick(&a->balancer);
    end_transfer(a);
    return LOOK_NS;
}

static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    struct aerostat *a = peer;
    struct aero_reservation want = { .owner = OWNER, .kib = kib,
                                     .deadline_ns = until_ns,
                                     .domid = AERO_NO_DOMID };
    struct lxe_err err = { 0 };
    int rc;

    (void)now_ns;
    if (a->held)
        return PEER_GRANTED;
    if (a->asked)
        return a->late ? PEER_REFUSED : PEER_WAIT;
    rc = aero_balancer_reserve(&a->balancer, &want, &err);
    if (rc == -EAGAIN)
        return PEER_WAIT;
    a->asked = rc == 0;
    a->event = true;
    return rc ? PEER_REFUSED : PEER_WAIT;
}

static void took(void *peer, uint32_t domid)
{
    struct aerostat *a = peer;
    struct lxe_err err = { 0 };

    a->domid = domid;
    aero_reservations_transfer(&a->balancer.reservations, OWNER, a->held,
                               domid, &err);
}

static void gone(void *peer)
{
    drop(peer);
}

const struct peer_ops peer_aerostat = {
    .name = "aerostat",
    .open = open_peer,
    .close = close_peer,
    .look = look,
    .ask = ask,
    .took = took,
    .gone = gone,
};
