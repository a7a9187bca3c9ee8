/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happened, from statuses to JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "report.h"
#include "unit.h"

#define MS(n)     ((uint64_t)(n) * LXE_NS_PER_MS)
#define ROUNDS    3
#define MAX_BYTES (1u << 20)

static char folder[] = "/tmp/aerostat-report-XXXXXX";

static void take(struct mig_report *r, struct mig_status s)
{
    CU_ASSERT_EQUAL(mig_report_status(r, &s), 0);
}

static struct mig_round a_round(unsigned i)
{
    return (struct mig_round){
        .index = i,
        .final = i == ROUNDS - 1,
        .dirty_pages = 1000 >> i,
        .sent_pages = 900 >> i,
        .skipped_pages = (1000 >> i) - (900 >> i),
        .bytes = (900 >> i) * 4104,
        .wire_bytes = (900 >> i) * 1026,
        .start_ns = MS(1000 + 100 * i),
        .end_ns = MS(1100 + 100 * i),
        .limit_bps = 40000000,
        .dirty_pps = i ? 2500.5 : -1,
        .predicted_downtime_ns = MS(400 >> i),
    };
}

/* From the save helper's words alone. */
static void collect(struct mig_report *r)
{
    take(r, (struct mig_status){ .kind = MIG_STATUS_START, .at_ns = MS(990),
                                 .domain_pages = 1000 });
    take(r, (struct mig_status){ .kind = MIG_STATUS_PROGRESS });
    for (unsigned i = 0; i < ROUNDS; i++)
        take(r, (struct mig_status){ .kind = MIG_STATUS_ROUND,
                                     .round = a_round(i) });
    take(r, (struct mig_status){ .kind = MIG_STATUS_STOP,
                                 .reason = "it fits" });
    take(r, (struct mig_status){ .kind = MIG_STATUS_SUSPENDED, .ok = true,
                                 .at_ns = MS(1240), .request_ns = MS(1200) });
    take(r, (struct mig_status){ .kind = MIG_STATUS_END, .ok = true,
                                 .at_ns = MS(1300), .bytes = 8000000,
                                 .wire_bytes = 2000000, .pack_ns = MS(15),
                                 .limiter = { 5, 0.004, 0.008 },
                                 .peeks = 7, .peek_ns = MS(3),
                                 .idle_ns = MS(20), .held_ns = MS(30),
                                 .blocked_ns = MS(40) });
}

static struct mig_report moved(void)
{
    struct mig_report r = {
        .domain = "web \"1\"",
        .uuid = "3f1c0b52-8a4e-4a4f-9a6e-1f9b3f6c7d21",
        .to = "b.example",
        .domid = 5,
        .receiver = "xl",
        .begin_ns = MS(500),
        .ready_ns = MS(1500),
        .resumed_ns = MS(1520),
        .end_ns = MS(1600),
        .outcome = MIG_MOVED,
        .page_cache = {
            .original_target_kib = 1048576,
            .before_kib = 1048576,
            .after_kib = 524288,
            .dropped = true,
        },
        .id = "20251121-104000-web",
    };

    mig_limits_default(&r.limits);
    mig_report_stage(&r, "plan", MS(500));
    mig_report_stage(&r, "pre-copy", MS(900));
    mig_report_stage(&r, "commit", MS(1500));
    collect(&r);
    return r;
}

static void test_sums(void)
{
    struct mig_report r = moved();

    CU_ASSERT_EQUAL(r.round_count, ROUNDS);
    CU_ASSERT_EQUAL(mig_report_sent_pages(&r), 900 + 450 + 225);
    CU_ASSERT_EQUAL(mig_report_skipped_pages(&r), 100 + 50 + 25);
    CU_ASSERT_EQUAL(mig_report_downtime_ns(&r), MS(320));
    CU_ASSERT_STRING_EQUAL(mig_outcome_name(r.outcome), "moved");
    mig_report_free(&r);
    CU_ASSERT_EQUAL(r.round_count, 0);
}

/* A guest that never stood still, or went on here, has no downtime. */
static void test_no_downtime(void)
{
    struct mig_report r = { 0 };

    CU_ASSERT_EQUAL(mig_report_downtime_ns(&r), 0);
    take(&r, (struct mig_status){ .kind = MIG_STATUS_SUSPENDED, .ok = false,
                                  .at_ns = 5, .request_ns = 4 });
    CU_ASSERT_EQUAL(r.request_ns, 0);
    take(&r, (struct mig_status){ .kind = MIG_STATUS_SUSPENDED, .ok = true,
                                  .at_ns = 5, .request_ns = 4 });
    CU_ASSERT_EQUAL(mig_report_downtime_ns(&r), 0);
    take(&r, (struct mig_status){ .kind = MIG_STATUS_END, .ok = false,
                                  .at_ns = 9 });
    CU_ASSERT_EQUAL(r.last_byte_ns, 0);
    mig_report_free(&r);
}

/* A helper that goes mad does not fill our memory. */
static void test_too_many_rounds(void)
{
    struct mig_status s = { .kind = MIG_STATUS_ROUND };
    struct mig_report r = { 0 };
    int rc = 0;

    for (unsigned i = 0; i < MIG_REPORT_ROUNDS && !rc; i++)
        rc = mig_report_status(&r, &s);
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_EQUAL(mig_report_status(&r, &s), -EPROTO);
    CU_ASSERT_EQUAL(r.round_count, MIG_REPORT_ROUNDS);
    mig_report_free(&r);
}

/* ---- JSON ---- */

static struct lxe_json *written(const struct mig_report *r, const char *name)
{
    struct lxe_json *root = NULL;
    struct lxe_err err = { 0 };
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (mig_report_write(r, path, &err) ||
        lxe_json_parse_file(path, MAX_BYTES, &root, &err))
        printf("  %s\n", err.text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    unlink(path);
    return root;
}

static double number(const struct lxe_json *node, const char *key)
{
    double value = -1;

    if (lxe_json_double(lxe_json_get(node, key), &value))
        printf("  no number '%s'\n", key);
    return value;
}

static void check_null(const struct lxe_json *node, const char *key)
{
    node = lxe_json_get(node, key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    CU_ASSERT_EQUAL(lxe_json_type(node), LXE_JSON_NULL);
}

static double sum(const struct lxe_json *rounds, const char *key)
{
    double n = 0;

    for (size_t i = 0; i < lxe_json_count(rounds); i++)
        n += number(lxe_json_at(rounds, i), key);
    return n;
}

static void test_adds_up(void)
{
    struct mig_report r = moved();
    struct lxe_json *root = written(&r, "moved.json");
    const struct lxe_json *rounds = lxe_json_get(root, "rounds");
    const struct lxe_json *down = lxe_json_get(root, "downtime_ms");
    const struct lxe_json *last = lxe_json_at(rounds, ROUNDS - 1);
    const struct lxe_json *waits = lxe_json_get(root, "waits_ms");

    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(root, "outcome")),
                           "moved");
    CU_ASSERT_EQUAL_FATAL(lxe_json_count(rounds), ROUNDS);
    CU_ASSERT_EQUAL(sum(rounds, "sent_pages"), number(root, "sent_pages"));
    CU_ASSERT_EQUAL(sum(rounds, "skipped_pages"),
                    number(root, "skipped_pages"));
    CU_ASSERT_TRUE(sum(rounds, "bytes") <= number(root, "stream_bytes"));
    CU_ASSERT_DOUBLE_EQUAL(number(down, "suspend") +
                               number(down, "last_pass") +
                               number(down, "device") +
                               number(down, "resume"),
                           number(down, "total"), 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(down, "total"), 320, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(down, "engine"), 100, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(root, "total_ms"), 1100, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(last, "start_ms"), 700, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(last, "duration_ms"), 100, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(last, "rate_bps"), 225 * 1026 * 10, 1);
    CU_ASSERT_EQUAL(number(root, "wire_bytes"), 2000000);
    CU_ASSERT_EQUAL(number(waits, "for_pages"), 20);
    CU_ASSERT_EQUAL(number(waits, "for_rate"), 30);
    CU_ASSERT_EQUAL(number(waits, "for_wire"), 40);
    CU_ASSERT_EQUAL(number(waits, "packing"), 15);
    check_null(lxe_json_at(rounds, 0), "dirty_pages_per_s");
    CU_ASSERT_DOUBLE_EQUAL(number(last, "dirty_pages_per_s"), 2500.5, 1e-6);
    lxe_json_free(root);
    mig_report_free(&r);
}

/* 310 ms from the first round to the last byte, 100 of them suspended. */
static void test_prediction(void)
{
    struct mig_report r = moved();
    struct lxe_json *root = written(&r, "none.json");
    const struct lxe_json *p, *actual, *error;

    check_null(root, "prediction");
    lxe_json_free(root);
    r.has_prediction = true;
    r.predicted.total_ns = (struct mig_range){ 341e6, 300e6, 400e6 };
    r.predicted.downtime_ns = (struct mig_range){ 75e6, 50e6, 90e6 };
    root = written(&r, "moved.json");
    p = lxe_json_get(root, "prediction");
    actual = lxe_json_get(p, "actual");
    error = lxe_json_get(p, "error");
    CU_ASSERT_EQUAL(number(actual, "rounds"), ROUNDS - 1);
    CU_ASSERT_DOUBLE_EQUAL(number(actual, "total_ms"), 310, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(actual, "downtime_ms"), 100, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(number(error, "total"), 0.1, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(number(error, "downtime"), -0.25, 1e-9);
    p = lxe_json_get(lxe_json_get(p, "predicted"), "downtime_ms");
    CU_ASSERT_DOUBLE_EQUAL(number(p, "high"), 90, 1e-9);
    lxe_json_free(root);

    r.last_byte_ns = 0; /* it did not get so far */
    root = written(&r, "failed.json");
    p = lxe_json_get(root, "prediction");
    check_null(lxe_json_get(p, "actual"), "total_ms");
    check_null(lxe_json_get(p, "error"), "downtime");
    lxe_json_free(root);
    mig_report_free(&r);
}

/* The curve that was seen before is kept as xl wws would write it. */
static void test_curve(void)
{
    struct mig_report r = moved();
    struct lxe_json *root = written(&r, "none.json");
    struct mig_wws wws;

    check_null(root, "wws");
    lxe_json_free(root);
    r.has_wws = true;
    r.wws = (struct mig_wws){
        .points = { { MS(2000), 500, 400, 600 } },
        .count = 1,
        .windows = 3,
        .domain_pages = 1000,
    };
    root = written(&r, "curve.json");
    CU_ASSERT_EQUAL(mig_wws_parse(root, &wws, NULL), 0);
    CU_ASSERT_EQUAL(mig_wws_pages(&wws, MS(1000)), 250);
    lxe_json_free(root);
    mig_report_free(&r);
}

/* Each stage ends where the next one begins, the last at the end. */
static void test_stages(void)
{
    static const double starts[] = { 0, 400, 1000 };
    static const double lengths[] = { 400, 600, 100 };
    struct mig_report r = moved();
    struct lxe_json *root = written(&r, "stages.json");
    const struct lxe_json *stages = lxe_json_get(root, "stages");

    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(root, "id")),
                           "20251121-104000-web");
    CU_ASSERT_EQUAL_FATAL(lxe_json_count(stages), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct lxe_json *stage = lxe_json_at(stages, i);

        CU_ASSERT_DOUBLE_EQUAL(number(stage, "start_ms"), starts[i], 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(number(stage, "duration_ms"), lengths[i],
                               1e-6);
    }
    for (int i = 0; i < 20; i++)
        mig_report_stage(&r, "again", MS(2000));
    CU_ASSERT_EQUAL(r.stage_count, MIG_REPORT_STAGES);
    lxe_json_free(root);
    mig_report_free(&r);
}

/* What did not happen is null, not 0. */
static void test_failed(void)
{
    struct mig_report r = { .outcome = MIG_FAILED, .begin_ns = MS(1),
                            .end_ns = MS(2), .error = "no room there" };
    struct lxe_json *root = written(&r, "a/b/failed.json");
    const struct lxe_json *down = lxe_json_get(root, "downtime_ms");
    char path[256];

    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(root, "outcome")),
                           "failed");
    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(root, "error")),
                           "no room there");
    check_null(down, "total");
    check_null(down, "suspend");
    check_null(root, "precopy_ms");
    check_null(root, "stop_reason");
    CU_ASSERT_EQUAL(lxe_json_count(lxe_json_get(root, "rounds")), 0);
    lxe_json_free(root);
    snprintf(path, sizeof(path), "%s/a/b", folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/a", folder);
    rmdir(path);
}

/* What is said of a guest that could not be undone is not that it runs. */
static void test_stayed(void)
{
    struct mig_report r = { .domain = "web" };
    char text[MIG_REPORT_STAYED];

    mig_report_stayed(&r, text);
    CU_ASSERT_STRING_EQUAL(text, "web runs on this host, as before");
    r.stopped = true;
    mig_report_stayed(&r, text);
    CU_ASSERT_PTR_NULL(strstr(text, "as before"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "does not run"));
    r.gone = true;
    mig_report_stayed(&r, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "web was destroyed here"));
    r.half_undone = true;
    mig_report_stayed(&r, text);
    CU_ASSERT_PTR_NULL(strstr(text, "as before"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "web is NOT as it was"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "--repair"));
}

static void test_cannot_write(void)
{
    struct mig_report r = { 0 };
    struct lxe_err err = { 0 };
    char path[256], part[300];

    CU_ASSERT_TRUE(mig_report_write(&r, "", &err) < 0);
    CU_ASSERT_TRUE(mig_report_write(&r, "/dev/null/x.json", &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/dev/null/x.json"));
    /* A folder in its place; nothing half written is left. */
    snprintf(path, sizeof(path), "%s/taken", folder);
    snprintf(part, sizeof(part), "%s.part", path);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    CU_ASSERT_TRUE(mig_report_write(&r, path, &err) < 0);
    CU_ASSERT_EQUAL(access(part, F_OK), -1);
    rmdir(path);
}

/* Root may say --report /dev/null: it must still be there afterwards. */
static void test_no_file(void)
{
    struct mig_report r = { 0 };
    struct lxe_err err = { 0 };
    struct stat st = { 0 };
    char path[256], text[32] = "";
    int fd;

    snprintf(path, sizeof(path), "%s/pipe", folder);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_NONBLOCK);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(mig_report_write(&r, path, &err), 0);
    CU_ASSERT_TRUE(read(fd, text, sizeof(text) - 1) > 0);
    CU_ASSERT_EQUAL(text[0], '{');
    close(fd);
    CU_ASSERT_EQUAL(lstat(path, &st), 0);
    CU_ASSERT_TRUE(S_ISFIFO(st.st_mode));
    unlink(path);
}

/* Somebody who may write to the folder waits there with a link. */
static void test_a_link_is_not_followed(void)
{
    struct mig_report r = { 0 };
    struct lxe_err err = { 0 };
    struct stat st = { 0 };
    char path[256], part[300], victim[256];

    snprintf(path, sizeof(path), "%s/r.json", folder);
    snprintf(part, sizeof(part), "%s.part", path);
    snprintf(victim, sizeof(victim), "%s/victim", folder);
    CU_ASSERT_EQUAL_FATAL(symlink(victim, part), 0);
    CU_ASSERT_EQUAL(mig_report_write(&r, path, &err), 0);
    CU_ASSERT_EQUAL(access(victim, F_OK), -1);
    CU_ASSERT_EQUAL(lstat(path, &st), 0);
    CU_ASSERT_TRUE(S_ISREG(st.st_mode));
    unlink(path);
    unlink(part);
    unlink(victim);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "collected from statuses", test_sums },
        { "no downtime", test_no_downtime },
        { "too many rounds", test_too_many_rounds },
        { "the JSON adds up", test_adds_up },
        { "predicted and actual", test_prediction },
        { "the curve", test_curve },
        { "its stages", test_stages },
        { "a failure's report", test_failed },
        { "a guest that stayed", test_stayed },
        { "where it cannot be written", test_cannot_write },
        { "to what is no file", test_no_file },
        { "a link is not followed", test_a_link_is_not_followed },
    };
    int rc;

    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    rc = unit_run("report", tests, sizeof(tests) / sizeof(tests[0]));
    rmdir(folder);
    return rc;
}
