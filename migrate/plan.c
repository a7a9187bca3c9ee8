/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

#define STEP_NS    (10.0 * LXE_NS_PER_MS) /* downtimes are rounded up to it */
#define FAR_BEYOND 1.25 /* as much as this is guessed */
#define LEAST_ROOM 1.05 /* a limit this much above the least is met */

/* ---- words ---- */

const char *mig_plan_level_name(enum mig_plan_level level)
{
    static const char *const names[] = {
        [MIG_PLAN_FINE] = "fine",
        [MIG_PLAN_UNKNOWN] = "unknown",
        [MIG_PLAN_WARN] = "warning",
        [MIG_PLAN_REFUSE] = "refused",
    };

    return names[level];
}

char *mig_plan_time(char buf[MIG_PLAN_TIME], double ns)
{
    double s = ns / LXE_NS_PER_SEC;

    if (s < 0.9995)
        snprintf(buf, MIG_PLAN_TIME, "%.0f ms", s * 1e3);
    else if (s < 99.95)
        snprintf(buf, MIG_PLAN_TIME, "%.1f s", s);
    else
        snprintf(buf, MIG_PLAN_TIME, "%.0f min %.0f s", floor(s / 60),
                 fmod(floor(s), 60));
    return buf;
}

static void add(struct mig_plan *plan, const char *what,
                enum mig_plan_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct mig_plan *plan, const char *what,
                enum mig_plan_level level, const char *fmt, ...)
{
    struct mig_finding *f = &plan->findings[plan->count];
    va_list args;

    if (plan->count == MIG_PLAN_FINDINGS)
        return;
    plan->count++;
    f->what = what;
    f->level = level;
    va_start(args, fmt);
    vsnprintf(f->text, sizeof(f->text), fmt, args);
    va_end(args);
    if (level == MIG_PLAN_REFUSE)
        plan->refused = true;
}

/* ---- the best limits ---- */

static double round_up(double ns)
{
    return ceil(ns / STEP_NS) * STEP_NS;
}

/*
 * The engine stops when the pages that are left fit; what comes on top, the
 * pages that the suspend itself dirties, it cannot know. So less is asked for
 * until the whole fits, if that can be had.
 */
static void fit_downtime(const struct mig_wws *wws,
                         struct mig_predict_in *in, double wanted_ns,
                         struct mig_prediction *out)
{
    for (int tenths = 10; tenths > 0; tenths--) {
        in->limits.max_downtime_ns = (uint64_t)(wanted_ns * tenths / 10);
        mig_predict(wws, in, out);
        if (out->downtime_ns.expected <= wanted_ns)
            return;
    }
}

/* What is packed for the sake of a rate is not, without it. */
static void unpack(struct mig_predict_in *in)
{
    if (!in->limits.compress_auto)
        return;
    in->limits.compress_level = 0;
    in->packing = (struct mig_packing){ 0 };
}

/* On the whole wire, as fast as it goes, for as many rounds as it takes. */
static void find_best(const struct mig_wws *wws, const struct mig_plan_in *in,
                      struct mig_plan *plan)
{
    struct mig_predict_in best = in->predict;
    double wanted = (double)in->predict.limits.max_downtime_ns;
    unsigned rounds;

    best.limits.rate = (struct mig_rate_limits){ 0 };
    best.limits.policy = MIG_RATE_FIXED;
    best.limits.timeout_ns = 0;
    best.limits.downtime_limit_max_ns = 0;
    unpack(&best);
    mig_predict_least(wws, &best, &plan->least_best_ns, &rounds);
    if (rounds > best.limits.max_rounds)
        best.limits.max_rounds = rounds;
    if (plan->least_best_ns.expected > wanted) {
        wanted = round_up(plan->least_best_ns.expected * LEAST_ROOM);
        best.limits.max_rounds = rounds;
    }
    fit_downtime(wws, &best, wanted, &plan->best);
    plan->best_limits = best.limits;
}

/* ---- the downtime ---- */

static double allowed_ns(const struct mig_limits *l)
{
    uint64_t most = l->downtime_limit_max_ns > l->max_downtime_ns
                        ? l->downtime_limit_max_ns
                        : l->max_downtime_ns;

    return (double)most;
}

static const char *range(char buf[3 * MIG_PLAN_TIME],
                         const struct mig_range *r)
{
    char text[3][MIG_PLAN_TIME];

    snprintf(buf, 3 * MIG_PLAN_TIME, "%s (%s to %s)",
             mig_plan_time(text[0], r->expected),
             mig_plan_time(text[1], r->low), mig_plan_time(text[2], r->high));
    return buf;
}

static void refuse_downtime(struct mig_plan *plan, double allowed)
{
    char text[3][3 * MIG_PLAN_TIME], asked[MIG_PLAN_TIME];
    const char *where = plan->least_ns.expected <= allowed
                            ? "it could be had at the fixed rate in more"
                              " rounds"
                            : "it cannot be had at that rate";

    add(plan, "downtime", MIG_PLAN_REFUSE,
        "%s is predicted, and %s is asked for; %s, the least there is %s, and"
        " %s on the whole wire",
        range(text[0], &plan->asked.downtime_ns),
        mig_plan_time(asked, allowed), where,
        range(text[1], &plan->least_ns), range(text[2], &plan->least_best_ns));
}

static void judge_downtime(const struct mig_plan_in *in,
                           struct mig_plan *plan)
{
    double allowed = allowed_ns(&in->predict.limits);
    char text[3 * MIG_PLAN_TIME], asked[MIG_PLAN_TIME];

    if (plan->asked.gives_up)
        add(plan, "downtime", MIG_PLAN_REFUSE, "the time-out would come"
            " first: %s", plan->asked.reason);
    else if (plan->asked.downtime_ns.expected > allowed)
        refuse_downtime(plan, allowed);
    else if (plan->asked.downtime_ns.high > allowed)
        add(plan, "downtime", MIG_PLAN_WARN, "%s is predicted: it may pass"
            " the %s that is asked for",
            range(text, &plan->asked.downtime_ns),
            mig_plan_time(asked, allowed));
    else
        add(plan, "downtime", MIG_PLAN_FINE, "%s is predicted, within the %s"
            " that is asked for", range(text, &plan->asked.downtime_ns),
            mig_plan_time(asked, allowed));
}

/*
 * Beyond its last point the curve goes on as steeply as a concave one may,
 * which is too much for a guest that then writes the same again.
 */
static void judge_curve(const struct mig_wws *wws,
                        const struct mig_plan_in *in, struct mig_plan *plan)
{
    const struct mig_wws_point *last = &wws->points[wws->count - 1];
    uint64_t first_ns = mig_predict_first_ns(&in->predict);
    uint64_t reach_ns =
        (uint64_t)((double)first_ns * in->predict.costs.usual.pace);
    char text[2][MIG_PLAN_TIME];

    if (reach_ns > last->window_ns &&
        mig_wws_pages(wws, reach_ns) > last->pages * FAR_BEYOND)
        add(plan, "writes", MIG_PLAN_WARN, "the guest was seen in windows of"
            " %s, and the first round takes %s: what it writes in that is"
            " guessed, and rather too much; watch it longer (--duration)",
            mig_plan_time(text[0], (double)last->window_ns),
            mig_plan_time(text[1], (double)first_ns));
}

/* ---- packing ---- */

static bool can_unpack(const struct mig_plan_in *in)
{
    return !in->target || in->target->peer == MIG_PEER_AEROSTAT;
}

static void judge_packing(const struct mig_plan_in *in, struct mig_plan *plan)
{
    const struct mig_packing *p = &in->packing;
    bool packed = in->predict.limits.compress_level;
    double below_bps = mig_packing_pays_below_bps(p);
    char bps[LXE_UNIT_TEXT];

    if (packed && !can_unpack(in)) {
        add(plan, "packing", MIG_PLAN_REFUSE, "the target cannot unpack;"
            " leave out --compress, or install aerostat there");
    } else if (packed && !p->pages) {
        add(plan, "packing", MIG_PLAN_UNKNOWN, "how well the guest's memory"
            " packs is not known: the figures are of what is not packed");
    } else if (packed) {
        add(plan, "packing", MIG_PLAN_FINE, "a sample of %u pages packs %.1f"
            " to 1, all of them %.1f to %.1f; a processor packs %s", p->pages,
            p->ratio, p->low, p->high, lxe_format_bps(bps, p->bps));
    } else if (p->pages && can_unpack(in) && below_bps > 0) {
        add(plan, "packing", MIG_PLAN_FINE, "it is not packed; a sample of %u"
            " pages packs %.1f to 1, which pays at less than %s%s", p->pages,
            p->ratio, lxe_format_bps(bps, below_bps),
            in->predict.limits.compress_auto ? " (--max-rate), or say"
                                               " --compress 1" : "");
    } else if (p->pages && can_unpack(in)) {
        add(plan, "packing", MIG_PLAN_FINE, "it is not packed; a sample of %u"
            " pages packs %.1f to 1, which saves nothing", p->pages,
            p->ratio);
    }
}

/* ---- the target ---- */

static void judge_memory(const struct mig_plan_in *in,
                         const struct mig_probe_answer *a,
                         struct mig_plan *plan)
{
    char need[LXE_UNIT_TEXT], has[LXE_UNIT_TEXT];
    bool daemon = a->obtainable_kib != LXE_UNKNOWN;
    uint64_t most = daemon ? a->obtainable_kib : a->free_kib;

    lxe_format_kib(need, in->need_kib);
    if (most == LXE_UNKNOWN)
        add(plan, "memory", MIG_PLAN_UNKNOWN, "the target does not tell what"
            " memory it has; %s are needed", need);
    else if (most >= in->need_kib)
        add(plan, "memory", MIG_PLAN_FINE, "%s are needed, %s %s", need,
            lxe_format_kib(has, most),
            daemon ? "can be made free" : "are free");
    else
        add(plan, "memory", MIG_PLAN_REFUSE, "%s are needed, and %s %s there;"
            " %s", need, lxe_format_kib(has, most),
            daemon ? "could be made free" : "are free",
            daemon ? "move another guest away from it first"
                   : "with aerostatd there, its guests would make room");
}

static void judge_cpu(const struct mig_plan_in *in,
                      const struct mig_probe_answer *a, struct mig_plan *plan)
{
    const struct lxe_cpu_features *host = in->type == LXE_DOM_PV ? &a->pv
                                                                 : &a->hvm;
    char names[200];

    if (!host->count || !in->cpu.count)
        add(plan, "CPU", MIG_PLAN_UNKNOWN, "the CPU features of %s are not"
            " known", host->count ? "the guest" : "the target");
    else if (lxe_cpu_missing(&in->cpu, host, names, sizeof(names)))
        add(plan, "CPU", MIG_PLAN_REFUSE, "the target lacks what the guest"
            " was given: %s; start the guest with a cpuid= that leaves it"
            " out", names);
    else
        add(plan, "CPU", MIG_PLAN_FINE,
            "the target has all that the guest was given");
}

static void judge_name(const struct mig_probe_answer *a,
                       struct mig_plan *plan)
{
    if (!a->name_known)
        add(plan, "name", MIG_PLAN_UNKNOWN,
            "the target does not tell whether the name is free");
    else if (a->name_taken)
        add(plan, "name", MIG_PLAN_REFUSE, "a domain at the target has the"
            " guest's name or UUID; rename or destroy that first");
    else
        add(plan, "name", MIG_PLAN_FINE, "name and UUID are free there");
}

static bool release_of(const char *xen, unsigned *major, unsigned *minor)
{
    return sscanf(xen, "%5u.%5u", major, minor) == 2;
}

/* Xen takes guests from an older release, and from no newer one. */
static void judge_version(const char *here, const char *there,
                          struct mig_plan *plan)
{
    unsigned a[2], b[2];

    if (!release_of(here, &a[0], &a[1]) || !release_of(there, &b[0], &b[1]))
        add(plan, "Xen", MIG_PLAN_UNKNOWN, "the versions are not both known");
    else if (a[0] == b[0] && a[1] == b[1])
        add(plan, "Xen", MIG_PLAN_FINE, "%s here, %s there", here, there);
    else if (b[0] > a[0] || (b[0] == a[0] && b[1] > a[1]))
        add(plan, "Xen", MIG_PLAN_WARN, "%s here, %s there: it can go, and"
            " not come back", here, there);
    else
        add(plan, "Xen", MIG_PLAN_REFUSE, "%s here, %s there: Xen takes no"
            " guest from a newer release", here, there);
}

static void judge_target(const struct mig_plan_in *in, struct mig_plan *plan)
{
    const struct mig_probe_answer *a;

    if (!in->target) {
        add(plan, "target", MIG_PLAN_UNKNOWN, "was not asked");
    } else if (in->target->peer != MIG_PEER_AEROSTAT) {
        add(plan, "target", MIG_PLAN_UNKNOWN, "runs %s, which cannot be asked"
            " for its memory, CPU features, version and names",
            in->target->peer == MIG_PEER_XL ? "a stock xl"
                                            : "an older Aerostat");
    } else {
        a = &in->target->answer;
        judge_memory(in, a, plan);
        judge_cpu(in, a, plan);
        judge_name(a, plan);
        judge_version(in->xen, a->xen, plan);
    }
}

/* ---- advice ---- */

static const struct mig_finding *first(const struct mig_plan *plan,
                                       enum mig_plan_level level)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->findings[i].level == level)
            return &plan->findings[i];
    return NULL;
}

/* Limits as one would type them. */
static void write_limits(const struct mig_limits *l, char *out, size_t size)
{
    snprintf(out, size, "--rate-policy fixed --max-downtime %.0fms"
             " --max-rounds %u", (double)l->max_downtime_ns / LXE_NS_PER_MS,
             l->max_rounds);
}

static void advise_limits(struct mig_plan *plan, char *out, size_t size)
{
    char limits[128], time[3 * MIG_PLAN_TIME], total[MIG_PLAN_TIME];

    write_limits(&plan->best_limits, limits, sizeof(limits));
    snprintf(out, size, "With the whole wire, %s would take %s with a downtime"
             " of %s", limits,
             mig_plan_time(total, plan->best.total_ns.expected),
             range(time, &plan->best.downtime_ns));
}

static void advise(struct mig_plan *plan)
{
    const struct mig_finding *no = first(plan, MIG_PLAN_REFUSE);
    const struct mig_finding *careful = first(plan, MIG_PLAN_WARN);
    char time[2][3 * MIG_PLAN_TIME], limits[MIG_PLAN_TEXT];

    if (no && strcmp(no->what, "downtime")) {
        snprintf(plan->advice, sizeof(plan->advice), "Do not move it: %s.",
                 no->text);
    } else if (no) {
        advise_limits(plan, limits, sizeof(limits));
        snprintf(plan->advice, sizeof(plan->advice),
                 "Do not move it with these limits. %s.", limits);
    } else {
        snprintf(plan->advice, sizeof(plan->advice),
                 "Move it: %s, of which it stands still for %s.%s%s%s",
                 range(time[0], &plan->asked.total_ns),
                 range(time[1], &plan->asked.downtime_ns),
                 careful ? " But " : "", careful ? careful->text : "",
                 careful ? "." : "");
    }
}

void mig_plan_make(const struct mig_wws *wws, const struct mig_plan_in *in,
                   struct mig_plan *out)
{
    struct mig_predict_in other = in->predict;
    unsigned rounds;

    *out = (struct mig_plan){ 0 };
    mig_predict(wws, &in->predict, &out->asked);
    other.pages += in->released_pages;
    mig_predict(wws, &other, &out->kept);
    other = in->predict;
    other.limits.policy = MIG_RATE_FIXED;
    mig_predict_least(wws, &other, &out->least_ns, &rounds);
    find_best(wws, in, out);
    judge_downtime(in, out);
    judge_curve(wws, in, out);
    judge_packing(in, out);
    judge_target(in, out);
    advise(out);
}

/* ---- JSON ---- */

static void put_findings(struct lxe_jw *w, const struct mig_plan *plan)
{
    lxe_jw_key(w, "findings");
    lxe_jw_array(w);
    for (size_t i = 0; i < plan->count; i++) {
        const struct mig_finding *f = &plan->findings[i];

        lxe_jw_object(w);
        lxe_jw_str(w, "what", f->what);
        lxe_jw_str(w, "level", mig_plan_level_name(f->level));
        lxe_jw_str(w, "text", f->text);
        lxe_jw_end_object(w);
    }
    lxe_jw_end_array(w);
}

void mig_plan_write(struct lxe_jw *w, const struct mig_plan_in *in,
                    const struct mig_plan *plan)
{
    char limits[MIG_LIMITS_TEXT];

    lxe_jw_bool(w, "can_move", !plan->refused);
    lxe_jw_str(w, "advice", plan->advice);
    lxe_jw_u64(w, "pages", in->predict.pages);
    lxe_jw_u64(w, "released_pages", in->released_pages);
    lxe_jw_u64(w, "need_kib", in->need_kib);
    lxe_jw_double(w, "wire_bps", in->predict.wire_bps);
    lxe_jw_u64(w, "costs_learnt_from", in->predict.costs.learnt_from);
    mig_packing_write(w, "packing", &in->packing);
    put_findings(w, plan);
    mig_limits_format(&in->predict.limits, limits);
    lxe_jw_str(w, "limits", limits);
    mig_prediction_write(w, "asked", &plan->asked);
    mig_prediction_write(w, "page_cache_kept", &plan->kept);
    mig_limits_format(&plan->best_limits, limits);
    lxe_jw_str(w, "best_limits", limits);
    mig_prediction_write(w, "best", &plan->best);
    mig_range_write(w, "least_downtime_ms", &plan->least_ns, LXE_NS_PER_MS);
    mig_range_write(w, "least_downtime_whole_wire_ms", &plan->least_best_ns,
                    LXE_NS_PER_MS);
}
