/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xl itself is set to do with memory: xl.conf's autoballoon. */
#ifndef LXE_XL_CONF_H
#define LXE_XL_CONF_H

#include <stddef.h>

#include "base/err.h"

/*
 * Tells whether xl shrinks dom0 by itself when it makes a guest ("on", or
 * "auto", which is the default, where Xen was started without dom0_mem).
 * @path     xl.conf; a file that is not there means the default
 * @ask_xen  whether Xen's command line can be had; else "auto" counts as off
 * @why      gets what to tell the administrator; empty where it is off
 * Returns 0, or -EINVAL, -EIO, -ENOMEM.
 */
int lxe_xl_autoballoon(const char *path, int ask_xen, char *why, size_t size,
                       struct lxe_err *err);

/* Whether a command line of Xen has dom0_mem=, so that "auto" means off. */
int lxe_cmdline_sizes_dom0(const char *cmdline);

#endif
