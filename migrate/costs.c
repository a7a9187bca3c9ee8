/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "costs.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "precopy.h"

#define MS ((double)LXE_NS_PER_MS)

/* A hundred seconds: nothing that is a cost takes longer. */
#define MOST_NS 1e11

/* Sent in one round, to tell how fast the wire is. */
#define ENOUGH_BYTES (256.0 * MIG_PAGE_WIRE_BYTES)

/* Bounds of what was seen once or twice. */
#define FEW      3
#define FEW_LOW  (2 / 3.0)
#define FEW_HIGH 1.5

/*
 * Real hosts: a suspend of 20 to 60 ms, some hundred pages that the kernel
 * writes in it, and a million frames walked at some ten million a second.
 */
void mig_costs_assume(struct mig_cost_range *out)
{
    *out = (struct mig_cost_range){
        .usual = { 40 * MS, 300, 10 * MS, 150 * MS, 10 * MS },
        .low = { 15 * MS, 50, 2 * MS, 50 * MS, 2 * MS },
        .high = { 120 * MS, 1000, 40 * MS, 800 * MS, 40 * MS },
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
};

static int read_round(const struct lxe_json *node, struct round *out)
{
    if (get(node, "start_ms", &out->start_ms) ||
        get(node, "duration_ms", &out->duration_ms) ||
        get(node, "bytes", &out->bytes) ||
        get(node, "limit_bps", &out->limit_bps) ||
        get(node, "sent_pages", &out->sent_pages))
        return -EINVAL;
    if (get(node, "left_pages", &out->left_pages))
        out->left_pages = 0;
    if (get(node, "dirty_pages_per_s", &out->dirty_pps))
        out->dirty_pps = 0;
    if (get(node, "wire_bps", &out->wire_bps))
        out->wire_bps = 0;
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

/*
 * Bytes/s of the wire: the fastest round of some length that no limit held
 * back. The first one also walks frames, so it counts only for want of others.
 */
static double wire_bps(const struct round *rounds, size_t count)
{
    double best = 0;

    for (size_t i = count; i-- > 0;) {
        double bps = rate_of(&rounds[i]), limit = rounds[i].limit_bps;

        if (rounds[i].bytes >= ENOUGH_BYTES && (i || best <= 0) &&
            (limit <= 0 || (i && bps < 0.8 * limit)))
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
                            double suspend_ns, double assumed)
{
    double as_before = live->dirty_pps * suspend_ns / LXE_NS_PER_SEC *
                       MIG_PRECOPY_RUNS_ON;

    if (live->left_pages <= 0)
        return assumed;
    return fmax(last->sent_pages - live->left_pages - as_before, 0);
}

int mig_costs_of_report(const struct lxe_json *report, struct mig_costs *out,
                        double *bps)
{
    const struct lxe_json *rounds = lxe_json_get(report, "rounds");
    const char *outcome = lxe_json_str(lxe_json_get(report, "outcome"));
    struct mig_cost_range assumed;
    struct round r[MOST_ROUNDS];
    double suspend_ms;
    size_t n;

    if (!outcome || strcmp(outcome, "moved") ||
        get(lxe_json_get(report, "downtime_ms"), "suspend", &suspend_ms) ||
        suspend_ms * MS > MOST_NS || read_rounds(rounds, r, &n))
        return -EINVAL;
    mig_costs_assume(&assumed);
    *bps = wire_bps(r, n);
    *out = (struct mig_costs){
        .suspend_ns = suspend_ms * MS,
        .suspend_pages = suspend_pages(&r[n - 2], &r[n - 1], suspend_ms * MS,
                                       assumed.usual.suspend_pages),
        .round_ns = n > 2 ? between(r, n - 1) : assumed.usual.round_ns,
        .walk_ns = n == lxe_json_count(rounds) ? beyond_bytes(&r[0], *bps)
                                               : assumed.usual.walk_ns,
        .last_ns = beyond_bytes(&r[n - 1], r[n - 2].wire_bps > 0
                                               ? r[n - 2].wire_bps
                                               : *bps),
    };
    return 0;
}

/* ---- several ---- */

static const size_t members[] = {
    offsetof(struct mig_costs, suspend_ns),
    offsetof(struct mig_costs, suspend_pages),
    offsetof(struct mig_costs, round_ns),
    offsetof(struct mig_costs, walk_ns),
    offsetof(struct mig_costs, last_ns),
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static double *member(struct mig_costs *c, size_t i)
{
    return (double *)((char *)c + members[i]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void learn_member(struct mig_costs *runs, size_t count, size_t which,
                         struct mig_cost_range *out)
{
    double seen[MIG_COSTS_MAX_RUNS], median;

    for (size_t i = 0; i < count; i++)
        seen[i] = *member(&runs[i], which);
    qsort(seen, count, sizeof(seen[0]), by_value);
    median = (seen[(count - 1) / 2] + seen[count / 2]) / 2;
    *member(&out->usual, which) = median;
    *member(&out->low, which) = seen[0];
    *member(&out->high, which) = seen[count - 1];
    if (count < FEW) {
        *member(&out->low, which) = fmin(seen[0], median * FEW_LOW);
        *member(&out->high, which) = fmax(seen[count - 1], median * FEW_HIGH);
    }
}

void mig_costs_learn(struct mig_costs *runs, size_t count,
                     struct mig_cost_range *out)
{
    mig_costs_assume(out);
    if (count > MIG_COSTS_MAX_RUNS)
        count = MIG_COSTS_MAX_RUNS;
    for (size_t i = 0; count && i < MEMBERS; i++)
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
