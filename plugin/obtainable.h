/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory can be had, of the host and of a NUMA node: by a reservation
 * if their guests give what they may, and without what a guest needs. Changes
 * nothing that is known.
 */
#ifndef AERO_OBTAINABLE_H
#define AERO_OBTAINABLE_H

#include <stdint.h>

#include "base/err.h"
#include "policy_input.h"
#include "reservations.h"

/*
 * What no guest needs now, in KiB: what stands is judged, not what somebody
 * waits for.
 * @guests  of all, as by aero_policy_input_guests()
 */
uint64_t aero_obtainable_spare_kib(const struct aero_known *known,
                                   const struct aero_policy_guest *guests);

/* What one more could have, in KiB; LXE_UNKNOWN where memory is short. */
uint64_t aero_obtainable_kib(const struct aero_known *known);

/*
 * What those that wait could have, all together. A node that nobody waits for
 * has room for all.
 * Returns 0 or -ENOMEM.
 */
int aero_obtainable_room(const struct aero_known *known,
                         struct aero_room *room);

/*
 * Fits one that is asked for to what can be had: it must be such as could be,
 * and gets beyond its least only what nobody needs.
 * Returns 0; -ENOSPC, with how much could be had; -ENOMEM.
 */
int aero_obtainable_fit(const struct aero_known *known,
                        struct aero_reservation *r, struct lxe_err *err);

#endif
