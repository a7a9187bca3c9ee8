/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan (migrate/plan.h) as a table and sentences for people. */
#ifndef AERO_PLAN_TEXT_H
#define AERO_PLAN_TEXT_H

#include "host.h"
#include "plan.h"

struct aero_plan_facts {
    const struct lxe_domain *dom;
    const struct mig_wws *wws;
    const char *wire_from; /* "as measured", ...: how the rate is known */
    const char *cache;     /* a remark on its page cache; NULL: none */
    bool host_rate;        /* the limit is that of all the host's migrations */
};

/* Prints to stdout. Returns 0, -ENOMEM or -EIO. */
int aero_plan_print(const struct aero_plan_facts *facts,
                    const struct mig_plan_in *in, const struct mig_plan *plan);

#endif
