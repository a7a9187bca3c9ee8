/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where memory is low: which guest should move, and how to say so. Pure. */
#ifndef AERO_SHORTAGE_H
#define AERO_SHORTAGE_H

#include <stddef.h>
#include <stdint.h>

#include "guests.h"
#include "policy.h"

/*
 * Finds the guest that should be migrated away so that lack_kib more are to
 * spare, of those that say what they need.
 * @in     of each guest, as the policy is given it
 * @domid  gets the guest's, or AERO_NO_DOMID where there is none
 * Returns 0 or -ENOMEM.
 */
int aero_shortage_find_mover(const struct aero_guests *guests,
                             const struct aero_policy_guest *in,
                             uint64_t lack_kib, uint32_t *domid);

/*
 * Writes for people what to do.
 * @mover      who should move
 * @spare_kib  of the host
 */
void aero_shortage_text(const struct aero_guest *mover, uint64_t spare_kib,
                        char *text, size_t room);

#endif
