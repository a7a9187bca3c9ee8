/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "movable.h"

#include <errno.h>

int mig_movable(struct lxe_host *host, const struct lxe_domain *dom,
                struct lxe_err *err)
{
    if (!dom->domid)
        return lxe_fail(err, -EINVAL, "dom0 cannot be migrated");
    if (dom->dying || dom->building || dom->migrating)
        return lxe_fail(err, -EBUSY, "domain %s is being built, destroyed or"
                        " migrated; wait until that is over", dom->name);
    if (dom->paused || dom->shutdown)
        return lxe_fail(err, -EINVAL, "domain %s is not running, so there is"
                        " nothing to move live; see 'xl save'", dom->name);
    return host->ops->check_devices(host, dom->domid, err);
}
