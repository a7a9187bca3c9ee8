/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes wrong in a tick: counted, and the first of it kept; logged where
 * it is not what the tick before it had.
 */
#ifndef AERO_TROUBLE_H
#define AERO_TROUBLE_H

#include <stdint.h>

#define AERO_WARNING_TEXT 640 /* a message, and whose it is */

/* Of one tick; zero it, but for `before`. */
struct aero_trouble {
    const char *before; /* what the last tick kept; the caller's */
    uint64_t count;
    char text[AERO_WARNING_TEXT]; /* empty where nothing went wrong */
};

/* Notes that something went wrong; the next tick tries it again. */
void aero_trouble_note(struct aero_trouble *trouble, const char *text);

#endif
