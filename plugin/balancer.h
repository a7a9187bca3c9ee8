/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One tick: guests -> demand -> state -> policy -> apply. Each step takes the
 * last one's result as a value. Holds what the control socket shows.
 */
#ifndef AERO_BALANCER_H
#define AERO_BALANCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "daemon_config.h"
#include "guests.h"
#include "host.h"
#include "host_state.h"
#include "migrations.h"
#include "reservations.h"
#include "sampler.h"
#include "self_move.h"
#include "tick.h"
#include "trouble.h"

/* Is shown each tick's decisions, after they were carried out. */
typedef void aero_decided_fn(const struct aero_tick *tick, void *data);

struct aero_balancer {
    struct lxe_host *host;            /* the caller's */
    const struct aero_config *config; /* the caller's */
    struct aero_guests guests;
    struct aero_reservations reservations;
    struct aero_migrations migrations;
    struct aero_self_moves self_moves;
    struct aero_sampler sampler;
    struct lxe_host_memory memory;
    struct lxe_numa numa;             /* count 0: not known yet */
    uint64_t short_nodes;             /* as in policy.h */
    enum aero_host_state state;
    uint64_t spare_kib;               /* that no guest needs now */
    uint32_t should_move;             /* domid, or AERO_NO_DOMID */
    char shortage[AERO_WARNING_TEXT]; /* what to do about a low state */
    uint64_t ticks;                   /* in which all could be seen */
    uint64_t first_ns;                /* of these */
    uint64_t now_ns;                  /* of the last tick; never goes back */
    uint64_t reconnects;              /* after each, watch() is to be called */
    char trouble[AERO_WARNING_TEXT];  /* what went wrong in the last tick */
    char autoballoon[AERO_WARNING_TEXT];
    struct aero_counters counters;
    aero_reserved_fn *reserved;
    void *reserved_data;
    aero_decided_fn *decided;
    void *decided_data;
};

/* Zeroes it and keeps the pointers. Clear it before the host is closed. */
void aero_balancer_init(struct aero_balancer *b, struct lxe_host *host,
                        const struct aero_config *config);

/* Frees what it owns. */
void aero_balancer_clear(struct aero_balancer *b);

/*
 * Does one tick. What fails is logged, shown as a warning, and tried again at
 * the next one. Returns 0 or the first negative errno.
 */
int aero_balancer_tick(struct aero_balancer *b);

/*
 * Asks for memory; `reserved` answers, in a later tick. Beyond wanted's least
 * it gets what nobody needs.
 * Returns 0; -ENOSPC where it can never be had now, with how much could;
 * -EBUSY; -EAGAIN before the first tick; the host's errors.
 */
int aero_balancer_reserve(struct aero_balancer *b,
                          const struct aero_reservation *wanted,
                          struct lxe_err *err);

/* What a reservation could have now; LXE_UNKNOWN where memory is short. */
uint64_t aero_balancer_obtainable_kib(const struct aero_balancer *b);

/*
 * Whether somebody waits for memory, or it waits for a domain: then ticks
 * should come soon.
 */
bool aero_balancer_awaited(const struct aero_balancer *b);

/*
 * Leaves all guests at targets that are safe without a daemon: a guest that
 * has not followed a shrink is asked for no more than it has given. Drops all
 * reservations.
 */
void aero_balancer_stop(struct aero_balancer *b);

#endif
