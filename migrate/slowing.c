/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "slowing.h"

#include "base/clock.h"
#include "base/log.h"
#include "throttle.h"

void mig_slowing_begin(struct mig_slowing *s)
{
    s->begin_ns = lxe_now_ns();
    s->begin_run_ns = mig_brake_run_ns(s->brake);
}

/* The user may forbid it on the way, but not choose another. */
static bool may_slow(const struct mig_slowing *s,
                     const struct mig_limits *limits)
{
    return s->brake && limits->throttle == s->way;
}

/* Whether it can bring the guest within its downtime at all. */
static bool helps(struct mig_slowing *s, const struct mig_slowing_in *in)
{
    const struct mig_limits *l = in->limits;
    uint64_t least_ns = mig_precopy_floor_ns(&in->costs);
    uint64_t most_ns = l->downtime_limit_max_ns > l->max_downtime_ns
                           ? l->downtime_limit_max_ns
                           : l->max_downtime_ns;

    if (least_ns <= most_ns || least_ns == MIG_PRECOPY_UNKNOWN)
        return true;
    if (!s->told_futile)
        lxe_warn("the guest is not slowed: suspending it is expected to take "
                 "%.0f ms with nothing left to send, and %.0f ms are allowed",
                 (double)least_ns / LXE_NS_PER_MS,
                 (double)most_ns / LXE_NS_PER_MS);
    s->told_futile = true;
    return false;
}

static double share_to_take(struct mig_slowing *s,
                            const struct mig_slowing_in *in)
{
    const struct mig_throttle_in ask = {
        .curve = in->curve,
        .ran_ns = in->ran_ns,
        .round_ns = in->left_pages * MIG_PAGE_WIRE_BYTES / in->round_bps * 1e9,
        .round_pages = in->round_pages,
        .final_pages = mig_precopy_fit_pages(in->downtime_limit_ns,
                                             &in->costs),
        .max_slowed = in->limits->throttle_max_percent / 100.0,
        .slowed = mig_brake_slowed(s->brake),
        .before = s->before,
    };

    return mig_throttle_next(&ask);
}

double mig_slowing_adjust(struct mig_slowing *s,
                          const struct mig_slowing_in *in)
{
    double share = 0;

    if (!(in->ran_ns > 0))
        s->before = mig_brake_slowed(s->brake);
    if (may_slow(s, in->limits) && in->round_bps > 0 && helps(s, in))
        share = share_to_take(s, in);
    if (share > 0)
        mig_brake_set(s->brake, share);
    else
        mig_brake_release(s->brake);
    return mig_brake_slowed(s->brake);
}

bool mig_slowing_is_full(const struct mig_slowing *s,
                         const struct mig_limits *limits)
{
    return !may_slow(s, limits) || mig_brake_slowed(s->brake) * 100 >
                                       limits->throttle_max_percent - 0.5;
}

void mig_slowing_end(struct mig_slowing *s)
{
    if (s->end_ns)
        return;
    mig_brake_release(s->brake);
    s->end_ns = lxe_now_ns();
    s->end_run_ns = mig_brake_run_ns(s->brake);
}

double mig_slowing_mean_percent(const struct mig_slowing *s)
{
    uint64_t span_ns = s->end_ns - s->begin_ns;
    uint64_t run_ns = s->end_run_ns - s->begin_run_ns;

    if (!s->brake || !s->begin_ns || run_ns >= span_ns)
        return 0;
    return 100 * (1 - (double)run_ns / (double)span_ns);
}
