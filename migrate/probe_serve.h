/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The target's side of a probe (probe.h): answers, and changes nothing. */
#ifndef MIG_PROBE_SERVE_H
#define MIG_PROBE_SERVE_H

#include "base/err.h"
#include "probe.h"

/*
 * Answers a request, then swallows what is sent to measure the wire, until
 * the source closes the connection. Bounded in bytes, time and number.
 * @line  the request
 * Returns 0 at the end of the connection or a negative errno.
 */
int mig_probe_serve(int in_fd, int out_fd, const char *line,
                    struct lxe_err *err);

/*
 * Collects what this host would answer; what it cannot find out stays
 * unknown. With no name nothing is said of names.
 */
void mig_probe_look(const struct mig_probe_request *request,
                    struct mig_probe_answer *out);

#endif
