/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blocking client of the daemon's control socket (docs/control.md): one
 * JSON-RPC 2.0 request a line, one response a line. What a client holds
 * (reservations, an announced migration) lasts as long as its connection.
 */
#ifndef LXE_BASE_RPC_CLIENT_H
#define LXE_BASE_RPC_CLIENT_H

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

#define LXE_RPC_SOCKET_ENV "AEROSTAT_SOCKET" /* overrides the socket's path */
#define LXE_RPC_MAX_LINE   (16u << 20)       /* bytes of one response */

struct lxe_rpc;

/*
 * Connects. @path NULL means $AEROSTAT_SOCKET, else the built-in path.
 * Returns 0; -ENOENT or -ECONNREFUSED where no daemon listens, -EACCES where
 * we may not ask it, -ETIMEDOUT where one hangs; the message says what to do.
 */
int lxe_rpc_open(const char *path, struct lxe_rpc **out, struct lxe_err *err);
void lxe_rpc_close(struct lxe_rpc *rpc);

/* Its descriptor, to wait on: readable, between calls, means it has ended. */
int lxe_rpc_fd(const struct lxe_rpc *rpc);

/* Told that a call has had no answer yet. */
typedef void lxe_rpc_slow_fn(void *data);

/*
 * Has each further call that is not answered within `after_ms` tell so, once.
 * NULL: no more.
 */
void lxe_rpc_when_slow(struct lxe_rpc *rpc, unsigned after_ms,
                       lxe_rpc_slow_fn *slow, void *data);

/*
 * Calls a method and waits for its response.
 * @params      written by the caller as one object; NULL for none. Stays the
 *              caller's.
 * @timeout_ms  how long to wait; 0 means without end
 * @result      gets the whole response, whose "result" the caller reads; it
 *              frees it with lxe_json_free()
 * Returns 0; -EREMOTEIO with the daemon's words where it answered an error;
 * -ETIMEDOUT, -ECONNRESET (with its last words where it had hung up before the
 * request), -EPROTO as they say. After a time-out or a broken
 * connection the client can only be closed.
 */
int lxe_rpc_call(struct lxe_rpc *rpc, const char *method,
                 struct lxe_jw *params, uint64_t timeout_ms,
                 struct lxe_json **result, struct lxe_err *err);

#endif
