/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pictures as SVG, for a page or a file of their own: shapes by the name of
 * a style class, text that is escaped, and frames with axes.
 *
 *   mig_svg_open(out, 800, 300, "Rate", "each round as a bar");
 *   mig_svg_style(out);             only where the picture is a whole file
 *   mig_svg_axes(out, &frame, "seconds", "MB/s");
 *   mig_svg_rect(out, "s1", ...);
 *   mig_svg_close(out);
 *
 * Classes: s1 to s6 fill a series, l1 to l6 draw its line (add "thin" or
 * "dash"); "grid", "axis"; text is "label", "muted" or "strong" (add "halo"
 * where it lies over shapes: it is drawn last, on a rim of the ground). Colours
 * follow light and dark by themselves and are light in print. What is written
 * goes to a stdio stream, whose error the caller checks at the end.
 */
#ifndef MIG_SVG_H
#define MIG_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The plot's area in the picture's units, and what it shows. */
struct mig_svg_frame {
    double left, top, width, height;
    double x_min, x_max, y_min, y_max; /* min < max */
    bool y_log; /* y by its logarithm; y_min > 0 */
};

enum mig_svg_anchor {
    MIG_SVG_START,
    MIG_SVG_MIDDLE,
    MIG_SVG_END,
};

/*
 * Writes any text so that it is text in HTML and XML, also within a quoted
 * attribute. Control, invisible and direction-changing characters and bytes
 * that are not UTF-8 become U+FFFD.
 */
void mig_svg_escape(FILE *out, const char *text);

/* The style sheet's text for all classes, without <style> around it. */
const char *mig_svg_css(void);

/* Begins a picture of width by height. Both texts are escaped. */
void mig_svg_open(FILE *out, double width, double height, const char *title,
                  const char *description);
void mig_svg_style(FILE *out);
void mig_svg_close(FILE *out);

/*
 * A value's place, kept within the frame; a NaN is at its minimum, and so is
 * 0 on a logarithmic axis.
 */
double mig_svg_x(const struct mig_svg_frame *frame, double value);
double mig_svg_y(const struct mig_svg_frame *frame, double value);

/*
 * The distance of axis marks: 1, 2 or 5 times a power of ten, so that at most
 * @most of them lie in a range.
 * @range  > 0
 */
double mig_svg_step(double range, unsigned most);

/* The least limit of an axis that holds a value: a whole number of steps. */
double mig_svg_limit(double value, unsigned most_steps);

/* The next power of ten at or below a value, or at or above it; value > 0. */
double mig_svg_decade_below(double value);
double mig_svg_decade_above(double value);

/* Both axes with grid, marks and numbers, and what they count. */
void mig_svg_axes(FILE *out, const struct mig_svg_frame *frame,
                  const char *x_title, const char *y_title);

/* The x axis alone. */
void mig_svg_x_axis(FILE *out, const struct mig_svg_frame *frame,
                    const char *title);

/* Shapes in the picture's units. @tip: shown under the pointer; or NULL. */
void mig_svg_rect(FILE *out, const char *style, double x, double y,
                  double width, double height, const char *tip);
void mig_svg_line(FILE *out, const char *style, double x1, double y1,
                  double x2, double y2);
void mig_svg_circle(FILE *out, const char *style, double x, double y,
                    double radius, const char *tip);

struct mig_svg_point {
    double x, y;
};

/* A line through points; @closed: the area within. Less than two: nothing. */
void mig_svg_path(FILE *out, const char *style,
                  const struct mig_svg_point *points, size_t count,
                  bool closed);

/* One line of text, escaped. */
void mig_svg_label(FILE *out, const char *style, double x, double y,
                   enum mig_svg_anchor anchor, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

#endif
