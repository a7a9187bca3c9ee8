/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A memory balancer under test: ours, or another project's as it published
 * its formula. All of them see the same simulated host through host.h, and
 * the same reports of the same guests.
 *
 * The others' code is not here: each file says where its rules stand. What a
 * project does beside them (its own talk with guests, its locks against other
 * processes) is left out where it does not change a target.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"

#define PEER_DOMIDS      10240 /* nobody here creates more domains */
#define PEER_RESERVE_KIB (64u << 10) /* what every balancer keeps free */

enum peer_answer {
    PEER_WAIT,
    PEER_GRANTED, /* free and kept free until peer_ops.took or .gone */
    PEER_REFUSED,
};

struct peer_ops {
    const char *name;

    /* NULL where memory is short. The host outlives the peer. */
    void *(*open)(struct lxe_host *host);
    void (*close)(void *peer);

    /* One look at the host; returns in how many ns it wants the next one. */
    uint64_t (*look)(void *peer, uint64_t now_ns);

    /*
     * Somebody wants memory; asked again, with the same @until_ns, until it
     * is granted, refused, or nobody wants it any more.
     */
    enum peer_answer (*ask)(void *peer, uint64_t kib, uint64_t now_ns,
                            uint64_t until_ns);

    /* The memory that was granted went to this domain. May be NULL. */
    void (*took)(void *peer, uint32_t domid);

    /* Nobody wants the memory any more. May be NULL. */
    void (*gone)(void *peer);
};

extern const struct peer_ops peer_static, peer_squeezed, peer_qmemman,
    peer_mom, peer_proxmox, peer_aerostat;

/* ---- what the others share: a look at the host ---- */

struct peer_guest {
    uint32_t domid;
    uint64_t held_kib, target_kib, min_kib, max_kib;
    bool told;           /* the guest reports what it uses */
    uint64_t used_kib;   /* without swap */
    uint64_t swap_kib;
};

struct peer_view {
    struct peer_guest guests[PEER_DOMIDS]; /* that may be ballooned now */
    size_t count;
    uint64_t free_kib;   /* less PEER_RESERVE_KIB */
    uint64_t total_kib;
};

/* Looks at the host, and lets guests report. */
void peer_look(struct lxe_host *host, struct peer_view *view);

/* Sets a target, between the guest's bounds and in whole pages. */
void peer_set(struct lxe_host *host, const struct peer_guest *g,
              uint64_t target_kib);

/* A balancer that knows no requests: what is free now, or nothing. */
enum peer_answer peer_ask_free(struct lxe_host *host, uint64_t kib);

#endif
