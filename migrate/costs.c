/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "costs.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pace.h"
#include "precopy.h"

#define MS ((double)LXE_NS_PER_MS)

/* A hundred seconds: nothing that is a cost takes longer. */
#define MOST_NS 1e11

/* Four tebibytes: no kernel writes more while it suspends itself. */
#define MOST_PAGES 1e9

/* Sent in one round, to tell how fast the wire is. */
#define ENOUGH_BYTES (256.0 * MIG_PAGE_WIRE_BYTES)

/* Bounds of what was seen once or twice. */
#define FEW      3
#define FEW_LOW  (2 / 3.0)
#define FEW_HIGH 1.5

/*
 * Real hosts: a suspend of 20 to 60 ms, some hundred pages that the kernel
 * writes in it, and a million frames walked at some ten million a second. What
 * a guest writes may pack quite otherwise than what it has.
 */
void mig_costs_assume(struct mig_cost_range *out)
{
    *out = (struct mig_cost_range){
        .usual = { 40 * MS, 300, 10 * MS, 150 * MS, 10 * MS, 1, 1, 1 },
        .low = { 15 * MS, 50, 2 * MS, 50 * MS, 2 * MS, 1, 0.7, 0.2 },
        .high = { 120 * MS, 1000, 40 * MS, 800 * MS, 40 * MS, 1, 1.4, 3 },
    };
}

/* ---- one report ---- */

static int get(const struct lxe_json *node, const char *key, double *out)
{
    if (lxe_json_double(lxe_json_get(node, key), out) || !(*out >= 0) ||
        *out > 1e18)
        return -EINVAL;
    return 0;
}

/* The figures of a round that costs are taken from. */
struct round {
    double start_ms, duration_ms, bytes, limit_bps, sent_pages;
    double left_pages, dirty_pps; /* dirty after it, before it; 0: not told */
    double wire_bps;              /* as the engine saw it; 0: not told */
    double dirty_pages, slowed_percent; /* to be sent; of the guest */
    double sent_bytes; /* on the wire; 0: not told */
};

static int read_round(const struct lxe_json *node, struct round *out)
{
    if (get(node, "start_ms", &out->start_ms) ||
        get(node, "duration_ms", &out->duration_ms) ||
        get(node, "bytes", &out->bytes) ||
        get(node, "limit_bps", &out->limit_bps) ||
        get(node, "sent_pages", &out->sent_pages))
        return -EINVAL;
    if (get(node, "dirty_pages", &out->dirty_pages))
        out->dirty_pages = 0;
    if (get(node, "slowed_percent", &out->slowed_percent))
        out->slowed_percent = 0;
    if (get(node, "left_pages", &out->left_pages))
        out->left_pages = 0;
    if (get(node, "dirty_pages_per_s", &out->dirty_pps))
        out->dirty_pps = 0;
    if (get(node, "wire_bps", &out->wire_bps))
        out->wire_bps = 0;
    if (get(node, "wire_bytes", &out->sent_bytes))
        out->sent_bytes = 0;
    return 0;
}

/* Time of a round that its bytes at a rate do not account for. */
static double beyond_bytes(const struct round *r, double bps)
{
    double limit = r->limit_bps > 0 ? r->limit_bps : bps;
    double ns;

    if (bps > 0 && bps < limit)
        limit = bps;
    ns = r->duration_ms * MS;
    if (limit > 0)
        ns -= r->bytes / limit * LXE_NS_PER_SEC;
    return fmin(fmax(ns, 0), MOST_NS);
}

static double rate_of(const struct round *r)
{
    return r->duration_ms > 0 ? r->bytes / r->duration_ms * 1e3 : 0;
}

static bool held_by_wire(const struct round *r, double bps)
{
    return r->limit_bps <= 0 || bps < 0.8 * r->limit_bps;
}

/*
 * Bytes/s of the wire: as the engine saw it in the end, over a second or so of
 * sending. A report that does not tell that has the fastest round of some
 * length that no limit held back; the first one also walks frames, so it
 * counts only for want of others.
 */
static double wire_bps(const struct round *rounds, size_t count)
{
    const struct round *live = &rounds[count - 2];
    double best = 0;

    if (live->wire_bps > 0 && held_by_wire(live, live->wire_bps))
        return live->wire_bps;
    for (size_t i = count; i-- > 0;) {
        double bps = rate_of(&rounds[i]);

        if (rounds[i].bytes >= ENOUGH_BYTES && (i || best <= 0) &&
            (i ? held_by_wire(&rounds[i], bps) : rounds[i].limit_bps <= 0))
            best = fmax(best, bps);
    }
    return best;
}

/* The mean time between rounds that were sent live. */
static double between(const struct round *rounds, size_t count)
{
    double ns = 0;

    for (size_t i = 1; i < count; i++) {
        double gap = rounds[i].start_ms - rounds[i - 1].start_ms -
                     rounds[i - 1].duration_ms;

        ns += fmax(gap, 0) * MS;
    }
    return count > 1 ? fmin(ns / (double)(count - 1), MOST_NS) : 0;
}

#define MOST_ROUNDS 64 /* that are looked at: the last of them */

static int read_rounds(const struct lxe_json *list, struct round *out,
                       size_t *count)
{
    size_t n = lxe_json_count(list), first;

    if (n < 2)
        return -EINVAL;
    first = n > MOST_ROUNDS ? n - MOST_ROUNDS : 0;
    *count = n - first;
    for (size_t i = first; i < n; i++)
        if (read_round(lxe_json_at(list, i), &out[i - first]))
            return -EINVAL;
    return 0;
}

/*
 * What the guest's kernel wrote while it suspended itself: what the last pass
 * sent beyond the count at which the engine stopped, but for what the guest
 * wrote as before until its processes were frozen (predict.c).
 */
static double suspend_pages(const struct round *live, const struct round *last,
                            double suspend_ns)
{
    double as_before = live->dirty_pps * suspend_ns / LXE_NS_PER_SEC *
                       MIG_PRECOPY_RUNS_ON;

    if (live->left_pages <= 0)
        return NAN;
    return fmin(fmax(last->sent_pages - live->left_pages - as_before, 0),
                MOST_PAGES);
}

/* A window without slowing is one; returns how many there are now. */
static size_t add_window(struct mig_pace_window *windows, size_t count,
                         const struct round *in, double ms, double pages)
{
    if (in->slowed_percent > 0 || !(ms > 0 && ms * MS < MIG_WWS_MAX_NS))
        return count;
    windows[count] = (struct mig_pace_window){ (uint64_t)(ms * MS), pages };
    return count + 1;
}

/*
 * How fast the guest wrote in the rounds that were sent live, beside the curve
 * that was seen before them.
 */
static double pace(const struct lxe_json *report, const struct round *live,
                   size_t count)
{
    const struct lxe_json *curve = lxe_json_get(report, "wws");
    const struct round *last = &live[count - 1];
    struct mig_pace_window windows[MOST_ROUNDS];
    struct mig_wws wws;
    size_t n = 0;

    if (!curve || mig_wws_parse(curve, &wws, NULL))
        return NAN;
    for (size_t i = 1; i < count; i++)
        n = add_window(windows, n, &live[i - 1],
                       live[i].start_ms - live[i - 1].start_ms,
                       live[i].dirty_pages);
    if (last->left_pages > 0)
        n = add_window(windows, n, last, last->duration_ms, last->left_pages);
    return mig_pace_fit(&wws, windows, n);
}

/* What rounds took on the wire, in parts of what the sample let expect. */
static double packed(const struct round *rounds, size_t count, double ratio)
{
    double bytes = 0, sent = 0;

    for (size_t i = 0; i < count; i++) {
        bytes += rounds[i].bytes;
        sent += rounds[i].sent_bytes;
    }
    return bytes >= ENOUGH_BYTES && sent > 0 ? sent * ratio / bytes : NAN;
}

static void learn_packing(const struct lxe_json *report,
                          const struct round *rounds, size_t count,
                          struct mig_costs *out)
{
    const struct lxe_json *limits = lxe_json_get(report, "limits");
    bool whole = count == lxe_json_count(lxe_json_get(report, "rounds"));
    double ratio, window_kib;

    out->packed_first = out->packed_later = NAN;
    if (get(lxe_json_get(report, "packing"), "ratio", &ratio) || !(ratio >= 1))
        return;
    if (whole)
        out->packed_first = packed(rounds, 1, ratio);
    /* What a window finds of what was sent before, only that window does. */
    if (get(limits, "compress_window_kib", &window_kib) || !(window_kib > 0))
        out->packed_later = packed(rounds + whole, count - whole, ratio);
}

/* Pages that are packed on their way go at a rate of their own. */
static bool is_packed(const struct lxe_json *report)
{
    double level;

    return !get(lxe_json_get(report, "limits"), "compress_level", &level) &&
           level > 0;
}

static void forget_sending(struct mig_costs *costs, double *bps)
{
    costs->walk_ns = costs->last_ns = NAN;
    *bps = 0;
}

int mig_costs_of_report(const struct lxe_json *report, struct mig_costs *out,
                        double *bps)
{
    const struct lxe_json *rounds = lxe_json_get(report, "rounds");
    const char *outcome = lxe_json_str(lxe_json_get(report, "outcome"));
    struct round r[MOST_ROUNDS];
    double suspend_ms;
    size_t n;

    if (!outcome || strcmp(outcome, "moved") ||
        get(lxe_json_get(report, "downtime_ms"), "suspend", &suspend_ms) ||
        suspend_ms * MS > MOST_NS || read_rounds(rounds, r, &n))
        return -EINVAL;
    *bps = wire_bps(r, n);
    *out = (struct mig_costs){
        .suspend_ns = suspend_ms * MS,
        .suspend_pages = suspend_pages(&r[n - 2], &r[n - 1], suspend_ms * MS),
        .round_ns = n > 2 ? between(r, n - 1) : NAN,
        .walk_ns = n == lxe_json_count(rounds) ? beyond_bytes(&r[0], *bps)
                                               : NAN,
        .last_ns = beyond_bytes(&r[n - 1], r[n - 2].wire_bps > 0
                                               ? r[n - 2].wire_bps
                                               : *bps),
        .pace = pace(report, r, n - 1),
    };
    learn_packing(report, r, n, out);
    if (is_packed(report))
        forget_sending(out, bps);
    return 0;
}

/* ---- several ---- */

static const size_t members[] = {
    offsetof(struct mig_costs, suspend_ns),
    offsetof(struct mig_costs, suspend_pages),
    offsetof(struct mig_costs, round_ns),
    offsetof(struct mig_costs, walk_ns),
    offsetof(struct mig_costs, last_ns),
    offsetof(struct mig_costs, pace),
    offsetof(struct mig_costs, packed_first),
    offsetof(struct mig_costs, packed_later),
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static double *member(struct mig_costs *c, size_t i)
{
    return (double *)((char *)c + members[i]);
}

#define FADES 0.8 /* a run counts for so much of the next newer one */

/* What was seen, and what it counts for. */
struct seen {
    double value, weight;
};

static int by_value(const void *a, const void *b)
{
    double x = ((const struct seen *)a)->value;
    double y = ((const struct seen *)b)->value;

    return (x > y) - (x < y);
}

/* Sorts what counts. Returns how many those are, and the sum of weights. */
static size_t sort(const double *seen, size_t count, struct seen *out,
                   double *weights)
{
    double weight = 1;
    size_t n = 0;

    *weights = 0;
    for (size_t i = 0; i < count && n < MIG_COSTS_MAX_RUNS; i++) {
        if (isnan(seen[i]))
            continue;
        out[n++] = (struct seen){ seen[i], weight };
        *weights += weight;
        weight *= FADES;
    }
    if (n)
        qsort(out, n, sizeof(out[0]), by_value);
    return n;
}

/*
 * Each value stands in the middle of its weight, and between two of them it is
 * a straight line: with the same weights it is the plain median.
 */
static double median(const struct seen *sorted, size_t count, double weights)
{
    double below = 0, at, before = 0;

    for (size_t i = 0; i < count; i++) {
        at = below + sorted[i].weight / 2;
        if (at >= weights / 2 && !i)
            return sorted[0].value;
        if (at >= weights / 2)
            return sorted[i - 1].value +
                   (sorted[i].value - sorted[i - 1].value) *
                       (weights / 2 - before) / (at - before);
        before = at;
        below += sorted[i].weight;
    }
    return count ? sorted[count - 1].value : NAN;
}

double mig_costs_median(const double *seen, size_t count)
{
    struct seen sorted[MIG_COSTS_MAX_RUNS];
    double weights;
    size_t n = sort(seen, count, sorted, &weights);

    return median(sorted, n, weights);
}

static void learn_member(struct mig_costs *runs, size_t count, size_t which,
                         struct mig_cost_range *out)
{
    struct seen sorted[MIG_COSTS_MAX_RUNS];
    double seen[MIG_COSTS_MAX_RUNS], weights, usual;
    size_t n;

    for (size_t i = 0; i < count; i++)
        seen[i] = *member(&runs[i], which);
    n = sort(seen, count, sorted, &weights);
    if (!n)
        return;
    usual = median(sorted, n, weights);
    *member(&out->usual, which) = usual;
    *member(&out->low, which) = sorted[0].value;
    *member(&out->high, which) = sorted[n - 1].value;
    if (n < FEW) {
        *member(&out->low, which) = fmin(sorted[0].value, usual * FEW_LOW);
        *member(&out->high, which) = fmax(sorted[n - 1].value,
                                          usual * FEW_HIGH);
    }
}

void mig_costs_learn(struct mig_costs *runs, size_t count,
                     struct mig_cost_range *out)
{
    if (count > MIG_COSTS_MAX_RUNS)
        count = MIG_COSTS_MAX_RUNS;
    for (size_t i = 0; i < MEMBERS; i++)
        learn_member(runs, count, i, out);
    out->learnt_from = (unsigned)count;
}

void mig_costs_apply(const struct mig_cost_range *costs,
                     struct mig_limits *limits)
{
    if (!costs->learnt_from)
        return;
    limits->suspend_cost_ns = (uint64_t)costs->usual.suspend_ns;
    limits->suspend_pages = (unsigned)costs->usual.suspend_pages;
    limits->last_cost_ns = (uint64_t)costs->usual.last_ns;
}
