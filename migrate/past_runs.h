/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the archive's last reports tell of this host's costs (costs.h), and of
 * the wire to a target.
 */
#ifndef MIG_PAST_RUNS_H
#define MIG_PAST_RUNS_H

#include "costs.h"

/*
 * @dir  of the archive
 * @to   HOST as given to migrate-live; its wire is wanted. May be NULL
 * @domain  the guest, by name or UUID: if it moved from here before, its own
 *       costs are wanted rather than those of others, as far as its reports
 *       tell them. May be NULL
 * @wire_bps  gets the median bytes/s of the last migrations there that no
 *       limit held back; 0 where there is none. May be NULL
 * Never fails: without reports, costs are assumed.
 */
void mig_past_runs(const char *dir, const char *to, const char *domain,
                   struct mig_cost_range *costs, double *wire_bps);

#endif
