/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control_seats.h"

bool aero_seats_take(struct aero_seats *s, uid_t uid)
{
    if (s->taken >= AERO_SEATS ||
        (uid != 0 && s->others >= AERO_SEATS_OTHERS))
        return false;
    s->taken++;
    s->others += uid != 0;
    return true;
}

void aero_seats_leave(struct aero_seats *s, uid_t uid)
{
    s->taken--;
    s->others -= uid != 0;
}
