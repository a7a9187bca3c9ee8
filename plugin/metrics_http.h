/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The metrics by HTTP, on the loopback only: libmicrohttpd within the
 * daemon's own loop, so without a thread and without locks.
 */
#ifndef AERO_METRICS_HTTP_H
#define AERO_METRICS_HTTP_H

#include <stdbool.h>
#include <uv.h>

#include "balancer.h"
#include "base/err.h"

struct aero_metrics_http;

/*
 * Listens on "127.0.0.1:9877" or "[::1]:9877".
 * @balancer  the caller's; outlives this
 * Returns 0; -EINVAL for what is no numeric address and port; -EACCES for an
 * address that is not the loopback's; the errors of listening.
 */
int aero_metrics_http_open(uv_loop_t *loop, const char *where,
                           const struct aero_balancer *balancer,
                           struct aero_metrics_http **out,
                           struct lxe_err *err);

/*
 * The same for a setting: no address opens nothing, and of a port that cannot
 * be had it only warns. Both leave *out NULL.
 * Returns 0; -EINVAL and -EACCES as above.
 */
int aero_metrics_http_serve(uv_loop_t *loop, const char *where,
                            const struct aero_balancer *balancer,
                            struct aero_metrics_http **out,
                            struct lxe_err *err);

/* Whether two settings are one address and port, however they are written. */
bool aero_metrics_http_same(const char *one, const char *other);

/*
 * Stops; NULL is fine. It is freed by the loop, which must run until all is
 * closed.
 */
void aero_metrics_http_close(struct aero_metrics_http *http);

#endif
