/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pre-copy as it runs: the policy that the save engine asks, with its effects
 * (the pump's rate, the dirty log's hold) and its record of each round.
 *
 *        round(n, -1)            round(n, dirty)
 *   drain, close round n-1       open round n
 *   hold the dirty log           choose the rate
 *   count dirty pages            decide
 *   decide                       release the dirty log
 *        |-- libxc: CLEAN --|         |-- libxc sends round n --|
 */
#ifndef MIG_ROUNDS_H
#define MIG_ROUNDS_H

#include "base/err.h"
#include "brake.h"
#include "hot_pages.h"
#include "limits.h"
#include "pump.h"
#include "save_engine.h"
#include "status.h"

struct mig_rounds;

struct mig_rounds_config {
    struct mig_limits limits;
    uint64_t domain_pages;     /* that the domain has */
    struct mig_hot_pages *hot;
    struct mig_brake *brake;   /* NULL: the guest may not be slowed */
    int status_fd;             /* -1: nobody listens */
};

/* Returns 0 or -ENOMEM. Hot pages and brake stay the caller's. */
int mig_rounds_open(const struct mig_rounds_config *config,
                    struct mig_rounds **out, struct lxe_err *err);

/* The pump to steer; to be set before the save begins. */
void mig_rounds_attach(struct mig_rounds *rounds, struct mig_pump *pump);

/* The policy to give to the engine; valid until close. */
const struct lxe_save_policy *mig_rounds_policy(struct mig_rounds *rounds);

/*
 * New limits, from any thread. A rate holds at once; the rest from the next
 * time that libxc asks. Whether pages may be skipped is not changed, nor is
 * the way in which the guest is slowed, but to none and back.
 */
void mig_rounds_set_limits(struct mig_rounds *rounds,
                           const struct mig_limits *limits);

/* For the pump: sends progress, at most four times a second. */
void mig_rounds_progress(void *rounds);

/* The first rate in bytes/s, for the pump to start with; 0 is unlimited. */
uint64_t mig_rounds_first_bps(const struct mig_rounds *rounds);

/*
 * After the save has failed: whether the limits asked for that. Returns 0 if
 * not, else -ETIMEDOUT with the reason.
 */
int mig_rounds_gave_up(const struct mig_rounds *rounds, struct lxe_err *err);

/*
 * After the pump has finished: records the final pass and tells the outcome.
 * @failure  NULL for success
 */
void mig_rounds_finish(struct mig_rounds *rounds,
                       const struct lxe_err *failure);

/* Frees it; NULL is fine. */
void mig_rounds_close(struct mig_rounds *rounds);

#endif
