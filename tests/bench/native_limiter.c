/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How exactly the rate is kept: an idle guest is saved at some rates into a
 * socket, and its reader notes what came when. Of the first round, which is
 * sent without a break, every second counts, wherever it begins.
 */
#include "native.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fx_migration.h"
#include "rate.h"

#define ROOM     262144 /* arrivals */
#define WINDOW_S 1.0
#define WALK_NS  100000000u /* at its end: frames that hold nothing */

static const struct {
    unsigned mbit_s, guest_mib;
} cases[] = {
    { 50, 28 }, { 200, 112 }, { 1000, 576 }, { 4000, 1792 },
};

struct found {
    double seconds;
    double mean, worst;  /* error of a second, as a share */
    double burst_bytes;  /* the most that came beyond rate x time */
    struct mig_limiter_error own; /* as the engine has it */
};

/* What had come by then. The times come by rising order. */
static double bytes_at(const struct fx_arrivals *a, size_t *from, double ns)
{
    while (*from + 1 < a->count && (double)a->list[*from + 1].at_ns <= ns)
        ++*from;
    return (double)a->list[*from].bytes;
}

/* The seconds that begin at each arrival within the span. */
static void sliding(const struct fx_arrivals *a, double bps,
                    const struct mig_round *span, struct found *out)
{
    size_t first = 0, end = 0, count = 0;
    double sum = 0;

    for (; first < a->count; first++) {
        double from = (double)a->list[first].at_ns;
        double to = from + WINDOW_S * 1e9, error;

        if (from < (double)span->start_ns)
            continue;
        if (to > (double)span->end_ns)
            break;
        error = fabs((bytes_at(a, &end, to) - (double)a->list[first].bytes) /
                         (bps * WINDOW_S) - 1);
        sum += error;
        count++;
        out->worst = fmax(out->worst, error);
    }
    out->mean = count ? sum / (double)count : 0;
}

/*
 * The most by which the bytes of any stretch of time exceed what the rate
 * gives in it: the greatest rise of bytes - rate x time.
 */
static double burst(const struct fx_arrivals *a, double bps,
                    const struct mig_round *span)
{
    double least = INFINITY, most = 0;

    for (size_t i = 1; i < a->count; i++) {
        double at = bps * (double)a->list[i].at_ns / 1e9;

        if (a->list[i].at_ns < span->start_ns ||
            a->list[i].at_ns > span->end_ns)
            continue;
        least = fmin(least, (double)a->list[i - 1].bytes - at);
        most = fmax(most, (double)a->list[i].bytes - at - least);
    }
    return most;
}

static bool measure(size_t which, struct fx_arrivals *arrivals,
                    struct found *out)
{
    static struct fx_outcome o;
    double bps = cases[which].mbit_s * 1e6 / 8;
    struct fx_migration m;
    struct mig_round span;

    bench_idle_guest(&m, cases[which].guest_mib);
    m.sink = true;
    m.arrivals = arrivals;
    arrivals->count = 0;
    snprintf(m.limits, sizeof(m.limits), "max-rate=%uMbit rate-policy=fixed",
             cases[which].mbit_s);
    if (!bench_run(&m, &o))
        return false;
    span = o.save.rounds[0];
    span.end_ns -= WALK_NS;
    *out = (struct found){
        .seconds = (double)(span.end_ns - span.start_ns) / 1e9,
        .burst_bytes = burst(arrivals, bps, &span),
        .own = o.save.end.limiter,
    };
    sliding(arrivals, bps, &span, out);
    return true;
}

static bool one_row(size_t which, struct fx_arrivals *arrivals,
                    struct lxe_jw *w)
{
    double budget =
        (double)mig_burst_bytes(cases[which].mbit_s * UINT64_C(125000));
    struct found f;

    if (!measure(which, arrivals, &f))
        return false;
    printf("%8u %8.1f   %8.3f %8.3f   %9.0f %9.0f   %8.3f %8.3f\n",
           cases[which].mbit_s, f.seconds, f.mean * 100, f.worst * 100,
           f.burst_bytes, budget, f.own.mean * 100, f.own.worst * 100);
    lxe_jw_object(w);
    lxe_jw_u64(w, "mbit_per_s", cases[which].mbit_s);
    lxe_jw_double(w, "seconds", f.seconds);
    lxe_jw_double(w, "error_mean", f.mean);
    lxe_jw_double(w, "error_worst", f.worst);
    lxe_jw_double(w, "burst_bytes", f.burst_bytes);
    lxe_jw_double(w, "burst_budget_bytes", budget);
    lxe_jw_double(w, "own_error_mean", f.own.mean);
    lxe_jw_double(w, "own_error_worst", f.own.worst);
    lxe_jw_end_object(w);
    return true;
}

bool bench_limiter(const struct bench_options *options, struct lxe_jw *w)
{
    struct fx_arrivals arrivals = {
        .list = calloc(ROOM, sizeof(*arrivals.list)), .room = ROOM,
    };
    bool good = arrivals.list;

    printf("How exactly the rate is kept: any second of the first round, and "
           "the most beyond\nrate x time; the engine's own figure is of "
           "seconds on end\n\n%8s %8s   %17s   %19s   %17s\n%8s %8s   %8s "
           "%8s   %9s %9s   %8s %8s\n", "rate", "", "error, %", "burst, bytes",
           "own error, %", "Mbit/s", "seconds", "mean", "worst", "most",
           "budget", "mean", "worst");
    lxe_jw_key(w, "limiter");
    lxe_jw_array(w);
    for (size_t i = 0; good && i < (options->quick ? 2u : 4u); i++)
        good = one_row(i, &arrivals, w);
    lxe_jw_end_array(w);
    printf("\n");
    free(arrivals.list);
    return good;
}
