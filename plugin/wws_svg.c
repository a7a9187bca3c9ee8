/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "wws_svg.h"

#include <math.h>

#include "base/units.h"
#include "svg.h"

#define WIDTH  860.0
#define HEIGHT 640.0
#define LEFT   64.0
#define RIGHT  24.0
#define SHADES 8
#define TEXT_ROOM 26.0 /* above a line, for a line of text */

static double mib(double pages)
{
    return pages * LXE_PAGE_SIZE / 1048576;
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* ---- D(t) ---- */

/* The band between the bounds: there along the upper, back along the lower. */
static void draw_band(FILE *out, const struct mig_svg_frame *f,
                      const struct mig_wws *w)
{
    struct mig_svg_point band[2 * MIG_WWS_POINTS + 1];
    size_t n = 0;

    band[n++] = (struct mig_svg_point){ mig_svg_x(f, 0), mig_svg_y(f, 0) };
    for (size_t i = 0; i < w->count; i++)
        band[n++] = (struct mig_svg_point){
            mig_svg_x(f, seconds(w->points[i].window_ns)),
            mig_svg_y(f, mib(w->points[i].high))
        };
    for (size_t i = w->count; i-- > 0;)
        band[n++] = (struct mig_svg_point){
            mig_svg_x(f, seconds(w->points[i].window_ns)),
            mig_svg_y(f, mib(w->points[i].low))
        };
    mig_svg_path(out, "s1 area", band, n, true);
}

static void draw_line(FILE *out, const struct mig_svg_frame *f,
                      const struct mig_wws *w)
{
    struct mig_svg_point line[MIG_WWS_POINTS + 1];

    line[0] = (struct mig_svg_point){ mig_svg_x(f, 0), mig_svg_y(f, 0) };
    for (size_t i = 0; i < w->count; i++)
        line[i + 1] = (struct mig_svg_point){
            mig_svg_x(f, seconds(w->points[i].window_ns)),
            mig_svg_y(f, mib(w->points[i].pages))
        };
    mig_svg_path(out, "l1", line, w->count + 1, false);
    for (size_t i = 0; i < w->count; i++) {
        const struct mig_wws_point *p = &w->points[i];
        char tip[160];

        snprintf(tip, sizeof(tip), "%.3g s: %.1f MiB (%.1f to %.1f), %.0f "
                 "pages", seconds(p->window_ns), mib(p->pages), mib(p->low),
                 mib(p->high), p->pages);
        mig_svg_circle(out, "s1", line[i + 1].x, line[i + 1].y, 2.5, tip);
    }
}

static void draw_knee(FILE *out, const struct mig_svg_frame *f,
                      const struct mig_wws *w)
{
    double x = mig_svg_x(f, seconds(w->knee_ns));
    double top = mig_svg_y(f, mib(w->knee_pages));

    if (!w->knee_ns)
        return;
    mig_svg_line(out, "l3 dash thin", x, top, x, f->top + f->height);
    mig_svg_label(out, "muted halo", x + 6, f->top + f->height - 8,
                  MIG_SVG_START, "bends at %.2g s", seconds(w->knee_ns));
}

/* At the end where the curve is not; a short curve is at both. */
static void say_hot(FILE *out, const struct mig_svg_frame *f,
                    const struct mig_wws *w)
{
    double y = mig_svg_y(f, mib(w->hot_pages));
    double end = mig_svg_y(f, mib(w->points[w->count - 1].pages));
    bool right = end < y - TEXT_ROOM;

    mig_svg_label(out, "halo", right ? f->left + f->width - 8 : f->left + 8,
                  y > f->top + 20 ? y - 6 : y + 15,
                  right ? MIG_SVG_END : MIG_SVG_START, "hot set %.1f MiB",
                  mib(w->hot_pages));
}

static void draw_curve(FILE *out, const struct mig_wws *w)
{
    const struct mig_wws_point *last = &w->points[w->count - 1];
    struct mig_svg_frame f = {
        .left = LEFT, .top = 76, .width = WIDTH - LEFT - RIGHT, .height = 250,
        .x_max = seconds(last->window_ns),
        .y_max = mig_svg_limit(mib(fmax(last->high, w->hot_pages)), 5),
    };
    double y = mig_svg_y(&f, mib(w->hot_pages));

    mig_svg_label(out, "strong", LEFT, 60, MIG_SVG_START,
                  "D(t): distinct memory written in a window of t, with 95 %% "
                  "bounds");
    mig_svg_axes(out, &f, "window, seconds", "MiB");
    draw_band(out, &f, w);
    if (w->hot_pages > 0)
        mig_svg_line(out, "l2 dash thin", f.left, y, f.left + f.width, y);
    draw_line(out, &f, w);
    draw_knee(out, &f, w);
    if (w->hot_pages > 0)
        say_hot(out, &f, w);
}

/* ---- the rate over time ---- */

static double window_rate(const struct mig_wws_window *w)
{
    return w->pages / seconds(w->length_ns);
}

static void draw_rates(FILE *out, const struct mig_wws_run *run)
{
    const struct mig_wws_window *last = &run->windows[run->window_count - 1];
    struct mig_svg_frame f = {
        .left = LEFT, .top = 396, .width = WIDTH - LEFT - RIGHT, .height = 90,
        .x_max = seconds(last->begin_ns + last->length_ns),
        .y_max = 1,
    };

    for (size_t i = 0; i < run->window_count; i++)
        f.y_max = fmax(f.y_max, window_rate(&run->windows[i]));
    f.y_max = mig_svg_limit(f.y_max, 3);
    mig_svg_label(out, "strong", LEFT, 380, MIG_SVG_START,
                  "Rate over time: distinct pages/s of each window");
    mig_svg_axes(out, &f, "seconds since the measurement began", "pages/s");
    for (size_t i = 0; i < run->window_count; i++) {
        const struct mig_wws_window *w = &run->windows[i];
        double x = mig_svg_x(&f, seconds(w->begin_ns));
        double end = mig_svg_x(&f, seconds(w->begin_ns + w->length_ns));
        double y = mig_svg_y(&f, window_rate(w));
        char tip[120];

        snprintf(tip, sizeof(tip), "%.1f to %.1f s: %.0f pages, %.0f pages/s",
                 seconds(w->begin_ns), seconds(w->begin_ns + w->length_ns),
                 w->pages, window_rate(w));
        mig_svg_rect(out, "s1 bar", x, y, fmax(end - x - 1, 1),
                     f.top + f.height - y, tip);
    }
}

/* ---- where in memory ---- */

/* Small shares must show, so the scale is that of their square root. */
static unsigned shade(double heat)
{
    return heat > 0 ? (unsigned)ceil(sqrt(heat) * SHADES) : 0;
}

static void draw_heat(FILE *out, const struct mig_wws_run *run)
{
    double width = WIDTH - LEFT - RIGHT, cell = width / MIG_WWS_CELLS;
    double all = mib((double)run->heat_pages);

    mig_svg_label(out, "strong", LEFT, 552, MIG_SVG_START,
                  "Where in memory the writes fall");
    for (size_t i = 0; i < MIG_WWS_CELLS; i++) {
        char style[16], tip[120];

        if (run->heat[i] < 0)
            continue;
        snprintf(style, sizeof(style), "s2 heat%u", shade(run->heat[i]));
        snprintf(tip, sizeof(tip), "%.0f to %.0f MiB: %.1f %% of the pages "
                 "in a window", all * (double)i / MIG_WWS_CELLS,
                 all * (double)(i + 1) / MIG_WWS_CELLS, run->heat[i] * 100);
        mig_svg_rect(out, style, floor(LEFT + cell * (double)i), 562,
                     floor(LEFT + cell * (double)(i + 1)) -
                         floor(LEFT + cell * (double)i),
                     26, tip);
    }
    for (int quarter = 0; quarter <= 4; quarter++)
        mig_svg_label(out, "muted", LEFT + width * quarter / 4, 604,
                      quarter == 0   ? MIG_SVG_START
                      : quarter == 4 ? MIG_SVG_END
                                     : MIG_SVG_MIDDLE,
                      "%.0f MiB", all * quarter / 4);
}

/* What the colours stand for. */
static void draw_legend(FILE *out)
{
    static const double shares[] = { 0, 0.015, 0.06, 0.25, 0.56, 1 };
    static const char *const names[] = { "0", "2 %", "6 %", "25 %", "56 %",
                                         "all" };
    double x = WIDTH - RIGHT - 6 * 56 + 14;

    mig_svg_label(out, "muted", x - 10, 552, MIG_SVG_END,
                  "share written in a window");
    for (size_t i = 0; i < 6; i++, x += 56) {
        char style[16];

        snprintf(style, sizeof(style), "s2 heat%u", shade(shares[i]));
        mig_svg_rect(out, style, x, 541, 14, 14, NULL);
        mig_svg_label(out, "muted", x + 19, 552, MIG_SVG_START, "%s",
                      names[i]);
    }
}

/* ---- all ---- */

/*
 * Colours first for programs that know no variables (librsvg, Inkscape), then
 * those that follow light and dark, then our own shades.
 */
static void draw_style(FILE *out)
{
    fputs("<style>.s1{fill:#0072b2}.s2{fill:#d55e00}.grid{stroke:#e6eaee}"
          ".l1,.l2,.l3{fill:none;stroke:#0072b2}.l2{stroke:#d55e00}"
          ".l3{stroke:#009e73}.axis{stroke:#c9d0d8}</style>\n", out);
    mig_svg_style(out);
    fputs("<style>[class^=\"s2 heat\"]{shape-rendering:crispEdges}"
          ".s2.heat0{fill:#888;opacity:.16}", out);
    for (unsigned i = 1; i <= SHADES; i++)
        fprintf(out, ".heat%u{opacity:%.3f}", i,
                0.1 + 0.9 * (double)i / SHADES);
    fputs("</style>\n", out);
}

static void draw_foot(FILE *out, const struct mig_wws_run *run)
{
    const struct mig_wws_cost *c = &run->cost;
    char pause[80] = "";

    if (run->wws.method == MIG_WWS_LOG_DIRTY)
        snprintf(pause, sizeof(pause), "; guest paused for %.2f %% at most",
                 100 * (double)c->pause_ns / (double)c->elapsed_ns);
    mig_svg_label(out, "muted", LEFT, HEIGHT - 10, MIG_SVG_START,
                  "%zu windows by %s in %.1f s; %.2f %% of a CPU%s%s",
                  run->window_count,
                  run->wws.method == MIG_WWS_LOG_DIRTY ? "log-dirty mode"
                                                       : "samples of pages",
                  seconds(c->elapsed_ns),
                  100 * (double)c->cpu_ns / (double)c->elapsed_ns, pause,
                  run->ended_early ? "; ended early" : "");
}

void aero_wws_svg(FILE *out, const char *name, const struct mig_wws_run *run)
{
    mig_svg_open(out, WIDTH, HEIGHT, "Writable working set",
                 "Distinct pages written by window length, the rate over "
                 "time, and where in memory the writes fall");
    draw_style(out);
    mig_svg_label(out, "strong", LEFT, 28, MIG_SVG_START,
                  "Writable working set of %s, %.0f MiB", name,
                  mib((double)run->wws.domain_pages));
    draw_curve(out, &run->wws);
    draw_rates(out, run);
    draw_heat(out, run);
    draw_legend(out);
    draw_foot(out, run);
    mig_svg_close(out);
}
