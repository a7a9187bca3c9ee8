/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rounds.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/u64.h"
#include "dirty_counts.h"
#include "precopy.h"
#include "relax.h"
#include "slowing.h"
#include "wire_rate.h"

#define PROGRESS_NS  (250 * LXE_NS_PER_MS)
#define LONG_REST_NS 2e8 /* of a round, for which it pays to decide anew */
#define DRAIN_NS     (250 * LXE_NS_PER_MS)

struct mig_rounds {
    struct mig_rounds_config config;
    struct lxe_save_policy policy;
    struct mig_pump *pump;

    uint64_t start_ns;   /* of round 0 */
    uint64_t clean_ns;   /* of the last CLEAN, or of log-dirty mode */
    uint64_t request_ns; /* of the suspend */
    bool open;           /* a round is being sent */
    struct mig_relax relax;
    struct mig_precopy_past past;
    struct mig_dirty_counts dirty;
    struct mig_slowing slowing;
    struct mig_pump_stats before; /* the pump's, when the round began */
    struct mig_pump_stats told;   /* as they were when progress was told, */
    uint64_t told_ns;             /* which was then */
    struct lxe_err gave_up;       /* code is 0 if it did not */

    pthread_mutex_t lock; /* for what set_limits() reads or sets */
    struct mig_limits limits;
    enum mig_rate_phase phase;
    struct mig_wire_rate wire;
    struct mig_round round;
};

/* ---- telling ---- */

static void tell(struct mig_rounds *r, struct mig_status *status)
{
    status->at_ns = lxe_now_ns();
    if (r->config.status_fd >= 0)
        mig_status_send(r->config.status_fd, status);
}

static void tell_stop(struct mig_rounds *r, const char *reason)
{
    struct mig_status status = { .kind = MIG_STATUS_STOP };

    lxe_debug("pre-copy ends: %s", reason);
    snprintf(status.reason, sizeof(status.reason), "%s", reason);
    tell(r, &status);
}

/* ---- limits ---- */

static struct mig_limits limits_now(struct mig_rounds *r)
{
    struct mig_limits limits;

    pthread_mutex_lock(&r->lock);
    limits = r->limits;
    pthread_mutex_unlock(&r->lock);
    return limits;
}

/*
 * Bytes/s of a round; 0 is unlimited.
 * @page_bytes  that a page takes
 */
static uint64_t rate_for(const struct mig_limits *l, enum mig_rate_phase phase,
                         double dirty_pps, double page_bytes)
{
    if (!l->rate.max_bps)
        return 0;
    return mig_rate_next_bps(&l->rate, l->policy, phase,
                             dirty_pps * page_bytes);
}

/* With the lock held, so that a change cannot overtake a round's own rate. */
static uint64_t set_rate(struct mig_rounds *r, double dirty_pps)
{
    uint64_t bps =
        rate_for(&r->limits, r->phase, dirty_pps,
                 MIG_PAGE_WIRE_BYTES / mig_wire_rate_packing(&r->wire));

    mig_pump_set_rate(r->pump, bps);
    return bps;
}

void mig_rounds_set_limits(struct mig_rounds *rounds,
                           const struct mig_limits *limits)
{
    pthread_mutex_lock(&rounds->lock);
    rounds->limits = *limits;
    rounds->round.limit_bps = set_rate(rounds, rounds->round.dirty_pps);
    pthread_mutex_unlock(&rounds->lock);
}

/* ---- rounds ---- */

static void open_round(struct mig_rounds *r, enum mig_rate_phase phase,
                       unsigned index, uint64_t dirty_pages, double dirty_pps)
{
    uint64_t limit_bps;

    mig_pump_stats(r->pump, &r->before);
    pthread_mutex_lock(&r->lock);
    r->phase = phase;
    limit_bps = set_rate(r, dirty_pps);
    r->round = (struct mig_round){
        .index = index,
        .dirty_pages = dirty_pages,
        .dirty_pps = dirty_pps,
        .final = phase == MIG_RATE_FINAL_PASS,
        .limit_bps = limit_bps,
        .start_ns = lxe_now_ns(),
    };
    pthread_mutex_unlock(&r->lock);
    r->open = true;
}

/*
 * How fast the wire takes pages: that of this round while pages moved, since
 * round 0 also walks frames that hold nothing, without the time in which they
 * waited for their rate.
 */
static void learn_wire_rate(struct mig_rounds *r)
{
    const struct mig_pump_stats *before = &r->before;
    struct mig_pump_stats now;

    mig_pump_stats(r->pump, &now);
    pthread_mutex_lock(&r->lock);
    mig_wire_rate_learn(
        &r->wire, (double)(now.busy_bytes - before->busy_bytes),
        (double)(now.busy_packed_bytes - before->busy_packed_bytes),
        (double)(now.busy_ns - before->busy_ns) -
            (double)(now.busy_held_ns - before->busy_held_ns));
    pthread_mutex_unlock(&r->lock);
}

/* What went through the pump from a round's begin to its end, or to now. */
static void add_up(struct mig_round *round,
                   const struct mig_pump_stats *before,
                   const struct mig_pump_stats *now, uint64_t now_ns)
{
    round->sent_pages = now->sent_pages - before->sent_pages;
    round->skipped_pages = now->skipped_pages - before->skipped_pages;
    round->bytes = now->plain_bytes - before->plain_bytes;
    round->wire_bytes = now->out.bytes - before->out.bytes;
    round->end_ns = now_ns;
}

static void close_round(struct mig_rounds *r)
{
    struct mig_status status = { .kind = MIG_STATUS_ROUND };
    struct mig_pump_stats now;

    if (!r->open)
        return;
    r->open = false;
    mig_pump_stats(r->pump, &now);
    pthread_mutex_lock(&r->lock);
    add_up(&r->round, &r->before, &now, lxe_now_ns());
    r->round.wire_bps = mig_wire_rate_bps(&r->wire);
    status.round = r->round;
    pthread_mutex_unlock(&r->lock);
    tell(r, &status);
}

/* ---- deciding ---- */

/* Bytes/s to expect of this round, whose limit another thread may change. */
static double live_bps(struct mig_rounds *r)
{
    uint64_t limit_bps;

    pthread_mutex_lock(&r->lock);
    limit_bps = r->round.limit_bps;
    pthread_mutex_unlock(&r->lock);
    return mig_wire_rate_under_bps(&r->wire, limit_bps);
}

static uint64_t downtime_limit_ns(const struct mig_rounds *r,
                                  const struct mig_limits *l)
{
    return mig_relax_limit_ns(&r->relax, l->max_downtime_ns,
                              l->downtime_limit_max_ns);
}

static bool relaxed_fully(const struct mig_rounds *r,
                          const struct mig_limits *l)
{
    return mig_relax_is_full(&r->relax, l->max_downtime_ns,
                             l->downtime_limit_max_ns);
}

/*
 * What the last pass costs, as far as it is known, and the rate to expect; no
 * counts.
 * @curve  of what the guest writes, of the last round or this one
 */
static struct mig_precopy_in costs_now(const struct mig_rounds *r,
                                       const struct mig_limits *l,
                                       const struct mig_dirty_curve *curve)
{
    return (struct mig_precopy_in){
        .suspend_pps = mig_dirty_counts_pps(&r->dirty, curve),
        .live_bps = mig_wire_rate_bps(&r->wire),
        .final_bps = mig_wire_rate_under_bps(&r->wire, l->rate.max_bps),
        .spread = r->wire.spread,
        .fixed_cost_ns = l->suspend_cost_ns,
        .last_cost_ns = l->last_cost_ns,
        .suspend_pages = l->suspend_pages,
    };
}

/* How many pages another round would leave; below 0: unknown. */
static double left_after(struct mig_rounds *r, uint64_t pages)
{
    double bps = live_bps(r), run_ns;

    if (pages == MIG_PRECOPY_UNKNOWN || !(bps > 0))
        return -1;
    run_ns = (double)pages * MIG_PAGE_WIRE_BYTES / bps * LXE_NS_PER_SEC *
             (1 - mig_brake_slowed(r->config.brake));
    return mig_dirty_curve_pages(&r->dirty.curve, run_ns);
}

static uint64_t sent_so_far(struct mig_rounds *r)
{
    struct mig_pump_stats stats;

    mig_pump_stats(r->pump, &stats);
    return stats.sent_pages;
}

static enum lxe_save_verdict decide(struct mig_rounds *r,
                                    enum mig_precopy_point point,
                                    uint64_t dirty_pages)
{
    struct mig_limits l = limits_now(r);
    struct mig_precopy_limits limits = {
        .max_downtime_ns = downtime_limit_ns(r, &l),
        .relaxing = !relaxed_fully(r, &l),
        .timeout_ns = l.timeout_ns,
        .abort_on_timeout = l.on_timeout == MIG_TIMEOUT_ABORT,
        .max_rounds = l.max_rounds,
        .stall_rounds = l.stall_rounds,
    };
    struct mig_precopy_in in = costs_now(r, &l, &r->dirty.curve);
    struct mig_precopy_out out;

    in.point = point;
    in.round = r->round.index;
    in.count_follows = true;
    in.dirty_pages = dirty_pages;
    in.dirty_pages_per_s = r->round.dirty_pps;
    in.past = r->past;
    in.next_pages = left_after(r, dirty_pages);
    in.sent_pages = sent_so_far(r);
    in.guest_pages = r->config.domain_pages;
    in.elapsed_ns = lxe_now_ns() - r->start_ns;
    mig_precopy_decide(&limits, &in, &out);
    pthread_mutex_lock(&r->lock);
    if (out.downtime_ns != MIG_PRECOPY_UNKNOWN)
        r->round.predicted_downtime_ns = out.downtime_ns;
    r->round.downtime_limit_ns = limits.max_downtime_ns;
    pthread_mutex_unlock(&r->lock);
    if (out.verdict == MIG_PRECOPY_CONTINUE)
        return LXE_SAVE_CONTINUE;
    tell_stop(r, out.reason);
    if (out.verdict == MIG_PRECOPY_STOP)
        return LXE_SAVE_STOP;
    lxe_fail(&r->gave_up, -ETIMEDOUT, "%s", out.reason);
    return LXE_SAVE_ABORT;
}

/* ---- slowing ---- */

/*
 * @ran_ns      that the guest ran in this round
 * @left_pages  that the rest of it sends
 */
static void slow_guest(struct mig_rounds *r,
                       const struct mig_dirty_curve *curve, uint64_t ran_ns,
                       double left_pages)
{
    struct mig_limits l = limits_now(r);
    const struct mig_slowing_in in = {
        .limits = &l,
        .downtime_limit_ns = downtime_limit_ns(r, &l),
        .costs = costs_now(r, &l, curve),
        .curve = curve,
        .ran_ns = (double)ran_ns,
        .round_pages = (double)r->round.dirty_pages,
        .left_pages = left_pages,
        .round_bps = live_bps(r),
    };
    double slowed = mig_slowing_adjust(&r->slowing, &in);

    pthread_mutex_lock(&r->lock);
    r->round.slowed_percent = slowed * 100;
    pthread_mutex_unlock(&r->lock);
}

/*
 * Within a round, where enough of it is left: what the guest writes now may
 * be more than in the round before.
 */
static void slow_within(struct mig_rounds *r,
                        const struct mig_pump_stats *stats, uint64_t ran_ns)
{
    double sent = (double)(stats->sent_pages - r->before.sent_pages) +
                  (double)(stats->skipped_pages - r->before.skipped_pages);
    double left = (double)r->round.dirty_pages - sent;
    double bps = live_bps(r);

    if (r->config.brake && r->round.index && !r->round.final && bps > 0 &&
        left * MIG_PAGE_WIRE_BYTES / bps * LXE_NS_PER_SEC >= LONG_REST_NS)
        slow_guest(r, &r->dirty.curve, ran_ns, left);
}

/* ---- on the way ---- */

/*
 * Counts the dirty pages on the way, so that it is known how many the guest
 * writes in less than a round, and slows it where that is too many. A count
 * by itself is a short hypercall, and there are few, since the next one is
 * twice as late.
 */
static void sample_dirty(struct mig_rounds *r,
                         const struct mig_pump_stats *stats)
{
    uint64_t run_ns = mig_brake_run_ns(r->config.brake), ran_ns, pages;

    if (!mig_dirty_counts_due(&r->dirty, run_ns, &ran_ns) ||
        mig_hot_sample(r->config.hot, &pages, NULL))
        return;
    mig_dirty_counts_add(&r->dirty, run_ns, pages);
    slow_within(r, stats, ran_ns);
}

void mig_rounds_progress(void *rounds)
{
    struct mig_rounds *r = rounds;
    struct mig_status s = { .kind = MIG_STATUS_PROGRESS };
    uint64_t now_ns = lxe_now_ns(), done;
    struct mig_pump_stats stats;

    mig_pump_stats(r->pump, &stats);
    sample_dirty(r, &stats);
    if (now_ns - r->told_ns < PROGRESS_NS)
        return;
    pthread_mutex_lock(&r->lock);
    s.round = r->round;
    pthread_mutex_unlock(&r->lock);
    add_up(&s.round, &r->before, &stats, now_ns);
    s.rate_bps = (double)(stats.out.bytes - r->told.out.bytes) * 1e9 /
                 (double)(now_ns - r->told_ns);
    s.stream_bps = (double)(stats.plain_bytes - r->told.plain_bytes) * 1e9 /
                   (double)(now_ns - r->told_ns);
    done = s.round.sent_pages + s.round.skipped_pages;
    if (done < s.round.dirty_pages)
        s.remaining_pages = s.round.dirty_pages - done;
    r->told_ns = now_ns;
    r->told = stats;
    tell(r, &s);
}

static void tell_start(struct mig_rounds *r)
{
    struct mig_status status = {
        .kind = MIG_STATUS_START,
        .pid = (uint64_t)getpid(),
        .domain_pages = r->config.domain_pages,
    };

    r->start_ns = r->clean_ns = r->told_ns = lxe_now_ns();
    mig_slowing_begin(&r->slowing);
    tell(r, &status);
}

/* A CLEAN has told what round `index` is to send. */
static enum lxe_save_verdict count_known(struct mig_rounds *r, unsigned index,
                                         uint64_t dirty_pages)
{
    uint64_t now_ns = lxe_now_ns();
    enum lxe_save_verdict verdict;
    double dirty_pps = -1;

    mig_dirty_counts_clean(&r->dirty, mig_brake_run_ns(r->config.brake));
    if (index) {
        dirty_pps = (double)dirty_pages * 1e9 /
                    (double)(now_ns - r->clean_ns + 1);
    } else {
        tell_start(r);
        /* libxc counts every frame up to the highest; most are holes. */
        dirty_pages = r->config.domain_pages;
    }
    r->clean_ns = now_ns;
    open_round(r, index ? MIG_RATE_LATER_ROUND : MIG_RATE_FIRST_ROUND, index,
               dirty_pages, dirty_pps);
    if (index)
        slow_guest(r, &r->dirty.before, 0, (double)dirty_pages);
    verdict = decide(r, MIG_PRECOPY_COUNT_KNOWN, dirty_pages);
    if (verdict == LXE_SAVE_CONTINUE)
        mig_hot_release(r->config.hot, now_ns);
    return verdict;
}

/* How many pages are dirty at the end of a round. */
static uint64_t count_dirty(struct mig_rounds *r)
{
    struct lxe_err err = { 0 };
    uint64_t dirty_pages;

    if (mig_hot_count(r->config.hot, &dirty_pages, &err)) {
        lxe_debug("%s", err.text);
        return MIG_PRECOPY_UNKNOWN;
    }
    mig_dirty_counts_add(&r->dirty, mig_brake_run_ns(r->config.brake),
                         lxe_min(dirty_pages, r->config.domain_pages));
    return dirty_pages;
}

/* Whether rounds shrink; that counts once nothing else can help. */
static void learn_past(struct mig_rounds *r, uint64_t dirty_pages)
{
    uint64_t sent = sent_so_far(r) - r->before.sent_pages;
    struct mig_limits l = limits_now(r);
    bool fully = mig_slowing_is_full(&r->slowing, &l);

    if (fully)
        mig_relax_round(&r->relax, dirty_pages);
    mig_precopy_past_round(&r->past, sent, dirty_pages,
                           fully && relaxed_fully(r, &l));
}

/* A round was sent, and libxc is about to CLEAN. */
static enum lxe_save_verdict round_sent(struct mig_rounds *r)
{
    uint64_t dirty_pages;
    enum lxe_save_verdict verdict;

    mig_hot_hold(r->config.hot);
    if (mig_pump_check(r->pump))
        return LXE_SAVE_ABORT;
    learn_wire_rate(r);
    dirty_pages = count_dirty(r);
    if (dirty_pages != MIG_PRECOPY_UNKNOWN) {
        learn_past(r, dirty_pages);
        pthread_mutex_lock(&r->lock);
        r->round.left_pages = dirty_pages;
        pthread_mutex_unlock(&r->lock);
    }
    verdict = decide(r, MIG_PRECOPY_ROUND_SENT, dirty_pages);
    close_round(r);
    return verdict;
}

static enum lxe_save_verdict on_round(void *data, unsigned round,
                                      long dirty_pages)
{
    if (dirty_pages < 0)
        return round_sent(data);
    return count_known(data, round, (uint64_t)dirty_pages);
}

/*
 * What still waits between us and the wire would be sent in the downtime.
 * While it leaves the guest writes, which is less unless it outruns the wire.
 */
static void drain(struct mig_rounds *r)
{
    double dirty_bps = mig_dirty_counts_pps(&r->dirty, &r->dirty.curve) *
                       MIG_PAGE_WIRE_BYTES;

    if (dirty_bps < live_bps(r))
        mig_pump_drain(r->pump, DRAIN_NS);
}

/* Condition 1 of hot_pages.h: from here on nothing is left out. */
static int on_suspending(void *data)
{
    struct mig_rounds *r = data;

    mig_hot_hold(r->config.hot);
    close_round(r);
    drain(r);
    mig_slowing_end(&r->slowing);
    r->request_ns = lxe_now_ns();
    return mig_pump_check(r->pump);
}

static void on_suspended(void *data, bool ok)
{
    struct mig_rounds *r = data;
    struct mig_status status = {
        .kind = MIG_STATUS_SUSPENDED,
        .request_ns = r->request_ns,
        .ok = ok,
    };
    uint64_t predicted_ns = r->round.predicted_downtime_ns;
    uint64_t limit_ns = r->round.downtime_limit_ns;

    tell(r, &status);
    if (!ok)
        return;
    open_round(r, MIG_RATE_FINAL_PASS, r->round.index + 1, 0,
               r->round.dirty_pps);
    pthread_mutex_lock(&r->lock);
    r->round.predicted_downtime_ns = predicted_ns;
    r->round.downtime_limit_ns = limit_ns;
    pthread_mutex_unlock(&r->lock);
}

int mig_rounds_gave_up(const struct mig_rounds *rounds, struct lxe_err *err)
{
    if (rounds->gave_up.code)
        *err = rounds->gave_up;
    return rounds->gave_up.code;
}

uint64_t mig_rounds_first_bps(const struct mig_rounds *rounds)
{
    return rate_for(&rounds->config.limits, MIG_RATE_FIRST_ROUND, 0,
                    MIG_PAGE_WIRE_BYTES);
}

void mig_rounds_finish(struct mig_rounds *rounds,
                       const struct lxe_err *failure)
{
    struct mig_status status = { .kind = MIG_STATUS_END, .ok = !failure };
    struct mig_hot_stats hot;
    struct mig_pump_stats stats;

    /* All that the final pass had to send was sent. */
    if (rounds->open && rounds->round.final) {
        mig_pump_stats(rounds->pump, &stats);
        rounds->round.dirty_pages =
            stats.sent_pages - rounds->before.sent_pages;
        close_round(rounds);
    }
    mig_slowing_end(&rounds->slowing);
    mig_pump_stats(rounds->pump, &stats);
    mig_hot_stats(rounds->config.hot, &hot);
    status.slowed_mean_percent = mig_slowing_mean_percent(&rounds->slowing);
    status.bytes = stats.plain_bytes;
    status.wire_bytes = stats.out.bytes;
    status.pack_ns = stats.pack_ns;
    status.limiter = stats.out.limiter;
    status.idle_ns = stats.out.idle_ns;
    status.held_ns = stats.out.held_ns;
    status.blocked_ns = stats.out.blocked_ns;
    status.peeks = hot.peeks;
    status.peek_ns = hot.peek_ns;
    status.skip_saved_ns = hot.saved_ns;
    if (failure)
        snprintf(status.reason, sizeof(status.reason), "%.*s",
                 (int)sizeof(status.reason) - 1, failure->text);
    tell(rounds, &status);
}

int mig_rounds_open(const struct mig_rounds_config *config,
                    struct mig_rounds **out, struct lxe_err *err)
{
    struct mig_rounds *r = calloc(1, sizeof(*r));

    *out = r;
    if (!r)
        return lxe_fail(err, -ENOMEM, "out of memory");
    r->config = *config;
    r->limits = config->limits;
    r->slowing.brake = config->brake;
    r->slowing.way = config->limits.throttle;
    mig_relax_init(&r->relax);
    mig_precopy_past_init(&r->past);
    r->policy = (struct lxe_save_policy){
        .round = on_round,
        .suspending = on_suspending,
        .suspended = on_suspended,
        .data = r,
    };
    pthread_mutex_init(&r->lock, NULL);
    return 0;
}

void mig_rounds_attach(struct mig_rounds *rounds, struct mig_pump *pump)
{
    rounds->pump = pump;
}

const struct lxe_save_policy *mig_rounds_policy(struct mig_rounds *rounds)
{
    return &rounds->policy;
}

void mig_rounds_close(struct mig_rounds *rounds)
{
    if (!rounds)
        return;
    pthread_mutex_destroy(&rounds->lock);
    free(rounds);
}
