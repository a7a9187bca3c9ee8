/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU, where it is a guest's device model, notes what it writes to the
 * guest's memory while that is saved. libxl switches that on and off, but not
 * off when the save helper is killed: each of its writes costs a hypercall
 * from then on.
 */
#ifndef LXE_QEMU_LOG_H
#define LXE_QEMU_LOG_H

#include <stdint.h>

#include "base/err.h"

/* libxl's own socket to a domain's QEMU. */
#define LXE_QEMU_SOCKET "/var/run/xen/qmp-libxl-%u"

/*
 * Switches it off, by QMP.
 * @path  of the socket
 * Returns 0, also where there is no QEMU or it is off already; -EREMOTEIO with
 * QEMU's words; -EOPNOTSUPP where it is of a version that could end by it;
 * -EPROTO, -ETIMEDOUT; what socket() or connect() failed with.
 */
int lxe_qemu_log_off(const char *path, struct lxe_err *err);

#endif
