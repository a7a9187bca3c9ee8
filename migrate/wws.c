/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wws.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* ---- the curve ---- */

static double at_most(double x, double limit)
{
    return x < limit ? x : limit;
}

enum which { MEAN, LOW, HIGH };

static double value(const struct mig_wws_point *p, enum which which)
{
    switch (which) {
    case LOW:
        return p->low;
    case HIGH:
        return p->high;
    default:
        return p->pages;
    }
}

/* Pages a nanosecond from point i - 1, the origin for i = 0, to point i. */
static double slope_at(const struct mig_wws *wws, size_t i)
{
    const struct mig_wws_point *p = &wws->points[i];

    if (i == 0)
        return p->pages / (double)p->window_ns;
    return (p->pages - p[-1].pages) /
           (double)(p->window_ns - p[-1].window_ns);
}

/*
 * The steepest that the curve may go on: a concave one rises beyond its end
 * no faster than on any stretch before it, and no faster than from the lowest
 * place that stretch may begin at to the highest it may end at.
 */
static double steepest_tail(const struct mig_wws *wws)
{
    const struct mig_wws_point *last = &wws->points[wws->count - 1];
    double best = last->high / (double)last->window_ns;

    for (size_t i = 0; i + 1 < wws->count; i++) {
        const struct mig_wws_point *p = &wws->points[i];
        double s = (last->high - p->low) /
                   (double)(last->window_ns - p->window_ns);

        best = s < best ? s : best;
    }
    return best;
}

static double beyond(const struct mig_wws *wws, enum which which,
                     uint64_t window_ns)
{
    const struct mig_wws_point *last = &wws->points[wws->count - 1];
    double slope = which == LOW    ? 0
                   : which == HIGH ? steepest_tail(wws)
                                   : slope_at(wws, wws->count - 1);
    double pages = value(last, which) +
                   slope * (double)(window_ns - last->window_ns);

    return at_most(pages, (double)wws->domain_pages);
}

static double curve(const struct mig_wws *wws, enum which which,
                    uint64_t window_ns)
{
    struct mig_wws_point from = { 0 };

    for (size_t i = 0; i < wws->count; i++) {
        const struct mig_wws_point *to = &wws->points[i];

        if (window_ns <= to->window_ns) {
            double share = (double)(window_ns - from.window_ns) /
                           (double)(to->window_ns - from.window_ns);

            return value(&from, which) +
                   share * (value(to, which) - value(&from, which));
        }
        from = *to;
    }
    return beyond(wws, which, window_ns);
}

double mig_wws_pages(const struct mig_wws *wws, uint64_t window_ns)
{
    return curve(wws, MEAN, window_ns);
}

double mig_wws_pages_low(const struct mig_wws *wws, uint64_t window_ns)
{
    return curve(wws, LOW, window_ns);
}

double mig_wws_pages_high(const struct mig_wws *wws, uint64_t window_ns)
{
    return curve(wws, HIGH, window_ns);
}

double mig_wws_rate(const struct mig_wws *wws, uint64_t window_ns)
{
    return mig_wws_pages(wws, window_ns) * (double)LXE_NS_PER_SEC /
           (double)window_ns;
}

double mig_wws_tail_rate(const struct mig_wws *wws)
{
    return slope_at(wws, wws->count - 1) * (double)LXE_NS_PER_SEC;
}

#define KNEE_MIN 0.1

void mig_wws_find_knee(struct mig_wws *wws)
{
    const struct mig_wws_point *last = &wws->points[wws->count - 1];
    double best = KNEE_MIN;

    wws->knee_ns = 0;
    wws->knee_pages = 0;
    for (size_t i = 0; last->pages > 0 && i < wws->count; i++) {
        const struct mig_wws_point *p = &wws->points[i];
        double above = p->pages / last->pages -
                       (double)p->window_ns / (double)last->window_ns;

        if (above >= best) {
            best = above;
            wws->knee_ns = p->window_ns;
            wws->knee_pages = p->pages;
        }
    }
}

const char *mig_wws_method_name(enum mig_wws_method method)
{
    return method == MIG_WWS_SAMPLE ? "sample" : "log-dirty";
}

/* ---- JSON ---- */

#define FORMAT   "aerostat-wws-1"
#define ROUNDING 1e-6 /* more than a number loses by being written */

static void write_point(struct lxe_jw *w, const struct mig_wws_point *p)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "window_ns", p->window_ns);
    lxe_jw_double(w, "pages", p->pages);
    lxe_jw_double(w, "low", p->low);
    lxe_jw_double(w, "high", p->high);
    lxe_jw_end_object(w);
}

void mig_wws_write(struct lxe_jw *w, const char *key,
                   const struct mig_wws *wws)
{
    if (key)
        lxe_jw_key(w, key);
    lxe_jw_object(w);
    lxe_jw_str(w, "format", FORMAT);
    lxe_jw_str(w, "method", mig_wws_method_name(wws->method));
    lxe_jw_u64(w, "domain_pages", wws->domain_pages);
    lxe_jw_u64(w, "windows", wws->windows);
    lxe_jw_double(w, "spread", wws->spread);
    lxe_jw_double(w, "hot_pages", wws->hot_pages);
    lxe_jw_key(w, "points");
    lxe_jw_array(w);
    for (size_t i = 0; i < wws->count; i++)
        write_point(w, &wws->points[i]);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
}

static int bad(const struct lxe_json *node, const char *what,
               struct lxe_err *err)
{
    return lxe_fail(err, -EINVAL, "line %u: not a working set of 'xl wws': "
                    "%s", node ? lxe_json_line(node) : 1, what);
}

static int read_method(const struct lxe_json *node, struct mig_wws *out,
                       struct lxe_err *err)
{
    const char *format = lxe_json_str(lxe_json_get(node, "format"));
    const char *method = lxe_json_str(lxe_json_get(node, "method"));

    if (!format || strcmp(format, FORMAT))
        return bad(node, "'format' is not \"" FORMAT "\"", err);
    if (method && !strcmp(method, "log-dirty"))
        out->method = MIG_WWS_LOG_DIRTY;
    else if (method && !strcmp(method, "sample"))
        out->method = MIG_WWS_SAMPLE;
    else
        return bad(node, "'method' is neither log-dirty nor sample", err);
    return 0;
}

static int read_facts(const struct lxe_json *node, struct mig_wws *out,
                      struct lxe_err *err)
{
    if (lxe_json_u64(lxe_json_get(node, "domain_pages"),
                     &out->domain_pages) ||
        !out->domain_pages || out->domain_pages > MIG_WWS_MAX_PAGES)
        return bad(node, "'domain_pages' is no number from 1 to 2^32", err);
    if (lxe_json_u64(lxe_json_get(node, "windows"), &out->windows) ||
        !out->windows)
        return bad(node, "'windows' is no number above 0", err);
    if (lxe_json_double(lxe_json_get(node, "spread"), &out->spread) ||
        !(out->spread >= 0 && out->spread <= (double)MIG_WWS_MAX_PAGES))
        return bad(node, "'spread' is no number, or below 0", err);
    if (lxe_json_double(lxe_json_get(node, "hot_pages"), &out->hot_pages) ||
        !(out->hot_pages >= 0))
        return bad(node, "'hot_pages' is no number, or below 0", err);
    out->hot_pages = at_most(out->hot_pages, (double)out->domain_pages);
    return 0;
}

static int read_point(const struct lxe_json *node, double domain_pages,
                      struct mig_wws_point *p, struct lxe_err *err)
{
    if (lxe_json_u64(lxe_json_get(node, "window_ns"), &p->window_ns) ||
        !p->window_ns || p->window_ns > MIG_WWS_MAX_NS)
        return bad(node, "'window_ns' is no number from 1 to a day", err);
    if (lxe_json_double(lxe_json_get(node, "pages"), &p->pages) ||
        lxe_json_double(lxe_json_get(node, "low"), &p->low) ||
        lxe_json_double(lxe_json_get(node, "high"), &p->high))
        return bad(node, "'pages', 'low' or 'high' is no number", err);
    if (!(0 <= p->low && p->low <= p->pages && p->pages <= p->high &&
          p->high <= domain_pages * (1 + ROUNDING)))
        return bad(node, "not 0 <= low <= pages <= high <= domain_pages", err);
    p->low = at_most(p->low, domain_pages);
    p->pages = at_most(p->pages, domain_pages);
    p->high = at_most(p->high, domain_pages);
    return 0;
}

/* Rises, and no steeper than before; what rounding adds is let through. */
static int check_step(const struct lxe_json *node,
                      const struct mig_wws_point *last, double *steepest,
                      const struct mig_wws_point *p, enum which which,
                      struct lxe_err *err)
{
    double ns = (double)(p->window_ns - last->window_ns);
    double slope = (value(p, which) - value(last, which)) / ns;

    if (slope < 0)
        return bad(node, "a longer window has fewer pages", err);
    if (slope * ns > *steepest * ns + ROUNDING * (1 + value(p, which)))
        return bad(node, "the curve is not concave", err);
    *steepest = slope;
    return 0;
}

static int read_points(const struct lxe_json *array, struct mig_wws *out,
                       struct lxe_err *err)
{
    double steepest[] = { 1e30, 1e30, 1e30 };
    struct mig_wws_point last = { 0 };
    int rc = 0;

    out->count = lxe_json_count(array);
    if (lxe_json_type(array) != LXE_JSON_ARRAY || !out->count ||
        out->count > MIG_WWS_POINTS)
        return bad(array, "'points' is no list of 1 to 32", err);
    for (size_t i = 0; !rc && i < out->count; i++) {
        const struct lxe_json *node = lxe_json_at(array, i);
        struct mig_wws_point *p = &out->points[i];

        rc = read_point(node, (double)out->domain_pages, p, err);
        if (!rc && p->window_ns <= last.window_ns)
            rc = bad(node, "'window_ns' does not rise", err);
        for (enum which w = MEAN; !rc && w <= HIGH; w++)
            rc = check_step(node, &last, &steepest[w], p, w, err);
        last = *p;
    }
    return rc;
}

int mig_wws_parse(const struct lxe_json *node, struct mig_wws *out,
                  struct lxe_err *err)
{
    const struct lxe_json *inner = lxe_json_get(node, "wws");
    struct mig_wws wws = { 0 };
    int rc;

    if (inner)
        node = inner;
    if (!node || lxe_json_type(node) != LXE_JSON_OBJECT)
        return bad(node, "not an object", err);
    rc = read_method(node, &wws, err);
    if (!rc)
        rc = read_facts(node, &wws, err);
    if (!rc)
        rc = read_points(lxe_json_get(node, "points"), &wws, err);
    if (rc)
        return rc;
    mig_wws_find_knee(&wws);
    *out = wws;
    return 0;
}

int mig_wws_load(const char *path, struct mig_wws *out, struct lxe_err *err)
{
    struct lxe_json *root;
    int rc = lxe_json_parse_file(path, MIG_WWS_MAX_BYTES, &root, err);

    if (rc)
        return rc;
    rc = mig_wws_parse(root, out, err);
    lxe_json_free(root);
    return rc ? lxe_err_prefix(err, "%s", path) : 0;
}
