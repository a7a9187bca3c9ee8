/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A report that is read back, and shown as a page: what was written is there,
 * what is wrong is refused with its place, and no text gets out of its place.
 */
#define _GNU_SOURCE
#include "report_read.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "figures.h"
#include "report.h"
#include "report_compare.h"
#include "report_html.h"
#include "unit.h"

#define MS(n)   ((uint64_t)(n) * LXE_NS_PER_MS)
#define HOSTILE "<i>\"'&</script>"

static int take_text(const char *text, struct mig_run *run,
                     struct lxe_err *err)
{
    struct lxe_json *root = NULL;
    int rc = lxe_json_parse(text, strlen(text), &root, err);

    *run = (struct mig_run){ 0 };
    return rc ? rc : mig_run_take(root, run, err);
}

static void fill(struct mig_report *r, unsigned rounds)
{
    *r = (struct mig_report){
        .id = "20261121-143005-web",
        .domain = HOSTILE,
        .to = "hostb",
        .uuid = "u",
        .domid = 5,
        .receiver = "xl",
        .wall_start_s = 1795271405,
        .begin_ns = MS(500),
        .precopy_ns = MS(900),
        .request_ns = MS(1200),
        .suspended_ns = MS(1240),
        .last_byte_ns = MS(1300),
        .ready_ns = MS(1500),
        .resumed_ns = MS(1520),
        .end_ns = MS(1600),
        .wire_bytes = 8000100,
        .stream_bytes = 24000300,
        .pack_ns = MS(70),
        .packing = { 512, 2.5, 2.25, 2.75, 4e8 },
        .outcome = MIG_MOVED,
        .stop_reason = "it fits",
        .has_prediction = true,
        .predicted = { .rounds = { 3, 2, 4 },
                       .wire_bytes = { 7e6, 6e6, 9e6 },
                       .downtime_ns = { MS(110), MS(90), MS(150) } },
    };
    mig_limits_default(&r->limits);
    r->limits.compress_level = 3;
    r->limits.compress_window_kib = 8192;
    mig_report_stage(r, "plan", MS(500));
    mig_report_stage(r, "pre-copy", MS(900));
    for (unsigned i = 0; i < rounds; i++) {
        struct mig_status s = { .kind = MIG_STATUS_ROUND, .round = {
            .index = i,
            .final = i + 1 == rounds,
            .dirty_pages = 100000 / (i + 1),
            .sent_pages = 90000 / (i + 1),
            .skipped_pages = i,
            .bytes = UINT64_C(400000000) / (i + 1),
            .wire_bytes = UINT64_C(100000000) / (i + 1),
            .start_ns = MS(900 + 10 * i),
            .end_ns = MS(910 + 10 * i),
            .limit_bps = 40000000,
            .dirty_pps = i ? 2500 : -1,
            .predicted_downtime_ns = MS(400 / (i + 1)),
            .downtime_limit_ns = MS(300),
            .slowed_percent = i == 1 ? 25 : 0,
        } };

        CU_ASSERT_EQUAL(mig_report_status(r, &s), 0);
    }
}

/* Writes a report and reads it back. */
static void there_and_back(unsigned rounds, struct mig_run *run)
{
    char folder[] = "/tmp/aerostat-read-XXXXXX", path[64];
    struct mig_report r;
    struct lxe_err err = { 0 };

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/r.json", folder);
    fill(&r, rounds);
    CU_ASSERT_EQUAL(mig_report_write(&r, path, &err), 0);
    CU_ASSERT_EQUAL_FATAL(mig_run_read(path, run, &err), 0);
    unlink(path);
    rmdir(folder);
    mig_report_free(&r);
}

static void test_written(void)
{
    struct mig_run run;

    there_and_back(4, &run);
    CU_ASSERT_STRING_EQUAL(run.outcome, "moved");
    CU_ASSERT_STRING_EQUAL(run.domain, HOSTILE);
    CU_ASSERT_STRING_EQUAL(run.stop_reason, "it fits");
    CU_ASSERT_PTR_NULL(run.error);
    CU_ASSERT_EQUAL(run.domid, 5);
    CU_ASSERT_EQUAL(run.compress_level, 3);
    CU_ASSERT_EQUAL(run.compress_window_kib, 8192);
    CU_ASSERT_EQUAL(run.packing_ms, 70);
    CU_ASSERT_DOUBLE_EQUAL(mig_run_packing(&run), 3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(run.total_ms, 1100, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(run.downtime.engine, 100, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(run.downtime.total, 320, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(run.max_downtime_ms, 300, 1e-6);
    CU_ASSERT_EQUAL(run.predicted_rounds.low, 2);
    CU_ASSERT_EQUAL(run.predicted_wire_bytes.expected, 7e6);
    CU_ASSERT_DOUBLE_EQUAL(run.predicted_downtime_ms.expected, 110, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(run.predicted_downtime_ms.high, 150, 1e-6);
    CU_ASSERT_EQUAL_FATAL(run.stage_count, 2);
    CU_ASSERT_STRING_EQUAL(run.stages[1].name, "pre-copy");
    CU_ASSERT_DOUBLE_EQUAL(run.stages[1].start_ms, 400, 1e-6);
    CU_ASSERT_EQUAL_FATAL(run.round_count, 4);
    CU_ASSERT_EQUAL(mig_run_live_rounds(&run), 3);
    CU_ASSERT_FALSE(mig_known(run.rounds[0].dirty_pps));
    CU_ASSERT_EQUAL(run.rounds[1].dirty_pps, 2500);
    CU_ASSERT_EQUAL(run.rounds[1].dirty_pages, 50000);
    CU_ASSERT_EQUAL(mig_run_round_sent(&run.rounds[1]), 50000000);
    CU_ASSERT_DOUBLE_EQUAL(run.rounds[1].rate_bps, 5e9, 1); /* in 10 ms */
    run.rounds[1].wire_bytes = (double)NAN; /* of a release before packing */
    CU_ASSERT_EQUAL(mig_run_round_sent(&run.rounds[1]), 200000000);
    CU_ASSERT_TRUE(run.rounds[3].final);
    CU_ASSERT_EQUAL(run.rounds[1].slowed_percent, 25);
    CU_ASSERT_EQUAL(run.rounds[1].downtime_limit_ms, 300);
    CU_ASSERT_TRUE(mig_run_slowed(&run));
    CU_ASSERT_DOUBLE_EQUAL(mig_run_slowed_ms(&run), 10, 1e-6);
    CU_ASSERT_EQUAL(mig_run_slowed_most(&run), 25);
    CU_ASSERT_EQUAL(mig_run_relaxed_ms(&run), 0);
    run.rounds[2].downtime_limit_ms = 450;
    CU_ASSERT_EQUAL(mig_run_relaxed_ms(&run), 450);
    CU_ASSERT_STRING_EQUAL(run.throttle, "none");
    CU_ASSERT_STRING_EQUAL(run.on_timeout, "force");
    CU_ASSERT_DOUBLE_EQUAL(run.rounds[3].start_ms, 430, 1e-6);
    mig_run_free(&run);
}

static void test_unknown(void)
{
    struct mig_run run;

    CU_ASSERT_EQUAL_FATAL(take_text("{\"version\":1,\"new\":[7]}", &run,
                                    NULL), 0);
    CU_ASSERT_PTR_NULL(run.domain);
    CU_ASSERT_FALSE(mig_known(run.total_ms));
    CU_ASSERT_FALSE(mig_known(run.downtime.total));
    CU_ASSERT_FALSE(run.skip);
    CU_ASSERT_FALSE(mig_run_slowed(&run));
    CU_ASSERT_EQUAL(run.round_count, 0);
    mig_run_free(&run);
}

static void check_refused(const char *text, const char *want)
{
    struct lxe_err err = { 0 };
    struct mig_run run;

    CU_ASSERT_TRUE(take_text(text, &run, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, want));
    if (!strstr(err.text, want))
        printf("  '%s' for %s\n", err.text, want);
    mig_run_free(&run);
}

static void test_refused(void)
{
    char *text = NULL;
    size_t len;
    FILE *f;

    check_refused("[]", "no report");
    check_refused("{}", "no report");
    check_refused("{\"version\":2}", "version 2");
    check_refused("{\"version\":1,\n\"domain\":7}", "line 2: domain is");
    check_refused("{\"version\":1,\n\n\"total_ms\":\"7\"}", "line 3: total");
    check_refused("{\"version\":1,\"total_ms\":-1}", "out of range");
    check_refused("{\"version\":1,\"total_ms\":1e300}", "out of range");
    check_refused("{\"version\":1,\"limits\":[]}", "limits is an array");
    check_refused("{\"version\":1,\"limits\":{\"skip\":1}}", "skip");
    check_refused("{\"version\":1,\"rounds\":{}}", "rounds is an object");
    check_refused("{\"version\":1,\"rounds\":[1]}", "rounds is a number");
    check_refused("{\"version\":1,\"rounds\":[{\"final\":0}]}", "final");
    check_refused("{\"version\":1,\"stages\":[{\"stage\":{}}]}", "stage");
    check_refused("{\"version\":1,\"stages\":[{},{},{},{},{},{},{},{},{}]}",
                  "more than 8");
    f = open_memstream(&text, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fprintf(f, "{\"version\":1,\"to\":\"%*d\"}", MIG_RUN_MAX_TEXT + 1, 7);
    fclose(f);
    check_refused(text, "longer than");
    free(text);
}

/* ---- the page ---- */

static char *page_of(const struct mig_run *run)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    mig_report_html(f, run, "1.0<x>");
    fclose(f);
    return text;
}

/* ---- the prediction ---- */

static void test_compared(void)
{
    static const char text[] =
        "{\"version\":1,\"precopy_ms\":900,\"stream_bytes\":4000,"
        "\"downtime_ms\":{\"engine\":110},\"rounds\":[{},{}],"
        "\"prediction\":{\"predicted\":{\"rounds\":{\"expected\":2,\"low\":3},"
        "\"bytes\":null,\"downtime_ms\":{\"expected\":100,\"low\":80,"
        "\"high\":150},\"total_ms\":{\"expected\":0}}}}";
    struct mig_compared all[MIG_COMPARED_MOST];
    struct mig_run run;
    char *page;

    CU_ASSERT_EQUAL_FATAL(take_text(text, &run, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mig_report_compare(&run, all), 3);
    CU_ASSERT_STRING_EQUAL(all[0].name, "downtime");
    CU_ASSERT_DOUBLE_EQUAL(mig_compared_error(&all[0]), -1. / 11, 1e-9);
    CU_ASSERT_EQUAL(all[0].predicted.high, 150);
    CU_ASSERT_EQUAL(all[1].actual, 1010);
    CU_ASSERT_EQUAL(mig_compared_error(&all[1]), -1);
    CU_ASSERT_EQUAL(all[2].actual, 2);
    CU_ASSERT_EQUAL(all[2].predicted.low, 2); /* never above the figure */
    CU_ASSERT_EQUAL(all[2].predicted.high, 2);
    page = page_of(&run);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "110 ms, -9 %"));
    free(page);
    mig_run_free(&run);
}

/* What is on the wire is told apart only where it was packed. */
static void test_packed_bytes(void)
{
    static const char text[] =
        "{\"version\":1,\"stream_bytes\":4000,\"wire_bytes\":1000,"
        "\"downtime_ms\":{\"engine\":110},\"limits\":{"
        "\"compress_level\":%u},\"prediction\":{\"predicted\":{"
        "\"wire_bytes\":{\"expected\":1500}}}}";
    struct mig_compared all[MIG_COMPARED_MOST];
    char packed[sizeof(text)];
    struct mig_run run;

    for (unsigned level = 0; level < 2; level++) {
        snprintf(packed, sizeof(packed), text, level);
        CU_ASSERT_EQUAL_FATAL(take_text(packed, &run, NULL), 0);
        CU_ASSERT_EQUAL(mig_report_compare(&run, all), level);
        mig_run_free(&run);
    }
    CU_ASSERT_STRING_EQUAL(all[0].name, "packed");
    CU_ASSERT_DOUBLE_EQUAL(mig_compared_error(&all[0]), 0.5, 1e-9);
}

static void test_nothing_to_compare(void)
{
    struct mig_compared all[MIG_COMPARED_MOST];
    struct mig_run run;

    CU_ASSERT_EQUAL_FATAL(take_text("{\"version\":1,\"prediction\":{"
                                    "\"predicted\":{\"bytes\":{"
                                    "\"expected\":7}}}}", &run,
                                    NULL), 0);
    CU_ASSERT_EQUAL(mig_report_compare(&run, all), 1);
    CU_ASSERT_FALSE(mig_known(all[0].actual)); /* it was not suspended */
    mig_run_free(&run);
    check_refused("{\"version\":1,\"prediction\":{\"predicted\":"
                  "{\"bytes\":7}}}", "bytes");
}

/* ---- what the page holds ---- */

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void test_page(void)
{
    struct mig_run run;
    char *page;

    there_and_back(4, &run);
    page = page_of(&run);
    CU_ASSERT_EQUAL(count(page, "<svg "), count(page, "</svg>"));
    CU_ASSERT_EQUAL(count(page, "<svg "), 7); /* no wait was measured */
    CU_ASSERT_EQUAL(count(page, "<section"), count(page, "</section>"));
    CU_ASSERT_EQUAL(count(page, "class=\"s1 bar\"") +
                        count(page, "class=\"s4 bar\""), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "320 ms"));
    /* The name stands in the title, the heading and the facts. */
    CU_ASSERT_EQUAL(count(page, "&lt;i&gt;&quot;&#39;&amp;&lt;/script&gt;"),
                    3);
    CU_ASSERT_PTR_NULL(strstr(page, "<i>"));
    CU_ASSERT_PTR_NULL(strstr(page, "script>"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "1.0&lt;x&gt;"));
    /* Nothing from elsewhere; the namespace is but a name. */
    CU_ASSERT_EQUAL(count(page, "http"),
                    count(page, "xmlns=\"http://www.w3.org/2000/svg\"") +
                        count(page, "http-equiv"));
    CU_ASSERT_EQUAL(count(page, "src=") + count(page, "url("), 0);
    free(page);
    mig_run_free(&run);
}

/* Packed 4 to 1, the guest dirties as much as is sent: 4 MB a second. */
static const char packed_run[] =
    "{\"version\":1,\"stream_bytes\":8000000,\"wire_bytes\":2000000,"
    "\"limits\":{\"compress_level\":1},\"rounds\":[{\"round\":0,"
    "\"start_ms\":0,\"duration_ms\":1000,\"dirty_pages\":2000,"
    "\"bytes\":4000000,\"wire_bytes\":1000000,\"rate_bps\":1e6},"
    "{\"round\":1,\"start_ms\":1000,\"duration_ms\":1000,"
    "\"dirty_pages\":1000,\"dirty_pages_per_s\":976.5625,"
    "\"bytes\":4000000,\"wire_bytes\":1000000,\"rate_bps\":1e6}]}";

/* The number of an attribute of the first shape of a class. */
static double place(const char *page, const char *style, const char *name)
{
    const char *at = strstr(page, style);

    at = at ? strstr(at, name) : NULL;
    CU_ASSERT_PTR_NOT_NULL(at);
    return at ? strtod(at + strlen(name), NULL) : (double)NAN;
}

/* Both stand on one axis: so both are bytes of the wire. */
static void test_packed_rates(void)
{
    struct mig_run run;
    char *page;

    CU_ASSERT_EQUAL_FATAL(take_text(packed_run, &run, NULL), 0);
    page = page_of(&run);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "dirtied by the guest meanwhile, "
                                        "packed as it was sent"));
    CU_ASSERT_DOUBLE_EQUAL(place(page, "class=\"l2\"", " y1=\""),
                           place(page, "class=\"s1 bar\"", " y=\""), 0.01);
    free(page);
    run.rounds[1].dirty_pps = 100; /* at the foot, where the text would be */
    page = page_of(&run);
    CU_ASSERT_TRUE(place(page, "class=\"onbar deep\"", " y=\"") <
                   place(page, "class=\"l2\"", " y1=\""));
    free(page);
    mig_run_free(&run);
}

/* Is no dot drawn over it? */
static bool is_last(const char *text)
{
    const char *end = text ? strstr(text, "</svg>") : NULL;
    const char *dot = text ? strstr(text, "<circle") : NULL;

    return end && (!dot || dot > end);
}

/* Away from the last predictions, which are near to it. */
static void check_actual(unsigned rounds, const char *anchor)
{
    struct mig_run run;
    char *page;

    there_and_back(rounds, &run);
    page = page_of(&run);
    CU_ASSERT_EQUAL(count(page, ">actual "), 1);
    CU_ASSERT_EQUAL(count(page, anchor), 1);
    CU_ASSERT_TRUE(is_last(strstr(page, ">actual ")));
    free(page);
    mig_run_free(&run);
}

static void test_actual_is_readable(void)
{
    check_actual(4, "\"end\">actual ");
    check_actual(6, "\"end\">actual ");
    check_actual(12, "\"start\">actual ");
}

static void test_page_of_nothing(void)
{
    struct mig_run run;
    char *page;

    CU_ASSERT_EQUAL_FATAL(take_text("{\"version\":1}", &run, NULL), 0);
    page = page_of(&run);
    CU_ASSERT_EQUAL(count(page, "<svg "), 0);
    CU_ASSERT_PTR_NULL(strstr(page, "nan"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "</html>"));
    free(page);
    mig_run_free(&run);
}

#define PLOT_WIDTH   900.0
#define CHARACTER    7.0 /* as wide as a digit of the font is at most */
#define MIDDLE_START "text-anchor=\"middle\">"

/* Is each text that has its middle somewhere whole within the plot? */
static bool middles_fit(const char *page)
{
    for (; (page = strstr(page, MIDDLE_START)); page++) {
        const char *text = page + strlen(MIDDLE_START), *x = page;
        double half = (double)strcspn(text, "<") * CHARACTER / 2, at;

        while (strncmp(x, " x=\"", 4))
            x--;
        at = strtod(x + 4, NULL);
        if (at - half < 0 || at + half > PLOT_WIDTH)
            return false;
    }
    return true;
}

/* One round, and a last pass of which a second picture is made. */
static const char brief_run[] =
    "{\"version\":1,\"waits_ms\":{\"for_pages\":200,\"for_rate\":3400,"
    "\"for_wire\":248},\"rounds\":[{\"round\":0,\"start_ms\":3600500,"
    "\"duration_ms\":1200,\"dirty_pages\":2000,\"rate_bps\":1e6},"
    "{\"round\":1,\"final\":true,\"start_ms\":3601710,\"duration_ms\":30,"
    "\"dirty_pages\":120,\"rate_bps\":1e6}]}";

static void test_marks_fit(void)
{
    struct mig_run run;
    char *page;

    CU_ASSERT_EQUAL_FATAL(take_text(brief_run, &run, NULL), 0);
    page = page_of(&run);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, ">3601.740<"));
    CU_ASSERT_TRUE(middles_fit(page));
    free(page);
    mig_run_free(&run);
}

/* One that was cancelled in its first round, without a limit of its rate. */
static const char cancelled_run[] =
    "{\"version\":1,\"outcome\":\"cancelled\","
    "\"memory\":{\"before_kib\":8192,\"moved_kib\":8192},"
    "\"limits\":{\"throttle\":\"none\",\"throttle_max_percent\":99},"
    "\"rounds\":[{\"round\":0,"
    "\"start_ms\":500,\"duration_ms\":1200,\"dirty_pages\":2000,"
    "\"rate_bps\":1e6,\"predicted_downtime_ms\":900}]}";

static void test_page_of_a_cancelled(void)
{
    struct mig_run run;
    char *page;

    CU_ASSERT_EQUAL_FATAL(take_text(cancelled_run, &run, NULL), 0);
    page = page_of(&run);
    CU_ASSERT_EQUAL(count(page, "class=\"s1 bar\""), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "sent, while the guest ran"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "the guest was not suspended"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "pre-copy did not end"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "<td>not allowed</td>"));
    CU_ASSERT_EQUAL(count(page, "<small>-"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "<small>nothing stayed behind<"));
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "p.bad{overflow-wrap:anywhere}"));
    /* No key to what is in none of its plots. */
    CU_ASSERT_PTR_NULL(strstr(page, "final pass"));
    CU_ASSERT_PTR_NULL(strstr(page, "the guest suspended</li>"));
    CU_ASSERT_PTR_NULL(strstr(page, "rate that was allowed"));
    CU_ASSERT_PTR_NULL(strstr(page, "dirtied by the guest"));
    CU_ASSERT_PTR_NULL(strstr(page, "what it was: "));
    free(page);
    mig_run_free(&run);
}

/* The longest report there is makes no page without end. */
static void test_longest(void)
{
    struct mig_run run;
    char *page;

    there_and_back(MIG_REPORT_ROUNDS, &run);
    page = page_of(&run);
    CU_ASSERT_PTR_NOT_NULL(strstr(page, "9602 rounds are left out"));
    CU_ASSERT_TRUE(count(page, "<tr>") < 500);
    CU_ASSERT_TRUE(strlen(page) < 16u << 20);
    free(page);
    mig_run_free(&run);
}

/* ---- figures ---- */

static void test_figures(void)
{
    char buf[MIG_FIGURE];

    CU_ASSERT_STRING_EQUAL(mig_fig_ms(buf, 0), "0 ms");
    CU_ASSERT_STRING_EQUAL(mig_fig_ms(buf, 81.94), "81.9 ms");
    CU_ASSERT_STRING_EQUAL(mig_fig_ms(buf, 999.9), "1.00 s");
    CU_ASSERT_STRING_EQUAL(mig_fig_ms(buf, 6391.5), "6.39 s");
    CU_ASSERT_STRING_EQUAL(mig_fig_ms(buf, 86400000), "86400 s");
    CU_ASSERT_STRING_EQUAL(mig_fig_bytes(buf, 237991536), "238 MB");
    CU_ASSERT_STRING_EQUAL(mig_fig_rate(buf, 62386056.5), "62.4 MB/s");
    CU_ASSERT_STRING_EQUAL(mig_fig_kib(buf, 1024), "1 MiB");
    CU_ASSERT_STRING_EQUAL(mig_fig_kib(buf, 524288), "512 MiB");
    CU_ASSERT_STRING_EQUAL(mig_fig_count(buf, 57960), "57,960");
    CU_ASSERT_STRING_EQUAL(mig_fig_count(buf, 999), "999");
    CU_ASSERT_STRING_EQUAL(mig_fig_count(buf, 1e17),
                           "100,000,000,000,000,000");
    CU_ASSERT_STRING_EQUAL(mig_fig_percent(buf, 0.0074), "0.74 %");
    CU_ASSERT_STRING_EQUAL(mig_fig_percent(buf, 0.21), "21 %");
    CU_ASSERT_STRING_EQUAL(mig_fig_percent(buf, 0.28), "28 %");
    CU_ASSERT_STRING_EQUAL(mig_fig_percent(buf, 0), "0 %");
    CU_ASSERT_STRING_EQUAL(mig_fig_ms(buf, -1), "-");
    CU_ASSERT_STRING_EQUAL(mig_fig_bytes(buf, 0.0 / 0.0), "-");
    CU_ASSERT_STRING_EQUAL(mig_fig_time(buf, 1795271405),
                           "2026-11-21 14:30:05 UTC");
    CU_ASSERT_STRING_EQUAL(mig_fig_time(buf, 1e18), "-");
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "what was written is read", test_written },
        { "what is missing is unknown", test_unknown },
        { "what is wrong is refused", test_refused },
        { "prediction and fact", test_compared },
        { "packed bytes", test_packed_bytes },
        { "no fact", test_nothing_to_compare },
        { "the page", test_page },
        { "the page of an empty report", test_page_of_nothing },
        { "rates of a packed one", test_packed_rates },
        { "the actual downtime's label", test_actual_is_readable },
        { "marks are not cut", test_marks_fit },
        { "the page of a cancelled migration", test_page_of_a_cancelled },
        { "the longest report", test_longest },
        { "figures", test_figures },
    };

    return unit_run("report-read", tests, sizeof(tests) / sizeof(tests[0]));
}
