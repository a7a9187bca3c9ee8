/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which guests can be moved live at all, whatever the limits. */
#ifndef MIG_MOVABLE_H
#define MIG_MOVABLE_H

#include "host.h"

/*
 * Whether a domain can be moved live from this host.
 * @dom  as it was found a moment ago
 * Returns 0, -EINVAL where it cannot, -EBUSY where it cannot now, each with
 * the reason in err; or the host's errors.
 */
int mig_movable(struct lxe_host *host, const struct lxe_domain *dom,
                struct lxe_err *err);

#endif
