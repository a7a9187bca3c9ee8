/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inside of a simulated host, shared by the files that implement its ops:
 * one lock around a world, and the clock that moves it.
 */
#ifndef LXE_SIM_HOST_H
#define LXE_SIM_HOST_H

#include <pthread.h>

#include "dirty_log.h"
#include "host.h"
#include "host_sim.h"
#include "sim_world.h"

struct lxe_sim_fault {
    int code;
    unsigned count; /* calls that are yet to fail */
};

/* A log-dirty session. Ends with the host, too. */
struct lxe_sim_log {
    struct lxe_dirty_log base;
    struct lxe_sim *sim;
    uint32_t domid;
    struct lxe_sim_log *next;
};

struct lxe_sim {
    struct lxe_host base;
    pthread_mutex_t lock; /* around all below; save() lets go as it waits */
    struct lxe_sim_scenario *scenario;
    struct lxe_sim_world world;
    enum lxe_sim_clock clock;
    uint64_t real_ns; /* the real time that the world has reached */
    bool disconnected;
    struct lxe_sim_fault faults[LXE_SIM_OPS];
    uint32_t vanish_domid; /* 0: none */
    struct lxe_sim_log *logs;
};

static inline struct lxe_sim *lxe_sim_of(struct lxe_host *host)
{
    return (struct lxe_sim *)host;
}

/*
 * Begins an op: locks, and lets the world catch up with real time. On failure
 * (of an injected kind) it is not locked. lxe_sim_end() unlocks.
 */
int lxe_sim_begin(struct lxe_sim *sim, enum lxe_sim_op op,
                  struct lxe_err *err);
void lxe_sim_end(struct lxe_sim *sim);

/* The same for an op on one living domain; also -ESRCH. */
int lxe_sim_begin_domain(struct lxe_sim *sim, enum lxe_sim_op op,
                         uint32_t domid, struct lxe_sim_guest **out,
                         struct lxe_err *err);

/*
 * Lets virtual time pass: moves a manual clock; on a real one it sleeps,
 * unlocked. Pointers to guests are void after it.
 */
void lxe_sim_wait(struct lxe_sim *sim, uint64_t ns);

/* The ops that have their own file: sim_log.c, sim_sample.c, sim_save.c. */
int lxe_sim_check_devices(struct lxe_host *host, uint32_t domid,
                          struct lxe_err *err);
int lxe_sim_log_open(struct lxe_host *host, uint32_t domid,
                     struct lxe_dirty_log **out, struct lxe_err *err);
int lxe_sim_sample_open(struct lxe_host *host, uint32_t domid, size_t want,
                        uint64_t seed, struct lxe_page_sample **out,
                        struct lxe_err *err);
int lxe_sim_save(struct lxe_host *host, const struct lxe_save_args *args,
                 struct lxe_err *err);

/* Turns log-dirty mode on, as Xen does. -EINVAL, -EBUSY, -ENOMEM. */
int lxe_sim_log_on(struct lxe_sim *sim, struct lxe_sim_guest *g,
                   struct lxe_err *err);
void lxe_sim_log_off(struct lxe_sim_guest *g);

/* How many pages are dirty now. Clean also clears them. */
uint64_t lxe_sim_log_count(struct lxe_sim_guest *g);
uint64_t lxe_sim_log_clean(struct lxe_sim_guest *g);

#endif
