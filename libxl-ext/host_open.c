/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which host a name means: the one place that knows both kinds. */
#include <errno.h>
#include <string.h>

#include "host.h"
#include "host_sim.h"
#include "host_xen.h"

int lxe_host_open(const char *name, struct lxe_host **out,
                  struct lxe_err *err)
{
    if (!name || !strcmp(name, "xen"))
        return lxe_xen_open(out, err);
    if (!strncmp(name, "sim:", 4))
        return lxe_sim_open(name + 4, LXE_SIM_REAL, out, err);
    return lxe_fail(err, -EINVAL,
                    "no host '%.80s': give xen, or sim:FILE for a scenario",
                    name);
}
