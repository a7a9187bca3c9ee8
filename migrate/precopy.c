/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "precopy.h"

#include <inttypes.h>
#include <math.h>
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

/*
 * Pages that the guest will write from now on until it stands still.
 * @share  of the suspend, in which its programs still run
 */
static double until_suspended(const struct mig_precopy_in *in, double share)
{
    double pages = in->suspend_pages;

    if (in->suspend_pps > 0)
        pages += in->suspend_pps * share * (double)in->fixed_cost_ns /
                 LXE_NS_PER_SEC;
    return pages;
}

static uint64_t costs_ns(const struct mig_precopy_in *in)
{
    return in->fixed_cost_ns + in->last_cost_ns;
}

double mig_precopy_fit_pages(uint64_t limit_ns,
                             const struct mig_precopy_in *in)
{
    double left_s = ((double)limit_ns - (double)costs_ns(in)) / 1e9;
    double bps = in->final_bps / (1 + in->spread);

    return left_s * bps / MIG_PAGE_WIRE_BYTES -
           until_suspended(in, MIG_PRECOPY_RUNS_ON_MOST);
}

#define MIN_SPREAD   0.05 /* no wire is more even than that */
#define FIRST_SPREAD 0.15 /* while there is no second round to tell */
#define FADES        0.7

double mig_precopy_spread(double before, double error)
{
    double spread = before * FADES;

    if (!(before > 0))
        return FIRST_SPREAD;
    if (spread < MIN_SPREAD)
        spread = MIN_SPREAD;
    return error > spread ? error : spread;
}

void mig_precopy_past_init(struct mig_precopy_past *past)
{
    *past = (struct mig_precopy_past){ .fewest_pages = UINT64_MAX };
}

void mig_precopy_past_round(struct mig_precopy_past *past,
                            uint64_t sent_pages, uint64_t left_pages,
                            bool counts)
{
    if (left_pages < past->fewest_pages - past->fewest_pages / 10) {
        past->stalled = 0;
    } else if (counts) {
        past->stalled++;
        past->vain_pages += sent_pages;
    }
    if (left_pages < past->fewest_pages)
        past->fewest_pages = left_pages;
}

/* The downtime if so many pages were dirty when the suspend is asked for. */
static uint64_t downtime_of(const struct mig_precopy_in *in, double pages,
                            double share, double final_bps)
{
    pages += until_suspended(in, share);
    return mig_precopy_downtime_ns(
        costs_ns(in), pages < NEVER_NS ? (uint64_t)pages : MIG_PRECOPY_UNKNOWN,
        final_bps);
}

uint64_t mig_precopy_floor_ns(const struct mig_precopy_in *in)
{
    return downtime_of(in, 0, 0, in->final_bps);
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
static uint64_t predict(const struct mig_precopy_in *in, double share,
                        double final_bps)
{
    uint64_t now, next, pages = in->dirty_pages;

    if (pages == MIG_PRECOPY_UNKNOWN)
        return MIG_PRECOPY_UNKNOWN;
    now = downtime_of(in, (double)pages, share, final_bps);
    if (in->point == MIG_PRECOPY_ROUND_SENT)
        return now;
    pages = dirtied_meanwhile(in);
    if (pages == MIG_PRECOPY_UNKNOWN)
        return MIG_PRECOPY_UNKNOWN;
    next = downtime_of(in, (double)pages, share, final_bps);
    return now > next ? now : next;
}

#define CHEAP   0.02 /* of the pages sent so far, for one more round */
#define DEAR    0.1  /* likewise; whatever it brings */
#define SHORTER 0.1  /* of the downtime, at least, for it to be worth it, */
#define WORTH   5    /* and so many times what it adds to the pages sent */
#define NEAR    1.1  /* as good as the best that can be had */
#define VAIN    0.2  /* of the guest, that may be sent to no gain */

/* Another round would cost next to nothing. */
static bool cheap(const struct mig_precopy_in *in)
{
    return (double)in->dirty_pages <= CHEAP * (double)in->sent_pages;
}

/* What fits may still be sent live, where that brings more than it costs. */
static bool another_pays(const struct mig_precopy_in *in,
                         const struct mig_precopy_out *out)
{
    double cost, then;

    if (in->next_pages < 0 || in->past.stalled || !in->sent_pages)
        return false;
    cost = (double)in->dirty_pages / (double)in->sent_pages;
    then = (double)downtime_of(in, in->next_pages, MIG_PRECOPY_RUNS_ON,
                               in->final_bps);
    return cost <= DEAR &&
           then <= (1 - fmax(SHORTER, WORTH * cost)) *
                       (double)out->downtime_ns;
}

/*
 * How much of what rounds without gain may take was taken, by their number or
 * by what they sent: 1 is all of it.
 */
static double patience_used(const struct mig_precopy_limits *limits,
                            const struct mig_precopy_in *in)
{
    const struct mig_precopy_past *past = &in->past;
    double rounds = (double)past->stalled / limits->stall_rounds, pages = 0;

    if (past->stalled && in->guest_pages && !cheap(in))
        pages = (double)past->vain_pages / (VAIN * (double)in->guest_pages);
    return rounds > pages ? rounds : pages;
}

/* Nothing more is to be had by sending on. */
static bool exhausted(const struct mig_precopy_limits *limits,
                      const struct mig_precopy_in *in)
{
    double used;

    if (!limits->stall_rounds || limits->abort_on_timeout ||
        in->dirty_pages == MIG_PRECOPY_UNKNOWN)
        return false;
    used = patience_used(limits, in);
    return used >= 2 || (used >= 1 && (double)in->dirty_pages <=
                                          NEAR * (double)in->past.fewest_pages);
}

/* The limit cannot be had even with nothing left, and this is near it. */
static bool at_the_floor(const struct mig_precopy_limits *limits,
                         const struct mig_precopy_in *in,
                         const struct mig_precopy_out *out)
{
    uint64_t floor = mig_precopy_floor_ns(in);

    return !limits->abort_on_timeout && !limits->relaxing &&
           limits->stall_rounds && floor > limits->max_downtime_ns &&
           out->downtime_ns != MIG_PRECOPY_UNKNOWN &&
           (double)out->downtime_ns <= NEAR * (double)floor;
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
                      const char *why, struct mig_precopy_out *out)
{
    out->verdict = MIG_PRECOPY_STOP;
    if (out->downtime_ns == MIG_PRECOPY_UNKNOWN)
        snprintf(out->reason, sizeof(out->reason),
                 "%s; the downtime cannot be predicted", why);
    else if (out->downtime_ns > limits->max_downtime_ns)
        snprintf(out->reason, sizeof(out->reason),
                 "%s; predicted downtime %.1f ms exceeds %.1f ms by %.1f ms",
                 why, ms(out->downtime_ns), ms(limits->max_downtime_ns),
                 ms(out->downtime_ns - limits->max_downtime_ns));
    else
        snprintf(out->reason, sizeof(out->reason),
                 "%s; predicted downtime %.1f ms", why, ms(out->downtime_ns));
}

/* Why it goes on though what is left fits. */
static void say_once_more(const struct mig_precopy_in *in,
                          struct mig_precopy_out *out)
{
    out->verdict = MIG_PRECOPY_CONTINUE;
    snprintf(out->reason, sizeof(out->reason),
             "%" PRIu64 " pages left fit, but sending them live costs little "
             "and shortens the downtime of %.1f ms",
             in->dirty_pages, ms(out->downtime_ns));
}

static void say_exhausted(const struct mig_precopy_limits *limits,
                          const struct mig_precopy_in *in,
                          struct mig_precopy_out *out)
{
    char why[96];

    if (in->past.stalled >= limits->stall_rounds)
        snprintf(why, sizeof(why), "%" PRIu32 " rounds brought nothing more",
                 in->past.stalled);
    else
        snprintf(why, sizeof(why), "rounds that brought nothing sent %" PRIu64
                 " MiB", in->past.vain_pages * MIG_PAGE_WIRE_BYTES >> 20);
    say_limit(limits, why, out);
}

static void say_timeout(const struct mig_precopy_limits *limits,
                        struct mig_precopy_out *out)
{
    say_limit(limits, "time limit reached", out);
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

static bool time_is_up(const struct mig_precopy_limits *limits,
                       const struct mig_precopy_in *in)
{
    return limits->timeout_ns != 0 && in->elapsed_ns >= limits->timeout_ns;
}

static bool ends_anyway(const struct mig_precopy_limits *limits,
                        const struct mig_precopy_in *in)
{
    return round_limit(limits, in) || time_is_up(limits, in);
}

void mig_precopy_decide(const struct mig_precopy_limits *limits,
                        const struct mig_precopy_in *in,
                        struct mig_precopy_out *out)
{
    bool later = in->point == MIG_PRECOPY_COUNT_KNOWN && in->count_follows;
    bool fits;

    out->downtime_ns = predict(in, MIG_PRECOPY_RUNS_ON, in->final_bps);
    out->downtime_high_ns = predict(in, MIG_PRECOPY_RUNS_ON_MOST,
                                    in->final_bps / (1 + in->spread));
    fits = out->downtime_high_ns != MIG_PRECOPY_UNKNOWN &&
           out->downtime_high_ns <= limits->max_downtime_ns && !later;
    if (in->abort) {
        out->verdict = MIG_PRECOPY_ABORT;
        snprintf(out->reason, sizeof(out->reason),
                 "asked to give up in round %" PRIu32, in->round + 1);
    } else if (fits && !ends_anyway(limits, in) && another_pays(in, out)) {
        say_once_more(in, out);
    } else if (fits) {
        say_fits(limits, in, out);
    } else if (round_limit(limits, in)) {
        say_limit(limits, "round limit reached", out);
    } else if (time_is_up(limits, in)) {
        say_timeout(limits, out);
    } else if (!later && at_the_floor(limits, in, out)) {
        say_limit(limits, "suspending alone takes longer than is allowed", out);
    } else if (!later && exhausted(limits, in)) {
        say_exhausted(limits, in, out);
    } else {
        say_continue(limits, out);
    }
}
