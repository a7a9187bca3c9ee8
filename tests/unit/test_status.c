/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the save helper tells: there and back, damaged, and too long. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"
#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The line that a status becomes, without its newline. */
static size_t line_of(const struct mig_status *status,
                      char line[MIG_STATUS_MAX_LINE + 1])
{
    int fds[2];
    ssize_t n;

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    CU_ASSERT_EQUAL(mig_status_send(fds[1], status), 0);
    n = read(fds[0], line, MIG_STATUS_MAX_LINE);
    close(fds[0]);
    close(fds[1]);
    CU_ASSERT_TRUE_FATAL(n > 1);
    CU_ASSERT_EQUAL(line[n - 1], '\n');
    line[n - 1] = '\0';
    CU_ASSERT_PTR_NULL(strchr(line, '\n'));
    return (size_t)n - 1;
}

static struct mig_status there_and_back(const struct mig_status *status)
{
    char line[MIG_STATUS_MAX_LINE + 1];
    size_t len = line_of(status, line);
    struct mig_status out;
    struct lxe_err err = { 0 };

    if (mig_status_parse(line, len, &out, &err))
        printf("  %s\n  %s\n", line, err.text);
    CU_ASSERT_EQUAL_FATAL(err.code, 0);
    CU_ASSERT_EQUAL(out.kind, status->kind);
    CU_ASSERT_EQUAL(out.at_ns, status->at_ns);
    return out;
}

static const struct mig_round a_round = {
    .index = 7,
    .final = true,
    .dirty_pages = 1000,
    .sent_pages = 900,
    .skipped_pages = 100,
    .bytes = UINT64_C(1) << 60,
    .start_ns = 123456789012345,
    .end_ns = UINT64_MAX,
    .limit_bps = 62500000,
    .dirty_pps = 1234.5678,
    .predicted_downtime_ns = 300000000,
    .left_pages = 321,
    .downtime_limit_ns = 250000000,
    .slowed_percent = 12.5,
};

static void check_round(const struct mig_round *a, const struct mig_round *b)
{
    CU_ASSERT_EQUAL(a->index, b->index);
    CU_ASSERT_EQUAL(a->final, b->final);
    CU_ASSERT_EQUAL(a->dirty_pages, b->dirty_pages);
    CU_ASSERT_EQUAL(a->sent_pages, b->sent_pages);
    CU_ASSERT_EQUAL(a->skipped_pages, b->skipped_pages);
    CU_ASSERT_EQUAL(a->bytes, b->bytes);
    CU_ASSERT_EQUAL(a->start_ns, b->start_ns);
    CU_ASSERT_EQUAL(a->end_ns, b->end_ns);
    CU_ASSERT_EQUAL(a->limit_bps, b->limit_bps);
    CU_ASSERT_DOUBLE_EQUAL(a->dirty_pps, b->dirty_pps, 1e-9);
    CU_ASSERT_EQUAL(a->predicted_downtime_ns, b->predicted_downtime_ns);
    CU_ASSERT_EQUAL(a->downtime_limit_ns, b->downtime_limit_ns);
    CU_ASSERT_EQUAL(a->slowed_percent, b->slowed_percent);
}

static void test_start(void)
{
    struct mig_status s = { .kind = MIG_STATUS_START, .at_ns = 5,
                            .pid = 4711, .domain_pages = 65536 };
    struct mig_status out = there_and_back(&s);

    CU_ASSERT_EQUAL(out.pid, 4711);
    CU_ASSERT_EQUAL(out.domain_pages, 65536);
}

static void test_rounds(void)
{
    struct mig_status s = { .kind = MIG_STATUS_PROGRESS, .at_ns = 6,
                            .round = a_round, .remaining_pages = 17,
                            .rate_bps = 1e9 / 3 };
    struct mig_status out = there_and_back(&s);

    check_round(&out.round, &a_round);
    CU_ASSERT_EQUAL(out.remaining_pages, 17);
    CU_ASSERT_DOUBLE_EQUAL(out.rate_bps, 1e9 / 3, 1);
    s.kind = MIG_STATUS_ROUND;
    s.round.dirty_pps = -1; /* not known */
    s.round.final = false;
    out = there_and_back(&s);
    check_round(&out.round, &s.round);
    CU_ASSERT_EQUAL(out.remaining_pages, 0); /* a round has none */
    CU_ASSERT_EQUAL(out.round.left_pages, a_round.left_pages);
}

/* A figure that cannot be told costs nobody the others. */
static void test_no_numbers(void)
{
    struct mig_status s = { .kind = MIG_STATUS_PROGRESS, .at_ns = 6,
                            .round = a_round, .remaining_pages = 17,
                            .rate_bps = INFINITY, .stream_bps = NAN };
    struct mig_status out = there_and_back(&s);

    CU_ASSERT_EQUAL(out.rate_bps, 0);
    CU_ASSERT_EQUAL(out.stream_bps, 0);
    CU_ASSERT_EQUAL(out.remaining_pages, 17);
    check_round(&out.round, &a_round);
}

static void test_end_of_precopy(void)
{
    struct mig_status stop = { .kind = MIG_STATUS_STOP, .at_ns = 7,
                               .reason = "a \"quote\", a \\ and a\ttab" };
    struct mig_status suspended = { .kind = MIG_STATUS_SUSPENDED, .at_ns = 9,
                                    .request_ns = 8, .ok = true };
    struct mig_status out = there_and_back(&stop);

    CU_ASSERT_STRING_EQUAL(out.reason, stop.reason);
    out = there_and_back(&suspended);
    CU_ASSERT_EQUAL(out.request_ns, 8);
    CU_ASSERT_TRUE(out.ok);
    suspended.ok = false;
    CU_ASSERT_FALSE(there_and_back(&suspended).ok);
}

static void test_end(void)
{
    struct mig_status s = { .kind = MIG_STATUS_END, .at_ns = 10,
                            .ok = true, .bytes = 987654321,
                            .limiter = { 30, 0.004, 0.009 },
                            .peeks = 40, .peek_ns = 50000,
                            .skip_saved_ns = 70000,
                            .idle_ns = 1, .held_ns = 2, .blocked_ns = 3 };
    struct mig_status out = there_and_back(&s);

    CU_ASSERT_TRUE(out.ok);
    CU_ASSERT_EQUAL(out.bytes, 987654321);
    CU_ASSERT_EQUAL(out.limiter.seconds, 30);
    CU_ASSERT_DOUBLE_EQUAL(out.limiter.mean, 0.004, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(out.limiter.worst, 0.009, 1e-12);
    CU_ASSERT_EQUAL(out.peeks, 40);
    CU_ASSERT_EQUAL(out.peek_ns, 50000);
    CU_ASSERT_EQUAL(out.skip_saved_ns, 70000);
    CU_ASSERT_EQUAL(out.idle_ns, 1);
    CU_ASSERT_EQUAL(out.held_ns, 2);
    CU_ASSERT_EQUAL(out.blocked_ns, 3);
    CU_ASSERT_STRING_EQUAL(out.reason, "");
}

/* The longest reason of the worst bytes still fits a line. */
static void test_longest(void)
{
    struct mig_status s = { .kind = MIG_STATUS_END, .at_ns = UINT64_MAX,
                            .bytes = UINT64_MAX, .peeks = UINT64_MAX,
                            .peek_ns = UINT64_MAX, .idle_ns = UINT64_MAX,
                            .held_ns = UINT64_MAX, .blocked_ns = UINT64_MAX };

    memset(s.reason, 1, sizeof(s.reason) - 1);
    CU_ASSERT_STRING_EQUAL(there_and_back(&s).reason, s.reason);
    memset(s.reason, 0xff, sizeof(s.reason) - 1); /* not UTF-8 */
    CU_ASSERT_EQUAL(strlen(there_and_back(&s).reason), sizeof(s.reason) - 1);
}

/* A reader may not get more than its buffer, whoever wrote. */
static void test_long_reason(void)
{
    char line[MIG_STATUS_MAX_LINE], big[1000];
    struct mig_status out;
    int n;

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    n = snprintf(line, sizeof(line),
                 "{\"event\":\"stop\",\"at_ns\":1,\"reason\":\"%s\"}", big);
    CU_ASSERT_EQUAL(mig_status_parse(line, (size_t)n, &out, NULL), 0);
    CU_ASSERT_EQUAL(strlen(out.reason), MIG_STATUS_REASON - 1);
}

static void test_too_long(void)
{
    size_t len = MIG_STATUS_MAX_LINE;
    char *line = malloc(len);
    struct mig_status out;
    struct lxe_err err = { 0 };

    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    memset(line, ' ', len);
    memcpy(line, "{\"event\":\"stop\",\"at_ns\":1}", 26);
    CU_ASSERT_EQUAL(mig_status_parse(line, len - 1, &out, &err), 0);
    CU_ASSERT_EQUAL(mig_status_parse(line, len, &out, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "too long"));
    free(line);
}

struct bad {
    const char *line, *part;
};

static const struct bad bad_lines[] = {
    { "", "not JSON" },
    { "{", "not JSON" },
    { "null", "unknown event" },
    { "[1,2]", "unknown event" },
    { "{}", "unknown event" },
    { "{\"event\":7}", "unknown event" },
    { "{\"event\":\"begin\",\"at_ns\":1}", "unknown event" },
    { "{\"event\":\"stop\"}", "'at_ns'" },
    { "{\"event\":\"stop\",\"at_ns\":\"1\"}", "'stop': member 'at_ns'" },
    { "{\"event\":\"stop\",\"at_ns\":-1}", "'at_ns'" },
    { "{\"event\":\"stop\",\"at_ns\":18446744073709551616}", "'at_ns'" },
    { "{\"event\":\"start\",\"at_ns\":1,\"pid\":5}", "'domain_pages'" },
    { "{\"event\":\"start\",\"at_ns\":1,\"pid\":0,\"domain_pages\":1}",
      "0 is no pid" },
    { "{\"event\":\"start\",\"at_ns\":1,\"pid\":1,\"domain_pages\":1}",
      "1 is no pid" },
    { "{\"event\":\"start\",\"at_ns\":1,\"pid\":4294967295,"
      "\"domain_pages\":1}", "4294967295 is no pid" },
    { "{\"event\":\"suspended\",\"at_ns\":1,\"request_ns\":1,\"ok\":1}",
      "'ok'" },
    { "{\"event\":\"round\",\"at_ns\":1,\"round\":4294967296}",
      "'round' is" },
};

static void test_bad_lines(void)
{
    for (size_t i = 0; i < COUNT(bad_lines); i++) {
        const struct bad *b = &bad_lines[i];
        struct mig_status out;
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(mig_status_parse(b->line, strlen(b->line), &out,
                                         &err), -EPROTO);
        if (!strstr(err.text, b->part))
            printf("  %s: %s\n", b->line, err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, b->part));
    }
}

/* In a buffer of its exact size, so that a read beyond it is seen. */
static void test_damage(void)
{
    struct mig_status s = { .kind = MIG_STATUS_PROGRESS, .round = a_round };
    char line[MIG_STATUS_MAX_LINE + 1];
    uint64_t seed = unit_seed();
    size_t len = line_of(&s, line);

    for (int i = 0; i < 20000; i++) {
        size_t cut = i % 2 ? len : unit_below(&seed, len);
        char *copy = malloc(cut ? cut : 1);
        struct mig_status out;
        int rc;

        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, line, cut);
        if (i % 2)
            copy[unit_below(&seed, cut)] ^= (char)(1 + unit_below(&seed, 255));
        rc = mig_status_parse(copy, cut, &out, NULL);
        CU_ASSERT_TRUE(rc == -EPROTO || (i % 2 && !rc));
        free(copy);
    }
}

static void test_nobody_listens(void)
{
    struct mig_status s = { .kind = MIG_STATUS_STOP };
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    close(fds[0]);
    CU_ASSERT_EQUAL(mig_status_send(fds[1], &s), -EPIPE);
    close(fds[1]);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "start", test_start },
        { "progress and round", test_rounds },
        { "what is no number", test_no_numbers },
        { "stop and suspended", test_end_of_precopy },
        { "end", test_end },
        { "the longest fits a line", test_longest },
        { "a long reason is cut", test_long_reason },
        { "a line that is too long", test_too_long },
        { "bad lines are refused and named", test_bad_lines },
        { "damage is refused, never overread", test_damage },
        { "nobody listens", test_nobody_listens },
    };

    return unit_run("status", tests, COUNT(tests));
}
