/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "figures.h"
#include "report_compare.h"
#include "svg.h"

#define WIDTH        900.0
#define HEIGHT       300.0
#define LEFT         62.0
#define RIGHT        28.0 /* half of the widest mark of a time */
#define TOP          34.0
#define BOTTOM       48.0
#define LEAST_WIDTH  1.5  /* of a bar that must be seen */
#define LABEL_WIDTH  56.0 /* what "12.3 MB" takes */
#define LABEL_HEIGHT 22.0
#define BRIEF        0.005 /* share of the time below which a rate is noise */
#define CURVE_POINTS 24   /* of one round's curve */
#define MAGNIFIED    0.25 /* share of the time that is drawn once more */
#define FEW_ROUNDS   6.0 /* that an axis of rounds has room for */
#define WIDE_ROUNDS  10  /* so many leave a text room in the last one's place */
#define TIP          200
#define X_STEPS      10
#define MOST_TIMES   10.0 /* what was expected: farther is at the edge */
#define MIB_PAGES    256.0

/* ---- frames ---- */

static double round_end(const struct mig_run_round *r)
{
    return r->start_ms + r->duration_ms;
}

static bool has_time(const struct mig_run_round *r)
{
    return mig_known(r->start_ms) && mig_known(r->duration_ms);
}

/*
 * From the start of a round to the end of the last, in seconds; false where
 * nothing is known of them.
 */
static bool time_axis(const struct mig_run *run, size_t from,
                      struct mig_svg_frame *f)
{
    double first = HUGE_VAL, last = 0;

    for (size_t i = from; i < run->round_count; i++) {
        if (!has_time(&run->rounds[i]))
            continue;
        first = fmin(first, run->rounds[i].start_ms);
        last = fmax(last, round_end(&run->rounds[i]));
    }
    *f = (struct mig_svg_frame){
        .left = LEFT,
        .top = TOP,
        .width = WIDTH - LEFT - RIGHT,
        .height = HEIGHT - TOP - BOTTOM,
        .x_min = first / 1e3,
        .x_max = last / 1e3,
    };
    return f->x_max - f->x_min > 1e-6;
}

/*
 * The first round of those that are too narrow to be seen in the whole, of
 * which a second picture is made; 0 for none.
 */
static size_t magnified_from(const struct mig_run *run)
{
    struct mig_svg_frame whole;
    double first = HUGE_VAL, last = 0;
    size_t from = 0;

    if (!time_axis(run, 0, &whole))
        return 0;
    for (size_t i = run->round_count; i-- > 1;) {
        if (!has_time(&run->rounds[i]))
            continue;
        first = fmin(first, run->rounds[i].start_ms);
        last = fmax(last, round_end(&run->rounds[i]));
        if (last - first >= (whole.x_max - whole.x_min) * 1e3 * MAGNIFIED)
            break;
        from = i;
    }
    return from && time_axis(run, from, &whole) ? from : 0;
}

static const char time_title[] = "seconds since the start of the migration";

static void open_plot(FILE *out, const char *title, const char *text)
{
    fputs("<div class=\"plot\">\n", out);
    mig_svg_open(out, WIDTH, HEIGHT, title, text);
}

static void close_plot(FILE *out)
{
    mig_svg_close(out);
    fputs("</div>\n", out);
}

static void open_magnified(FILE *out, const struct mig_run *run, size_t from)
{
    char ms[MIG_FIGURE];
    double end = 0, start = run->rounds[from].start_ms;

    for (size_t i = from; i < run->round_count; i++)
        end = fmax(end, round_end(&run->rounds[i]));
    fprintf(out, "<p class=\"more\">The last %s of it, magnified:</p>\n",
            mig_fig_ms(ms, end - start));
}

struct key {
    const char *style, *name;
    bool absent; /* from this plot */
};

/* Says which colour is what. */
static void put_keys(FILE *out, const struct key *keys, size_t count)
{
    fputs("<ul class=\"keys\">", out);
    for (size_t i = 0; i < count; i++)
        if (!keys[i].absent)
            fprintf(out, "<li><i class=\"%s\"></i>%s</li>",
                    keys[i].style, keys[i].name);
    fputs("</ul>\n", out);
}

static bool is_final(const struct mig_run_round *r)
{
    return r->final;
}

static bool is_limited(const struct mig_run_round *r)
{
    return r->limit_bps > 0;
}

static bool has_dirtied(const struct mig_run_round *r)
{
    return mig_known(r->dirty_pps);
}

static bool none(const struct mig_run *run,
                 bool (*is)(const struct mig_run_round *r))
{
    for (size_t i = 0; i < run->round_count; i++)
        if (is(&run->rounds[i]))
            return false;
    return true;
}

/* ---- rates ---- */

/*
 * What the guest dirtied during a round, as bytes of the wire a second, like
 * the bars beside it: packed as well as the next round, which sent it, was.
 */
static double dirtied_bps(const struct mig_run *run, size_t round)
{
    const struct mig_run_round *next = &run->rounds[round + 1];
    double bps = next->dirty_pps * LXE_PAGE_SIZE;

    return next->bytes > 0 ? bps * mig_run_round_sent(next) / next->bytes
                           : bps;
}

/* The highest rate that lasted, in MB/s: brief ones would flatten the rest. */
static double highest_rate(const struct mig_run *run, size_t from,
                           const struct mig_svg_frame *f)
{
    double brief_ms = (f->x_max - f->x_min) * 1e3 * BRIEF;
    double most = 0;

    for (size_t i = from; i < run->round_count; i++) {
        const struct mig_run_round *r = &run->rounds[i];

        most = fmax(most, r->limit_bps);
        if (r->duration_ms < brief_ms)
            continue;
        most = fmax(most, r->rate_bps);
        if (i + 1 < run->round_count)
            most = fmax(most, dirtied_bps(run, i));
    }
    return most / 1e6;
}

static void round_tip(const struct mig_run_round *r, char tip[TIP])
{
    char bytes[MIG_FIGURE], rate[MIG_FIGURE], ms[MIG_FIGURE];

    snprintf(tip, TIP, "%s %.0f: %s in %s, %s",
             r->final ? "final pass, round" : "round",
             mig_known(r->index) ? r->index : 0,
             mig_fig_bytes(bytes, mig_run_round_sent(r)),
             mig_fig_ms(ms, r->duration_ms),
             mig_fig_rate(rate, r->rate_bps));
}

static void rate_bar(FILE *out, const struct mig_svg_frame *f,
                     const struct mig_run_round *r)
{
    double x = mig_svg_x(f, r->start_ms / 1e3);
    double width = fmax(mig_svg_x(f, round_end(r) / 1e3) - x, LEAST_WIDTH);
    double y = mig_svg_y(f, r->rate_bps / 1e6);
    char tip[TIP];

    round_tip(r, tip);
    mig_svg_rect(out, r->final ? "s4 bar" : "s1 bar", x,
                 y, width > 3 ? width - 1 : width, f->top + f->height - y,
                 tip);
}

/* At the foot of the bar, or above the line of what was dirtied. */
static void bar_label(FILE *out, const struct mig_svg_frame *f,
                      const struct mig_run *run, size_t round)
{
    const struct mig_run_round *r = &run->rounds[round];
    double x = mig_svg_x(f, r->start_ms / 1e3), bottom = f->top + f->height;
    double width = mig_svg_x(f, round_end(r) / 1e3) - x, foot = bottom - 8;
    double top = mig_svg_y(f, r->rate_bps / 1e6), line = HUGE_VAL;
    char bytes[MIG_FIGURE];

    if (width < LABEL_WIDTH || bottom - top < LABEL_HEIGHT)
        return;
    if (round + 1 < run->round_count && dirtied_bps(run, round) >= 0)
        line = mig_svg_y(f, dirtied_bps(run, round) / 1e6);
    if (line > foot - LABEL_HEIGHT && line - LABEL_HEIGHT >= top)
        foot = fmin(foot, line - 5);
    mig_svg_label(out, r->final ? "onbar" : "onbar deep", x + width / 2,
                  foot, MIG_SVG_MIDDLE, "%s",
                  mig_fig_bytes(bytes, mig_run_round_sent(r)));
}

/* A level over the time of a round. */
static void level(FILE *out, const char *style, const struct mig_svg_frame *f,
                  const struct mig_run_round *r, double bps)
{
    double x = mig_svg_x(f, r->start_ms / 1e3);
    double end = fmax(mig_svg_x(f, round_end(r) / 1e3), x + LEAST_WIDTH);
    double y = mig_svg_y(f, bps / 1e6);

    mig_svg_line(out, style, x, y, end, y);
}

/* What a round's log says was dirtied during the one before. */
static void dirty_levels(FILE *out, const struct mig_svg_frame *f,
                         const struct mig_run *run, size_t from)
{
    for (size_t i = from; i + 1 < run->round_count; i++) {
        double bps = dirtied_bps(run, i);

        if (mig_known(bps) && has_time(&run->rounds[i]))
            level(out, "l2", f, &run->rounds[i], bps);
    }
}

static void draw_rates(FILE *out, const struct mig_run *run, size_t from)
{
    struct mig_svg_frame f;

    if (!time_axis(run, from, &f))
        return;
    f.y_max = mig_svg_limit(highest_rate(run, from, &f) * 1.08, 5);
    open_plot(out, "Rate of each round",
              "A bar for each round: its width is its time, its height its "
              "rate, its area the bytes sent.");
    mig_svg_axes(out, &f, time_title, "MB/s");
    for (size_t i = from; i < run->round_count; i++) {
        const struct mig_run_round *r = &run->rounds[i];

        if (!has_time(r))
            continue;
        if (r->limit_bps > 0)
            level(out, "l5 dash", &f, r, r->limit_bps);
        if (mig_known(r->rate_bps))
            rate_bar(out, &f, r);
    }
    dirty_levels(out, &f, run, from);
    for (size_t i = from; i < run->round_count; i++)
        if (has_time(&run->rounds[i]) && mig_known(run->rounds[i].rate_bps))
            bar_label(out, &f, run, i);
    close_plot(out);
}

void mig_plot_rates(FILE *out, const struct mig_run *run)
{
    bool packed = mig_known(mig_run_packing(run));
    const struct key keys[] = {
        { "s1", "sent, while the guest ran: the area is the bytes", false },
        { "s4", "final pass, the guest suspended", none(run, is_final) },
        { "s2", packed ? "dirtied by the guest meanwhile, packed as it was "
                         "sent" : "dirtied by the guest meanwhile",
          none(run, has_dirtied) },
        { "s5", "the rate that was allowed", none(run, is_limited) },
    };
    size_t from = magnified_from(run);

    draw_rates(out, run, 0);
    if (from)
        open_magnified(out, run, from);
    if (from)
        draw_rates(out, run, from);
    put_keys(out, keys, sizeof(keys) / sizeof(keys[0]));
}

/* ---- what is left ---- */

/* A round's curve: from what it had to send down to what it left out. */
static size_t add_curve(const struct mig_svg_frame *f,
                        const struct mig_run_round *r,
                        struct mig_svg_point *points)
{
    double left = mig_known(r->skipped_pages) ? r->skipped_pages : 0;

    for (size_t i = 0; i <= CURVE_POINTS; i++) {
        double share = (double)i / CURVE_POINTS;

        points[i].x = mig_svg_x(f, (r->start_ms + share * r->duration_ms) /
                                       1e3);
        points[i].y = mig_svg_y(f, (r->dirty_pages * (1 - share) +
                                    left * share) / MIB_PAGES);
    }
    return CURVE_POINTS + 1;
}

static bool remaining_axis(const struct mig_run *run, size_t from,
                           struct mig_svg_frame *f)
{
    double most = 0, least = HUGE_VAL;

    if (!time_axis(run, from, f))
        return false;
    for (size_t i = from; i < run->round_count; i++) {
        double mib = run->rounds[i].dirty_pages / MIB_PAGES;

        if (!(mib > 0))
            continue;
        most = fmax(most, mib);
        least = fmin(least, mib);
    }
    if (!(most > 0))
        return false;
    f->y_log = true;
    f->y_max = mig_svg_decade_above(most);
    f->y_min = fmin(mig_svg_decade_below(least), f->y_max / 100);
    return true;
}

/* The area below the curve, too. */
static void draw_curve(FILE *out, const struct mig_svg_frame *f,
                       struct mig_svg_point *points, size_t count)
{
    double bottom = f->top + f->height;

    mig_svg_path(out, "l1", points + 1, count, false);
    points[0] = (struct mig_svg_point){ points[1].x, bottom };
    points[count + 1] = (struct mig_svg_point){ points[count].x, bottom };
    mig_svg_path(out, "s1 area", points, count + 2, true);
}

static void suspended_span(FILE *out, const struct mig_svg_frame *f,
                           const struct mig_run *run)
{
    for (size_t i = 0; i < run->round_count; i++) {
        const struct mig_run_round *r = &run->rounds[i];
        double x = mig_svg_x(f, r->start_ms / 1e3);

        if (r->final && has_time(r))
            mig_svg_rect(out, "s4 area", x, f->top,
                         fmax(mig_svg_x(f, round_end(r) / 1e3) - x,
                              LEAST_WIDTH),
                         f->height, "the guest stands still");
    }
}

static void draw_remaining(FILE *out, const struct mig_run *run, size_t from)
{
    size_t room = run->round_count * (CURVE_POINTS + 1) + 2, count = 0;
    _cleanup_free_ struct mig_svg_point *points =
        calloc(room, sizeof(*points));
    struct mig_svg_frame f;

    if (!points || !remaining_axis(run, from, &f))
        return;
    for (size_t i = from; i < run->round_count; i++)
        if (has_time(&run->rounds[i]) && mig_known(run->rounds[i].dirty_pages))
            count += add_curve(&f, &run->rounds[i], points + 1 + count);
    open_plot(out, "Left to send",
              "What was left to send of each round, over time; a step up is "
              "what the guest wrote to meanwhile.");
    mig_svg_axes(out, &f, time_title, "MiB (logarithmic)");
    suspended_span(out, &f, run);
    draw_curve(out, &f, points, count);
    close_plot(out);
}

void mig_plot_remaining(FILE *out, const struct mig_run *run)
{
    const struct key keys[] = {
        { "s1", "left to send of the round", false },
        { "s4", "the guest suspended", none(run, is_final) },
    };
    size_t from = magnified_from(run);

    draw_remaining(out, run, 0);
    if (from)
        open_magnified(out, run, from);
    if (from)
        draw_remaining(out, run, from);
    put_keys(out, keys, sizeof(keys) / sizeof(keys[0]));
}

/* ---- predicted and actual ---- */

static bool is_prediction(const struct mig_run_round *r)
{
    return has_time(r) && !r->final && r->predicted_downtime_ms > 0;
}

/* The axis counts rounds. */
static void round_axis(const struct mig_run *run, struct mig_svg_frame *f)
{
    f->x_min = -0.5;
    f->x_max = fmax((double)run->round_count, FEW_ROUNDS) - 0.5;
}

/* What a round's prediction was held against. */
static double allowed_ms(const struct mig_run *run, size_t round)
{
    double ms = run->rounds[round].downtime_limit_ms;

    return ms > 0 ? ms : run->max_downtime_ms;
}

/* By the number of the round. */
static bool predicted_axis(const struct mig_run *run, struct mig_svg_frame *f)
{
    double most = 0, least = HUGE_VAL;

    if (!time_axis(run, 0, f))
        return false;
    round_axis(run, f);
    for (size_t i = 0; i < run->round_count; i++) {
        double ms = run->rounds[i].predicted_downtime_ms;

        if (!is_prediction(&run->rounds[i]))
            continue;
        most = fmax(most, ms);
        least = fmin(least, ms);
    }
    if (!(most > 0))
        return false;
    most = fmax(most, run->downtime.engine);
    if (run->downtime.engine > 0)
        least = fmin(least, run->downtime.engine);
    for (size_t i = 0; i < run->round_count; i++) {
        double ms = allowed_ms(run, i);

        most = fmax(most, ms);
        least = ms > 0 ? fmin(least, ms) : least;
    }
    f->y_log = true;
    f->y_max = mig_svg_decade_above(most);
    f->y_min = fmin(mig_svg_decade_below(least), f->y_max / 10);
    return true;
}

static void draw_actual(FILE *out, const struct mig_svg_frame *f,
                        const struct mig_run *run)
{
    double ms = run->downtime.engine, y = mig_svg_y(f, ms);

    if (ms > 0)
        mig_svg_line(out, "l4", f->left, y, f->left + f->width, y);
}

/*
 * The final pass has no prediction: the label stands in its place, or, where
 * that is narrow, at the other end, as the last predictions are near to it.
 */
static void say_actual(FILE *out, const struct mig_svg_frame *f,
                       const struct mig_run *run)
{
    char figure[MIG_FIGURE];
    double ms = run->downtime.engine, y = mig_svg_y(f, ms);
    bool few = run->round_count <= WIDE_ROUNDS;

    if (!(ms > 0))
        return;
    mig_svg_label(out, "label halo", few ? f->left + f->width - 6 : f->left + 6,
                  y - 5, few ? MIG_SVG_END : MIG_SVG_START, "actual %s",
                  mig_fig_ms(figure, ms));
}

/* The limit may be relaxed from round to round. */
static void draw_allowed(FILE *out, const struct mig_svg_frame *f,
                         const struct mig_run *run)
{
    for (size_t i = 0; i < run->round_count; i++) {
        double ms = allowed_ms(run, i), y = mig_svg_y(f, ms);

        if (ms > 0 && !run->rounds[i].final)
            mig_svg_line(out, "l5", mig_svg_x(f, (double)i - 0.4), y,
                         mig_svg_x(f, (double)i + 0.4), y);
    }
}

void mig_plot_predicted(FILE *out, const struct mig_run *run)
{
    const struct key keys[] = {
        { "s1", "predicted after each round, were the guest suspended then",
          false },
        { "s4", "what it was: from asking to suspend to the last byte",
          !(run->downtime.engine > 0) },
        { "s5", "what was allowed", false },
    };
    struct mig_svg_frame f;

    if (!predicted_axis(run, &f))
        return;
    open_plot(out, "Predicted downtime",
              "The downtime predicted after each round, against what it was.");
    mig_svg_axes(out, &f, "round", "ms (logarithmic)");
    draw_actual(out, &f, run);
    draw_allowed(out, &f, run);
    for (size_t i = 0; i < run->round_count; i++) {
        const struct mig_run_round *r = &run->rounds[i];
        char tip[TIP], ms[MIG_FIGURE];

        if (!is_prediction(r))
            continue;
        snprintf(tip, sizeof(tip), "after round %.0f: %s",
                 mig_known(r->index) ? r->index : 0,
                 mig_fig_ms(ms, r->predicted_downtime_ms));
        mig_svg_circle(out, "s1", mig_svg_x(&f, (double)i),
                       mig_svg_y(&f, r->predicted_downtime_ms), 4.5, tip);
    }
    say_actual(out, &f, run);
    close_plot(out);
    put_keys(out, keys, sizeof(keys) / sizeof(keys[0]));
}

/* ---- the prediction before it began ---- */

#define ROW     46.0
#define ROW_TOP 20.0

static void compared_row(FILE *out, const struct mig_svg_frame *f,
                         const struct mig_compared *c, double y)
{
    double unit = c->predicted.expected;
    double low = mig_svg_x(f, c->predicted.low / unit);
    char text[3][MIG_FIGURE], tip[TIP];

    snprintf(tip, sizeof(tip), "%s: predicted %s, from %s to %s", c->name,
             c->figure(text[0], c->predicted.expected),
             c->figure(text[1], c->predicted.low),
             c->figure(text[2], c->predicted.high));
    mig_svg_label(out, "strong", 0, y + 4, MIG_SVG_START, "%s", c->name);
    mig_svg_rect(out, "s1 area", low, y - 9,
                 fmax(mig_svg_x(f, c->predicted.high / unit) - low,
                      LEAST_WIDTH), 18, tip);
    mig_svg_line(out, "l1", mig_svg_x(f, 1), y - 11, mig_svg_x(f, 1), y + 11);
    mig_svg_label(out, "muted", mig_svg_x(f, 1), y - 14, MIG_SVG_MIDDLE, "%s",
                  text[0]);
    if (!mig_known(c->actual))
        return;
    mig_svg_circle(out, "s4", mig_svg_x(f, c->actual / unit), y, 5, NULL);
    snprintf(tip, sizeof(tip), ", %+.0f %%", mig_compared_error(c) * 100);
    mig_svg_label(out, "label", WIDTH - 2, y + 4, MIG_SVG_END, "%s%s",
                  c->figure(text[0], c->actual),
                  mig_known(mig_compared_error(c)) ? tip : "");
}

/* By how many times what was expected; at most so far to the right. */
static double compared_limit(const struct mig_compared *all, size_t count)
{
    double most = 1.2;

    for (size_t i = 0; i < count; i++) {
        double unit = all[i].predicted.expected;

        if (unit > 0)
            most = fmax(most, fmax(all[i].predicted.high, all[i].actual) /
                                  unit);
    }
    return fmin(mig_svg_limit(most * 1.02, X_STEPS), MOST_TIMES);
}

void mig_plot_compared(FILE *out, const struct mig_run *run)
{
    static const struct key keys[] = {
        { "s1", "expected before it began, and the bounds", false },
        { "s4", "what it was, and by how much more was predicted", false },
    };
    struct mig_compared all[MIG_COMPARED_MOST];
    size_t count = mig_report_compare(run, all);
    struct mig_svg_frame f = {
        .left = 80, .top = ROW_TOP, .width = WIDTH - 80 - 150,
        .height = (double)count * ROW, .y_max = 1,
    };

    if (!count)
        return;
    f.x_max = compared_limit(all, count);
    fputs("<div class=\"plot\">\n", out);
    mig_svg_open(out, WIDTH, f.top + f.height + BOTTOM, "Prediction and fact",
                 "What was predicted before the migration began, with its "
                 "bounds, against what it came to.");
    mig_svg_x_axis(out, &f, "times what was expected");
    for (size_t i = 0; i < count; i++)
        if (all[i].predicted.expected > 0)
            compared_row(out, &f, &all[i],
                         f.top + ((double)i + 0.5) * ROW);
    close_plot(out);
    put_keys(out, keys, sizeof(keys) / sizeof(keys[0]));
}

/* ---- slowing ---- */

static void slowed_tip(const struct mig_run_round *r, char tip[TIP])
{
    char percent[MIG_FIGURE], ms[MIG_FIGURE];

    snprintf(tip, TIP, "%s %.0f: slowed by %s for %s",
             r->final ? "final pass, round" : "round",
             mig_known(r->index) ? r->index : 0,
             mig_fig_percent(percent, r->slowed_percent / 100),
             mig_fig_ms(ms, r->duration_ms));
}

void mig_plot_slowed(FILE *out, const struct mig_run *run)
{
    static const struct key keys[] = {
        { "s2", "of the guest's speed, taken from it", false },
    };
    struct mig_svg_frame f;

    if (!time_axis(run, 0, &f))
        return;
    f.y_max = 100;
    round_axis(run, &f);
    open_plot(out, "Slowing",
              "How much of its speed was taken from the guest, by round.");
    mig_svg_axes(out, &f, "round", "percent");
    for (size_t i = 0; i < run->round_count; i++) {
        double slowed = run->rounds[i].slowed_percent;
        double x = mig_svg_x(&f, (double)i - 0.4), y = mig_svg_y(&f, slowed);
        char tip[TIP];

        slowed_tip(&run->rounds[i], tip);
        if (slowed > 0)
            mig_svg_rect(out, "s2 bar", x, y,
                         fmax(mig_svg_x(&f, (double)i + 0.4) - x,
                              LEAST_WIDTH), f.top + f.height - y, tip);
    }
    close_plot(out);
    put_keys(out, keys, sizeof(keys) / sizeof(keys[0]));
}

/* ---- times as parts of a bar ---- */

struct part {
    const char *style, *name;
    double ms; /* unknown and 0 are left out */
};

#define BAR_TOP    6.0
#define BAR_HEIGHT 30.0
#define BAR_PLOT   82.0

static void part_tip(const struct part *part, char tip[TIP])
{
    char ms[MIG_FIGURE];

    snprintf(tip, TIP, "%.100s: %s", part->name, mig_fig_ms(ms, part->ms));
}

/* The class of text on a bar: dark or light, as can be read there. */
static const char *on_bar(const char *style)
{
    return strcmp(style, "s1") && strcmp(style, "s2") && strcmp(style, "s3")
               ? "onbar" : "onbar deep";
}

static void draw_parts(FILE *out, const struct mig_svg_frame *f,
                       const struct part *parts, size_t count, double unit)
{
    double at = 0;

    for (size_t i = 0; i < count; i++) {
        double x = mig_svg_x(f, at / unit), width;
        char tip[TIP], ms[MIG_FIGURE];

        if (!(parts[i].ms > 0))
            continue;
        at += parts[i].ms;
        width = fmax(mig_svg_x(f, at / unit) - x, LEAST_WIDTH);
        part_tip(&parts[i], tip);
        mig_svg_rect(out, parts[i].style, x, BAR_TOP,
                     width > 3 ? width - 1 : width, BAR_HEIGHT, tip);
        if (width >= LABEL_WIDTH)
            mig_svg_label(out, on_bar(parts[i].style), x + width / 2,
                          BAR_TOP + 20, MIG_SVG_MIDDLE, "%s", mig_fig_ms(ms, parts[i].ms));
    }
}

static void list_parts(FILE *out, const struct part *parts, size_t count,
                       double total)
{
    fputs("</div>\n<ul class=\"keys\">", out);
    for (size_t i = 0; i < count; i++) {
        char ms[MIG_FIGURE];

        if (!(parts[i].ms > 0))
            continue;
        fprintf(out, "<li><i class=\"%s\"></i>", parts[i].style);
        mig_svg_escape(out, parts[i].name);
        fprintf(out, " <b>%s</b> <small>%.0f&#8239;%%</small></li>",
                mig_fig_ms(ms, parts[i].ms), parts[i].ms / total * 100);
    }
    fputs("</ul>\n", out);
}

static void put_parts(FILE *out, const char *title, const char *text,
                      const struct part *parts, size_t count)
{
    struct mig_svg_frame f = { .left = 12, .top = BAR_TOP,
                               .width = WIDTH - 12 - RIGHT,
                               .height = BAR_HEIGHT + 4, .y_max = 1 };
    double total = 0, unit;

    for (size_t i = 0; i < count; i++)
        if (parts[i].ms > 0)
            total += parts[i].ms;
    if (!(total > 0))
        return;
    unit = total >= 2000 ? 1e3 : 1;
    f.x_max = total / unit;
    fputs("<div class=\"plot\">\n", out);
    mig_svg_open(out, WIDTH, BAR_PLOT, title, text);
    mig_svg_x_axis(out, &f, unit > 1 ? "seconds" : "milliseconds");
    draw_parts(out, &f, parts, count, unit);
    mig_svg_close(out);
    list_parts(out, parts, count, total);
}

void mig_plot_downtime(FILE *out, const struct mig_run *run)
{
    const struct mig_run_downtime *d = &run->downtime;
    const struct part parts[] = {
        { "s6", "suspending the guest", d->suspend },
        { "s4", "sending the last pass", d->last_pass },
        { "s5", "devices at the target", d->device },
        { "s3", "resuming", d->resume },
    };

    put_parts(out, "Downtime", "Where the downtime went.", parts,
              sizeof(parts) / sizeof(parts[0]));
}

void mig_plot_stages(FILE *out, const struct mig_run *run)
{
    static const char *const styles[] = { "s6", "s5", "s3", "s1", "s4", "s2" };
    _cleanup_free_ struct part *parts =
        calloc(run->stage_count + 1, sizeof(*parts));

    for (size_t i = 0; parts && i < run->stage_count; i++)
        parts[i] = (struct part){
            .style = styles[i % (sizeof(styles) / sizeof(styles[0]))],
            .name = run->stages[i].name ? run->stages[i].name : "?",
            .ms = run->stages[i].duration_ms,
        };
    if (parts)
        put_parts(out, "Stages", "How long each stage took.", parts,
                  run->stage_count);
}

void mig_plot_waits(FILE *out, const struct mig_run *run)
{
    const struct part parts[] = {
        { "s6", "for libxc to bring memory", run->for_pages_ms },
        { "s5", "for the rate to allow more", run->for_rate_ms },
        { "s1", "for the wire to take it", run->for_wire_ms },
    };

    put_parts(out, "Waits", "What the stream waited for.", parts,
              sizeof(parts) / sizeof(parts[0]));
}
