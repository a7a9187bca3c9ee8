/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many clients there may be at once, and whose they are. Pure.
 *
 * Users that only read may not keep root from what it has to do: they have
 * half of the seats at most.
 */
#ifndef AERO_CONTROL_SEATS_H
#define AERO_CONTROL_SEATS_H

#include <stdbool.h>
#include <sys/types.h>

#define AERO_SEATS        32u
#define AERO_SEATS_OTHERS (AERO_SEATS / 2) /* of all but root together */

/* Zero it. */
struct aero_seats {
    unsigned taken;  /* of all */
    unsigned others; /* of those: not root's */
};

/* Takes a seat for a client of this user; false where there is none. */
bool aero_seats_take(struct aero_seats *seats, uid_t uid);

/* Gives back the seat of a client of this user. */
void aero_seats_leave(struct aero_seats *seats, uid_t uid);

#endif
