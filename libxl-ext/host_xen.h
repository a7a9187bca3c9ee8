/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This machine's Xen as a host (host.h): libxl, libxenstore, libxenctrl. */
#ifndef LXE_HOST_XEN_H
#define LXE_HOST_XEN_H

#include "host.h"

/*
 * Opens the host. The logger (base/log.h) must be open: libxl logs there.
 * While it is open SIGCHLD is libxl's: the process installs no handler of its
 * own, and reaps its children by waitpid() with their ids; libxl reaps only
 * those that are its own.
 * Returns 0, -EACCES where we are not root, -ENODEV where this is not a
 * control domain of Xen, -EIO, -ENOMEM.
 */
int lxe_xen_open(struct lxe_host **out, struct lxe_err *err);

#endif
