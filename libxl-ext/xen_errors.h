/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's ERROR_* as negative errnos: the only place that translates them. */
#ifndef LXE_XEN_ERRORS_H
#define LXE_XEN_ERRORS_H

#include "base/err.h"

/* The negative errno for a libxl error; 0 for 0 and above. */
int lxe_xen_errno(int libxl_rc);

/*
 * Records that libxl failed: the message is followed by libxl's own name for
 * the error. What libxl knows beyond that it has logged. Returns the errno.
 */
int lxe_xen_fail(struct lxe_err *err, int libxl_rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
