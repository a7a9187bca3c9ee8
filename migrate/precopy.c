/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "precopy.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

/* Beyond it a duration says no more than "never" (292 years). */
#define NEVER_NS 9.2e18

static uint64_t to_ns(double ns)
{
    return ns >= 0 && ns < NEVER_NS ? (uint64_t)ns : MIG_PRECOPY_UNKNOWN;
}

uint64_t mig_precopy_downtime_ns(uint64_t fixed_cost_ns, uint64_t pages,
                                 double final_bps)
{
    if (pages == 0)
        return fixed_cost_ns;
    if (pages == MIG_PRECOPY_UNKNOWN || !(final_bps > 0))
        return MIG_PRECOPY_UNKNOWN;
    return to_ns((double)fixed_cost_ns + (double)pages * MIG_PAGE_WIRE_BYTES /
                                             final_bps * LXE_NS_PER_SEC);
}

double mig_precopy_fit_pages(uint64_t limit_ns, uint64_t fixed_cost_ns,
                             double final_bps, double suspend_pps)
{
    double left_s = ((double)limit_ns - (double)fixed_cost_ns) / 1e9;
    double pages = left_s * final_bps / MIG_PAGE_WIRE_BYTES;

    if (suspend_pps > 0)
        pages -= suspend_pps * (double)fixed_cost_ns / 1e9;
    return pages;
}

/* What is dirty now, and what will be until the guest stands still. */
static uint64_t until_suspended(const struct mig_precopy_in *in)
{
    double pages = (double)in->dirty_pages;

    if (in->dirty_pages == MIG_PRECOPY_UNKNOWN || !(in->suspend_pps > 0))
        return in->dirty_pages;
    pages += in->suspend_pps * (double)in->fixed_cost_ns / LXE_NS_PER_SEC;
    return pages < NEVER_NS ? (uint64_t)pages : MIG_PRECOPY_UNKNOWN;
}

/* How many pages the guest is expected to dirty while this round is sent. */
static uint64_t dirtied_meanwhile(const struct mig_precopy_in *in)
{
    double pages;

    if (in->dirty_pages == 0)
        return 0;
    if (in->dirty_pages == MIG_PRECOPY_UNKNOWN || !(in->live_bps > 0) ||
        !(in->dirty_pages_per_s >= 0))
        return MIG_PRECOPY_UNKNOWN;
    pages = (double)in->dirty_pages * MIG_PAGE_WIRE_BYTES / in->live_bps *
            in->dirty_pages_per_s;
    return pages < NEVER_NS ? (uint64_t)pages : MIG_PRECOPY_UNKNOWN;
}

/* The longer of: this round's pages in the final pass, and what follows. */
static uint64_t predict(const struct mig_precopy_in *in, double final_bps)
{
    uint64_t now = mig_precopy_downtime_ns(in->fixed_cost_ns,
                                           until_suspended(in), final_bps);
    uint64_t next;

    if (in->point == MIG_PRECOPY_ROUND_SENT)
        return now;
    next = mig_precopy_downtime_ns(in->fixed_cost_ns, dirtied_meanwhile(in),
                                   final_bps);
    return now > next ? now : next;
}

static double ms(uint64_t ns)
{
    return (double)ns / LXE_NS_PER_MS;
}

static void say_fits(const struct mig_precopy_limits *limits,
                     const struct mig_precopy_in *in,
                     struct mig_precopy_out *out)
{
    out->verdict = MIG_PRECOPY_STOP;
    snprintf(out->reason, sizeof(out->reason),
             "%" PRIu64 " pages left: predicted downtime %.1f ms is within "
             "%.1f ms",
             in->dirty_pages, ms(out->downtime_ns),
             ms(limits->max_downtime_ns));
}

static void say_limit(const struct mig_precopy_limits *limits,
                      const char *which, struct mig_precopy_out *out)
{
    out->verdict = MIG_PRECOPY_STOP;
    if (out->downtime_ns == MIG_PRECOPY_UNKNOWN)
        snprintf(out->reason, sizeof(out->reason),
                 "%s reached; the downtime cannot be predicted", which);
    else if (out->downtime_ns > limits->max_downtime_ns)
        snprintf(out->reason, sizeof(out->reason),
                 "%s reached; predicted downtime %.1f ms exceeds %.1f ms by "
                 "%.1f ms",
                 which, ms(out->downtime_ns), ms(limits->max_downtime_ns),
                 ms(out->downtime_ns - limits->max_downtime_ns));
    else
        snprintf(out->reason, sizeof(out->reason),
                 "%s reached; predicted downtime %.1f ms", which,
                 ms(out->downtime_ns));
}

static void say_timeout(const struct mig_precopy_limits *limits,
                        struct mig_precopy_out *out)
{
    say_limit(limits, "time limit", out);
    if (!limits->abort_on_timeout)
        return;
    out->verdict = MIG_PRECOPY_ABORT;
    if (out->downtime_ns == MIG_PRECOPY_UNKNOWN)
        snprintf(out->reason, sizeof(out->reason),
                 "gave up after %.1f s, as asked for; the downtime cannot be "
                 "predicted", ms(limits->timeout_ns) / 1e3);
    else
        snprintf(out->reason, sizeof(out->reason),
                 "gave up after %.1f s, as asked for: the downtime would be "
                 "%.1f ms, and %.1f ms are allowed",
                 ms(limits->timeout_ns) / 1e3, ms(out->downtime_ns),
                 ms(limits->max_downtime_ns));
}

static void say_continue(const struct mig_precopy_limits *limits,
                         struct mig_precopy_out *out)
{
    out->verdict = MIG_PRECOPY_CONTINUE;
    if (out->downtime_ns == MIG_PRECOPY_UNKNOWN)
        snprintf(out->reason, sizeof(out->reason),
                 "the downtime cannot be predicted yet");
    else if (out->downtime_high_ns > limits->max_downtime_ns)
        snprintf(out->reason, sizeof(out->reason),
                 "predicted downtime %.1f ms, perhaps %.1f, exceeds %.1f ms",
                 ms(out->downtime_ns), ms(out->downtime_high_ns),
                 ms(limits->max_downtime_ns));
    else
        snprintf(out->reason, sizeof(out->reason),
                 "predicted downtime %.1f ms; the count after this round "
                 "decides",
                 ms(out->downtime_ns));
}

/* Rounds that will have been sent live if pre-copy stops at this answer. */
static bool round_limit(const struct mig_precopy_limits *limits,
                        const struct mig_precopy_in *in)
{
    if (limits->max_rounds == 0)
        return false;
    if (in->point == MIG_PRECOPY_COUNT_KNOWN && in->count_follows)
        return in->round >= limits->max_rounds;
    return in->round >= limits->max_rounds - 1;
}

void mig_precopy_decide(const struct mig_precopy_limits *limits,
                        const struct mig_precopy_in *in,
                        struct mig_precopy_out *out)
{
    bool later = in->point == MIG_PRECOPY_COUNT_KNOWN && in->count_follows;
    bool fits;

    out->downtime_ns = predict(in, in->final_bps);
    out->downtime_high_ns = predict(in, in->final_bps / (1 + in->spread));
    fits = out->downtime_high_ns != MIG_PRECOPY_UNKNOWN &&
           out->downtime_high_ns <= limits->max_downtime_ns;
    if (in->abort) {
        out->verdict = MIG_PRECOPY_ABORT;
        snprintf(out->reason, sizeof(out->reason),
                 "asked to give up in round %" PRIu32, in->round + 1);
    } else if (fits && !later) {
        say_fits(limits, in, out);
    } else if (round_limit(limits, in)) {
        say_limit(limits, "round limit", out);
    } else if (limits->timeout_ns != 0 &&
               in->elapsed_ns >= limits->timeout_ns) {
        say_timeout(limits, out);
    } else {
        say_continue(limits, out);
    }
}
