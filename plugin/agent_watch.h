/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A watch on what dom0 asks of the agent, so that a migration does not wait
 * for the agent's next look. On a connection of its own, in xenstore's wire
 * protocol: libxenstore's static library is built without threads, and its
 * watch descriptor never becomes readable of itself. Linux sets watches anew
 * when a guest resumes elsewhere; where one is lost all the same, the agent
 * looks once an interval.
 */
#ifndef AERO_AGENT_WATCH_H
#define AERO_AGENT_WATCH_H

#include <stdbool.h>

#define AERO_AGENT_DEVICE "/dev/xen/xenbus"

/*
 * Sets the watch. Returns a descriptor that is readable when the request may
 * have changed, at first at once; -1 where that cannot be had. The caller
 * closes it.
 */
int aero_agent_watch_open(const char *device);

/* Reads all that came. Returns whether the connection is still good. */
bool aero_agent_watch_take(int fd);

#endif
