/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulated host's world: virtual time, the domains, and whose each page
 * is. Not thread-safe: host_sim.c holds a lock around all of it.
 *
 *   total = Xen's own + given to domains + claimed by those built + free
 *
 * Time moves in steps (the scenario's step_ns), in which guests live and
 * balloon and the scenario's events happen; the clock itself is finer. After
 * each step the books are checked.
 */
#ifndef LXE_SIM_WORLD_H
#define LXE_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "host_sim.h"
#include "sim_guest.h"
#include "sim_scenario.h"

struct lxe_sim_world {
    const struct lxe_sim_scenario *scenario;
    uint64_t now_ns;
    size_t next_event;

    uint64_t free_kib;  /* neither given nor claimed */
    uint64_t scrub_kib; /* of these, not yet scrubbed */
    uint64_t scrub_credit;

    struct lxe_sim_guest **guests; /* by rising domid; dom0 is first */
    size_t count, room;
    uint32_t next_domid;

    bool watching;
    bool domains_changed;    /* an event waits */
    size_t next_changed;     /* the guest where the next one is looked for */
    uint64_t refused_builds; /* for want of memory, or already there */

    lxe_sim_invariant_fn *invariant;
    void *invariant_data;
};

/*
 * Brings up what is there at the start. The scenario outlives the world.
 * Returns 0 or -ENOMEM; lxe_sim_world_deinit() in both cases.
 */
int lxe_sim_world_init(struct lxe_sim_world *w,
                       const struct lxe_sim_scenario *scenario,
                       struct lxe_err *err);
void lxe_sim_world_deinit(struct lxe_sim_world *w);

/* Moves time on, with all that happens in it. */
void lxe_sim_world_advance(struct lxe_sim_world *w, uint64_t ns);

/* The domain, or NULL. */
struct lxe_sim_guest *lxe_sim_world_find(struct lxe_sim_world *w,
                                         uint32_t domid);

/*
 * Begins to build a guest of the scenario. Returns it, or NULL with
 * -EEXIST where it is there already, -ENOMEM where the host's memory does not
 * suffice.
 */
struct lxe_sim_guest *lxe_sim_world_create(struct lxe_sim_world *w,
                                           size_t guest_index,
                                           struct lxe_err *err);

/* Destroys a domain; it takes its time to die, and may be freed at once. */
void lxe_sim_world_destroy(struct lxe_sim_world *w, struct lxe_sim_guest *g);

/* A domain came, went or changed its state; its keys changed. */
void lxe_sim_world_note_domains(struct lxe_sim_world *w);
void lxe_sim_world_note_memory(struct lxe_sim_world *w,
                               struct lxe_sim_guest *g);

/* Takes the next event that waits. Events of one kind for one domain merge. */
bool lxe_sim_world_next_event(struct lxe_sim_world *w, struct lxe_event *out);

/* Checks the books, and tells the invariant function what is wrong. */
void lxe_sim_world_check(struct lxe_sim_world *w);

/* The same for what one domain has and may have. */
void lxe_sim_world_check_guest(struct lxe_sim_world *w,
                               const struct lxe_sim_guest *g);

#endif
