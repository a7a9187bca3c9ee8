/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "wws_text.h"

#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli_table.h"
#include "cli_text.h"

#define PLOT_ROWS   10
#define PLOT_MAX    72 /* columns */
#define PLOT_MIN    20
#define LABEL_WIDTH 12

static bool has_blocks(void)
{
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static double mib(double pages)
{
    return pages * LXE_PAGE_SIZE / 1048576;
}

static size_t plot_width(size_t terminal)
{
    size_t room = terminal ? terminal : 80;

    room = room > LABEL_WIDTH + 2 ? room - LABEL_WIDTH - 2 : 0;
    return room > PLOT_MAX ? PLOT_MAX : room < PLOT_MIN ? PLOT_MIN : room;
}

/* ---- the table ---- */

size_t aero_wws_windows(const struct mig_wws *wws,
                        uint64_t out[AERO_WWS_ROWS])
{
    static const unsigned steps[] = { 1, 2, 5 };
    uint64_t first = wws->points[0].window_ns;
    uint64_t last = wws->points[wws->count - 1].window_ns * 3;
    size_t n = 0;

    for (uint64_t power = LXE_NS_PER_MS; power <= last; power *= 10)
        for (size_t i = 0; i < 3; i++)
            if (power * steps[i] >= first && power * steps[i] <= last &&
                n < AERO_WWS_ROWS)
                out[n++] = power * steps[i];
    return n;
}

static void add_row(struct aero_table *table, const struct mig_wws *wws,
                    uint64_t t_ns)
{
    char window[AERO_SIZE_TEXT], pages[32], size[32], bounds[64], rate[32];
    double d = mig_wws_pages(wws, t_ns);
    bool beyond = t_ns > wws->points[wws->count - 1].window_ns;
    const char *cells[] = { window, pages, size, bounds, rate,
                            beyond ? "extrapolated" : "" };

    aero_text_duration(window, (double)t_ns / 1e9);
    snprintf(pages, sizeof(pages), "%.0f", d);
    snprintf(size, sizeof(size), "%.1f", mib(d));
    snprintf(bounds, sizeof(bounds), "%.1f to %.1f",
             mib(mig_wws_pages_low(wws, t_ns)),
             mib(mig_wws_pages_high(wws, t_ns)));
    snprintf(rate, sizeof(rate), "%.0f", mig_wws_rate(wws, t_ns));
    aero_table_add(table, cells);
}

static int print_table(FILE *out, const struct mig_wws *wws, size_t width)
{
    static const struct aero_column columns[] = {
        { "WINDOW", AERO_RIGHT }, { "PAGES", AERO_RIGHT },
        { "MiB", AERO_RIGHT },    { "95 % BOUNDS, MiB", AERO_RIGHT },
        { "PAGES/S", AERO_RIGHT }, { "", AERO_LEFT },
    };
    struct aero_table *table = aero_table_new(columns, 6);
    uint64_t windows[AERO_WWS_ROWS];
    size_t n = aero_wws_windows(wws, windows);
    int rc;

    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        add_row(table, wws, windows[i]);
    rc = aero_table_print(table, out, width);
    aero_table_free(table);
    return rc;
}

/* ---- pictures ---- */

/* A cell that is filled from below, in eighths; or as well as ASCII can. */
static const char *eighths(int n, bool blocks)
{
    static const char *const block[] = { " ", "▁", "▂", "▃", "▄",
                                         "▅", "▆", "▇", "█" };
    static const char *const ascii[] = { " ", ".", ".", ".", "-",
                                         "-", "=", "#", "#" };

    n = n < 0 ? 0 : n > 8 ? 8 : n;
    return blocks ? block[n] : ascii[n];
}

static const char *shade(double share, bool blocks)
{
    static const char *const block[] = { " ", "·", "░", "▒", "▓", "█" };
    static const char *const ascii[] = { " ", ".", ":", "+", "*", "#" };
    int n = share < 0       ? 0
            : share == 0    ? 1
            : share <= 0.05 ? 2
            : share <= 0.25 ? 3
            : share <= 0.6  ? 4
                            : 5;

    return blocks ? block[n] : ascii[n];
}

/* D(t) as an area; where the upper bound is above it, a dot. */
static void print_curve(FILE *out, const struct mig_wws *wws, size_t width)
{
    uint64_t reach = wws->points[wws->count - 1].window_ns;
    double top = fmax(mig_wws_pages_high(wws, reach), 1);
    bool blocks = has_blocks();
    char text[AERO_SIZE_TEXT];

    fprintf(out, "\nDistinct pages written in a window, MiB\n\n");
    for (int row = PLOT_ROWS - 1; row >= 0; row--) {
        if (row == PLOT_ROWS - 1 || row == PLOT_ROWS / 2 || row == 0)
            fprintf(out, "%*.1f |", LABEL_WIDTH - 2,
                    mib(top * (row == 0 ? 0 : row + 1) / PLOT_ROWS));
        else
            fprintf(out, "%*s |", LABEL_WIDTH - 2, "");
        for (size_t x = 0; x < width; x++) {
            uint64_t t = reach / width * (x + 1);
            double cells = mig_wws_pages(wws, t) / top * PLOT_ROWS - row;
            double high = mig_wws_pages_high(wws, t) / top * PLOT_ROWS;

            if (cells < 0.0625 && (int)ceil(high) - 1 == row && high > 0)
                fputs(blocks ? "·" : "'", out);
            else
                fputs(eighths((int)lround(cells * 8), blocks), out);
        }
        fputc('\n', out);
    }
    fprintf(out, "%*s +", LABEL_WIDTH - 2, "");
    for (size_t x = 0; x < width; x++)
        fputc('-', out);
    aero_text_duration(text, (double)reach / 1e9);
    fprintf(out, "\n%*s0%*s\n", LABEL_WIDTH, "", (int)width - 1, text);
}

static double window_rate(const struct mig_wws_window *w)
{
    return w->pages * 1e9 / (double)w->length_ns;
}

/* A column a window or more; those that were not measured stay empty. */
static void print_rates(FILE *out, const struct mig_wws_run *run, size_t width)
{
    size_t each = width / run->window_count;
    bool blocks = has_blocks();
    double top = 1;

    for (size_t i = 0; i < run->window_count; i++)
        top = fmax(top, window_rate(&run->windows[i]));
    fprintf(out, "\nPages/s of each window, at most %.0f\n\n%*s |", top,
            LABEL_WIDTH - 2, "");
    for (size_t i = 0; i < run->window_count; i++)
        for (size_t x = 0; x < (each ? each : 1); x++)
            fputs(eighths(x + 1 == each && each > 1
                              ? 0
                              : (int)lround(window_rate(&run->windows[i]) /
                                            top * 8),
                          blocks),
                  out);
    fputc('\n', out);
}

static void print_heat(FILE *out, const struct mig_wws_run *run, size_t width)
{
    bool blocks = has_blocks();
    size_t cells = 1;

    while (cells * 2 <= width && cells * 2 <= MIG_WWS_CELLS)
        cells *= 2;
    fprintf(out, "\nWhere in memory, as a share of the pages there: "
                 "%s none  %s to 5 %%  %s 25 %%  %s 60 %%  %s more\n\n%*s |",
            shade(0, blocks), shade(.05, blocks), shade(.25, blocks),
            shade(.6, blocks), shade(1, blocks), LABEL_WIDTH - 2, "");
    for (size_t i = 0; i < cells; i++) {
        double sum = 0, known = 0;

        for (size_t j = 0; j < MIG_WWS_CELLS / cells; j++) {
            double heat = run->heat[i * (MIG_WWS_CELLS / cells) + j];

            sum += heat >= 0 ? heat : 0;
            known += heat >= 0;
        }
        fputs(shade(known > 0 ? sum / known : -1, blocks), out);
    }
    fprintf(out, "|\n%*s0%*.0f MiB\n", LABEL_WIDTH, "", (int)cells - 4,
            mib((double)run->heat_pages));
}

/* ---- words ---- */

static void print_facts(FILE *out, const struct mig_wws_run *run)
{
    const struct mig_wws *w = &run->wws;
    char knee[AERO_SIZE_TEXT];

    if (w->method == MIG_WWS_LOG_DIRTY)
        fprintf(out, "\nHot set: %.1f MiB, written in three of four windows "
                "or more.\n", mib(w->hot_pages));
    else
        fprintf(out, "\nHot set: %.1f MiB or more, from where the curve's "
                "end comes.\n", mib(w->hot_pages));
    if (w->knee_ns)
        fprintf(out, "The curve bends at %s and %.1f MiB; ",
                aero_text_duration(knee, (double)w->knee_ns / 1e9),
                mib(w->knee_pages));
    else
        fprintf(out, "The curve does not bend; ");
    fprintf(out, "at its end %.0f pages/s are newly written.\n",
            mig_wws_tail_rate(w));
}

static void print_cost(FILE *out, const struct mig_wws_cost *cost,
                       enum mig_wws_method method)
{
    double seconds = (double)cost->elapsed_ns / 1e9;

    fprintf(out, "Cost: %.2f %% of a CPU over %.1f s, %u looks",
            (double)cost->cpu_ns / 1e7 / seconds, seconds, cost->looks);
    if (method == MIG_WWS_LOG_DIRTY)
        fprintf(out, "; the guest paused for %.2f %% of it at most, %.1f ms "
                "at a time", (double)cost->pause_ns / 1e7 / seconds,
                (double)cost->longest_pause_ns / 1e6);
    fputs(".\n", out);
}

int aero_wws_text(FILE *out, const char *name, const struct mig_wws_run *run,
                  size_t width)
{
    int rc;

    fprintf(out, "%s: %.0f MiB, %zu windows, by %s%s\n\n", name,
            mib((double)run->wws.domain_pages), run->window_count,
            run->wws.method == MIG_WWS_LOG_DIRTY ? "log-dirty mode"
                                                 : "samples of pages",
            run->ended_early ? " (ended early)" : "");
    rc = print_table(out, &run->wws, width);
    if (rc)
        return rc;
    print_curve(out, &run->wws, plot_width(width));
    print_rates(out, run, plot_width(width));
    print_heat(out, run, plot_width(width));
    print_facts(out, run);
    print_cost(out, &run->cost, run->wws.method);
    return ferror(out) ? -EIO : 0;
}
