/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "packing.h"

#include <math.h>

#include "base/clock.h"
#include "base/units.h"

#define STUDENT 2.13 /* deviations that 16 groups are within, 95 in 100 */
#define FAR_OFF 0.5  /* the mean is taken to be surer than that */

static double mean_of(const double *bytes, unsigned groups)
{
    double sum = 0;

    for (unsigned i = 0; i < groups; i++)
        sum += bytes[i];
    return sum / groups;
}

/* How far off the mean may be, as a share of it: groups vary, and it does. */
static double doubt(const double *bytes, unsigned groups, double mean)
{
    double squares = 0;

    for (unsigned i = 0; i < groups; i++)
        squares += (bytes[i] - mean) * (bytes[i] - mean);
    if (groups < 2)
        return FAR_OFF;
    return fmin(STUDENT * sqrt(squares / (groups - 1) / groups) / mean,
                FAR_OFF);
}

void mig_packing_estimate(const double *bytes, unsigned groups,
                          unsigned pages, double ns, struct mig_packing *out)
{
    double plain = (double)pages * LXE_PAGE_SIZE;
    double mean = mean_of(bytes, groups), off = doubt(bytes, groups, mean);

    *out = (struct mig_packing){
        .pages = groups * pages,
        .ratio = plain / mean,
        .low = plain / (mean * (1 + off)),
        .high = plain / (mean * (1 - off)),
        .bps = plain * groups / fmax(ns, 1) * LXE_NS_PER_SEC,
    };
}

double mig_packing_pays_below_bps(const struct mig_packing *packing)
{
    if (!(packing->low > 1))
        return 0;
    return packing->bps * (1 - 1 / packing->low);
}

bool mig_packing_wanted(const struct mig_packing *packing, uint64_t max_bps)
{
    return max_bps && (double)max_bps < mig_packing_pays_below_bps(packing);
}

void mig_packing_write(struct lxe_jw *w, const char *key,
                       const struct mig_packing *p)
{
    if (!p->pages) {
        lxe_jw_null(w, key);
        return;
    }
    lxe_jw_key(w, key);
    lxe_jw_object(w);
    lxe_jw_u64(w, "pages", p->pages);
    lxe_jw_double(w, "ratio", p->ratio);
    lxe_jw_double(w, "low", p->low);
    lxe_jw_double(w, "high", p->high);
    lxe_jw_double(w, "bps", p->bps);
    lxe_jw_double(w, "pays_below_bps", mig_packing_pays_below_bps(p));
    lxe_jw_end_object(w);
}
