/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One simulated guest: its memory, its balloon driver, what it says of itself.
 *
 * It knows nothing of the host. The world (sim_world.h) moves its time on,
 * asks how much memory it would take or give, and does the book-keeping.
 *
 *     given, in KiB:   | video | resident (used) | page cache |   free   |
 *                              |<------------- total -------------------->|
 *                                                |<----- available ------>|
 */
#ifndef LXE_SIM_GUEST_H
#define LXE_SIM_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "sim_pages.h"
#include "sim_scenario.h"

/* As the Linux balloon driver keeps it. */
struct lxe_sim_driver {
    uint64_t target_kib; /* that it last saw */
    unsigned fails;      /* tries without any page moved, in a row */
    uint64_t wake_ns;    /* does nothing before */
    uint64_t credit;     /* KiB x ns that its speed allows */
};

/* What goes on in it, whatever it says. */
struct lxe_sim_use {
    uint64_t demand_kib;
    uint64_t waiting_kib; /* of its trace: its programs are patient */
    uint64_t resident_kib;
    uint64_t swap_kib;
    uint64_t unmet_kib; /* demand that neither memory nor swap holds */
    uint64_t cache_kib;
    uint64_t cache_credit;
    uint64_t refaults;
    uint64_t refault_credit;
    double psi_x100;
};

struct lxe_sim_guest {
    const struct lxe_sim_guest_def *def;
    uint32_t domid;
    char uuid[LXE_UUID_TEXT];

    /* The host's books. */
    uint64_t given_kib; /* pages it has; while built, without the claim */
    uint64_t claim_kib;
    uint64_t target_kib;
    uint64_t xen_max_kib;

    unsigned pauses;
    unsigned cap_percent; /* 0: none */
    bool building;
    bool suspended;
    bool dying;
    bool saving;
    uint64_t phase_ns;  /* when building or dying began */
    uint64_t phase_kib; /* and how much there was to move */

    struct lxe_sim_driver driver;
    struct lxe_sim_use use;

    bool prepared; /* its agent has keys to write */
    bool changed;  /* its keys changed; an event waits */
    uint64_t report_at_ns;
    uint64_t drop_at_ns;
    struct lxe_guest_report report;
    struct lxe_move_request move; /* id 0 once it is answered */
    char move_answer[512];

    struct lxe_sim_pages *pages; /* while log-dirty mode is on */
    struct lxe_sim_pages *sampled; /* while somebody samples its pages */
};

/* A guest that has no memory yet. NULL where memory is short. */
struct lxe_sim_guest *lxe_sim_guest_new(const struct lxe_sim_guest_def *def,
                                        uint32_t domid, uint64_t seed);
void lxe_sim_guest_free(struct lxe_sim_guest *g);

/* It has its memory: its use begins, with a full page cache. */
void lxe_sim_guest_boot(struct lxe_sim_guest *g, uint64_t now_ns);

/* Neither built, paused, suspended nor dying. */
bool lxe_sim_guest_runs(const struct lxe_sim_guest *g);

/* What it needs for itself at this moment, by its trace. */
uint64_t lxe_sim_guest_demand_kib(const struct lxe_sim_guest_def *def,
                                  uint64_t now_ns);

/* MemTotal and MemAvailable: true ones. */
uint64_t lxe_sim_guest_total_kib(const struct lxe_sim_guest *g);
uint64_t lxe_sim_guest_available_kib(const struct lxe_sim_guest *g);

/*
 * Its memory use after dt_ns more. Returns whether it wrote any key.
 */
bool lxe_sim_guest_live(struct lxe_sim_guest *g, uint64_t now_ns,
                        uint64_t dt_ns);

/*
 * What its balloon driver would do in a step.
 * @free_kib  what the host could give
 * Returns KiB to take from the host, or, negative, to give back. The caller
 * does it, all of it.
 */
int64_t lxe_sim_guest_balloon(struct lxe_sim_guest *g, uint64_t now_ns,
                              uint64_t dt_ns, uint64_t free_kib);

/* Its pages were written for a while, at its scheduler cap. */
void lxe_sim_guest_write(struct lxe_sim_guest *g, uint64_t ns);

/* The facts as Xen and xenstore show them. */
void lxe_sim_guest_describe(const struct lxe_sim_guest *g,
                            struct lxe_domain *out);

#endif
