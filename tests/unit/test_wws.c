/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The curve D(t): how it is built, read, written and parsed. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "unit.h"
#include "wws.h"
#include "wws_build.h"

#define MS      LXE_NS_PER_MS
#define WINDOWS 12
#define PEEKS   16

/* ---- guests whose D(t) is known ---- */

/* Each page is written at random moments, so many times a second. */
struct guest {
    uint64_t pages, hot;
    double hot_rate, cold_rate;
};

static double uniform(uint64_t *random)
{
    return ((double)(unit_random(random) >> 11) + 1) / 9007199254740993.0;
}

static double truth(const struct guest *g, double seconds)
{
    return (double)g->hot * -expm1(-g->hot_rate * seconds) +
           (double)(g->pages - g->hot) * -expm1(-g->cold_rate * seconds);
}

static struct guest random_guest(uint64_t *random)
{
    struct guest g = { .pages = 200 + unit_below(random, 3000) };

    g.hot = unit_below(random, g.pages / 2);
    g.hot_rate = 0.5 + 20 * uniform(random);
    g.cold_rate = 0.2 * uniform(random);
    return g;
}

/* Counts pages by the window in which they are first written. */
static void observe(const struct guest *g, uint64_t looked_at,
                    struct mig_wws_sample *samples, uint64_t *random)
{
    for (size_t i = 0; i < PEEKS; i++)
        samples[i] = (struct mig_wws_sample){ (i + 1) * (i + 1) * 8 * MS, 0 };
    for (uint64_t p = 0; p < looked_at; p++) {
        bool hot = looked_at == g->pages ? p < g->hot
                                         : unit_below(random, g->pages) <
                                               g->hot;
        double at = -log(uniform(random)) / (hot ? g->hot_rate : g->cold_rate);

        for (size_t i = 0; i < PEEKS; i++)
            samples[i].pages += at * 1e9 <= (double)samples[i].window_ns;
    }
}

/* @looked_at 0: log-dirty */
static int build(const struct guest *g, uint64_t looked_at, size_t windows,
                 struct mig_wws *out, uint64_t *random)
{
    struct mig_wws_sample samples[WINDOWS][PEEKS];
    struct mig_wws_series series[WINDOWS];

    for (size_t i = 0; i < windows; i++) {
        observe(g, looked_at ? looked_at : g->pages, samples[i], random);
        series[i] = (struct mig_wws_series){ samples[i], PEEKS, looked_at };
    }
    return mig_wws_build(series, windows, g->pages,
                         looked_at ? MIG_WWS_SAMPLE : MIG_WWS_LOG_DIRTY, -1,
                         out, NULL);
}

/* ---- what holds for every curve ---- */

static void check_at(const struct mig_wws *w, uint64_t t)
{
    double low = mig_wws_pages_low(w, t), mid = mig_wws_pages(w, t),
           high = mig_wws_pages_high(w, t);

    CU_ASSERT(0 <= low && low <= mid && mid <= high * (1 + 1e-12));
    CU_ASSERT(high <= (double)w->domain_pages);
}

static void check_curve(const struct mig_wws *w, uint64_t *random)
{
    uint64_t reach = w->points[w->count - 1].window_ns * 3;

    CU_ASSERT(mig_wws_pages(w, 0) == 0 && mig_wws_pages_high(w, 0) == 0);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t a = unit_below(random, reach), b = unit_below(random, reach),
                 mid = a / 2 + b / 2;
        double chord = (mig_wws_pages(w, a) + mig_wws_pages(w, b)) / 2;

        check_at(w, a);
        CU_ASSERT((a <= b) == (mig_wws_pages(w, a) <= mig_wws_pages(w, b)) ||
                  mig_wws_pages(w, a) == mig_wws_pages(w, b));
        /* Concave, with two nanoseconds lost in halving. */
        CU_ASSERT(mig_wws_pages(w, mid) + 1e-3 >= chord - 1e-9 * chord);
    }
    CU_ASSERT(mig_wws_pages(w, MIG_WWS_MAX_NS * 1000) <=
              (double)w->domain_pages);
}

static void test_random_guests(void)
{
    uint64_t random = unit_seed();

    for (unsigned i = 0; i < 60; i++) {
        struct guest g = random_guest(&random);
        struct mig_wws w;

        CU_ASSERT_FATAL(!build(&g, i % 2 ? 100 : 0,
                               2 + unit_below(&random, WINDOWS - 1), &w,
                               &random));
        CU_ASSERT(w.count == PEEKS);
        check_curve(&w, &random);
    }
}

/* How often the truth lies within the bounds, over guests and windows. */
static double coverage(uint64_t looked_at, unsigned trials, uint64_t *random)
{
    unsigned in = 0, all = 0;

    for (unsigned i = 0; i < trials; i++) {
        struct guest g = random_guest(random);
        struct mig_wws w;

        CU_ASSERT_FATAL(!build(&g, looked_at, 8, &w, random));
        for (size_t p = 0; p < w.count; p++, all++) {
            double d = truth(&g, (double)w.points[p].window_ns / 1e9);

            in += w.points[p].low <= d && d <= w.points[p].high;
        }
    }
    printf("  %.3f of %u truths within the bounds\n", (double)in / all, all);
    return (double)in / all;
}

/* 95 % are expected; below 88 % is five deviations away. */
static void test_coverage(void)
{
    uint64_t random = unit_seed();

    CU_ASSERT(coverage(0, 200, &random) > 0.88);
    CU_ASSERT(coverage(200, 200, &random) > 0.88);
}

/* Marshall: nowhere farther from a concave truth than the counts' worst. */
static void test_majorant_is_no_farther(void)
{
    uint64_t random = unit_seed();

    for (unsigned i = 0; i < 60; i++) {
        struct mig_wws_sample s[PEEKS];
        struct guest g = random_guest(&random);
        struct mig_wws w;
        double raw = 0, fit = 0;

        observe(&g, g.pages, s, &random);
        CU_ASSERT_FATAL(!mig_wws_build(
            (struct mig_wws_series[]){ { s, PEEKS, 0 }, { s, PEEKS, 0 } }, 2,
            g.pages, MIG_WWS_LOG_DIRTY, -1, &w, NULL));
        for (size_t p = 0; p < PEEKS; p++) {
            double d = truth(&g, (double)s[p].window_ns / 1e9);

            raw = fmax(raw, fabs((double)s[p].pages - d));
            fit = fmax(fit, fabs(w.points[p].pages - d));
            CU_ASSERT(w.points[p].pages >= (double)s[p].pages - 1e-6);
        }
        CU_ASSERT(fit <= raw + 1e-6);
    }
}

/* ---- by hand ---- */

static int build_pair(const struct mig_wws_sample *a, size_t na,
                      const struct mig_wws_sample *b, size_t nb,
                      struct mig_wws *w, struct lxe_err *err)
{
    struct mig_wws_series series[] = { { a, na, 0 }, { b, nb, 0 } };

    return mig_wws_build(series, 2, 1000, MIG_WWS_LOG_DIRTY, 77, w, err);
}

static void test_by_hand(void)
{
    struct mig_wws_sample a[] = { { 10 * MS, 100 }, { 20 * MS, 300 },
                                  { 40 * MS, 400 } };
    struct mig_wws w;

    CU_ASSERT_FATAL(!build_pair(a, 3, a, 3, &w, NULL));
    /* 10 pages a ms, then 20: pooled to 15; then 5. No spread. */
    CU_ASSERT_DOUBLE_EQUAL(w.points[0].pages, 150, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(w.points[1].pages, 300, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(w.points[2].low, 400, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(w.points[2].high, 400, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_pages(&w, 5 * MS), 75, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_pages(&w, 30 * MS), 350, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_pages(&w, 60 * MS), 500, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_pages_low(&w, 60 * MS), 400, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_pages(&w, 100000 * MS), 1000, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_rate(&w, 40 * MS), 10000, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(mig_wws_tail_rate(&w), 5000, 1e-6);
    CU_ASSERT(w.knee_ns == 20 * MS && w.spread == 0 && w.hot_pages == 77);
    CU_ASSERT(w.windows == 2 && w.domain_pages == 1000);
}

/* Two windows of 90 and 110 pages: 100 +- 12.706 x 14.142 / sqrt(2). */
static void test_bounds_of_two(void)
{
    struct mig_wws_sample a[] = { { 10 * MS, 90 } }, b[] = { { 10 * MS, 110 } };
    struct mig_wws w;

    CU_ASSERT_FATAL(!build_pair(a, 1, b, 1, &w, NULL));
    CU_ASSERT_DOUBLE_EQUAL(w.points[0].pages, 100, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(w.points[0].low, 0, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(w.points[0].high, 227.06, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(w.spread, 0.141421, 1e-5);
    CU_ASSERT(w.knee_ns == 0);
}

/* No page of 400 was seen written: Wilson allows 0.95 % of the guest's. */
static void test_idle_sample(void)
{
    struct mig_wws_sample a[] = { { 10 * MS, 0 } };
    struct mig_wws_series s[] = { { a, 1, 200 }, { a, 1, 200 } };
    struct mig_wws w;

    CU_ASSERT_FATAL(
        !mig_wws_build(s, 2, 100000, MIG_WWS_SAMPLE, -1, &w, NULL));
    CU_ASSERT(w.points[0].pages == 0 && w.points[0].low == 0);
    CU_ASSERT_DOUBLE_EQUAL(w.points[0].high, 951.3, 1);
}

static void test_refused(void)
{
    struct mig_wws_sample ok[] = { { 10 * MS, 9 } };
    struct mig_wws_sample falls[] = { { 10 * MS, 9 }, { 20 * MS, 8 } };
    struct mig_wws_sample back[] = { { 10 * MS, 9 }, { 10 * MS, 9 } };
    struct mig_wws_sample beyond[] = { { 10 * MS, 1001 } };
    struct mig_wws w = { .count = 7 };
    struct lxe_err err = { 0 };

    CU_ASSERT(build_pair(ok, 1, falls, 2, &w, &err) == -EINVAL);
    CU_ASSERT(build_pair(ok, 1, back, 2, &w, &err) == -EINVAL);
    CU_ASSERT(build_pair(ok, 1, beyond, 1, &w, &err) == -EINVAL);
    CU_ASSERT(build_pair(ok, 1, NULL, 0, &w, &err) == -ENODATA);
    CU_ASSERT(w.count == 7);
}

static void test_hot_set(void)
{
    uint64_t bitmap[3] = { 0 };
    uint8_t counters[130] = { 0 };

    lxe_bitmap_set(bitmap, 0);
    lxe_bitmap_set(bitmap, 64);
    lxe_bitmap_set(bitmap, 129);
    for (unsigned i = 0; i < 3; i++)
        mig_wws_hot_add(counters, bitmap, 130);
    lxe_bitmap_clear(bitmap, 64);
    lxe_bitmap_set(bitmap, 7);
    mig_wws_hot_add(counters, bitmap, 130);
    CU_ASSERT(counters[0] == 4 && counters[64] == 3 && counters[7] == 1);
    CU_ASSERT(mig_wws_hot_count(counters, 130, 4) == 3);
    CU_ASSERT(mig_wws_hot_count(counters, 130, 5) == 2);
    CU_ASSERT(mig_wws_hot_count(counters, 130, 1) == 0);
    for (unsigned i = 0; i < 300; i++)
        mig_wws_hot_add(counters, bitmap, 130);
    CU_ASSERT(counters[0] == 255);
}

/* ---- JSON ---- */

static void test_round_trip(void)
{
    uint64_t random = unit_seed();

    for (unsigned i = 0; i < 30; i++) {
        struct guest g = random_guest(&random);
        struct lxe_jw *jw = lxe_jw_new(i % 2);
        struct mig_wws w, back;
        struct lxe_json *root;
        size_t len;

        CU_ASSERT_FATAL(!build(&g, i % 3 ? 0 : 300, 5, &w, &random));
        lxe_jw_object(jw);
        mig_wws_write(jw, "wws", &w);
        lxe_jw_end_object(jw);
        CU_ASSERT_FATAL(lxe_jw_text(jw, &len) != NULL);
        CU_ASSERT_FATAL(
            !lxe_json_parse(lxe_jw_text(jw, &len), len, &root, NULL));
        CU_ASSERT_FATAL(!mig_wws_parse(root, &back, NULL));
        CU_ASSERT(back.count == w.count && back.method == w.method);
        CU_ASSERT(back.windows == w.windows && back.knee_ns == w.knee_ns);
        for (size_t p = 0; p < w.count; p++)
            CU_ASSERT(fabs(back.points[p].high - w.points[p].high) <=
                      1e-8 * w.points[p].high);
        lxe_json_free(root);
        lxe_jw_free(jw);
    }
}

#define HEAD                                                                  \
    "{\"format\":\"aerostat-wws-1\",\"method\":\"sample\",\"domain_pages\":"  \
    "100,\"windows\":2,\"spread\":0.1,\"hot_pages\":3,\"points\":["
#define P(t, l, m, h)                                                         \
    "{\"window_ns\":" #t ",\"pages\":" #m ",\"low\":" #l ",\"high\":" #h "}"

static int parse(const char *text, struct lxe_err *err)
{
    struct lxe_json *root;
    struct mig_wws w;
    int rc = lxe_json_parse(text, strlen(text), &root, err);

    if (rc)
        return rc;
    rc = mig_wws_parse(root, &w, err);
    lxe_json_free(root);
    return rc;
}

static void test_parse_refuses(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "[]", "not an object" },
        { "{\"format\":\"x\"}", "format" },
        { "{\"wws\":3}", "not an object" },
        { HEAD "]}", "points" },
        { HEAD P(0, 1, 1, 1) "]}", "window_ns" },
        { HEAD P(5, 2, 1, 3) "]}", "low" },
        { HEAD P(5, 1, 2, 101) "]}", "domain_pages" },
        { HEAD P(5, 1, 2, 3) "," P(5, 1, 2, 3) "]}", "does not rise" },
        { HEAD P(5, 1, 2, 3) "," P(9, 1, 1, 3) "]}", "fewer" },
        { HEAD P(5, 1, 2, 3) "," P(6, 1, 9, 9) "]}", "concave" },
        { HEAD "7]}", "window_ns" },
    };

    CU_ASSERT(!parse(HEAD P(5, 1, 2, 3) "," P(9, 1, 3, 5) "]}", NULL));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lxe_err err = { 0 };

        CU_ASSERT(parse(cases[i].text, &err) == -EINVAL);
        CU_ASSERT(strstr(err.text, cases[i].says) != NULL);
    }
}

static void test_load(void)
{
    char path[] = "/tmp/test-wws-XXXXXX";
    const char *text = HEAD P(5, 1, 2, 3) "]}";
    int fd = mkstemp(path);
    struct lxe_err err = { 0 };
    struct mig_wws w;

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CU_ASSERT(!mig_wws_load(path, &w, &err) && w.points[0].pages == 2);
    CU_ASSERT(!ftruncate(fd, 0));
    CU_ASSERT(mig_wws_load(path, &w, &err) == -EINVAL);
    CU_ASSERT(strstr(err.text, path) != NULL);
    close(fd);
    unlink(path);
    CU_ASSERT(mig_wws_load(path, &w, &err) == -ENOENT);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "curves of random guests", test_random_guests },
        { "bounds hold the truth", test_coverage },
        { "no farther from the truth", test_majorant_is_no_farther },
        { "by hand", test_by_hand },
        { "bounds of two windows", test_bounds_of_two },
        { "an idle sample", test_idle_sample },
        { "refused series", test_refused },
        { "the hot set", test_hot_set },
        { "JSON round trip", test_round_trip },
        { "JSON that is refused", test_parse_refuses },
        { "loading", test_load },
    };

    return unit_run("wws", tests, sizeof(tests) / sizeof(tests[0]));
}
