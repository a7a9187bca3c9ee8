/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where metrics may be listened for: an address and port of the loopback. */
#ifndef AERO_METRICS_ADDRESS_H
#define AERO_METRICS_ADDRESS_H

#include <netdb.h>

#include "base/err.h"

/*
 * Reads "127.0.0.1:9877" or "[::1]:9877".
 * @out  gets the address: freeaddrinfo()
 * Returns 0; -EINVAL for what is no numeric address and port; -EACCES for an
 * address that is not the loopback's.
 */
int aero_metrics_address(const char *where, struct addrinfo **out,
                         struct lxe_err *err);

#endif
