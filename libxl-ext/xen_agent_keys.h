/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dom0's end of the agent's keys: docs/xenstore.md is their specification. */
#ifndef LXE_XEN_AGENT_KEYS_H
#define LXE_XEN_AGENT_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#include "base/err.h"
#include "host.h"

/*
 * Creates the keys with their permissions where they are not there, and takes
 * those that are there into our ownership. Keeps their values.
 * Returns 0, -ESRCH where the domain has no tree, -EIO.
 */
int lxe_agent_keys_prepare(struct xs_handle *xs, uint32_t domid,
                           struct lxe_err *err);

/*
 * Writes "drop ID". Returns 0, -EOPNOTSUPP where no agent has reported,
 * -ESRCH, -EIO.
 */
int lxe_agent_keys_drop(struct xs_handle *xs, uint32_t domid, uint64_t id,
                        struct lxe_err *err);

/* Whether a request is there that the agent has not answered. 0 or -EIO. */
int lxe_agent_keys_pending(struct xs_handle *xs, uint32_t domid,
                           bool *pending, struct lxe_err *err);

/*
 * The guest's request to be moved; id 0 where there is none, it is malformed,
 * or was answered. Returns 0 or -EIO.
 */
int lxe_agent_keys_move(struct xs_handle *xs, uint32_t domid,
                        struct lxe_move_request *out, struct lxe_err *err);

/* Answers it. Returns 0, -ESRCH where the domain has no tree, -EIO. */
int lxe_agent_keys_move_answer(struct xs_handle *xs, uint32_t domid,
                               uint64_t id, const char *text,
                               struct lxe_err *err);

#endif
