/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire_rate.h"

#include <math.h>

#include "precopy.h"

#define SURE_NS     1e8 /* a shorter measure says less */
#define MEMORY_NS   1e9 /* of sending: what the wire did lately */
#define LEAST_BYTES (64 * MIG_PAGE_WIRE_BYTES) /* that say something */

double mig_wire_rate_bps(const struct mig_wire_rate *w)
{
    if (w->bytes < LEAST_BYTES || !(w->ns > 0))
        return 0;
    return w->bytes * 1e9 / w->ns;
}

double mig_wire_rate_packing(const struct mig_wire_rate *w)
{
    return w->bytes > 0 && w->packed_bytes > 0 ? w->bytes / w->packed_bytes
                                               : 1;
}

double mig_wire_rate_under_bps(const struct mig_wire_rate *w,
                               uint64_t limit_bps)
{
    double limit = (double)limit_bps * mig_wire_rate_packing(w);
    double wire = mig_wire_rate_bps(w);

    if (!limit_bps)
        return wire;
    return wire > 0 && wire < limit ? wire : limit;
}

/* How well the rate so far told how long a round takes; one that was soon over
 * tells less. */
static void learn_spread(struct mig_wire_rate *w, double bytes, double ns)
{
    double bps = mig_wire_rate_bps(w), error = 0;

    if (!(bps > 0))
        w->spread = 0;
    else if (bytes > 0)
        error = fmin(fabs(ns / (bytes / bps * 1e9) - 1), 1) *
                fmin(ns / SURE_NS, 1);
    w->spread = mig_precopy_spread(w->spread, error);
}

void mig_wire_rate_learn(struct mig_wire_rate *w, double bytes,
                         double packed_bytes, double ns)
{
    double keep = exp(-ns / MEMORY_NS);

    learn_spread(w, bytes, ns);
    w->bytes = w->bytes * keep + bytes;
    w->packed_bytes = w->packed_bytes * keep + packed_bytes;
    w->ns = w->ns * keep + ns;
}
