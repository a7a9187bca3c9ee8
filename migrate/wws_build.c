/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wws_build.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- bounds ---- */

/* Student's t, two-sided 95 %, by degrees of freedom. */
static double student(uint64_t degrees)
{
    static const double t[] = {
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
        2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
        2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    };

    return degrees <= sizeof(t) / sizeof(t[0]) ? t[degrees - 1] : 2.04;
}

void mig_wws_share_bounds(double k, double n, double *low, double *high)
{
    const double z = 1.96;
    double p = k / n, z2n = z * z / n;
    double middle = (p + z2n / 2) / (1 + z2n);
    double half = z * sqrt(p * (1 - p) / n + z2n / (4 * n)) / (1 + z2n);

    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

/* ---- one window length over all series ---- */

/* What a series had at a window length, by straight lines; -1: not so long. */
static double at_window(const struct mig_wws_series *s, uint64_t window_ns)
{
    struct mig_wws_sample from = { 0 };

    for (size_t i = 0; i < s->count; i++) {
        const struct mig_wws_sample *to = &s->samples[i];

        if (window_ns <= to->window_ns) {
            double share = (double)(window_ns - from.window_ns) /
                           (double)(to->window_ns - from.window_ns);

            return (double)from.pages +
                   share * ((double)to->pages - (double)from.pages);
        }
        from = *to;
    }
    return -1;
}

struct pool {
    uint64_t windows;
    double sum, squares; /* of the share of the guest's pages */
    double hits, looked_at;
};

static void pool_add(struct pool *pool, const struct mig_wws_series *s,
                     uint64_t domain_pages, uint64_t window_ns)
{
    double n = s->looked_at ? (double)s->looked_at : (double)domain_pages;
    double k = at_window(s, window_ns);

    if (k < 0)
        return;
    pool->windows++;
    pool->sum += k / n;
    pool->squares += k / n * (k / n);
    if (s->looked_at) {
        pool->hits += k;
        pool->looked_at += n;
    }
}

static double deviation(const struct pool *pool)
{
    double n = (double)pool->windows;
    double var = (pool->squares - pool->sum * pool->sum / n) / (n - 1);

    /* What rounding leaves of equal numbers is not a spread. */
    return var > 1e-12 * pool->squares / n ? sqrt(var) : 0;
}

static void pool_point(const struct pool *pool, double domain_pages,
                       struct mig_wws_point *p)
{
    double n = (double)pool->windows, mean = pool->sum / n;
    double half = student(pool->windows - 1) * deviation(pool) / sqrt(n);
    double low = fmax(0, mean - half), high = fmin(1, mean + half), l, h;

    if (pool->looked_at > 0) {
        mig_wws_share_bounds(pool->hits, pool->looked_at, &l, &h);
        low = fmin(low, l);
        high = fmax(high, h);
    }
    p->pages = mean * domain_pages;
    p->low = low * domain_pages;
    p->high = high * domain_pages;
}

/* ---- rising and concave ---- */

static void make_rising(struct mig_wws *w)
{
    for (size_t i = 1; i < w->count; i++) {
        w->points[i].pages = fmax(w->points[i].pages, w->points[i - 1].pages);
        w->points[i].low = fmax(w->points[i].low, w->points[i - 1].low);
    }
    for (size_t i = w->count - 1; i-- > 0;)
        w->points[i].high = fmin(w->points[i].high, w->points[i + 1].high);
    for (size_t i = 0; i < w->count; i++) {
        struct mig_wws_point *p = &w->points[i];

        p->low = fmin(p->low, p->pages);
        p->high = fmax(p->high, p->pages);
    }
    for (size_t i = 1; i < w->count; i++)
        w->points[i].high = fmax(w->points[i].high, w->points[i - 1].high);
}

/*
 * The least concave majorant of points and the origin, in their place. Pools
 * a stretch with those before it for as long as it is steeper than they are:
 * isotonic regression of the slopes, weighted by their lengths.
 */
static void majorise(const uint64_t *t_ns, double *y, size_t count)
{
    double rise[MIG_WWS_POINTS], run[MIG_WWS_POINTS];
    size_t length[MIG_WWS_POINTS], blocks = 0, at = 0;
    double last_t = 0, last_y = 0;

    for (size_t i = 0; i < count; i++) {
        run[blocks] = (double)t_ns[i] - last_t;
        rise[blocks] = y[i] - last_y;
        length[blocks++] = 1;
        last_t = (double)t_ns[i];
        last_y = y[i];
        while (blocks > 1 && rise[blocks - 1] * run[blocks - 2] >
                                 rise[blocks - 2] * run[blocks - 1]) {
            blocks--;
            rise[blocks - 1] += rise[blocks];
            run[blocks - 1] += run[blocks];
            length[blocks - 1] += length[blocks];
        }
    }
    last_t = last_y = 0;
    for (size_t b = 0; b < blocks; b++) {
        for (size_t i = 0; i < length[b]; i++, at++)
            y[at] = last_y + rise[b] * ((double)t_ns[at] - last_t) / run[b];
        last_t += run[b];
        last_y += rise[b];
    }
}

static void majorise_all(struct mig_wws *w)
{
    double y[3][MIG_WWS_POINTS];
    uint64_t t_ns[MIG_WWS_POINTS];

    for (size_t i = 0; i < w->count; i++) {
        t_ns[i] = w->points[i].window_ns;
        y[0][i] = w->points[i].low;
        y[1][i] = w->points[i].pages;
        y[2][i] = w->points[i].high;
    }
    for (size_t c = 0; c < 3; c++)
        majorise(t_ns, y[c], w->count);
    for (size_t i = 0; i < w->count; i++) {
        struct mig_wws_point *p = &w->points[i];

        p->pages = fmin(y[1][i], (double)w->domain_pages);
        p->low = fmin(y[0][i], p->pages);
        p->high = fmin(fmax(y[2][i], p->pages), (double)w->domain_pages);
    }
}

/* ---- building ---- */

static int check_series(const struct mig_wws_series *s, uint64_t domain_pages,
                        struct lxe_err *err)
{
    uint64_t most = s->looked_at ? s->looked_at : domain_pages;
    struct mig_wws_sample last = { 0 };

    for (size_t i = 0; i < s->count; last = s->samples[i++]) {
        const struct mig_wws_sample *at = &s->samples[i];

        if (at->window_ns <= last.window_ns ||
            at->window_ns > MIG_WWS_MAX_NS)
            return lxe_fail(err, -EINVAL, "working set: a window of %" PRIu64
                            " ns after one of %" PRIu64, at->window_ns,
                            last.window_ns);
        if (at->pages < last.pages || at->pages > most)
            return lxe_fail(err, -EINVAL, "working set: %" PRIu64 " pages "
                            "written, after %" PRIu64 " and of %" PRIu64,
                            at->pages, last.pages, most);
    }
    return 0;
}

static uint64_t length_of(const struct mig_wws_series *s)
{
    return s->samples[s->count - 1].window_ns;
}

static int by_length(const void *a, const void *b)
{
    const struct mig_wws_series *x = *(const struct mig_wws_series *const *)a;
    const struct mig_wws_series *y = *(const struct mig_wws_series *const *)b;
    uint64_t i = length_of(x), j = length_of(y);

    return i < j ? -1 : i > j;
}

/*
 * The window lengths of the curve are those of the shortest series that is no
 * shorter than nine tenths of the median one: nearly all windows, half of them
 * at least, and two at least, reach each.
 */
static int typical_series(const struct mig_wws_series *series, size_t count,
                          const struct mig_wws_series **out,
                          struct lxe_err *err)
{
    const struct mig_wws_series **sorted = calloc(count + 1, sizeof(*sorted));
    size_t n = 0, at = 0;

    if (!sorted)
        return lxe_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (series[i].count)
            sorted[n++] = &series[i];
    qsort(sorted, n, sizeof(*sorted), by_length);
    while (n >= 2 &&
           length_of(sorted[at]) < length_of(sorted[(n - 1) / 2]) / 10 * 9)
        at++;
    *out = n >= 2 ? sorted[at] : NULL;
    free(sorted);
    if (*out)
        return 0;
    return lxe_fail(err, -ENODATA, "a working set needs two windows at least, "
                    "and %zu could be looked at; give it more seconds", n);
}

/* Of more samples than the curve can have points, some, the last included. */
static void choose_windows(const struct mig_wws_series *s, struct mig_wws *w)
{
    w->count = s->count < MIG_WWS_POINTS ? s->count : MIG_WWS_POINTS;
    for (size_t i = 0; i < w->count; i++)
        w->points[i].window_ns =
            s->samples[(i + 1) * s->count / w->count - 1].window_ns;
}

static struct pool pool_at(const struct mig_wws_series *series, size_t count,
                           uint64_t domain_pages, uint64_t window_ns)
{
    struct pool pool = { 0 };

    for (size_t i = 0; i < count; i++)
        pool_add(&pool, &series[i], domain_pages, window_ns);
    return pool;
}

/* The last stretch, drawn back to a window of 0. */
static double drawn_back(const struct mig_wws *w)
{
    const struct mig_wws_point *last = &w->points[w->count - 1];
    double pages = last->pages -
                   mig_wws_tail_rate(w) * (double)last->window_ns / 1e9;

    return fmax(0, pages);
}

static void finish(struct mig_wws *w, const struct pool *last,
                   double hot_pages)
{
    double mean = last->sum / (double)last->windows;

    make_rising(w);
    majorise_all(w);
    w->windows = last->windows;
    w->spread = mean > 0 ? deviation(last) / mean : 0;
    w->hot_pages = hot_pages >= 0 ? fmin(hot_pages, (double)w->domain_pages)
                                  : drawn_back(w);
    mig_wws_find_knee(w);
}

int mig_wws_build(const struct mig_wws_series *series, size_t count,
                  uint64_t domain_pages, enum mig_wws_method method,
                  double hot_pages, struct mig_wws *out, struct lxe_err *err)
{
    struct mig_wws w = { .domain_pages = domain_pages, .method = method };
    const struct mig_wws_series *typical;
    struct pool pool = { 0 };
    int rc = 0;

    if (!domain_pages || domain_pages > MIG_WWS_MAX_PAGES)
        return lxe_fail(err, -EINVAL, "working set: a guest of %" PRIu64
                        " pages", domain_pages);
    for (size_t i = 0; !rc && i < count; i++)
        rc = check_series(&series[i], domain_pages, err);
    if (!rc)
        rc = typical_series(series, count, &typical, err);
    if (rc)
        return rc;
    choose_windows(typical, &w);
    for (size_t i = 0; i < w.count; i++) {
        pool = pool_at(series, count, domain_pages, w.points[i].window_ns);
        pool_point(&pool, (double)domain_pages, &w.points[i]);
    }
    finish(&w, &pool, hot_pages);
    *out = w;
    return 0;
}

/* ---- the hot set ---- */

void mig_wws_hot_add(uint8_t *counters, const uint64_t *bitmap,
                     uint64_t pages)
{
    for (uint64_t word = 0; word < (pages + 63) / 64; word++)
        for (uint64_t bits = bitmap[word]; bits; bits &= bits - 1) {
            uint64_t page = word * 64 + (uint64_t)__builtin_ctzll(bits);

            if (page < pages && counters[page] < UINT8_MAX)
                counters[page]++;
        }
}

uint64_t mig_wws_hot_count(const uint8_t *counters, uint64_t pages,
                           unsigned windows)
{
    uint64_t hot = 0;

    for (uint64_t page = 0; windows >= 2 && page < pages; page++)
        hot += 4u * counters[page] >= 3u * windows;
    return hot;
}
