/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory promised to clients: it waits until it is free, is held by the
 * client's connection, and may follow a domain that is being given it.
 * Pure; the caller passes the time.
 *
 *   0            taken            kib
 *   |--------------|---------------|
 *    the domain's    still kept free
 */
#ifndef AERO_RESERVATIONS_H
#define AERO_RESERVATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"

#define AERO_RESERVATIONS_MAX  64
#define AERO_RESERVATION_LABEL 256 /* as long as a domain's name */
#define AERO_REQUEST_ID        64
#define AERO_RESERVE_MAX_MS    (60u * 60u * 1000u) /* that one waits */
#define AERO_REFUSED_TEXT      200
#define AERO_NO_DOMID          UINT32_MAX

struct aero_reservation {
    uint64_t id;
    uint64_t owner;       /* the client's number */
    uint64_t kib;         /* held, or waited for */
    uint64_t least_kib;   /* with which it makes do; not above kib */
    uint64_t asked_ns;    /* since when it is there */
    uint64_t deadline_ns; /* by when it must be there */
    bool held;            /* else it waits */
    uint32_t domid;       /* whom it follows, or AERO_NO_DOMID */
    uint64_t taken_kib;   /* by that domain */
    uint64_t nodes;       /* the NUMA node it is of, its bit alone; 0: any */
    bool follow;          /* the next domain that gets its label as name */
    char why[AERO_REFUSED_TEXT]; /* it could not be held */
    char label[AERO_RESERVATION_LABEL];   /* what the client says it is for */
    char request[AERO_REQUEST_ID];        /* id to answer with, as JSON */
};

/* What there is for reservations. */
struct aero_room {
    uint64_t kib;                     /* on the host */
    uint64_t node_kib[LXE_NODES_MAX]; /* and for those of a node */
};

struct aero_reservations {
    struct aero_reservation items[AERO_RESERVATIONS_MAX]; /* oldest first */
    size_t count;
    uint64_t last_id;
};

/* Tells a client that its reservation is held (r->held), or why not. */
typedef void aero_reserved_fn(const struct aero_reservation *r, void *data);

/* The number of the NUMA node that it is of, or -1. */
int aero_reservation_node(const struct aero_reservation *r);

/*
 * Adds one that waits, from a filled-in template, and gives it an id.
 * Returns the item (valid until the next change), or NULL: -EBUSY in err.
 */
struct aero_reservation *aero_reservations_add(
    struct aero_reservations *all, const struct aero_reservation *wanted,
    struct lxe_err *err);

/* Frees one of the owner's. Returns 0 or -ENOENT. */
int aero_reservations_release(struct aero_reservations *all, uint64_t owner,
                              uint64_t id, struct lxe_err *err);

/* Frees all of the owner's, waiting or held. Returns how many. */
size_t aero_reservations_drop_owner(struct aero_reservations *all,
                                    uint64_t owner);

/*
 * From now the reservation follows a domain. Returns 0; -ENOENT where the
 * owner holds no such one (yet).
 */
int aero_reservations_transfer(struct aero_reservations *all, uint64_t owner,
                               uint64_t id, uint32_t domid,
                               struct lxe_err *err);

/* Tells what a domain holds now. Two that follow it share that. */
void aero_reservations_follow(struct aero_reservations *all, uint32_t domid,
                              uint64_t current_kib);

/* A domain is gone; what follows a name waits for the next one of that name. */
void aero_reservations_lost(struct aero_reservations *all, uint32_t domid);

/* Whether a reservation follows this domain. */
bool aero_reservations_following(const struct aero_reservations *all,
                                 uint32_t domid);

/* KiB that must be kept free for those held, or for those that wait. */
uint64_t aero_reservations_held_kib(const struct aero_reservations *all);
uint64_t aero_reservations_waiting_kib(const struct aero_reservations *all);

/* The same, of those of a NUMA node alone. */
uint64_t aero_reservations_node_held_kib(const struct aero_reservations *all,
                                         unsigned node);
uint64_t aero_reservations_node_waiting_kib(
    const struct aero_reservations *all, unsigned node);

/*
 * Grants the oldest that waits, if it fits into what is free beyond everything
 * promised, on the host and on its node; with what is there, where its time is
 * over and that is no less than its least. A younger one never overtakes.
 * Returns it or NULL.
 */
const struct aero_reservation *aero_reservations_grant(
    struct aero_reservations *all, const struct aero_room *unpromised,
    uint64_t now_ns);

/*
 * A domain is there: those held reservations follow it that wait for its
 * name and are older than it.
 */
void aero_reservations_meet(struct aero_reservations *all, const char *name,
                            uint32_t domid, uint64_t seen_ns);

/*
 * A domain runs: those that met it by its name have done their work, and are
 * freed. Returns how many.
 */
size_t aero_reservations_arrived(struct aero_reservations *all,
                                 uint32_t domid);

/* Whether one is held for a domain that is not there yet. */
bool aero_reservations_expecting(const struct aero_reservations *all);

/*
 * Takes out the oldest whose least does not fit into what those that wait
 * could be given in all; those before it wait for no more than fits. Returns
 * false where all fit.
 */
bool aero_reservations_refuse(struct aero_reservations *all,
                              const struct aero_room *obtainable,
                              struct aero_reservation *out);

/* Takes out one whose time is over. Returns false where there is none. */
bool aero_reservations_expire(struct aero_reservations *all, uint64_t now_ns,
                              struct aero_reservation *out);

#endif
