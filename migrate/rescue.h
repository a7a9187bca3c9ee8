/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What aerostat-migrate does to the migrations of others: cancels one,
 * repairs what dead ones left, takes a guest back whose commit nobody saw.
 */
#ifndef MIG_RESCUE_H
#define MIG_RESCUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "repair.h"

struct mig_cancel_result {
    uint32_t domid;
    char name[LXE_DOM_NAME];
    int pid;      /* of the migration that was asked to end */
    bool running; /* the guest was seen to run here again */
};

/* Repairs on this host's Xen; see mig_repair_all(). */
int mig_rescue_repair(struct mig_repair_count *count, struct lxe_err *err);

/* See mig_repair_take_back(); then waits until the guest runs. */
int mig_rescue_take_back(const char *what, struct lxe_err *err);

/*
 * Cancels a migration: by the daemon, or without one by its journal's
 * process. Waits until the guest is seen to run here: it is not suspended, and
 * has had processor time since.
 * @what  domid, name or UUID
 * Returns 0; -ESRCH where no migration of it runs; -EBUSY once it is
 * committed, or where it moved before it could be cancelled; -ETIMEDOUT.
 */
int mig_rescue_cancel(const char *what, struct mig_cancel_result *result,
                      struct lxe_err *err);

#endif
