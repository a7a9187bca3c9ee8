/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What others can bring about as often as they like, and is to be logged all
 * the same: now and then, with how often it was. Pure.
 */
#ifndef AERO_SELDOM_H
#define AERO_SELDOM_H

#include <stdint.h>

#define AERO_SELDOM_S 10 /* from one message to the next, at least */

/* One thing that happens; zero it. */
struct aero_seldom {
    uint64_t next_ns; /* not told before */
    unsigned untold;
};

/*
 * Notes that it happened. Returns how often since it was last told, where it
 * is time to tell; else 0.
 */
unsigned aero_seldom(struct aero_seldom *seldom, uint64_t now_ns);

#endif
