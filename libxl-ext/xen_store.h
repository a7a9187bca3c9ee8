/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a domain's keys in xenstore, strictly. */
#ifndef LXE_XEN_STORE_H
#define LXE_XEN_STORE_H

#include <stdint.h>
#include <xenstore.h>

#include "base/err.h"

#define LXE_XS_PATH 128 /* enough for each path that we ask for */

/* "/local/domain/N", and "/KEY" where key is not empty. Returns buf. */
char *lxe_xs_path(char buf[LXE_XS_PATH], uint32_t domid, const char *key);

/*
 * Reads a key of a domain. xenstore bounds a value at 4096 bytes.
 * @text, @len  get the bytes (a NUL behind them), to be freed by the caller;
 *              NULL and 0 where the key is not there
 * Returns 0, also where the key is not there; -EIO where xenstored is gone or
 * refuses.
 */
int lxe_xs_read(struct xs_handle *xs, xs_transaction_t t, uint32_t domid,
                const char *key, char **text, unsigned *len,
                struct lxe_err *err);

/*
 * Reads a whole number. @out gets LXE_UNKNOWN where the key is not there, or
 * holds something else. Returns as above.
 */
int lxe_xs_read_number(struct xs_handle *xs, uint32_t domid, const char *key,
                       uint64_t *out, struct lxe_err *err);

#endif
