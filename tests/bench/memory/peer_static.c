/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* No balancer: targets stay where the toolstack put them. */
#include "base/clock.h"
#include "peer.h"

static void *open_peer(struct lxe_host *host)
{
    return host;
}

static void close_peer(void *peer)
{
    (void)peer;
}

/* Guests report all the same; nobody reads it. */
static uint64_t look(void *peer, uint64_t now_ns)
{
    (void)peer;
    (void)now_ns;
    return 60 * LXE_NS_PER_SEC;
}

static enum peer_answer ask(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns)
{
    (void)now_ns;
    (void)until_ns;
    return peer_ask_free(peer, kib);
}

const struct peer_ops peer_static = {
    .name = "static",
    .open = open_peer,
    .close = close_peer,
    .look = look,
    .ask = ask,
};
