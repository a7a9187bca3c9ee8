/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether somebody saves a domain. Xen has one log-dirty mode a domain and
 * does not know whose it is: who cleans or ends it under a save takes away
 * pages that the save would have sent. Whatever uses libxl (xl, libvirt, we)
 * saves by a helper process whose arguments name the domain.
 */
#ifndef LXE_SAVE_PROCS_H
#define LXE_SAVE_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Pure: whether these are the arguments of a save helper, libxl's or another
 * (save_ipc.h), at work on a domain.
 * @args  as in /proc/PID/cmdline: each ends with a NUL
 */
bool lxe_is_save_helper(const char *args, size_t len, uint32_t domid);

/* Looks at all of our user's processes but ours; what cannot be read counts as
 * none. */
bool lxe_save_is_running(uint32_t domid);

/* For who is about to save it. Returns 0, or -EBUSY where somebody does. */
int lxe_save_check_none(uint32_t domid, struct lxe_err *err);

#endif
