/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "predict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "relax.h"

/* Intervals of a round over which the share of skipped pages is summed. */
#define STEPS 64

/* PEEKs come at the begin of a batch, and no nearer to each other than that. */
#define BATCH_PAGES 1024.0
#define PEEKS_NS    (50.0 * LXE_NS_PER_MS)

/* What libxc and the pump take for a page that is not sent after all. */
#define SKIP_NS 1000.0

#define SKIP_BYTES 8       /* its entry in the record */
#define PACKING_SPREAD 0.25 /* how far off its rate may be, as a share */
#define LONGEST_NS 9e18    /* fits 64 bits; 285 years */
#define TWO_SIGMA  1.96

enum bound { EXPECTED, LOW, HIGH };

/* One migration at one of the bounds. */
struct run {
    const struct mig_predict_in *in;
    const struct mig_wws *wws;
    enum bound bound;
    const struct mig_costs *costs;
    double wire_bps;
    struct mig_limits limits;

    unsigned round;
    double pages;        /* that this round has to send */
    double written_ns;   /* the window in which they were written; < 0: all */
    double dirty_pps;    /* pages/s, < 0: not known */
    double learnt_bps;   /* as the engine measured it; 0: not yet */
    double spread;       /* how far off that may be, as the engine sees it */
    double elapsed_ns, window_ns, bytes, wire_bytes;
    double sent_pages;   /* in this round */
    double downtime_ns, last_pages;
    struct mig_relax relax;
    struct mig_precopy_past past;
    struct mig_precopy_out decision;
};

static double at_most(double x, double limit)
{
    return x < limit ? x : limit;
}

static uint64_t whole(double x)
{
    return x < LONGEST_NS ? (uint64_t)x : (uint64_t)LONGEST_NS;
}

/*
 * D(c t), with the guest's pace c. The curve's bounds are those of a mean, but
 * one window is what is met: windows differ by the curve's spread.
 */
static double written(const struct run *r, double window_ns)
{
    uint64_t ns = whole(window_ns * r->costs->pace);
    double mean = mig_wws_pages(r->wws, ns), pages = mean;
    double apart = TWO_SIGMA * r->wws->spread * mean;

    if (r->bound == LOW)
        pages = mig_wws_pages_low(r->wws, ns) - apart;
    else if (r->bound == HIGH)
        pages = mig_wws_pages_high(r->wws, ns) + apart;
    return pages > 0 ? at_most(pages, (double)r->in->pages) : 0;
}

/*
 * Which share of the round's pages is dirty again after a time in it. Pages
 * written both in the window before, A, and since, B:
 * |A and B| = |A| + |B| - |A or B| = D(w) + D(t) - D(w + t).
 */
static double dirty_again(const struct run *r, double ns, double age_ns)
{
    double since = ns > age_ns ? ns - age_ns : 0, both;

    if (!r->limits.skip || r->pages <= 0)
        return 0;
    both = written(r, since);
    if (r->written_ns >= 0)
        both += r->pages - written(r, r->written_ns + since);
    both /= r->pages;
    return both > 0 ? at_most(both, 1) : 0;
}

/* How old what the last PEEK saw is, on average. */
static double peek_age_ns(double bps)
{
    double batch_ns = BATCH_PAGES * MIG_PAGE_WIRE_BYTES / bps * LXE_NS_PER_SEC;

    return (batch_ns > PEEKS_NS ? batch_ns : PEEKS_NS) / 2;
}

/* What a page takes at that time in the round, on average, in ns. */
static double page_ns(const struct run *r, double ns, double bps,
                      double *again)
{
    double byte_ns = LXE_NS_PER_SEC / bps;

    *again = dirty_again(r, ns, peek_age_ns(bps));
    return (1 - *again) * MIG_PAGE_WIRE_BYTES * byte_ns +
           *again * (SKIP_NS + SKIP_BYTES * byte_ns);
}

/*
 * Bytes of the stream for one on the wire: by the sample, and by what pages
 * took beside theirs in earlier migrations. At least 1, as zstd adds next to
 * nothing to what does not pack.
 */
static double packs(const struct run *r, bool later)
{
    const struct mig_packing *p = &r->in->packing;
    const double ratios[] = {
        [EXPECTED] = p->ratio,
        [LOW] = p->high,
        [HIGH] = p->low,
    };

    return fmax(ratios[r->bound] / (later ? r->costs->packed_later
                                          : r->costs->packed_first), 1);
}

static void send_bytes(struct run *r, double bytes, bool later)
{
    r->bytes += bytes;
    r->wire_bytes += bytes / packs(r, later);
}

/* Sends a round. By the midpoint rule; exact where nothing is skipped. */
static void send_round(struct run *r, double bps)
{
    int steps = r->limits.skip ? STEPS : 1;
    double pages = r->pages / steps, ns = 0, skipped = 0, again;

    for (int i = 0; i < steps; i++) {
        double half = ns + page_ns(r, ns, bps, &again) * pages / 2;

        ns += page_ns(r, half, bps, &again) * pages;
        skipped += again * pages;
    }
    if (r->round == 0)
        ns += r->costs->walk_ns;
    r->sent_pages = r->pages - skipped;
    send_bytes(r, r->sent_pages * MIG_PAGE_WIRE_BYTES + skipped * SKIP_BYTES,
               r->round > 0);
    r->window_ns = ns;
    r->elapsed_ns += ns;
    r->learnt_bps = bps;
    r->spread = mig_precopy_spread(r->spread, 0);
}

/* Bytes/s of the wire. */
static double rate_bps(const struct run *r, enum mig_rate_phase phase)
{
    bool later = phase != MIG_RATE_FIRST_ROUND;
    const struct mig_limits *l = &r->limits;
    double page_bytes = MIG_PAGE_WIRE_BYTES / packs(r, later), limit;

    if (!l->rate.max_bps)
        return r->wire_bps;
    limit = (double)mig_rate_next_bps(&l->rate, l->policy, phase,
                                      r->dirty_pps * page_bytes);
    return at_most(limit, r->wire_bps);
}

/* Bytes/s of the stream. One is packed while another is sent, or waits. */
static double stream_bps(const struct run *r, enum mig_rate_phase phase)
{
    static const double off[] = {
        [EXPECTED] = 0, [LOW] = PACKING_SPREAD, [HIGH] = -PACKING_SPREAD,
    };
    double bps = rate_bps(r, phase) * packs(r, phase != MIG_RATE_FIRST_ROUND);
    double packed_bps = r->in->packing.bps * (1 + off[r->bound]);

    return packed_bps > 0 ? at_most(bps, packed_bps) : bps;
}

static bool relaxed_fully(const struct run *r)
{
    return mig_relax_is_full(&r->relax, r->limits.max_downtime_ns,
                             r->limits.downtime_limit_max_ns);
}

/* Pages/s not yet dirty that the guest writes as it is being suspended. */
static double suspend_pps(const struct run *r)
{
    double ns = (double)r->limits.suspend_cost_ns;

    if (!(ns > 0))
        return 0;
    return (written(r, r->window_ns + ns) - written(r, r->window_ns)) / ns *
           LXE_NS_PER_SEC;
}

/* What another round would leave, were so many pages sent in it. */
static double left_after(const struct run *r, double pages)
{
    if (!(r->learnt_bps > 0))
        return -1;
    return written(r, pages * MIG_PAGE_WIRE_BYTES / r->learnt_bps *
                          LXE_NS_PER_SEC + r->costs->round_ns);
}

/* The decision, with what the engine knows at that point. */
static enum mig_precopy_verdict decide(struct run *r,
                                       enum mig_precopy_point point,
                                       double pages)
{
    struct mig_precopy_limits limits = {
        .max_downtime_ns = mig_relax_limit_ns(
            &r->relax, r->limits.max_downtime_ns,
            r->limits.downtime_limit_max_ns),
        .relaxing = !relaxed_fully(r),
        .timeout_ns = r->limits.timeout_ns,
        .abort_on_timeout = r->limits.on_timeout == MIG_TIMEOUT_ABORT,
        .max_rounds = r->limits.max_rounds,
        .stall_rounds = r->limits.stall_rounds,
    };
    struct mig_precopy_in in = {
        .point = point,
        .round = r->round,
        .count_follows = true,
        .dirty_pages = whole(pages),
        .dirty_pages_per_s = r->dirty_pps,
        .live_bps = r->learnt_bps,
        .final_bps = stream_bps(r, MIG_RATE_FINAL_PASS),
        .spread = r->spread,
        .fixed_cost_ns = r->limits.suspend_cost_ns,
        .last_cost_ns = r->limits.last_cost_ns,
        .suspend_pages = r->limits.suspend_pages,
        .suspend_pps = suspend_pps(r),
        .past = r->past,
        .next_pages = left_after(r, pages),
        .sent_pages = whole(r->bytes / MIG_PAGE_WIRE_BYTES),
        .guest_pages = r->in->pages,
        .elapsed_ns = whole(r->elapsed_ns),
    };

    mig_precopy_decide(&limits, &in, &r->decision);
    return r->decision.verdict;
}

/* The guest writes on until its processes are frozen, within the suspend. */
static double written_until_still(const struct run *r)
{
    static const double share[] = {
        [EXPECTED] = MIG_PRECOPY_RUNS_ON,
        [LOW] = 0,
        [HIGH] = MIG_PRECOPY_RUNS_ON_MOST,
    };

    return at_most(written(r, r->window_ns +
                                  share[r->bound] * r->costs->suspend_ns) +
                       r->costs->suspend_pages,
                   (double)r->in->pages);
}

/* The suspend and the last pass, were they to come now. */
static double stop_now(struct run *r, double *pages)
{
    double bps = stream_bps(r, MIG_RATE_FINAL_PASS);

    *pages = written_until_still(r);
    return r->costs->suspend_ns + r->costs->last_ns +
           *pages * MIG_PAGE_WIRE_BYTES / bps * LXE_NS_PER_SEC +
           (double)r->in->latency_ns;
}

/* From one CLEAN to the next. Returns whether it was the last round. */
static bool one_round(struct run *r)
{
    enum mig_precopy_verdict known;
    double bps = stream_bps(r, r->round ? MIG_RATE_LATER_ROUND
                                        : MIG_RATE_FIRST_ROUND), left;

    known = decide(r, MIG_PRECOPY_COUNT_KNOWN, r->pages);
    if (known == MIG_PRECOPY_ABORT)
        return true;
    send_round(r, bps);
    if (known == MIG_PRECOPY_STOP)
        return true;
    left = written(r, r->window_ns);
    mig_relax_round(&r->relax, whole(left));
    mig_precopy_past_round(&r->past, whole(r->sent_pages), whole(left),
                           relaxed_fully(r));
    return decide(r, MIG_PRECOPY_ROUND_SENT, left) != MIG_PRECOPY_CONTINUE;
}

static void next_round(struct run *r)
{
    r->elapsed_ns += r->costs->round_ns;
    r->window_ns += r->costs->round_ns;
    r->pages = written(r, r->window_ns);
    r->written_ns = r->window_ns;
    r->dirty_pps = r->pages / r->window_ns * LXE_NS_PER_SEC;
    r->round++;
}

static void begin(struct run *r, const struct mig_wws *wws,
                  const struct mig_predict_in *in, enum bound bound)
{
    static const int sign[] = { [EXPECTED] = 0, [LOW] = 1, [HIGH] = -1 };
    const struct mig_costs *const costs[] = {
        [EXPECTED] = &in->costs.usual,
        [LOW] = &in->costs.low,
        [HIGH] = &in->costs.high,
    };

    *r = (struct run){
        .in = in,
        .wws = wws,
        .bound = bound,
        .costs = costs[bound],
        .wire_bps = in->wire_bps * (1 + sign[bound] * in->wire_spread),
        .limits = in->limits,
        .pages = (double)in->pages,
        .written_ns = -1,
        .dirty_pps = -1,
    };
    mig_relax_init(&r->relax);
    mig_precopy_past_init(&r->past);
}

static void run(struct run *r)
{
    while (!one_round(r))
        next_round(r);
    if (r->decision.verdict == MIG_PRECOPY_ABORT)
        return;
    r->downtime_ns = stop_now(r, &r->last_pages);
    send_bytes(r, r->last_pages * MIG_PAGE_WIRE_BYTES, true);
    r->elapsed_ns += r->downtime_ns;
}

static void widen(struct mig_range *range, double x)
{
    if (x < range->low)
        range->low = x;
    if (x > range->high)
        range->high = x;
}

static void take_in(struct mig_range *range, enum bound bound, double x)
{
    if (bound == EXPECTED)
        *range = (struct mig_range){ x, x, x };
    else
        widen(range, x);
}

void mig_predict(const struct mig_wws *wws, const struct mig_predict_in *in,
                 struct mig_prediction *out)
{
    struct run r;

    for (enum bound b = EXPECTED; b <= HIGH; b++) {
        begin(&r, wws, in, b);
        run(&r);
        take_in(&out->rounds, b, r.round + 1);
        take_in(&out->bytes, b, r.bytes);
        take_in(&out->wire_bytes, b, r.wire_bytes);
        take_in(&out->total_ns, b, r.elapsed_ns);
        take_in(&out->downtime_ns, b, r.downtime_ns);
        take_in(&out->last_pages, b, r.last_pages);
        take_in(&out->pace, b, r.costs->pace);
        if (b != EXPECTED)
            continue;
        out->gives_up = r.decision.verdict == MIG_PRECOPY_ABORT;
        memcpy(out->reason, r.decision.reason, sizeof(out->reason));
    }
}

uint64_t mig_predict_first_ns(const struct mig_predict_in *in)
{
    struct run r;

    begin(&r, NULL, in, EXPECTED);
    return whole(r.pages * MIG_PAGE_WIRE_BYTES /
                     stream_bps(&r, MIG_RATE_FIRST_ROUND) * LXE_NS_PER_SEC +
                 r.costs->walk_ns);
}

#define NEAR 1.01

/* Runs on and on, and looks at each round at what a stop would cost. */
static double least(struct run *r, unsigned *rounds)
{
    double best = LONGEST_NS, pages;

    r->limits.max_downtime_ns = 0;
    r->limits.max_rounds = 0;
    r->limits.stall_rounds = 0;
    r->limits.timeout_ns = 0;
    *rounds = 0;
    for (;;) {
        double ns;

        one_round(r);
        ns = stop_now(r, &pages);
        if (ns * NEAR < best)
            *rounds = r->round + 1;
        best = at_most(ns, best);
        if (r->round + 1 == MIG_PREDICT_MOST_ROUNDS)
            return best;
        next_round(r);
    }
}

void mig_predict_least(const struct mig_wws *wws,
                       const struct mig_predict_in *in,
                       struct mig_range *downtime_ns, unsigned *rounds)
{
    unsigned after;
    struct run r;

    for (enum bound b = EXPECTED; b <= HIGH; b++) {
        begin(&r, wws, in, b);
        take_in(downtime_ns, b, least(&r, &after));
        if (b == EXPECTED)
            *rounds = after;
    }
}

/* ---- JSON ---- */

void mig_range_write(struct lxe_jw *w, const char *key,
                     const struct mig_range *range, double unit)
{
    lxe_jw_key(w, key);
    lxe_jw_object(w);
    lxe_jw_double(w, "expected", range->expected / unit);
    lxe_jw_double(w, "low", range->low / unit);
    lxe_jw_double(w, "high", range->high / unit);
    lxe_jw_end_object(w);
}

void mig_prediction_write(struct lxe_jw *w, const char *key,
                          const struct mig_prediction *p)
{
    lxe_jw_key(w, key);
    lxe_jw_object(w);
    lxe_jw_bool(w, "gives_up", p->gives_up);
    lxe_jw_str(w, "reason", p->reason);
    mig_range_write(w, "rounds", &p->rounds, 1);
    mig_range_write(w, "bytes", &p->bytes, 1);
    mig_range_write(w, "wire_bytes", &p->wire_bytes, 1);
    mig_range_write(w, "total_ms", &p->total_ns, LXE_NS_PER_MS);
    mig_range_write(w, "downtime_ms", &p->downtime_ns, LXE_NS_PER_MS);
    mig_range_write(w, "last_pages", &p->last_pages, 1);
    mig_range_write(w, "pace", &p->pace, 1);
    lxe_jw_end_object(w);
}
