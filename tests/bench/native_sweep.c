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

struct cell {
    unsigned pages_per_s, set_mib, wire_mb;
    const char *way;
};

struct result {
    double downtime_ms, engine_ms, plan_ms; /* fact, and the two predictions */
    double total_s, plan_total_s, slowed_percent;
    unsigned rounds;
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
                 struct result *r)
{
    struct mig_predict_in in = {
        .pages = m->guest.ram_pages,
        .wire_bps = c->wire_mb * 1e6,
    };
    struct mig_prediction p;
    struct mig_wws wws;

    mig_limits_default(&in.limits);
    mig_limits_parse(m->limits, &in.limits, NULL);
    mig_costs_assume(&in.costs);
    in.costs.usual.suspend_ns = SUSPEND_MS * 1e6;
    write_curve(c, m->guest.ram_pages, &wws);
    mig_predict(&wws, &in, &p);
    r->plan_ms = p.downtime_ns.expected / 1e6;
    r->plan_total_s = p.total_ns.expected / 1e9;
}

static void set_up(const struct cell *c, uint64_t seed, struct fx_migration *m)
{
    uint32_t set = c->set_mib * FX_PAGES_PER_MIB;

    fx_migration_init(m, seed);
    m->guest.ram_pages = set + REST_MIB * FX_PAGES_PER_MIB;
    m->guest.top_gfn = 0;
    m->guest.hole_percent = 0;
    m->writers[0] = (struct fx_writer_config){
        .pages_per_s = c->pages_per_s, .pages = set, .seed = seed,
    };
    m->writer_count = 1;
    m->wired = true;
    m->wire.rate_bps = c->wire_mb * UINT64_C(1000000);
    m->suspend_us = FREEZE_MS * 1000;
    m->frozen_us = (SUSPEND_MS - FREEZE_MS) * 1000;
    snprintf(m->limits, sizeof(m->limits), "max-downtime=%dms "
             "suspend-cost=%dms suspend-pages=0 max-rounds=200 timeout=%s "
             "throttle=%s",
             LIMIT_MS, SUSPEND_MS, strcmp(c->way, "none") ? "60s" : "20s",
             c->way);
}

static bool measure(const struct cell *c, uint64_t seed, struct result *r)
{
    static struct fx_outcome o;
    struct fx_migration m;

    set_up(c, seed, &m);
    if (!bench_run(&m, &o))
        return false;
    memset(r, 0, sizeof(*r));
    plan(c, &m, r);
    r->downtime_ms = (double)fx_downtime_ns(&o) / 1e6;
    r->total_s = (double)(o.end_ns - o.start_ns) / 1e9;
    r->slowed_percent = o.save.end.slowed_mean_percent;
    for (unsigned i = 0; i < o.save.round_count; i++)
        if (!o.save.rounds[i].final) {
            r->rounds++;
            r->engine_ms = (double)o.save.rounds[i].predicted_downtime_ns /
                           1e6;
        }
    return true;
}

/* ---- telling ---- */

static void tell(const struct cell *c, const struct result *r,
                 struct lxe_jw *w)
{
    printf("%-6s %8u %5u %6u  %6.0f%c %7.0f %7.0f  %6.1f %6.1f  %5u %7.1f\n",
           c->way, c->pages_per_s, c->set_mib, c->wire_mb, r->downtime_ms,
           r->downtime_ms > LIMIT_MS ? '!' : ' ', r->engine_ms, r->plan_ms,
           r->total_s, r->plan_total_s, r->rounds, r->slowed_percent);
    lxe_jw_object(w);
    lxe_jw_str(w, "throttle", c->way);
    lxe_jw_u64(w, "pages_per_s", c->pages_per_s);
    lxe_jw_u64(w, "set_mib", c->set_mib);
    lxe_jw_u64(w, "wire_mb_per_s", c->wire_mb);
    lxe_jw_double(w, "downtime_ms", r->downtime_ms);
    lxe_jw_double(w, "engine_predicted_ms", r->engine_ms);
    lxe_jw_double(w, "plan_predicted_ms", r->plan_ms);
    lxe_jw_double(w, "total_s", r->total_s);
    lxe_jw_double(w, "plan_total_s", r->plan_total_s);
    lxe_jw_u64(w, "rounds", r->rounds);
    lxe_jw_double(w, "slowed_percent", r->slowed_percent);
    lxe_jw_end_object(w);
}

/* Shares of the runs of one way. */
static void sum_up(const char *way, const struct result *results, size_t count,
                   struct lxe_jw *w)
{
    static double engine[MAX_RUNS], whole[MAX_RUNS];
    size_t within = 0, engine_close = 0, plan_close = 0;

    for (size_t i = 0; i < count; i++) {
        const struct result *r = &results[i];

        within += r->downtime_ms <= LIMIT_MS;
        engine[i] = fabs(r->engine_ms - r->downtime_ms) / r->downtime_ms;
        whole[i] = fabs(r->plan_total_s - r->total_s) / r->total_s;
        engine_close += engine[i] <= 0.1;
        plan_close += whole[i] <= 0.1;
    }
    printf("throttle=%s: %zu of %zu within %d ms; the engine's prediction at "
           "the stop was within\n10 %% in %zu (median error %.0f %%); the "
           "total time foretold within 10 %% in %zu (median\nerror %.0f %%)\n"
           "\n", way, within, count, LIMIT_MS, engine_close,
           bench_quantile(engine, count, 0.5) * 100, plan_close,
           bench_quantile(whole, count, 0.5) * 100);
    lxe_jw_object(w);
    lxe_jw_str(w, "throttle", way);
    lxe_jw_u64(w, "runs", count);
    lxe_jw_u64(w, "within", within);
    lxe_jw_u64(w, "engine_within_10_percent", engine_close);
    lxe_jw_u64(w, "total_within_10_percent", plan_close);
    lxe_jw_end_object(w);
}

static const unsigned rates[] = { 5000, 20000, 50000, 100000 };
static const unsigned sets[] = { 32, 64, 128, 256 };
static const unsigned wires[] = { 60, 125, 400, 1000 };

/* Quick: the corners only. */
static bool wanted(const struct bench_options *o, unsigned i)
{
    return !o->quick || i == 0 || i == 3;
}

static size_t run_way(const struct bench_options *o, const char *way,
                      struct result *results, struct lxe_jw *w)
{
    size_t n = 0;

    for (unsigned i = 0; i < 64 * o->repeats && n < MAX_RUNS; i++) {
        struct cell c = { rates[i / 16 % 4], sets[i / 4 % 4], wires[i % 4],
                          way };

        if (!wanted(o, i / 16 % 4) || !wanted(o, i / 4 % 4) ||
            !wanted(o, i % 4))
            continue;
        if (!measure(&c, i + 1, &results[n]))
            return 0;
        tell(&c, &results[n++], w);
    }
    printf("\n");
    return n;
}

bool bench_sweep(const struct bench_options *options, struct lxe_jw *w)
{
    static struct result results[4][MAX_RUNS];
    size_t count[4] = { 0 };

    printf("Downtime at max-downtime=%dms, %d ms of it for suspending\n\n"
           "%-6s %8s %5s %6s  %7s %7s %7s  %6s %6s  %5s %7s\n%-6s %8s %5s "
           "%6s  %7s %7s %7s  %6s %6s  %5s %7s\n", LIMIT_MS, SUSPEND_MS,
           "", "writes", "set", "wire", "down", "engine", "plan", "total",
           "plan", "", "slowed", "way", "pages/s", "MiB", "MB/s", "ms", "ms",
           "ms", "s", "s", "rnds", "%");
    lxe_jw_key(w, "sweep");
    lxe_jw_array(w);
    for (unsigned i = 0; options->ways[i]; i++)
        count[i] = run_way(options, options->ways[i], results[i], w);
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
