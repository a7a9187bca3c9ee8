/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a simulated host consists of, read from JSON. docs/scenarios.md is the
 * specification; every field has its member here.
 */
#ifndef LXE_SIM_SCENARIO_H
#define LXE_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"

#define LXE_SIM_STEP_NS    UINT64_C(10000000) /* where none is given */
#define LXE_SIM_MAX_BYTES  (4u << 20) /* of a scenario file */
#define LXE_SIM_MAX_GUESTS 10000
#define LXE_SIM_MAX_POINTS 10000      /* of one demand trace */
#define LXE_SIM_MAX_EVENTS 10000

/* A guest uses so much from this moment on, or on the way to it. */
struct lxe_sim_point {
    uint64_t at_ns;
    uint64_t used_kib;
};

/* How a guest writes its pages. */
struct lxe_sim_writes {
    uint64_t hot_kib;
    uint64_t hot_pages_s;
    uint64_t uniform_pages_s;
};

struct lxe_sim_guest_def {
    char name[LXE_DOM_NAME];
    unsigned type; /* enum lxe_dom_type */
    uint64_t vcpus;
    uint64_t memory_kib; /* its first target */
    uint64_t static_max_kib;
    uint64_t videoram_kib;
    uint64_t dynamic_min_kib; /* LXE_UNKNOWN where not given */
    uint64_t dynamic_max_kib;
    uint64_t node; /* LXE_UNKNOWN where it belongs to none */

    uint64_t balloon_kib_s; /* 0: as fast as asked */
    uint64_t balloon_step_kib;
    uint64_t floor_kib;
    bool stuck;
    uint64_t stuck_every_ns; /* 0: not on and off */
    bool greedy;
    bool no_balloon;
    bool uncooperative;
    bool migrating;

    unsigned report; /* enum lxe_report_source */
    uint64_t report_ns;
    uint64_t report_percent; /* of the truth, that it says it uses */

    struct lxe_sim_point *demand; /* by rising time, one at least */
    size_t demand_count;
    bool demand_steps;
    uint64_t patient_kib; /* with less available its programs wait; 0: none */
    uint64_t swap_kib;
    uint64_t page_cache_kib;
    uint64_t page_cache_hot_kib;
    uint64_t page_cache_fill_ns;
    uint64_t drop_ns;

    struct lxe_sim_writes writes;
    bool passthrough;
    uint64_t paging_pool_kib;

    bool absent; /* not there at the start */
    uint64_t build_ns;
    uint64_t dying_ns;
};

enum lxe_sim_action {
    LXE_SIM_CREATE,
    LXE_SIM_DESTROY,
    LXE_SIM_PAUSE,
    LXE_SIM_UNPAUSE,
};

struct lxe_sim_event {
    uint64_t at_ns;
    unsigned action; /* enum lxe_sim_action */
    char guest[LXE_DOM_NAME];
    size_t guest_index;
};

struct lxe_sim_scenario {
    uint64_t seed;
    double speed; /* virtual seconds in one of real time */
    uint64_t step_ns; /* in which guests live and balloon: 10 ms to 1 s */

    uint64_t total_kib;
    uint64_t xen_kib; /* what Xen keeps for itself */
    uint64_t scrub_kib_s; /* 0: at once */
    uint64_t wire_mb_s;
    bool has_cap;
    uint64_t nodes; /* NUMA nodes */

    struct lxe_sim_guest_def dom0;
    struct lxe_sim_guest_def *guests;
    size_t guest_count;
    struct lxe_sim_event *events; /* by rising time */
    size_t event_count;
};

/*
 * Reads a scenario from a buffer.
 * @name  what messages call the text: a file's path
 * @out   gets the scenario: lxe_sim_scenario_free()
 * Returns 0, -EINVAL with name, line and field, -E2BIG or -ENOMEM.
 */
int lxe_sim_scenario_parse(const char *text, size_t len, const char *name,
                           struct lxe_sim_scenario **out,
                           struct lxe_err *err);

/* Reads a scenario file. Returns as above, and open's errors. */
int lxe_sim_scenario_load(const char *path, struct lxe_sim_scenario **out,
                          struct lxe_err *err);

/* NULL is fine. */
void lxe_sim_scenario_free(struct lxe_sim_scenario *scenario);

#endif
