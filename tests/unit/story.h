/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three minutes of a daemon's life on a simulated host, in which everything
 * happens once: guests boot and want memory, a client reserves some, another
 * dies in the middle of a migration, a guest asks to be moved. What is made to
 * fail on the way must not show at its end.
 */
#ifndef AEROSTAT_TESTS_STORY_H
#define AEROSTAT_TESTS_STORY_H

#include "balancer.h"
#include "control_methods.h"
#include "decision_history.h"
#include "decision_log.h"
#include "host_sim.h"

struct story {
    struct lxe_host *sim;
    struct aero_config config;
    struct aero_balancer balancer;
    struct aero_methods methods;
    struct aero_history history;
    struct aero_decision_log *log; /* the caller's; NULL: none */
    unsigned asked, answered; /* requests */
    unsigned granted;
    unsigned moves;           /* that a guest asked for, and that were begun */
    unsigned failed_ticks;
    bool last_failed;         /* the last request, */
    bool last_said_why;       /* with words */
};

/* Opens the simulated host, and the daemon on it. */
void story_begin(struct story *s);

/*
 * Plays it.
 * @host  what the daemon sees: the simulated host, or one in front of it
 */
void story_play(struct story *s, struct lxe_host *host);

/* Two more ticks; checks how it ended, and frees everything. */
void story_end(struct story *s);

#endif
