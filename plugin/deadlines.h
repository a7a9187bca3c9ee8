/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections that have to be done by a time, however busy they are. Pure. */
#ifndef AERO_DEADLINES_H
#define AERO_DEADLINES_H

#include <stddef.h>
#include <stdint.h>

#define AERO_DEADLINES_MAX 8

/* Zero it. */
struct aero_deadlines {
    struct aero_deadline {
        int fd;
        uint64_t end_ns;
    } items[AERO_DEADLINES_MAX];
    size_t count;
};

/* Gives a connection until then; one beyond the maximum has for ever. */
void aero_deadlines_add(struct aero_deadlines *all, int fd, uint64_t end_ns);

/* The connection has ended; nothing where its time was over before. */
void aero_deadlines_drop(struct aero_deadlines *all, int fd);

/* Takes out one whose time is over, and returns its fd; -1 for none. */
int aero_deadlines_take(struct aero_deadlines *all, uint64_t now_ns);

/* How long, rounded up, until one's time is over; UINT64_MAX for none. */
uint64_t aero_deadlines_wait_ms(const struct aero_deadlines *all,
                                uint64_t now_ns);

#endif
