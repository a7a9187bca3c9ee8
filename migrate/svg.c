/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "svg.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#define LABEL_MAX   400
#define X_MARKS     10
#define Y_MARKS     5
#define DECADES     20 /* at most, of a logarithmic axis */
#define TEXT_HEIGHT 12.0

/* ---- text ---- */

/* The length of the UTF-8 character at @s and its code; 0 where it is none. */
static size_t decode(const unsigned char *s, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = *s < 0x80   ? 1
               : *s < 0xc2 ? 0
               : *s < 0xe0 ? 2
               : *s < 0xf0 ? 3
               : *s < 0xf5 ? 4
                           : 0;

    if (!n)
        return 0;
    *code = n == 1 ? *s : *s & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3fu);
    }
    if (*code < least[n] || *code > 0x10ffff ||
        (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return n;
}

/* What would change how the text around it looks, or is no text at all. */
static bool unfit(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
           c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c <= 0xe0fff);
}

static const char *entity(uint32_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void mig_svg_escape(FILE *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        uint32_t c;
        size_t n = decode(s, &c);

        if (!n || unfit(c))
            fputs("\xef\xbf\xbd", out);
        else if (entity(c))
            fputs(entity(c), out);
        else
            fwrite(s, 1, n, out);
        s += n ? n : 1;
    }
}

/* ---- the whole ---- */

/*
 * Okabe and Ito's colours, which people with any colour vision tell apart,
 * lightened for dark pages.
 */
#define LIGHT                                                                 \
    "--ink:#1b1f24;--soft:#5b6470;--rule:#c9d0d8;--grid:#e6eaee;"             \
    "--c1:#0072b2;--c2:#d55e00;--c3:#009e73;--c4:#cc79a7;--c5:#e69f00;"       \
    "--c6:#56b4e9;--card:#fff;"
#define DARK                                                                  \
    "--ink:#e6eaef;--soft:#9aa5b1;--rule:#4a535e;--grid:#2b323a;"             \
    "--c1:#4aa8e0;--c2:#ff8a3d;--c3:#2fc79b;--c4:#e29bc4;--c5:#f2b632;"       \
    "--c6:#8fd0f5;--card:#14181d;"

const char *mig_svg_css(void)
{
    return ":root{" LIGHT "}\n"
           "@media screen and (prefers-color-scheme:dark){:root{" DARK "}}\n"
           "svg{font:12px system-ui,-apple-system,'Segoe UI',Roboto,"
           "'DejaVu Sans',sans-serif;font-variant-numeric:tabular-nums}\n"
           "svg text{fill:var(--ink)}svg .muted{fill:var(--soft)}"
           "svg .strong{font-weight:600}"
           "svg .halo{paint-order:stroke;stroke:var(--card);stroke-width:5;"
           "stroke-linejoin:round}\n"
           ".grid{stroke:var(--grid);stroke-width:1}"
           ".axis{stroke:var(--rule);stroke-width:1;fill:none}\n"
           ".s1{fill:var(--c1)}.s2{fill:var(--c2)}.s3{fill:var(--c3)}"
           ".s4{fill:var(--c4)}.s5{fill:var(--c5)}.s6{fill:var(--c6)}\n"
           ".l1,.l2,.l3,.l4,.l5,.l6{fill:none;stroke-width:2;"
           "stroke-linejoin:round}\n"
           ".l1{stroke:var(--c1)}.l2{stroke:var(--c2)}.l3{stroke:var(--c3)}"
           ".l4{stroke:var(--c4)}.l5{stroke:var(--c5)}.l6{stroke:var(--c6)}\n"
           ".thin{stroke-width:1}.dash{stroke-dasharray:5 4}"
           ".area{opacity:.22}.bar{opacity:.82}\n";
}

void mig_svg_open(FILE *out, double width, double height, const char *title,
                  const char *description)
{
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
                 "viewBox=\"0 0 %.6g %.6g\" width=\"%.6g\" height=\"%.6g\">\n"
                 "<title>", width, height, width, height);
    mig_svg_escape(out, title);
    fputs("</title>\n<desc>", out);
    mig_svg_escape(out, description);
    fputs("</desc>\n", out);
}

void mig_svg_style(FILE *out)
{
    fprintf(out, "<style>\n%s"
                 "@media screen and (prefers-color-scheme:dark)"
                 "{svg{background:#14181d}}\n</style>\n", mig_svg_css());
}

void mig_svg_close(FILE *out)
{
    fputs("</svg>\n", out);
}

/* ---- axes ---- */

/* Where a value lies in its range: 0 to 1. */
static double fraction(double value, double min, double max)
{
    double f = (value - min) / (max - min);

    return f > 0 ? fmin(f, 1) : 0;
}

double mig_svg_x(const struct mig_svg_frame *f, double value)
{
    return f->left + f->width * fraction(value, f->x_min, f->x_max);
}

double mig_svg_y(const struct mig_svg_frame *f, double value)
{
    double at = f->y_log ? fraction(value > 0 ? log10(value) : -DBL_MAX,
                                    log10(f->y_min), log10(f->y_max))
                         : fraction(value, f->y_min, f->y_max);

    return f->top + f->height * (1 - at);
}

double mig_svg_step(double range, unsigned most)
{
    double raw = range / most;
    double power = pow(10, floor(log10(raw)));
    double lead = raw / power;

    /* A hair of slack, so that 10 in 5 steps are steps of 2. */
    return power * (lead <= 1 + 1e-9   ? 1
                    : lead <= 2 + 1e-9 ? 2
                    : lead <= 5 + 1e-9 ? 5
                                       : 10);
}

double mig_svg_limit(double value, unsigned most_steps)
{
    double step;

    if (!(value > 0) || isinf(value))
        return 1;
    step = mig_svg_step(value, most_steps);
    return step * ceil(value / step - 1e-9);
}

double mig_svg_decade_below(double value)
{
    return pow(10, floor(log10(value) + 1e-9));
}

double mig_svg_decade_above(double value)
{
    return pow(10, ceil(log10(value) - 1e-9));
}

/* Digits behind the point that tell marks of this distance apart. */
static int digits(double step)
{
    double n = ceil(-log10(step) - 1e-9);

    return n > 0 ? (n < 9 ? (int)n : 9) : 0;
}

void mig_svg_x_axis(FILE *out, const struct mig_svg_frame *f,
                    const char *title)
{
    double step = mig_svg_step(f->x_max - f->x_min, X_MARKS);
    double bottom = f->top + f->height;
    double first = ceil(f->x_min / step - 1e-9);

    for (unsigned i = 0; i <= X_MARKS; i++) {
        double value = (first + i) * step;

        if (value > f->x_max + step * 1e-6)
            break;
        mig_svg_line(out, "axis", mig_svg_x(f, value), bottom,
                     mig_svg_x(f, value), bottom + 4);
        mig_svg_label(out, "muted", mig_svg_x(f, value),
                      bottom + 6 + TEXT_HEIGHT, MIG_SVG_MIDDLE, "%.*f",
                      digits(step), value);
    }
    mig_svg_line(out, "axis", f->left, bottom, f->left + f->width, bottom);
    mig_svg_label(out, "muted", f->left + f->width,
                  bottom + 12 + 2 * TEXT_HEIGHT, MIG_SVG_END, "%s", title);
}

static void y_mark(FILE *out, const struct mig_svg_frame *f, double value,
                   double step)
{
    double y = mig_svg_y(f, value);

    mig_svg_line(out, "grid", f->left, y, f->left + f->width, y);
    mig_svg_label(out, "muted", f->left - 8, y + 4, MIG_SVG_END, "%.*f",
                  digits(step), value);
}

static void y_decades(FILE *out, const struct mig_svg_frame *f)
{
    double value = mig_svg_decade_above(f->y_min);

    for (unsigned i = 0; i < DECADES && value <= f->y_max * 1.000001; i++) {
        y_mark(out, f, value, value);
        value *= 10;
    }
}

static void y_steps(FILE *out, const struct mig_svg_frame *f)
{
    double step = mig_svg_step(f->y_max - f->y_min, Y_MARKS);
    double first = ceil(f->y_min / step - 1e-9);

    for (unsigned i = 0; i <= Y_MARKS; i++) {
        double value = (first + i) * step;

        if (value > f->y_max + step * 1e-6)
            break;
        y_mark(out, f, value, step);
    }
}

static void y_axis(FILE *out, const struct mig_svg_frame *f,
                   const char *title)
{
    if (f->y_log)
        y_decades(out, f);
    else
        y_steps(out, f);
    mig_svg_label(out, "muted", 0, f->top - TEXT_HEIGHT, MIG_SVG_START, "%s",
                  title);
}

void mig_svg_axes(FILE *out, const struct mig_svg_frame *frame,
                  const char *x_title, const char *y_title)
{
    y_axis(out, frame, y_title);
    mig_svg_x_axis(out, frame, x_title);
}

/* ---- shapes ---- */

static void end_shape(FILE *out, const char *element, const char *tip)
{
    if (!tip) {
        fputs("/>\n", out);
        return;
    }
    fputs("><title>", out);
    mig_svg_escape(out, tip);
    fprintf(out, "</title></%s>\n", element);
}

void mig_svg_rect(FILE *out, const char *style, double x, double y,
                  double width, double height, const char *tip)
{
    fprintf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                 "height=\"%.2f\"", style, x, y, fmax(width, 0),
            fmax(height, 0));
    end_shape(out, "rect", tip);
}

void mig_svg_line(FILE *out, const char *style, double x1, double y1,
                  double x2, double y2)
{
    fprintf(out, "<line class=\"%s\" x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" "
                 "y2=\"%.2f\"/>\n", style, x1, y1, x2, y2);
}

void mig_svg_circle(FILE *out, const char *style, double x, double y,
                    double radius, const char *tip)
{
    fprintf(out, "<circle class=\"%s\" cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\"",
            style, x, y, radius);
    end_shape(out, "circle", tip);
}

void mig_svg_path(FILE *out, const char *style,
                  const struct mig_svg_point *points, size_t count,
                  bool closed)
{
    if (count < 2)
        return;
    fprintf(out, "<path class=\"%s\" d=\"", style);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%c%.2f %.2f", i ? 'L' : 'M', points[i].x, points[i].y);
    fprintf(out, "%s\"/>\n", closed ? "Z" : "");
}

void mig_svg_label(FILE *out, const char *style, double x, double y,
                   enum mig_svg_anchor anchor, const char *fmt, ...)
{
    static const char *const anchors[] = { "start", "middle", "end" };
    char text[LABEL_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(out, "<text class=\"%s\" x=\"%.2f\" y=\"%.2f\" "
                 "text-anchor=\"%s\">", style, x, y, anchors[anchor]);
    mig_svg_escape(out, text);
    fputs("</text>\n", out);
}
