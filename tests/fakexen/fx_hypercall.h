/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What fakexen does for each hypercall that a live migration makes. Each
 * returns as Xen does: 0 or more, or a negative errno.
 */
#ifndef FX_HYPERCALL_H
#define FX_HYPERCALL_H

#include <xenctrl.h>

/* Of XEN_DOMCTL_shadow_op; the domain exists. */
long fx_shadow_op(uint32_t domid, struct xen_domctl_shadow_op *op);

long fx_domctl(struct xen_domctl *domctl);
long fx_sysctl(struct xen_sysctl *sysctl);
long fx_memory_op(unsigned cmd, void *arg);

/* Notes a hypercall that fakexen lacks. Returns -ENOSYS. */
long fx_unknown(uint32_t number);

#endif
