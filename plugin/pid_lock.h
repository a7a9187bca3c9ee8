/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One balancer a host: a lock on the pid file, which ends with the process. */
#ifndef AERO_PID_LOCK_H
#define AERO_PID_LOCK_H

#include "base/err.h"

/*
 * Takes the lock and writes our pid into the file, which only its owner may
 * read from then on, and which may be no symbolic link.
 * Returns a descriptor to keep open; -EBUSY with the pid of the process that
 * holds it; or the errno of what failed.
 */
int aero_pid_lock(const char *path, struct lxe_err *err);

/* Empties the file and lets go. The file stays: removing it would race. */
void aero_pid_unlock(int fd);

#endif
