/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "report_text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli_text.h"
#include "figures.h"
#include "report_compare.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- lines ---- */

/* "Memory:      512 MiB before, …"; no name: the line before goes on. */
static void line(FILE *out, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void line(FILE *out, const char *name, const char *fmt, ...)
{
    _cleanup_free_ char *raw = NULL;
    _cleanup_free_ char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&raw, fmt, ap) < 0)
        raw = NULL;
    va_end(ap);
    text = raw ? aero_text_escape(raw) : NULL;
    fprintf(out, "%-11s%s\n", name, text ? text : "out of memory");
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* A limit of which 0 says something else. */
static const char *limit(const char *figure, double value, const char *zero)
{
    return value > 0 ? figure : value == 0 ? zero : "-";
}

static void put_title(FILE *out, const struct mig_run *run)
{
    char when[MIG_FIGURE], total[MIG_FIGURE], wire[MIG_FIGURE];

    line(out, "Run", "%s, %s", or_dash(run->id),
         mig_fig_time(when, run->started_s));
    line(out, "Guest", "%s to %s, by %s", or_dash(run->domain),
         or_dash(run->to), or_dash(run->receiver));
    line(out, "Outcome", "%s%s%s", or_dash(run->outcome),
         run->error ? ": " : "", run->error ? run->error : "");
    if (mig_known(run->total_ms))
        line(out, "In all", "%s, %s on the wire",
             mig_fig_ms(total, run->total_ms),
             mig_fig_bytes(wire, run->wire_bytes));
}

static void put_stages(FILE *out, const struct mig_run *run)
{
    for (size_t i = 0; i < run->stage_count; i++) {
        char from[MIG_FIGURE], took[MIG_FIGURE];

        line(out, i ? "" : "Stages", "%-14s %9s, %s in",
             or_dash(run->stages[i].name),
             mig_fig_ms(took, run->stages[i].duration_ms),
             mig_fig_ms(from, run->stages[i].start_ms));
    }
}

static void put_memory(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE];

    if (!mig_known(run->before_kib))
        return;
    line(out, "Memory", "%s before, %s moved%s, %s held for it at the target",
         mig_fig_kib(a, run->before_kib), mig_fig_kib(b, run->moved_kib),
         run->dropped ? " (its agent dropped the page cache)" : "",
         limit(mig_fig_kib(c, run->reserved_kib), run->reserved_kib,
               "nothing"));
    line(out, "Pages", "%s sent, %s left for later%s",
         mig_fig_count(a, run->sent_pages),
         mig_fig_count(b, run->skipped_pages),
         run->skip ? "" : " (not allowed)");
    if (run->peeks > 0)
        line(out, "", "%s looks at the dirty log took %s",
             mig_fig_count(a, run->peeks), mig_fig_ms(b, run->peek_ms));
}

/* The last prediction made while the guest ran; unknown where none was. */
static double last_prediction(const struct mig_run *run)
{
    double ms = (double)NAN;

    for (size_t i = 0; i < run->round_count; i++)
        if (!run->rounds[i].final && run->rounds[i].predicted_downtime_ms > 0)
            ms = run->rounds[i].predicted_downtime_ms;
    return ms;
}

static void put_downtime(FILE *out, const struct mig_run *run)
{
    const struct mig_run_downtime *d = &run->downtime;
    char part[6][MIG_FIGURE];

    if (!mig_known(d->suspend)) {
        line(out, "Downtime", "none: the guest was not suspended");
        return;
    }
    line(out, "Downtime", "%s: suspend %s, last pass %s, devices %s,"
         " resume %s", mig_fig_ms(part[0], d->total),
         mig_fig_ms(part[1], d->suspend), mig_fig_ms(part[2], d->last_pass),
         mig_fig_ms(part[3], d->device), mig_fig_ms(part[4], d->resume));
    line(out, "", "the engine's %s; predicted %s, allowed %s%s%s",
         mig_fig_ms(part[0], d->engine),
         mig_fig_ms(part[1], last_prediction(run)),
         mig_fig_ms(part[2], run->max_downtime_ms),
         mig_run_relaxed_ms(run) > 0 ? ", relaxed to " : "",
         mig_run_relaxed_ms(run) > 0
             ? mig_fig_ms(part[3], mig_run_relaxed_ms(run)) : "");
}

static void put_slowing(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE];

    if (!mig_run_slowed(run))
        return;
    line(out, "Slowed", "by %s of its speed in the mean (%s, at most %s"
         " allowed)", mig_fig_percent(a, run->slowed_mean_percent / 100),
         or_dash(run->throttle),
         mig_fig_percent(b, run->throttle_max_percent / 100));
    if (mig_run_slowed_most(run) > 0)
        line(out, "", "in rounds of %s out of %s, by up to %s",
             mig_fig_ms(a, mig_run_slowed_ms(run)),
             mig_fig_ms(b, run->precopy_ms),
             mig_fig_percent(c, mig_run_slowed_most(run) / 100));
}

static void put_packing(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE], d[MIG_FIGURE];

    if (!mig_known(mig_run_packing(run)))
        return;
    line(out, "Packed", "%s to %s, %.2f to 1, in %s (level %.0f%s%s)",
         mig_fig_bytes(a, run->stream_bytes),
         mig_fig_bytes(b, run->wire_bytes), mig_run_packing(run),
         mig_fig_ms(c, run->packing_ms), run->compress_level,
         run->compress_window_kib > 0 ? ", window " : "",
         run->compress_window_kib > 0
             ? mig_fig_kib(d, run->compress_window_kib) : "");
}

static void put_rate(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE];

    if (!mig_known(run->max_rate_bps))
        return;
    line(out, "Rate", "%s allowed, policy %s",
         limit(mig_fig_rate(a, run->max_rate_bps), run->max_rate_bps,
               "any"), or_dash(run->rate_policy));
    if (run->limiter_seconds > 0)
        line(out, "", "kept within %s at worst, %s in the mean, over %.0f s",
             mig_fig_percent(a, run->limiter_worst),
             mig_fig_percent(b, run->limiter_mean), run->limiter_seconds);
    put_slowing(out, run);
    line(out, "Waits", "%s for pages, %s for the rate, %s for the wire",
         mig_fig_ms(a, run->for_pages_ms), mig_fig_ms(b, run->for_rate_ms),
         mig_fig_ms(c, run->for_wire_ms));
}

/* What was predicted before it began. */
static void put_prediction(FILE *out, const struct mig_run *run)
{
    struct mig_compared all[MIG_COMPARED_MOST];
    size_t count = mig_report_compare(run, all);

    for (size_t i = 0; i < count; i++) {
        const struct mig_compared *c = &all[i];
        char text[4][MIG_FIGURE], error[MIG_FIGURE] = "";

        if (mig_known(mig_compared_error(c)))
            snprintf(error, sizeof(error), ": %+.0f %%",
                     mig_compared_error(c) * 100);
        line(out, i ? "" : "Predicted", "%s %s, from %s to %s; it was %s%s",
             c->name, c->figure(text[0], c->predicted.expected),
             c->figure(text[1], c->predicted.low),
             c->figure(text[2], c->predicted.high),
             c->figure(text[3], c->actual), error);
    }
}

/* ---- rounds ---- */

static const struct aero_column round_columns[] = {
    { "ROUND", AERO_LEFT },     { "AFTER", AERO_RIGHT },
    { "TOOK", AERO_RIGHT },     { "PAGES", AERO_RIGHT },
    { "SENT", AERO_RIGHT },     { "LATER", AERO_RIGHT },
    { "BYTES", AERO_RIGHT },    { "RATE", AERO_RIGHT },
    { "DIRTIED/S", AERO_RIGHT }, { "DOWNTIME THEN", AERO_RIGHT },
    { "SLOWED", AERO_RIGHT }, /* last: only where it was */
};

static void add_round(struct aero_table *table, const struct mig_run_round *r)
{
    char cell[11][MIG_FIGURE], name[MIG_FIGURE + 10];
    const char *const cells[COUNT(round_columns)] = {
        name,
        mig_fig_ms(cell[1], r->start_ms),
        mig_fig_ms(cell[2], r->duration_ms),
        mig_fig_count(cell[3], r->dirty_pages),
        mig_fig_count(cell[4], r->sent_pages),
        mig_fig_count(cell[5], r->skipped_pages),
        mig_fig_bytes(cell[6], mig_run_round_sent(r)),
        mig_fig_rate(cell[7], r->rate_bps),
        mig_fig_count(cell[8], r->dirty_pps),
        r->predicted_downtime_ms > 0
            ? mig_fig_ms(cell[9], r->predicted_downtime_ms) : NULL,
        r->slowed_percent > 0
            ? mig_fig_percent(cell[10], r->slowed_percent / 100) : NULL,
    };

    snprintf(name, sizeof(name), "%s%s", mig_fig_count(cell[0], r->index),
             r->final ? " final" : "");
    aero_table_add(table, cells);
}

static int put_rounds(FILE *out, const struct mig_run *run, size_t width)
{
    struct aero_table *table;
    int rc;

    if (!run->round_count)
        return 0;
    table = aero_table_new(round_columns, COUNT(round_columns) -
                                              !mig_run_slowed(run));
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < run->round_count; i++)
        add_round(table, &run->rounds[i]);
    fputc('\n', out);
    rc = aero_table_print(table, out, width);
    aero_table_free(table);
    return rc;
}

int aero_report_text(FILE *out, const struct mig_run *run, size_t width)
{
    put_title(out, run);
    put_stages(out, run);
    put_memory(out, run);
    put_packing(out, run);
    put_rate(out, run);
    if (run->stop_reason)
        line(out, "Stopped", "%s", run->stop_reason);
    put_downtime(out, run);
    put_prediction(out, run);
    return put_rounds(out, run, width);
}

/* ---- the list ---- */

static const struct aero_column list_columns[] = {
    { "RUN", AERO_LEFT },      { "OUTCOME", AERO_LEFT },
    { "TOOK", AERO_RIGHT },    { "WIRE", AERO_RIGHT },
    { "ROUNDS", AERO_RIGHT },  { "DOWNTIME", AERO_RIGHT },
    { "ENGINE'S", AERO_RIGHT }, { "TO", AERO_LEFT },
};

struct aero_table *aero_report_list(void)
{
    return aero_table_new(list_columns, COUNT(list_columns));
}

void aero_report_list_add(struct aero_table *table, const char *id,
                          const struct mig_run *run)
{
    char cell[5][MIG_FIGURE];
    const char *cells[COUNT(list_columns)] = { id, "unreadable" };

    if (run) {
        cells[1] = or_dash(run->outcome);
        cells[2] = mig_fig_ms(cell[0], run->total_ms);
        cells[3] = mig_fig_bytes(cell[1], run->wire_bytes);
        cells[4] = mig_fig_count(cell[2], (double)mig_run_live_rounds(run));
        cells[5] = mig_fig_ms(cell[3], run->downtime.total);
        cells[6] = mig_fig_ms(cell[4], run->downtime.engine);
        cells[7] = or_dash(run->to);
    }
    aero_table_add(table, cells);
}
