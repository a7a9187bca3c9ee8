/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_html.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "figures.h"
#include "report_compare.h"
#include "report_plots.h"
#include "svg.h"

#define ROWS_SHOWN 200 /* of rounds; of more, as many at both ends */

static const char style[] =
    "*{box-sizing:border-box}"
    ":root{--page:#f6f7f9;--card:#fff;color-scheme:light dark}\n"
    "@media screen and (prefers-color-scheme:dark){"
    ":root{--page:#14181d;--card:#1c2127}}\n"
    "body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',"
    "sans-serif}\n"
    "main{max-width:980px;margin:0 auto;padding:28px 20px 40px}\n"
    "h1{font-size:26px;line-height:1.2;margin:0 0 4px;"
    "overflow-wrap:anywhere}"
    "h1 span{color:var(--soft);font-weight:400}\n"
    "h2{font-size:17px;margin:0 0 2px}"
    "p{margin:2px 0 10px}.sub,h2+p,.more,footer,small{color:var(--soft)}"
    "small{font-size:85%}\n"
    ".badge{display:inline-block;font-size:13px;font-weight:600;"
    "padding:1px 10px;border-radius:99px;border:1.5px solid;"
    "vertical-align:4px;margin-left:6px}"
    ".good{color:var(--c3)}.bad{color:var(--c2)}"
    "p.bad{overflow-wrap:anywhere}\n"
    ".tiles{display:grid;gap:12px;margin:18px 0;"
    "grid-template-columns:repeat(auto-fit,minmax(136px,1fr))}\n"
    ".tiles div,section{background:var(--card);border:1px solid var(--grid);"
    "border-radius:10px}.tiles div{padding:12px 14px}"
    ".tiles b{display:block;font-size:22px;line-height:1.3;"
    "font-variant-numeric:tabular-nums}\n"
    "section{padding:16px 18px;margin:0 0 14px}\n"
    ".plot,.wide{overflow-x:auto}.plot svg{display:block;width:100%;"
    "min-width:560px;height:auto}\n"
    ".keys{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;"
    "margin:6px 0 0;padding:0;font-size:13.5px}"
    ".keys i{display:inline-block;width:11px;height:11px;margin-right:6px;"
    "border-radius:2px}\n"
    "i.s1{background:var(--c1)}i.s2{background:var(--c2)}"
    "i.s3{background:var(--c3)}i.s4{background:var(--c4)}"
    "i.s5{background:var(--c5)}i.s6{background:var(--c6)}\n"
    "svg .onbar{fill:#111;font-weight:600}svg .deep{fill:#fff}"
    "@media screen and (prefers-color-scheme:dark){svg .deep{fill:#111}}\n"
    "table{border-collapse:collapse;width:100%;font-size:13.5px;"
    "font-variant-numeric:tabular-nums}"
    "th,td{padding:4px 9px;text-align:right;white-space:nowrap;"
    "border-bottom:1px solid var(--grid)}"
    "th{color:var(--soft);font-weight:500;white-space:normal;"
    "vertical-align:bottom}"
    "tr.final td{font-weight:600}"
    ".facts th,.facts td{text-align:left;white-space:normal;"
    "vertical-align:top;overflow-wrap:anywhere}.facts th{width:15em}\n"
    "footer{font-size:13px;margin-top:18px}\n"
    "@media (max-width:600px){main{padding:18px 10px}"
    "section{padding:12px 10px}.facts th{width:9em}"
    "th,td{padding:4px 6px}}\n"
    "@media print{body{background:#fff;font-size:10pt}"
    "main{max-width:none;padding:0}h2,p{break-after:avoid}"
    ".plot,.keys,tr{break-inside:avoid}"
    ".tiles{grid-template-columns:repeat(6,1fr);gap:6px}"
    ".tiles div{padding:8px}"
    ".plot svg{min-width:0}*{print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}}\n";

/* Text from the report; what is not known as a dash. */
static void put(FILE *out, const char *text)
{
    mig_svg_escape(out, text ? text : "-");
}

/* ---- head ---- */

static void put_head(FILE *out, const struct mig_run *run)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src"
          " 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,"
          "initial-scale=1\">\n<title>Migration of ", out);
    put(out, run->domain);
    fprintf(out, "</title>\n<style>\n%s%s</style>\n</head>\n<body><main>\n",
            mig_svg_css(), style);
}

static void put_title(FILE *out, const struct mig_run *run)
{
    bool moved = run->outcome && !strcmp(run->outcome, "moved");
    char when[MIG_FIGURE];

    fputs("<header>\n<h1>", out);
    put(out, run->domain);
    fputs(" <span>to</span> ", out);
    put(out, run->to);
    fprintf(out, " <span class=\"badge %s\">", moved ? "good" : "bad");
    put(out, run->outcome);
    fprintf(out, "</span></h1>\n<p class=\"sub\">Live migration of %s, run ",
            mig_fig_time(when, run->started_s));
    put(out, run->id);
    fputs("</p>\n", out);
    if (run->error) {
        fputs("<p class=\"bad\">", out);
        put(out, run->error);
        fputs("</p>\n", out);
    }
    fputs("</header>\n", out);
}

static void tile(FILE *out, const char *name, const char *figure,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A figure to be seen at once, with a word on it. */
static void tile(FILE *out, const char *name, const char *figure,
                 const char *fmt, ...)
{
    char note[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(note, sizeof(note), fmt, ap);
    va_end(ap);
    fprintf(out, "<div>%s<b>%s</b><small>%s</small></div>\n", name, figure,
            note);
}

/* Of one that did not get so far they say that. */
static void time_tiles(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE];

    mig_fig_ms(a, run->downtime.total);
    if (mig_known(run->downtime.suspend))
        tile(out, "Downtime", a, "%s of it the engine's",
             mig_fig_ms(b, run->downtime.engine));
    else
        tile(out, "Downtime", a, "the guest was not suspended");
    mig_fig_ms(a, run->total_ms);
    if (mig_known(run->precopy_ms))
        tile(out, "In all", a, "%s of pre-copy",
             mig_fig_ms(b, run->precopy_ms));
    else
        tile(out, "In all", a, "pre-copy did not end");
}

/* What an agent drops stays behind only where its guest then gives it up. */
static void left_behind_tile(FILE *out, const struct mig_run *run)
{
    double kib = run->before_kib - run->moved_kib;
    char figure[MIG_FIGURE];

    if (kib <= 0)
        tile(out, "Left behind", mig_fig_kib(figure, 0),
             "nothing stayed behind");
    else
        tile(out, "Left behind", mig_fig_kib(figure, kib), "page cache%s",
             run->dropped ? ", dropped by its agent" : "");
}

static void put_tiles(FILE *out, const struct mig_run *run)
{
    double all = run->sent_pages + run->skipped_pages;
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE];

    fputs("<div class=\"tiles\">\n", out);
    time_tiles(out, run);
    tile(out, "On the wire", mig_fig_bytes(a, run->wire_bytes),
         "%s of memory moved", mig_fig_kib(b, run->moved_kib));
    if (mig_known(mig_run_packing(run)))
        tile(out, "Packed", mig_fig_bytes(a, run->stream_bytes),
             "to %s, in %s", mig_fig_bytes(b, run->wire_bytes),
             mig_fig_ms(c, run->packing_ms));
    left_behind_tile(out, run);
    mig_fig_count(a, run->skipped_pages);
    if (all > 0)
        tile(out, "Left for later", a, "pages, %s of those met",
             mig_fig_percent(b, run->skipped_pages / all));
    else
        tile(out, "Left for later", a, "pages");
    tile(out, "Rounds",
         mig_fig_count(a, (double)mig_run_live_rounds(run)),
         "while the guest ran");
    fputs("</div>\n", out);
}

/* ---- rounds ---- */

static void put_row(FILE *out, const struct mig_run_round *r)
{
    char cell[11][MIG_FIGURE];
    const char *const cells[] = {
        mig_fig_count(cell[0], r->index),
        mig_fig_ms(cell[1], r->start_ms),
        mig_fig_ms(cell[2], r->duration_ms),
        mig_fig_count(cell[3], r->dirty_pages),
        mig_fig_count(cell[4], r->sent_pages),
        mig_fig_count(cell[5], r->skipped_pages),
        mig_fig_bytes(cell[6], mig_run_round_sent(r)),
        mig_fig_rate(cell[7], r->rate_bps),
        mig_fig_count(cell[8], r->dirty_pps),
        mig_fig_ms(cell[9], r->predicted_downtime_ms > 0
                                ? r->predicted_downtime_ms : (double)NAN),
        mig_fig_percent(cell[10], r->slowed_percent > 0
                                      ? r->slowed_percent / 100 : (double)NAN),
    };

    fputs(r->final ? "<tr class=\"final\">" : "<tr>", out);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        fprintf(out, "<td>%s%s</td>", cells[i],
                !i && r->final ? " (final)" : "");
    fputs("</tr>\n", out);
}

static void put_rounds(FILE *out, const struct mig_run *run)
{
    size_t n = run->round_count;

    if (!n)
        return;
    fputs("<section><h2>Every round</h2>\n"
          "<div class=\"wide\"><table><thead><tr><th>round</th><th>after</th>"
          "<th>took</th><th>pages to send</th><th>sent</th>"
          "<th>left for later</th><th>bytes</th><th>rate</th>"
          "<th>dirtied before, pages/s</th><th>downtime, if then</th>"
          "<th>slowed by</th></tr></thead><tbody>\n", out);
    for (size_t i = 0; i < n; i++) {
        if (n > 2 * ROWS_SHOWN && i == ROWS_SHOWN) {
            i = n - ROWS_SHOWN;
            fprintf(out, "<tr><td colspan=\"11\">%zu rounds are left out "
                         "here</td></tr>\n", n - 2 * ROWS_SHOWN);
        }
        put_row(out, &run->rounds[i]);
    }
    fputs("</tbody></table></div></section>\n", out);
}

/* ---- facts ---- */

static void fact(FILE *out, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* All of what is formatted is escaped. */
static void fact(FILE *out, const char *name, const char *fmt, ...)
{
    char text[MIG_RUN_MAX_TEXT + 200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(out, "<tr><th>%s</th><td>", name);
    put(out, text);
    fputs("</td></tr>\n", out);
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* A limit of which 0 says something else. */
static const char *limit(char *figure, double value, const char *zero)
{
    return value > 0 ? figure : value == 0 ? zero : "-";
}

static void put_slowing(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE];

    if (run->throttle && !strcmp(run->throttle, "none"))
        fact(out, "Slowing", "not allowed");
    else
        fact(out, "Slowing", "%s, %s at most", or_dash(run->throttle),
             mig_fig_percent(a, run->throttle_max_percent / 100));
}

static void put_limits(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE], d[MIG_FIGURE];

    fact(out, "Rate allowed", "%s at most, %s at least, policy %s",
         limit(mig_fig_rate(a, run->max_rate_bps), run->max_rate_bps,
               "unlimited"),
         limit(mig_fig_rate(b, run->min_rate_bps), run->min_rate_bps,
               "the default"),
         or_dash(run->rate_policy));
    fact(out, "Downtime allowed", "%s%s%s%s%s",
         mig_fig_ms(a, run->max_downtime_ms),
         run->downtime_limit_max_ms > 0 ? ", in steps up to " : "",
         run->downtime_limit_max_ms > 0
             ? mig_fig_ms(b, run->downtime_limit_max_ms) : "",
         mig_run_relaxed_ms(run) > 0 ? "; it was relaxed to " : "",
         mig_run_relaxed_ms(run) > 0
             ? mig_fig_ms(c, mig_run_relaxed_ms(run)) : "");
    fact(out, "Pre-copy ends after", "%s rounds, time-out %s (%s)",
         mig_fig_count(a, run->max_rounds),
         limit(mig_fig_ms(b, run->timeout_ms), run->timeout_ms, "none"),
         or_dash(run->on_timeout));
    put_slowing(out, run);
    if (mig_run_slowed(run))
        fact(out, "Slowed", "by %s of its speed in the mean, by up to %s in "
             "rounds of %s out of %s",
             mig_fig_percent(a, run->slowed_mean_percent / 100),
             mig_fig_percent(b, mig_run_slowed_most(run) / 100),
             mig_fig_ms(c, mig_run_slowed_ms(run)),
             mig_fig_ms(d, run->precopy_ms));
}

static void put_limiter(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE];

    if (run->limiter_seconds > 0)
        fact(out, "Rate limiter's error",
             "%s in the mean, %s at worst, over %.0f seconds",
             mig_fig_percent(a, run->limiter_mean),
             mig_fig_percent(b, run->limiter_worst), run->limiter_seconds);
    else
        fact(out, "Rate limiter's error", "it was never what held it back");
}

static void put_skipping(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE];

    fact(out, "Pages", "%s sent, %s left for later%s",
         mig_fig_count(a, run->sent_pages),
         mig_fig_count(b, run->skipped_pages),
         run->skip ? "" : " (which was not allowed)");
    fact(out, "Looks at the dirty log", "%s, %s in all",
         mig_fig_count(a, run->peeks), mig_fig_ms(c, run->peek_ms));
}

static void put_memory(FILE *out, const struct mig_run *run)
{
    char a[MIG_FIGURE], b[MIG_FIGURE], c[MIG_FIGURE];

    fact(out, "Memory", "%s before, %s when it was moved, target %s",
         mig_fig_kib(a, run->before_kib), mig_fig_kib(b, run->moved_kib),
         mig_fig_kib(c, run->target_kib));
    fact(out, "Held at the target", "%s",
         limit(mig_fig_kib(a, run->reserved_kib), run->reserved_kib,
               "nothing"));
}

static void put_facts(FILE *out, const struct mig_run *run)
{
    char domid[MIG_FIGURE];

    fputs("<section><h2>Facts</h2><table class=\"facts\">\n", out);
    fact(out, "Guest", "%s, domain %s here, UUID %s", or_dash(run->domain),
         mig_fig_count(domid, run->domid), or_dash(run->uuid));
    fact(out, "Received by", "%s", or_dash(run->receiver));
    fact(out, "Pre-copy ended because", "%s", or_dash(run->stop_reason));
    put_memory(out, run);
    put_limits(out, run);
    put_limiter(out, run);
    put_skipping(out, run);
    fputs("</table></section>\n", out);
}

/* ---- the whole ---- */

static void section(FILE *out, const struct mig_run *run, const char *title,
                    const char *text,
                    void (*plot)(FILE *out, const struct mig_run *run))
{
    fprintf(out, "<section><h2>%s</h2>\n<p>%s</p>\n", title, text);
    plot(out, run);
    fputs("</section>\n", out);
}

static bool any_prediction(const struct mig_run *run)
{
    for (size_t i = 0; i < run->round_count; i++)
        if (!run->rounds[i].final && run->rounds[i].predicted_downtime_ms > 0)
            return true;
    return false;
}

static void put_plots(FILE *out, const struct mig_run *run)
{
    struct mig_compared compared[MIG_COMPARED_MOST];

    if (run->round_count) {
        section(out, run, "Rate of each round",
                "A bar is as wide as its round took and as high as it was "
                "fast: its area is what it sent.", mig_plot_rates);
        section(out, run, "Left to send",
                "A round works off what it had to send; the step up after it "
                "is what the guest wrote to meanwhile.", mig_plot_remaining);
    }
    if (mig_report_compare(run, compared))
        section(out, run, "Prediction and fact",
                "What was predicted before it began, from the guest's "
                "writable working set.", mig_plot_compared);
    if (any_prediction(run))
        section(out, run, "Predicted and actual downtime",
                "The engine's part of it, which pre-copy answers for.",
                mig_plot_predicted);
    if (mig_run_slowed(run))
        section(out, run, "How far the guest was slowed",
                "It wrote faster than the wire takes it, and slowing it was "
                "allowed.", mig_plot_slowed);
    if (run->downtime.total > 0 || run->downtime.engine > 0)
        section(out, run, "Where the downtime went",
                "Suspending and the last pass are the engine's; devices and "
                "resuming are the toolstack's.", mig_plot_downtime);
    if (run->stage_count)
        section(out, run, "Stages",
                "From the start of the program's work to its end.",
                mig_plot_stages);
    if (run->for_pages_ms + run->for_rate_ms + run->for_wire_ms > 0)
        section(out, run, "What the stream waited for",
                "Whichever is the longest is what held the migration back.",
                mig_plot_waits);
}

void mig_report_html(FILE *out, const struct mig_run *run,
                     const char *version)
{
    put_head(out, run);
    put_title(out, run);
    put_tiles(out, run);
    put_plots(out, run);
    put_rounds(out, run);
    put_facts(out, run);
    fputs("<footer>Written by xl migrate-report of Aerostat ", out);
    put(out, version);
    fputs(". Times are by the monotonic clock of the source host; MB and kB "
          "are powers of 1000, MiB and GiB of 1024; a page has 4 KiB."
          "</footer>\n</main></body>\n</html>\n", out);
}
