/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often the engine's downtime (from the request to suspend to the end of
 * the restore) stays within 300 ms, over guests that write to more or less of
 * their memory, and wires that carry more or less; and how well it was
 * predicted: by the engine when it stopped, and before it began, from the
 * writable working set.
 */
#include "native.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "fx_migration.h"
#include "predict.h"

#define LIMIT_MS     300
#define SUSPEND_MS   50 /* as on a real host; here a sleep, */
#define FREEZE_MS    10 /* in which programs of the guest run so long */
#define REST_MIB     64 /* memory that is not written to */
#define MAX_RUNS     1024

static const unsigned rates[] = { 5000, 20000, 50000, 100000 };
static const unsigned sets[] = { 32, 64, 128, 256 };
static const unsigned wires[] = { 60, 125, 400, 1000 };

#define WIRES (sizeof(wires) / sizeof(wires[0]))

struct cell {
    unsigned pages_per_s, set_mib, wire; /* of wires */
    const char *way;
};

/* What a migration is foretold to be, and what it was. */
struct course {
    double rounds, mb, total_s, downtime_ms;
};

struct result {
    struct course fact, plan;
    double engine_ms; /* the downtime, as predicted at the stop */
    double slowed_percent;
};

/* What runs cost here beside their pages, and what each wire really carries;
 * learnt from those before. */
struct costs {
    struct mig_costs runs[MIG_COSTS_MAX_RUNS];
    size_t count;
    double wire_bps[WIRES]; /* 0: not known */
};

/* A writer at random: the D(t) of its set has a closed form. */
static void write_curve(const struct cell *c, unsigned pages,
                        struct mig_wws *out)
{
    double set = c->set_mib * (double)FX_PAGES_PER_MIB, t_ns = 1e6;
    double rate = c->pages_per_s;

    memset(out, 0, sizeof(*out));
    out->domain_pages = pages;
    out->windows = 1;
    for (unsigned i = 0; i < MIG_WWS_POINTS; i++, t_ns *= 1.5) {
        double d = set * -expm1(-rate * t_ns / 1e9 / set);

        out->points[i] = (struct mig_wws_point){ (uint64_t)t_ns, d, d, d };
    }
    out->count = MIG_WWS_POINTS;
}

static void plan(const struct cell *c, const struct fx_migration *m,
                 const struct costs *costs, const struct mig_cost_range *range,
                 struct course *out)
{
    struct mig_predict_in in = {
        .pages = m->guest.ram_pages,
        .wire_bps = costs->wire_bps[c->wire],
        .costs = *range,
    };
    struct mig_prediction p;
    struct mig_wws wws;

    mig_limits_default(&in.limits);
    mig_limits_parse(m->limits, &in.limits, NULL);
    write_curve(c, m->guest.ram_pages, &wws);
    mig_predict(&wws, &in, &p);
    *out = (struct course){
        .rounds = p.rounds.expected,
        .mb = p.bytes.expected / 1e6,
        .total_s = p.total_ns.expected / 1e9,
        .downtime_ms = p.downtime_ns.expected / 1e6,
    };
}

static double beyond(uint64_t ns, uint64_t bytes, double bps)
{
    return fmax(0, (double)ns - (double)bytes / bps * 1e9);
}

/* As costs.h has it of a report, for the next predictions. */
static void learn(const struct cell *c, const struct fx_outcome *o,
                  struct costs *costs)
{
    const struct mig_round *r = o->save.rounds;
    unsigned last = o->save.round_count - 1;
    double gaps_ns = 0, bytes = 0, ns = 0, bps;

    for (unsigned i = 0; i < last; i++) {
        gaps_ns += i ? (double)(r[i].start_ns - r[i - 1].end_ns) : 0;
        bytes += (double)r[i].bytes;
        ns += (double)(r[i].end_ns - r[i].start_ns);
    }
    bps = bytes / ns * 1e9;
    costs->wire_bps[c->wire] = bps;
    costs->runs[costs->count++ % MIG_COSTS_MAX_RUNS] = (struct mig_costs){
        .suspend_ns = SUSPEND_MS * 1e6,
        .round_ns = last > 1 ? gaps_ns / (last - 1) : 1e6,
        .last_ns = fmax(0, beyond(fx_downtime_ns(o), r[last].bytes, bps) -
                               SUSPEND_MS * 1e6),
        .pace = 1,
    };
}

static void set_up(const struct cell *c, uint64_t seed, double last_ms,
                   struct fx_migration *m)
{
    uint32_t set = c->set_mib * FX_PAGES_PER_MIB;

    fx_migration_init(m, seed);
    m->guest.ram_pages = set + REST_MIB * FX_PAGES_PER_MIB;
    m->guest.top_gfn = 0;
    m->guest.hole_percent = 0;
    m->writers[0] = (struct fx_writer_config){
        .pages_per_s = c->pages_per_s, .pages = set, .seed = seed,
        /* A set that comes first is sent before it can be dirty again. */
        .first = (uint32_t)(seed % 5 * REST_MIB / 4 * FX_PAGES_PER_MIB),
    };
    m->writer_count = 1;
    m->wired = true;
    m->wire.rate_bps = wires[c->wire] * UINT64_C(1000000);
    m->suspend_us = FREEZE_MS * 1000;
    m->frozen_us = (SUSPEND_MS - FREEZE_MS) * 1000;
    snprintf(m->limits, sizeof(m->limits), "max-downtime=%dms "
             "suspend-cost=%dms suspend-pages=0 last-cost=%.0fms "
             "max-rounds=60 timeout=60s throttle=%s", LIMIT_MS, SUSPEND_MS,
             last_ms, c->way);
}

static void range_of(struct costs *costs, struct mig_cost_range *out)
{
    mig_costs_assume(out);
    mig_costs_learn(costs->runs, costs->count < MIG_COSTS_MAX_RUNS
                                     ? costs->count
                                     : MIG_COSTS_MAX_RUNS, out);
}

/* What came of it, from the first round on. */
static void take_facts(const struct fx_outcome *o, struct result *r)
{
    r->fact.downtime_ms = (double)fx_downtime_ns(o) / 1e6;
    r->fact.total_s = (double)(o->save.suspend_ns + fx_downtime_ns(o) -
                               o->save.rounds[0].start_ns) / 1e9;
    r->slowed_percent = o->save.end.slowed_mean_percent;
    for (unsigned i = 0; i < o->save.round_count; i++) {
        const struct mig_round *round = &o->save.rounds[i];

        r->fact.mb += (double)round->bytes / 1e6;
        r->fact.rounds += !round->final;
        if (!round->final)
            r->engine_ms = (double)round->predicted_downtime_ns / 1e6;
    }
}

static bool measure(const struct cell *c, uint64_t seed, struct costs *costs,
                    struct result *r)
{
    static struct fx_outcome o;
    struct mig_cost_range range;
    struct fx_migration m;

    range_of(costs, &range);
    set_up(c, seed, range.usual.last_ns / 1e6, &m);
    if (!bench_run(&m, &o))
        return false;
    memset(r, 0, sizeof(*r));
    if (costs->wire_bps[c->wire] > 0)
        plan(c, &m, costs, &range, &r->plan);
    learn(c, &o, costs);
    take_facts(&o, r);
    return true;
}

/* A run over each wire whose figures do not count, to learn from. */
static bool warm_up(struct costs *costs)
{
    struct cell c = { rates[0], sets[0], 0, "none" };
    struct result r;
    bool good = true;

    for (; good && c.wire < WIRES; c.wire++)
        good = measure(&c, 1, costs, &r);
    return good;
}

/* ---- telling ---- */

static void write_course(struct lxe_jw *w, const char *key,
                         const struct course *c)
{
    lxe_jw_key(w, key);
    lxe_jw_object(w);
    lxe_jw_double(w, "rounds", c->rounds);
    lxe_jw_double(w, "mb", c->mb);
    lxe_jw_double(w, "total_s", c->total_s);
    lxe_jw_double(w, "downtime_ms", c->downtime_ms);
    lxe_jw_end_object(w);
}

static void tell(const struct cell *c, const struct result *r,
                 struct lxe_jw *w)
{
    const struct course *f = &r->fact, *p = &r->plan;

    printf("%-6s %7u %4u %5u  %6.0f%c %6.0f %6.0f  %3.0f %3.0f  %6.1f %6.1f"
           "  %5.1f %5.1f  %5.1f\n",
           c->way, c->pages_per_s, c->set_mib, wires[c->wire], f->downtime_ms,
           f->downtime_ms > LIMIT_MS ? '!' : ' ', r->engine_ms,
           p->downtime_ms, f->rounds, p->rounds, f->mb, p->mb, f->total_s,
           p->total_s, r->slowed_percent);
    lxe_jw_object(w);
    lxe_jw_str(w, "throttle", c->way);
    lxe_jw_u64(w, "pages_per_s", c->pages_per_s);
    lxe_jw_u64(w, "set_mib", c->set_mib);
    lxe_jw_u64(w, "wire_mb_per_s", wires[c->wire]);
    write_course(w, "fact", f);
    write_course(w, "plan", p);
    lxe_jw_double(w, "engine_predicted_ms", r->engine_ms);
    lxe_jw_double(w, "slowed_percent", r->slowed_percent);
    lxe_jw_end_object(w);
}

/* ---- how near predictions were ---- */

static double rounds_of(const struct course *c) { return c->rounds; }
static double mb_of(const struct course *c) { return c->mb; }
static double total_of(const struct course *c) { return c->total_s; }
static double downtime_of(const struct course *c) { return c->downtime_ms; }

static const struct {
    const char *name;
    double (*of)(const struct course *c);
} figures[] = {
    { "rounds", rounds_of },
    { "bytes", mb_of },
    { "total", total_of },
    { "downtime", downtime_of },
};

/* How far off one figure was, from the best run to the worst. */
static void sum_up_errors(const char *name, double *errors, size_t count,
                          struct lxe_jw *w)
{
    size_t close = 0;

    for (size_t i = 0; i < count; i++)
        close += fabs(errors[i]) <= 0.1;
    printf("  %-26s %2zu of %zu   %+4.0f / %+4.0f / %+4.0f %%\n", name, close,
           count, bench_quantile(errors, count, 0.1) * 100,
           bench_quantile(errors, count, 0.5) * 100,
           bench_quantile(errors, count, 0.9) * 100);
    lxe_jw_object(w);
    lxe_jw_str(w, "figure", name);
    lxe_jw_u64(w, "within_10_percent", close);
    lxe_jw_double(w, "median_error", bench_quantile(errors, count, 0.5));
    lxe_jw_end_object(w);
}

static void sum_up_predictions(const struct result *results, size_t count,
                               struct lxe_jw *w)
{
    static double errors[MAX_RUNS];

    printf("  predicted                  within 10 %%   error, 10th/50th/90th"
           " of 100\n");
    lxe_jw_key(w, "predictions");
    lxe_jw_array(w);
    for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
        char name[64];

        for (size_t i = 0; i < count; i++)
            errors[i] = figures[f].of(&results[i].plan) /
                            figures[f].of(&results[i].fact) - 1;
        snprintf(name, sizeof(name), "%s, before it began", figures[f].name);
        sum_up_errors(name, errors, count, w);
    }
    for (size_t i = 0; i < count; i++)
        errors[i] = results[i].engine_ms / results[i].fact.downtime_ms - 1;
    sum_up_errors("downtime, at the stop", errors, count, w);
    lxe_jw_end_array(w);
}

static void sum_up(const char *way, const struct result *results, size_t count,
                   struct lxe_jw *w)
{
    size_t within = 0;

    for (size_t i = 0; i < count; i++)
        within += results[i].fact.downtime_ms <= LIMIT_MS;
    printf("throttle=%s: %zu of %zu within %d ms\n", way, within, count,
           LIMIT_MS);
    lxe_jw_object(w);
    lxe_jw_str(w, "throttle", way);
    lxe_jw_u64(w, "runs", count);
    lxe_jw_u64(w, "within", within);
    sum_up_predictions(results, count, w);
    lxe_jw_end_object(w);
    printf("\n");
}

/* Quick: the corners only. */
static bool wanted(const struct bench_options *o, unsigned i)
{
    return !o->quick || i == 0 || i == 3;
}

static size_t run_way(const struct bench_options *o, const char *way,
                      struct costs *costs, struct result *results,
                      struct lxe_jw *w)
{
    size_t n = 0;

    for (unsigned i = 0; i < 64 * o->repeats && n < MAX_RUNS; i++) {
        struct cell c = { rates[i / 16 % 4], sets[i / 4 % 4], i % 4, way };

        if (!wanted(o, i / 16 % 4) || !wanted(o, i / 4 % 4) ||
            !wanted(o, i % 4))
            continue;
        if (!measure(&c, i + 1, costs, &results[n]))
            return 0;
        tell(&c, &results[n++], w);
    }
    printf("\n");
    return n;
}

bool bench_sweep(const struct bench_options *options, struct lxe_jw *w)
{
    static struct result results[4][MAX_RUNS];
    static struct costs costs;
    size_t count[4] = { 0 };

    if (!warm_up(&costs))
        return false;
    printf("Downtime at max-downtime=%dms, %d ms of it for suspending; what"
           " came, and what was predicted\n\n"
           "%-6s %7s %4s %5s  %6s  %6s %6s  %7s  %13s  %11s  %5s\n"
           "%-6s %7s %4s %5s  %6s  %6s %6s  %7s  %13s  %11s  %5s\n",
           LIMIT_MS, SUSPEND_MS, "", "writes", "set", "wire", "down",
           "stop", "plan", "rounds", "MB", "total, s", "slow", "way", "/s",
           "MiB", "MB/s", "ms", "ms", "ms", "    plan", "plan", "plan", "%");
    lxe_jw_key(w, "sweep");
    lxe_jw_array(w);
    for (unsigned i = 0; options->ways[i]; i++)
        count[i] = run_way(options, options->ways[i], &costs,
                           results[i], w);
    lxe_jw_end_array(w);
    lxe_jw_key(w, "sweep_sums");
    lxe_jw_array(w);
    for (unsigned i = 0; options->ways[i]; i++)
        sum_up(options->ways[i], results[i], count[i], w);
    lxe_jw_end_array(w);
    for (unsigned i = 0; options->ways[i]; i++)
        if (!count[i])
            return false;
    return true;
}
