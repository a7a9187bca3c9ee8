/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child process that lets the guest go if we cannot: it undoes a brake that
 * is on when we die, however we die, and ends a pause that has lasted for a
 * second because we were stopped or starved.
 *
 *   save helper ── engage, pause, unpause, disengage
 *        │ socket (its end is our death), shared flag
 *   guard ──────── takes the flag, and undoes
 *
 * Each undoes first and clears the flag then: who dies in between leaves a
 * second undoing, which does nothing, rather than none. Where both are killed,
 * the daemon repairs it from the migration's journal.
 */
#ifndef MIG_BRAKE_GUARD_H
#define MIG_BRAKE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "guest_brake.h"

#define MIG_GUARD_LONGEST_PAUSE_NS UINT64_C(1000000000)

struct mig_guard;

typedef int mig_open_guest_fn(uint32_t domid, struct lxe_guest_brake **out,
                              struct lxe_err *err);

struct mig_guard_config {
    uint32_t domid;
    mig_open_guest_fn *open_guest; /* called in the child */
    bool pauses;                   /* what is undone: a pause, or the cap */
    unsigned original_cap;         /* to which the cap is set */
};

/*
 * Forks: to be called before the process has other threads. Returns 0, or a
 * negative errno where the child cannot be started or cannot reach the guest.
 */
int mig_guard_start(const struct mig_guard_config *config,
                    struct mig_guard **out, struct lxe_err *err);

/* To be called right before the brake is put on. */
void mig_guard_engage(struct mig_guard *guard);

/* To be called right after it was let go. */
void mig_guard_disengage(struct mig_guard *guard);

/* Whether it is still on; not so once the guard has undone it. */
bool mig_guard_engaged(const struct mig_guard *guard);

/* Whether it still watches. Without it nothing is to be engaged. */
bool mig_guard_alive(struct mig_guard *guard);

/* Ends it; what is engaged is undone. NULL is nothing. */
void mig_guard_end(struct mig_guard *guard);

#endif
