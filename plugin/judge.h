/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is made of one guest's facts in a tick: who balances it, how fast its
 * balloon is, what it needs, and what can be done with it.
 */
#ifndef AERO_JUDGE_H
#define AERO_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon_config.h"
#include "guests.h"

/*
 * Judges a guest by the facts just taken: sets its bounds, demand, speed and
 * condition. Says when its condition changes, or who balances it.
 * @announced  a client migrates it
 * @scarce     the host's memory is
 * Returns whether somebody else has changed its target.
 */
bool aero_judge_guest(struct aero_guest *guest,
                      const struct aero_config *config, bool announced,
                      bool scarce, uint64_t now_ns);

#endif
