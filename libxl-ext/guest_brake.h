/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What slows a guest down: the scheduler's cap, and pauses. By libxc alone,
 * for the save helper, which has no libxl of its own.
 *
 * Calls return 0 or a negative errno with a message: -ESRCH for a domain that
 * has gone, -EOPNOTSUPP where the scheduler knows no cap (credit and credit2
 * do). They may be made from any thread, from one at a time.
 */
#ifndef LXE_GUEST_BRAKE_H
#define LXE_GUEST_BRAKE_H

#include <stdint.h>

#include "base/err.h"

struct lxe_guest_brake;

struct lxe_guest_brake_ops {
    /* In percent of one CPU; 0 is no cap. */
    int (*cap_get)(struct lxe_guest_brake *brake, unsigned *percent,
                   struct lxe_err *err);
    int (*cap_set)(struct lxe_guest_brake *brake, unsigned percent,
                   struct lxe_err *err);
    /* Counted by Xen: each pause needs its unpause. */
    int (*pause)(struct lxe_guest_brake *brake, struct lxe_err *err);
    int (*unpause)(struct lxe_guest_brake *brake, struct lxe_err *err);
    /* CPU time that all its vCPUs have had, in ns. */
    int (*cpu_ns)(struct lxe_guest_brake *brake, uint64_t *ns,
                  struct lxe_err *err);
    /* Undoes nothing. */
    void (*close)(struct lxe_guest_brake *brake);
};

struct lxe_guest_brake {
    const struct lxe_guest_brake_ops *ops;
};

/* Returns 0, -ENOMEM or -EIO. */
int lxe_guest_brake_open(uint32_t domid, struct lxe_guest_brake **out,
                         struct lxe_err *err);

#endif
