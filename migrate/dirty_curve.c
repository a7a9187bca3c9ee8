/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "dirty_curve.h"

#include <math.h>
#include <stddef.h>

void mig_dirty_curve_add(struct mig_dirty_curve *curve, uint64_t run_ns,
                         uint64_t pages)
{
    struct mig_dirty_point *last =
        curve->count ? &curve->points[curve->count - 1] : NULL;

    if (!run_ns || (last && run_ns < last->run_ns))
        return;
    if (last && pages < last->pages)
        pages = last->pages;
    if (!last || (run_ns > last->run_ns &&
                  curve->count < MIG_DIRTY_CURVE_POINTS))
        last = &curve->points[curve->count++];
    *last = (struct mig_dirty_point){ run_ns, pages };
}

/* A stretch of the curve, and where it begins. */
struct stretch {
    double at_ns, at_pages, pages_per_ns;
};

static struct stretch stretch_to(const struct mig_dirty_curve *curve,
                                 unsigned i)
{
    const struct mig_dirty_point *b = &curve->points[i];
    struct mig_dirty_point a = { 0 };

    if (i)
        a = curve->points[i - 1];
    return (struct stretch){
        .at_ns = (double)a.run_ns,
        .at_pages = (double)a.pages,
        .pages_per_ns =
            (double)(b->pages - a.pages) / (double)(b->run_ns - a.run_ns),
    };
}

/* The one that holds this time, or the last. */
static struct stretch stretch_at(const struct mig_dirty_curve *curve,
                                 double run_ns)
{
    unsigned i = 0;

    while (i + 1 < curve->count && (double)curve->points[i].run_ns < run_ns)
        i++;
    return stretch_to(curve, i);
}

double mig_dirty_curve_pages(const struct mig_dirty_curve *curve,
                             double run_ns)
{
    struct stretch s;

    if (!curve->count)
        return -1;
    s = stretch_at(curve, run_ns);
    return s.at_pages + s.pages_per_ns * (run_ns - s.at_ns);
}

double mig_dirty_curve_run_ns(const struct mig_dirty_curve *curve,
                              double pages)
{
    struct stretch s;
    unsigned i = 0;

    if (!curve->count)
        return INFINITY;
    while (i + 1 < curve->count && (double)curve->points[i].pages < pages)
        i++;
    s = stretch_to(curve, i);
    if (pages <= s.at_pages)
        return s.at_ns;
    if (!(s.pages_per_ns > 0))
        return INFINITY;
    return s.at_ns + (pages - s.at_pages) / s.pages_per_ns;
}

double mig_dirty_curve_slope_pps(const struct mig_dirty_curve *curve,
                                 double run_ns)
{
    if (!curve->count)
        return -1;
    return stretch_at(curve, run_ns).pages_per_ns * 1e9;
}
