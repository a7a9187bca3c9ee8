/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wws_measure.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/u64.h"
#include "base/units.h"
#include "dirty_log.h"
#include "page_sample.h"
#include "wws_build.h"

#define LOOKS         20  /* planned in a window, its end included */
#define WINDOWS       8   /* planned, unless they get too long or short */
#define WINDOW_MAX_NS (5 * LXE_NS_PER_SEC)
#define WINDOW_MIN_NS (100 * LXE_NS_PER_MS)
#define FIRST_LOOK    256 /* part of a window until the first look */
#define LOW_MEMORY    UINT64_C(0xf0000) /* frames below the hole under 4 GiB */

struct state {
    struct lxe_host *host;
    const struct mig_wws_ask *ask;
    const struct mig_wws_io *io;
    struct mig_wws_run *run;
    uint64_t domain_pages;
    uint64_t start_ns, window_ns, start_cpu_ns;
    size_t planned;
    bool broke; /* a look cost more than can be waited for */

    /* The last look, whose cost decides when the next may be. */
    uint64_t look_ns, look_end_ns, look_cpu_ns;

    struct mig_wws_sample samples[MIG_WWS_MAX_WINDOWS][LOOKS];
    struct mig_wws_series series[MIG_WWS_MAX_WINDOWS];

    /* By cell: pages written, and pages that were looked at. */
    double written[MIG_WWS_CELLS], seen[MIG_WWS_CELLS];

    uint8_t *hot; /* by frame, log-dirty only */
    unsigned hot_windows;
};

static uint64_t now_ns(const struct state *s)
{
    return s->host->ops->now_ns(s->host);
}

/* ---- the budget ---- */

static void begin_look(struct state *s)
{
    s->look_ns = now_ns(s);
    s->look_cpu_ns = s->io->cpu_ns(s->io->data);
}

static void end_look(struct state *s)
{
    struct mig_wws_cost *cost = &s->run->cost;
    uint64_t took;

    s->look_end_ns = now_ns(s);
    took = s->look_end_ns - s->look_ns;
    cost->looks++;
    if (s->ask->method != MIG_WWS_LOG_DIRTY)
        return;
    cost->pause_ns += took;
    cost->longest_pause_ns = lxe_max(cost->longest_pause_ns, took);
}

/*
 * When the cost of the last look is within its shares of the time since, and
 * all CPU time, with what waiting took, within its share of all the time.
 */
static uint64_t affordable_ns(const struct state *s)
{
    uint64_t cpu_ns = s->io->cpu_ns(s->io->data);
    double wait_ns = (double)(cpu_ns - s->look_cpu_ns) / s->ask->max_cpu;
    double all_ns = (double)(cpu_ns - s->start_cpu_ns) / s->ask->max_cpu;

    if (s->ask->method == MIG_WWS_LOG_DIRTY)
        wait_ns = fmax(wait_ns, (double)(s->look_end_ns - s->look_ns) /
                                    s->ask->max_pause);
    return lxe_max(s->look_ns + (uint64_t)wait_ns,
                   s->start_ns + (uint64_t)all_ns);
}

static void tell(struct state *s)
{
    const struct mig_wws_run *run = s->run;
    struct mig_wws_progress p = {
        .elapsed_ns = now_ns(s) - s->start_ns,
        .duration_ns = s->ask->duration_ns,
        .windows = run->window_count,
        .windows_planned = s->planned,
        .pages = run->window_count
                     ? run->windows[run->window_count - 1].pages
                     : -1,
    };

    if (s->io->progress)
        s->io->progress(s->io->data, &p);
}

/* Returns false where it is to end early. */
static bool wait_until(struct state *s, uint64_t until_ns)
{
    tell(s);
    if (s->io->wait(s->io->data, until_ns))
        return true;
    s->run->ended_early = true;
    return false;
}

static bool is_over(const struct state *s)
{
    return s->run->ended_early || s->broke;
}

/*
 * Waits until it is time and the last look is paid for. Returns false where it
 * is to end: early, or because it would take more than twice the time that was
 * asked for. One look delayed by others on the host may cost minutes, in which
 * log-dirty mode would slow the guest for nothing.
 */
static bool wait_paid(struct state *s, uint64_t due_ns)
{
    uint64_t until_ns = lxe_max(due_ns, affordable_ns(s));

    s->broke = s->broke ||
               until_ns > s->start_ns + 2 * s->ask->duration_ns;
    return !is_over(s) && wait_until(s, until_ns);
}

/* ---- windows ---- */

static void plan(struct state *s)
{
    uint64_t window = s->ask->window_ns ? s->ask->window_ns
                                        : s->ask->duration_ns / WINDOWS;

    if (!s->ask->window_ns && window > WINDOW_MAX_NS)
        window = WINDOW_MAX_NS;
    window = lxe_max(window, WINDOW_MIN_NS);
    window = lxe_max(window, s->ask->duration_ns / MIG_WWS_MAX_WINDOWS);
    /* What lies between windows takes its time, too. */
    s->window_ns = window - window / 16;
    s->planned = (size_t)(s->ask->duration_ns / window);
}

static bool has_time(const struct state *s)
{
    return s->run->window_count < MIG_WWS_MAX_WINDOWS &&
           !is_over(s) &&
           lxe_max(now_ns(s), affordable_ns(s)) + s->window_ns <=
               s->start_ns + s->ask->duration_ns;
}

/* Look i of a window: each is farther from the last, by the same factor. */
static uint64_t look_due_ns(const struct state *s, size_t i)
{
    double part = pow(FIRST_LOOK, -(double)(LOOKS - 1 - i) / (LOOKS - 1));

    return (uint64_t)((double)s->window_ns * part);
}

/*
 * Waits for the next look that the budget allows. @i is the one that is due
 * and gets the one that it became: those that would come too early are left
 * out. Returns false at the early end, and where only the window's end is
 * left (i == LOOKS - 1), after having waited for it.
 */
static bool next_look(struct state *s, uint64_t begin_ns, size_t *i)
{
    uint64_t from_ns = affordable_ns(s);

    while (*i < LOOKS - 1 && begin_ns + look_due_ns(s, *i) < from_ns)
        ++*i;
    if (!wait_paid(s, begin_ns + look_due_ns(s, *i)))
        return false;
    return *i < LOOKS - 1;
}

/* Notes what was counted since the window's begin. */
static void add_sample(struct state *s, uint64_t length_ns, uint64_t pages,
                       uint64_t most)
{
    struct mig_wws_series *series = &s->series[s->run->window_count];
    struct mig_wws_sample *at = s->samples[s->run->window_count];
    const struct mig_wws_sample *last =
        series->count ? &at[series->count - 1] : NULL;

    if (series->count == LOOKS || !length_ns ||
        (last && length_ns <= last->window_ns))
        return;
    if (last)
        pages = lxe_max(pages, last->pages);
    at[series->count++] = (struct mig_wws_sample){
        length_ns, pages < most ? pages : most
    };
    series->samples = at;
}

/* A window is over: its last sample is what was written in it. */
static void end_window(struct state *s, uint64_t begin_ns, double scale)
{
    const struct mig_wws_series *series = &s->series[s->run->window_count];
    const struct mig_wws_sample *last;

    if (!series->count)
        return;
    last = &series->samples[series->count - 1];
    s->run->windows[s->run->window_count++] = (struct mig_wws_window){
        .begin_ns = begin_ns - s->start_ns,
        .length_ns = last->window_ns,
        .pages = (double)last->pages * scale,
    };
}

static size_t cell_of(const struct state *s, uint64_t gfn)
{
    return (size_t)(gfn * MIG_WWS_CELLS / s->run->heat_pages);
}

/* ---- by log-dirty mode ---- */

static void note_heat(struct state *s, const struct lxe_dirty_log *log)
{
    uint64_t words = (log->pages + 63) / 64;

    for (uint64_t word = 0; word < words; word++)
        for (uint64_t bits = log->bitmap[word]; bits; bits &= bits - 1) {
            uint64_t gfn = word * 64 + (uint64_t)__builtin_ctzll(bits);

            if (gfn < s->run->heat_pages)
                s->written[cell_of(s, gfn)]++;
        }
    for (uint64_t cell = 0; cell < MIG_WWS_CELLS; cell++)
        s->seen[cell] += (double)s->run->heat_pages / MIG_WWS_CELLS;
}

static int clean(struct state *s, struct lxe_dirty_log *log, uint64_t *pages,
                 struct lxe_err *err)
{
    int rc;

    begin_look(s);
    rc = log->ops->clean(log, pages, err);
    end_look(s);
    return rc;
}

/* The guest stands while we look: a window lasts from the end of one CLEAN
 * to the begin of the next. */
static int log_window(struct state *s, struct lxe_dirty_log *log,
                      struct lxe_err *err)
{
    uint64_t begin_ns = s->look_end_ns, pages = 0;
    size_t i = 0;
    int rc = 0;

    while (!rc && next_look(s, begin_ns, &i)) {
        begin_look(s);
        rc = log->ops->peek_count(log, &pages, err);
        end_look(s);
        if (!rc)
            add_sample(s, s->look_ns - begin_ns, pages, s->domain_pages);
        i++;
    }
    if (!rc && !is_over(s)) {
        rc = clean(s, log, &pages, err);
        if (!rc) {
            add_sample(s, s->look_ns - begin_ns, pages, s->domain_pages);
            mig_wws_hot_add(s->hot, log->bitmap, log->pages);
            s->hot_windows++;
            note_heat(s, log);
        }
    }
    if (!rc)
        end_window(s, begin_ns, 1);
    return rc;
}

static int log_windows(struct state *s, struct lxe_dirty_log *log,
                       double *hot_pages, struct lxe_err *err)
{
    uint64_t pages;
    int rc;

    s->hot = calloc(log->pages, 1);
    if (!s->hot)
        return lxe_fail(err, -ENOMEM, "no memory to count the writes to %"
                        PRIu64 " pages", log->pages);
    rc = wait_paid(s, 0) ? clean(s, log, &pages, err) : 0;
    while (!rc && has_time(s))
        rc = log_window(s, log, err);
    if (!rc)
        *hot_pages = (double)mig_wws_hot_count(s->hot, log->pages,
                                               s->hot_windows);
    free(s->hot);
    return rc;
}

static int by_log(struct state *s, uint32_t domid, double *hot_pages,
                  struct lxe_err *err)
{
    struct lxe_dirty_log *log;
    int rc;

    begin_look(s);
    rc = s->host->ops->dirty_log_open(s->host, domid, &log, err);
    end_look(s);
    if (rc)
        return rc;
    rc = log_windows(s, log, hot_pages, err);
    if (!rc)
        wait_paid(s, 0);
    begin_look(s);
    log->ops->close(log);
    end_look(s);
    return rc;
}

/* ---- by samples of pages ---- */

/* One sample's pages: by look, when each was first seen changed. */
struct round {
    uint64_t first[LXE_PAGE_SAMPLE_MAX]; /* hash at the first look */
    uint8_t changed[LXE_PAGE_SAMPLE_MAX]; /* look, from 1; 0: never */
    bool lost[LXE_PAGE_SAMPLE_MAX];       /* was not there at some look */
    uint64_t delay_ns[LOOKS + 1];
    size_t looks;
};

static void note_look(struct round *r, const struct lxe_page_sample *sample)
{
    for (size_t i = 0; i < sample->count; i++) {
        r->lost[i] |= !sample->there[i];
        if (!r->looks)
            r->first[i] = sample->hashes[i];
        else if (!r->changed[i] && sample->hashes[i] != r->first[i])
            r->changed[i] = (uint8_t)r->looks;
    }
    r->looks++;
}

/* Middle of the last look, which hashes page by page. */
static uint64_t look_middle_ns(const struct state *s)
{
    return s->look_ns + (s->look_end_ns - s->look_ns) / 2;
}

static int look(struct state *s, struct lxe_page_sample *sample,
                struct round *r, struct lxe_err *err)
{
    int rc;

    begin_look(s);
    rc = sample->ops->look(sample, err);
    end_look(s);
    if (rc)
        return rc;
    r->delay_ns[r->looks] = look_middle_ns(s);
    note_look(r, sample);
    return 0;
}

static void note_round(struct state *s, const struct lxe_page_sample *sample,
                       const struct round *r)
{
    uint64_t written[LOOKS + 1] = { 0 }, kept = 0, sum = 0;

    for (size_t i = 0; i < sample->count; i++) {
        if (r->lost[i])
            continue;
        kept++;
        written[r->changed[i]]++;
        if (sample->gfns[i] < s->run->heat_pages) {
            s->seen[cell_of(s, sample->gfns[i])]++;
            s->written[cell_of(s, sample->gfns[i])] += r->changed[i] > 0;
        }
    }
    s->series[s->run->window_count].looked_at = kept;
    for (size_t k = 1; kept && k < r->looks; k++) {
        sum += written[k];
        add_sample(s, r->delay_ns[k] - r->delay_ns[0], sum, kept);
    }
    if (kept)
        end_window(s, r->delay_ns[0], (double)s->domain_pages / (double)kept);
}

static int looks(struct state *s, struct lxe_page_sample *sample,
                 struct round *r, struct lxe_err *err)
{
    uint64_t begin_ns;
    size_t i = 0;
    int rc = look(s, sample, r, err);

    begin_ns = look_middle_ns(s);
    while (!rc && next_look(s, begin_ns, &i)) {
        rc = look(s, sample, r, err);
        i++;
    }
    if (!rc && !is_over(s))
        rc = look(s, sample, r, err);
    if (!rc)
        note_round(s, sample, r);
    return rc;
}

static int sample_window(struct state *s, uint32_t domid, struct round *r,
                         struct lxe_err *err)
{
    struct lxe_page_sample *sample;
    struct lxe_err why = { 0 };
    int rc;

    memset(r, 0, sizeof(*r));
    begin_look(s);
    rc = s->host->ops->page_sample_open(s->host, domid, s->ask->sample_pages,
                                        s->ask->seed + s->run->cost.looks,
                                        &sample, &why);
    s->look_end_ns = now_ns(s);
    if (rc)
        return lxe_fail(err, rc, "%s%s", why.text,
                        rc == -EOPNOTSUPP ? "; use log-dirty mode" : "");
    if (wait_paid(s, 0))
        rc = looks(s, sample, r, err);
    sample->ops->close(sample);
    if (!rc)
        wait_paid(s, 0);
    return rc;
}

static int by_samples(struct state *s, uint32_t domid, struct lxe_err *err)
{
    struct round *r = calloc(1, sizeof(*r));
    int rc = 0;

    if (!r)
        return lxe_fail(err, -ENOMEM, "out of memory");
    while (!rc && has_time(s))
        rc = sample_window(s, domid, r, err);
    free(r);
    return rc;
}

/* ---- all of it ---- */

static int check(const struct lxe_domain *dom, const struct mig_wws_ask *ask,
                 struct lxe_err *err)
{
    if (!dom->domid)
        return lxe_fail(err, -EINVAL, "dom0's own writes cannot be measured");
    if (dom->migrating)
        return lxe_fail(err, -EBUSY, "'%.80s' is being migrated", dom->name);
    if (!dom->running || dom->building)
        return lxe_fail(err, -EINVAL, "'%.80s' does not run, so it writes "
                        "nothing", dom->name);
    if (!(ask->max_cpu > 0) || !(ask->max_pause > 0) ||
        !ask->sample_pages || ask->sample_pages > LXE_PAGE_SAMPLE_MAX ||
        ask->duration_ns > MIG_WWS_MAX_NS)
        return lxe_fail(err, -EINVAL, "the budget of a measurement");
    return 0;
}

/* A guest without a gap in its memory has no cells for what it lacks. */
static uint64_t heat_span(const struct lxe_domain *dom)
{
    uint64_t pages = lxe_max(dom->current_kib,
                             dom->static_max_kib == LXE_UNKNOWN
                                 ? 0 : dom->static_max_kib) / LXE_KIB_PER_PAGE;

    return lxe_max(pages <= LOW_MEMORY ? pages : pages + 0x100000 - LOW_MEMORY,
                   MIG_WWS_CELLS);
}

static void finish(struct state *s)
{
    struct mig_wws_run *run = s->run;

    run->cost.elapsed_ns = now_ns(s) - s->start_ns;
    run->cost.cpu_ns = s->io->cpu_ns(s->io->data) - s->start_cpu_ns;
    for (size_t i = 0; i < MIG_WWS_CELLS; i++)
        run->heat[i] = s->seen[i] > 0 ? fmin(1, s->written[i] / s->seen[i])
                                      : -1;
}

static int too_little(const struct state *s, struct lxe_err *err)
{
    if (s->run->ended_early)
        return lxe_fail(err, -ENODATA, "ended before two windows were over");
    return lxe_fail(err, -ENODATA, "two windows do not fit into %" PRIu64
                    " ms at this share of CPU and pause; allow more of one "
                    "of them", s->ask->duration_ns / LXE_NS_PER_MS);
}

static int measure(struct state *s, const struct lxe_domain *dom,
                   struct lxe_err *err)
{
    double hot_pages = -1; /* not known from samples */
    int rc;

    s->start_ns = now_ns(s);
    s->start_cpu_ns = s->io->cpu_ns(s->io->data);
    plan(s);
    rc = s->ask->method == MIG_WWS_LOG_DIRTY
             ? by_log(s, dom->domid, &hot_pages, err)
             : by_samples(s, dom->domid, err);
    if (rc)
        return rc;
    finish(s);
    if (s->run->window_count < 2)
        return too_little(s, err);
    return mig_wws_build(s->series, s->run->window_count, s->domain_pages,
                         s->ask->method, hot_pages, &s->run->wws, err);
}

int mig_wws_measure(struct lxe_host *host, const struct lxe_domain *dom,
                    const struct mig_wws_ask *ask,
                    const struct mig_wws_io *io, struct mig_wws_run *run,
                    struct lxe_err *err)
{
    struct state *s;
    int rc = check(dom, ask, err);

    if (rc)
        return rc;
    s = calloc(1, sizeof(*s));
    if (!s)
        return lxe_fail(err, -ENOMEM, "out of memory");
    memset(run, 0, sizeof(*run));
    run->heat_pages = heat_span(dom);
    *s = (struct state){
        .host = host,
        .ask = ask,
        .io = io,
        .run = run,
        .domain_pages = lxe_max(dom->current_kib / LXE_KIB_PER_PAGE, 1),
    };
    rc = measure(s, dom, err);
    free(s);
    return rc;
}
