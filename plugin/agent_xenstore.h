/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The agent's end of the keys in docs/xenstore.md, through /dev/xen/xenbus;
 * agent_watch.h tells when to look at them.
 */
#ifndef AERO_AGENT_XENSTORE_H
#define AERO_AGENT_XENSTORE_H

#include <stdint.h>

#include "base/err.h"

struct aero_agent_xs;

/* Connects to xenstore. -ENOENT where this is no Xen guest. */
int aero_agent_xs_open(struct aero_agent_xs **out, struct lxe_err *err);
void aero_agent_xs_close(struct aero_agent_xs *xs);

/*
 * Writes one of the agent's keys ("report", "done", "agent").
 * Returns 0, or a negative errno: -ENOENT, -EACCES, -ENOSPC (a quota) pass,
 * so try again later; after another one the connection is best opened anew.
 */
int aero_agent_xs_write(struct aero_agent_xs *xs, const char *key,
                        const char *text, struct lxe_err *err);

/*
 * Reads what dom0 asks for. Returns 1 with the ID of a request to drop the
 * page cache that was not answered yet, 0 where there is none, or a negative
 * errno as above.
 * @answered  the last one that was; gets what an agent before this one
 *            answered
 */
int aero_agent_xs_request(struct aero_agent_xs *xs, uint64_t *answered,
                          uint64_t *id, struct lxe_err *err);

/*
 * Asks to be moved to a host by its name. Returns 0 or a negative errno.
 * @id  of the request; not 0
 */
int aero_agent_xs_ask_to_move(struct aero_agent_xs *xs, uint64_t id,
                              const char *to, struct lxe_err *err);

/*
 * Reads the answer to that. Returns 1 with its text, 0 where there is none
 * yet, or a negative errno.
 */
int aero_agent_xs_move_answer(struct aero_agent_xs *xs, uint64_t id,
                              char text[512], struct lxe_err *err);

#endif
