/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures: nothing in a text gets out of it, and values land in the frame. */
#define _GNU_SOURCE
#include "svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define BAD "\xef\xbf\xbd" /* U+FFFD */

static const struct mig_svg_frame frame = {
    .left = 50, .top = 10, .width = 400, .height = 200,
    .x_min = 0, .x_max = 8, .y_min = 0, .y_max = 50,
};

/* What a function wrote. */
struct page {
    char *text;
    size_t len;
    FILE *out;
};

static void page_open(struct page *p)
{
    p->out = open_memstream(&p->text, &p->len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->out);
}

static const char *page_text(struct page *p)
{
    fclose(p->out);
    p->out = NULL;
    return p->text;
}

static void check_escape(const char *text, const char *want)
{
    struct page p;

    page_open(&p);
    mig_svg_escape(p.out, text);
    CU_ASSERT_STRING_EQUAL(page_text(&p), want);
    free(p.text);
}

static void test_escape(void)
{
    check_escape("", "");
    check_escape("web 1", "web 1");
    check_escape("<b a=\"x\" b='y'>&amp;",
                 "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
    check_escape("bänke \xe2\x82\xac \xf0\x9f\x8e\x88",
                 "bänke \xe2\x82\xac \xf0\x9f\x8e\x88");
}

static void test_escape_unfit(void)
{
    check_escape("a\nb\x1b[2J\x7f", "a" BAD "b" BAD "[2J" BAD);
    check_escape("\xc2\x9b", BAD);                        /* C1 */
    check_escape("a\xe2\x80\xaez", "a" BAD "z");          /* override */
    check_escape("\xe2\x81\xa6x\xef\xbb\xbf", BAD "x" BAD);
    check_escape("\xff\xfe", BAD BAD);                    /* no UTF-8 */
    check_escape("\xc0\xbc", BAD BAD);                    /* overlong '<' */
    check_escape("\xed\xa0\x80", BAD BAD BAD);            /* surrogate */
    check_escape("\xf4\x90\x80\x80", BAD BAD BAD BAD);    /* beyond Unicode */
    check_escape("x\xe2\x82", "x" BAD BAD);               /* cut short */
    check_escape("\xef\xbf\xbf", BAD);                    /* no character */
}

static void test_places(void)
{
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_x(&frame, 0), 50, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_x(&frame, 4), 250, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_x(&frame, 99), 450, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_x(&frame, -1), 50, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&frame, 50), 10, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&frame, 0), 210, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&frame, (double)NAN), 210, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&frame, (double)INFINITY), 10, 1e-9);
}

/* Equal factors are equally far apart. */
static void test_logarithm(void)
{
    struct mig_svg_frame f = frame;

    f.y_log = true;
    f.y_min = 0.1;
    f.y_max = 100;
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&f, 0.1), 210, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&f, 0), 210, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&f, 100), 10, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_y(&f, 1) - mig_svg_y(&f, 10), 200. / 3,
                           1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_decade_below(0.31), 0.1, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_decade_below(1000), 1000, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_decade_above(31), 100, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_decade_above(0.1), 0.1, 1e-12);
}

static void test_steps(void)
{
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_step(10, 5), 2, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_step(11, 5), 5, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_step(60, 5), 20, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_step(0.03, 10), 0.005, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_limit(47.1, 5), 50, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_limit(50, 5), 50, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_limit(0, 5), 1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(mig_svg_limit((double)NAN, 5), 1, 1e-9);
    /* Over all sizes: the limit holds the value, and not much more. */
    for (double v = 1e-9; v < 1e15; v *= 1.37) {
        double limit = mig_svg_limit(v, 5);

        CU_ASSERT_TRUE(limit >= v * (1 - 1e-6) && limit <= v * 2 + 1e-12);
    }
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void test_picture(void)
{
    static const struct mig_svg_point points[] = { { 1, 2 }, { 3, 4 } };
    struct page p;
    const char *text;

    page_open(&p);
    mig_svg_open(p.out, 500, 250, "a<b", "c&d");
    mig_svg_style(p.out);
    mig_svg_axes(p.out, &frame, "seconds", "MB/s");
    mig_svg_rect(p.out, "s1", 1, 2, -3, 4, "<tip>");
    mig_svg_circle(p.out, "s2", 1, 2, 3, NULL);
    mig_svg_path(p.out, "l1", points, 2, true);
    mig_svg_path(p.out, "l9", points, 1, false);
    mig_svg_label(p.out, "label", 5, 6, MIG_SVG_END, "%s", "</text>");
    mig_svg_close(p.out);
    text = page_text(&p);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "<title>a&lt;b</title>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "<desc>c&amp;d</desc>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "<title>&lt;tip&gt;</title></rect>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "width=\"0.00\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "d=\"M1.00 2.00L3.00 4.00Z\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ">&lt;/text&gt;</text>"));
    CU_ASSERT_PTR_NULL(strstr(text, "l9\""));
    /* 0 to 8 by 1 and 0 to 50 by 10, two titles, one label. */
    CU_ASSERT_EQUAL(count(text, "<text "), 9 + 6 + 2 + 1);
    CU_ASSERT_EQUAL(count(text, "<text "), count(text, "</text>"));
    free(p.text);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "text is escaped", test_escape },
        { "what is no text is replaced", test_escape_unfit },
        { "values land in the frame", test_places },
        { "a logarithmic axis", test_logarithm },
        { "steps of an axis", test_steps },
        { "a picture", test_picture },
    };

    return unit_run("svg", tests, sizeof(tests) / sizeof(tests[0]));
}
