/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One tick's decisions as data: what the policy was given, what it answered,
 * what was done, and the facts behind; for the log, its replay, and people.
 * Pure.
 *
 * A new member of the policy's input, or a new fact, is one line in a table
 * of decision.c. docs/decision-log.md describes the JSON.
 */
#ifndef AERO_DECISION_H
#define AERO_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "host.h"
#include "node_pools.h"
#include "policy.h"

#define AERO_FIELDS_MAX 64 /* that no table exceeds */

/* What demand and state were judged by; the policy sees none of it. */
struct aero_decision_facts {
    const char *state;
    const char *source;         /* of the report */
    uint64_t age_ms;            /* since it last changed, or LXE_UNKNOWN */
    uint64_t current_kib;       /* as in host.h, likewise these */
    uint64_t target_kib;
    uint64_t static_max_kib;
    uint64_t need_kib;          /* as in demand.h, likewise these */
    uint64_t used_kib;
    uint64_t available_kib;
    uint64_t total_kib;         /* as the guest reported, likewise these */
    uint64_t swap_used_kib;
    uint64_t swap_free_kib;
    uint64_t refaults;
    uint64_t swapins;
    uint64_t psi_some_x100;
    uint64_t active_kib;        /* by its pages, as in activity.h */
    uint64_t active_low_kib;
    uint64_t active_high_kib;
    uint64_t foreign_changes;   /* of its target, by others (rivals.h) */
};

/* Likewise of the host. */
struct aero_host_facts {
    const char *state;    /* as in host_state.h */
    uint64_t total_kib;
    uint64_t claimed_kib;
    uint64_t spare_kib;
};

/* What was decided for a guest. */
struct aero_decision {
    struct aero_policy_guest in;
    struct aero_decision_facts facts;
    struct aero_policy_target out;
    uint64_t written_kib; /* the target as it was set, or LXE_UNKNOWN */
};

/* The tables: what of the policy's input is kept. */
extern const struct aero_field aero_host_fields[];
extern const size_t aero_host_field_count;
extern const struct aero_field aero_guest_fields[];
extern const size_t aero_guest_field_count;

/* Writes "reserve_kib", "host" and "host_facts". */
void aero_decision_write_host(struct lxe_jw *w, uint64_t reserve_kib,
                              const struct aero_policy_host *host,
                              const struct aero_host_facts *facts);

/* Writes "nodes" where memory of some is kept; @pools may be NULL. */
void aero_decision_write_nodes(struct lxe_jw *w,
                               const struct aero_node_pools *pools);

/*
 * Reads what it wrote: of the array, or NULL where there is none.
 * Returns 0, or -EINVAL.
 */
int aero_decision_read_nodes(const struct lxe_json *nodes,
                             struct aero_node_pools *pools,
                             struct lxe_err *err);

/* Writes "in", "facts", "out", "written_kib" and "reason". */
void aero_decision_write(struct lxe_jw *w, const struct aero_decision *d);

/* Whether the policy was given the same, and answered the same target. */
bool aero_decision_same(const struct aero_policy_guest *a, uint64_t a_kib,
                        const struct aero_policy_guest *b, uint64_t b_kib);

/*
 * Whether values that were read or set by somebody are such as the policy can
 * be given. Return 0, or -EINVAL with the member's name.
 */
int aero_decision_check_host(const struct aero_policy_host *host,
                             struct lxe_err *err);
int aero_decision_check_guest(const struct aero_policy_guest *guest,
                              struct lxe_err *err);

#endif
