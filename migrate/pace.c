/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pace.h"

#include <math.h>

#define STEP 1.02 /* between paces that are tried */

/*
 * What a pace e times as fast as expected, or as slow, has to explain of what
 * was written, as a share.
 */
#define DOUBT 0.03

/*
 * One window differs from a mean by so much at least, as a share; what lies
 * within that, or within the curve's bounds, counts for a part of what lies
 * beyond. Else a hot set that was written but for its last tenth would seem
 * to be written slowly.
 */
#define VARIES 0.1
#define WITHIN 0.2

/* By how many pages a curve is off in a window, as far as that tells. */
static double off(const struct mig_wws *wws, const struct mig_pace_window *w,
                  double pace)
{
    uint64_t ns = (uint64_t)((double)w->ns * pace);
    double pages = fabs(mig_wws_pages(wws, ns) - w->pages);
    double unsure = (mig_wws_pages_high(wws, ns) -
                     mig_wws_pages_low(wws, ns)) / 2 + VARIES * w->pages;

    return pages - (1 - WITHIN) * fmin(pages, unsure);
}

/*
 * How unlikely a pace is. By absolute errors, so that one odd window does not
 * decide; in pages and not in shares, so that the long windows do.
 */
static double cost(const struct mig_wws *wws,
                   const struct mig_pace_window *windows, size_t count,
                   double pace)
{
    double pages = 0, all = 0;

    for (size_t i = 0; i < count; i++) {
        pages += off(wws, &windows[i], pace);
        all += windows[i].pages;
    }
    return pages / all + DOUBT * fabs(log(pace));
}

static double written(const struct mig_pace_window *windows, size_t count)
{
    double pages = 0;

    for (size_t i = 0; i < count; i++)
        pages += windows[i].pages;
    return pages;
}

double mig_pace_fit(const struct mig_wws *wws,
                    const struct mig_pace_window *windows, size_t count)
{
    double best = 1, least;

    if (!(written(windows, count) > 0))
        return NAN;
    least = cost(wws, windows, count, best);
    for (int way = -1; way <= 1; way += 2)
        for (double pace = pow(STEP, way);
             pace >= MIG_PACE_LEAST && pace <= MIG_PACE_MOST;
             pace *= pow(STEP, way)) {
            double c = cost(wws, windows, count, pace);

            if (c < least) {
                least = c;
                best = pace;
            }
        }
    return best;
}
