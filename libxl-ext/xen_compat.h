/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one file that knows what differs between versions of Xen. configure
 * compiles it, so that a Xen it does not know stops there with a word.
 *
 *   4.17   the reference (Debian 12)
 *   4.20   tried as well (Debian 13)
 *
 * xc_domain_getinfo() is gone since 4.18; xc_domain_getinfolist() is in all.
 *
 * Save helper: the message numbers (save_ipc.h) are those of 4.14 to 4.22.
 */
#ifndef LXE_XEN_COMPAT_H
#define LXE_XEN_COMPAT_H

#include <libxl.h>
#include <xenctrl.h>
#include <xenguest.h>

#ifndef LIBXL_HAVE_FN_USING_QMP_ASYNC
#error "libxl is older than 4.13: its save helper speaks another protocol"
#endif

#ifndef XGS_POLICY_CONTINUE_PRECOPY
#error "libxenguest has no precopy_policy callback"
#endif

#ifndef LIBXL_HAVE_DOMAIN_NEED_MEMORY_CONFIG
#error "libxl_domain_need_memory() does not take a domain configuration"
#endif

#endif
