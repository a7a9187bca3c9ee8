/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the archive tells of a host's costs, and of one guest's. */
#define _GNU_SOURCE
#include "past_runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base/clock.h"
#include "unit.h"

#define MS       LXE_NS_PER_MS
#define UUID     "c5ddc71d-65e5-4d10-8c96-1b2f5c26ffa8"
#define WIRE_BPS 20000000

static char folder[] = "/tmp/aerostat-past-XXXXXX";

/* One that moved; its round 1 went at the wire's rate. */
static void keep_with(const char *domain, const char *uuid,
                      uint64_t suspend_ms, const struct mig_wws *wws)
{
    static int64_t second;
    struct mig_round rounds[3] = {
        { .sent_pages = 5000, .bytes = 5000 * 4104, .start_ns = 1 * MS,
          .end_ns = 2001 * MS },
        { .index = 1, .dirty_pages = 1005, .sent_pages = 1000, .bytes = 4000000,
          .start_ns = 2011 * MS, .end_ns = 2211 * MS, .left_pages = 20,
          .wire_bps = WIRE_BPS },
        { .index = 2, .final = true, .sent_pages = 250, .bytes = 1000000,
          .start_ns = 2300 * MS, .end_ns = 2360 * MS },
    };
    struct mig_report r = {
        .outcome = MIG_MOVED,
        .wall_start_s = 1795271405 + second++,
        .begin_ns = 1,
        .request_ns = 2300 * MS - suspend_ms * MS,
        .suspended_ns = 2300 * MS,
        .last_byte_ns = 2360 * MS,
        .rounds = rounds,
        .round_count = 3,
    };

    if (wws) {
        r.has_wws = true;
        r.wws = *wws;
    }
    mig_limits_default(&r.limits);
    snprintf(r.domain, sizeof(r.domain), "%s", domain);
    snprintf(r.uuid, sizeof(r.uuid), "%s", uuid);
    snprintf(r.to, sizeof(r.to), "there");
    mig_archive_name(folder, &r);
    CU_ASSERT_EQUAL_FATAL(mig_archive_keep(folder, &r, 100, NULL), 0);
}

static void keep(const char *domain, const char *uuid, uint64_t suspend_ms)
{
    keep_with(domain, uuid, suspend_ms, NULL);
}

static void forget_all(void)
{
    struct mig_archive archive;
    char path[256];

    CU_ASSERT_EQUAL_FATAL(mig_archive_list(folder, &archive, NULL), 0);
    for (size_t i = 0; i < archive.count; i++) {
        snprintf(path, sizeof(path), "%s/%s.json", folder, archive.ids[i]);
        unlink(path);
    }
    mig_archive_free(&archive);
}

static double suspend_ms(const char *domain, unsigned from)
{
    struct mig_cost_range costs;

    mig_past_runs(folder, NULL, domain, &costs, NULL);
    CU_ASSERT_EQUAL(costs.learnt_from, from);
    return costs.usual.suspend_ns / MS;
}

static void test_own_first(void)
{
    struct mig_cost_range assumed;

    mig_costs_assume(&assumed);
    CU_ASSERT_EQUAL(suspend_ms("web", 0), assumed.usual.suspend_ns / MS);
    keep("db", "", 100);
    keep("mail", "", 120);
    keep("db", UUID, 140);
    /* Newer ones count for more: the middle is a little above 120. */
    CU_ASSERT_DOUBLE_EQUAL(suspend_ms("web", 3), 124, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(suspend_ms(NULL, 3), 124, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(suspend_ms("mail", 1), 120, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(suspend_ms(UUID, 1), 140, 1e-6);
    keep("db", "", 150);
    CU_ASSERT_DOUBLE_EQUAL(suspend_ms("db", 3), 142, 1e-6);
    forget_all();
}

/* A pass of 1 MB in 60 ms at 20 MB/s: ten beyond its pages. */
static void test_costs_and_wire(void)
{
    struct mig_cost_range costs;
    double bps;

    keep("web", "", 80);
    mig_past_runs(folder, "there", "web", &costs, &bps);
    CU_ASSERT_DOUBLE_EQUAL(costs.usual.last_ns, 10.0 * MS, 1);
    CU_ASSERT_DOUBLE_EQUAL(costs.usual.round_ns, 10.0 * MS, 1e3);
    CU_ASSERT_DOUBLE_EQUAL(costs.usual.suspend_pages, 230, 1);
    CU_ASSERT_DOUBLE_EQUAL(bps, WIRE_BPS, 1);
    mig_past_runs(folder, "elsewhere", "web", &costs, &bps);
    CU_ASSERT_EQUAL(bps, 0);
    forget_all();
}

/* 1005 pages in 2010 ms and 20 in 200 ms, of a guest that wrote 1000 a
 * second; and what one does not tell, others do. */
static void test_pace(void)
{
    const struct mig_wws wws = {
        .points = { { 3000 * MS, 3000, 3000, 3000 } },
        .count = 1,
        .windows = 2,
        .domain_pages = 5000,
    };
    struct mig_cost_range costs;

    keep("web", "", 80);
    mig_past_runs(folder, NULL, "web", &costs, NULL);
    CU_ASSERT_EQUAL(costs.usual.pace, 1);
    keep_with("db", "", 100, &wws);
    mig_past_runs(folder, NULL, "db", &costs, NULL);
    CU_ASSERT_DOUBLE_EQUAL(costs.usual.pace, 0.5, 0.01);
    mig_past_runs(folder, NULL, "web", &costs, NULL);
    CU_ASSERT_DOUBLE_EQUAL(costs.usual.pace, 0.5, 0.01);
    CU_ASSERT_DOUBLE_EQUAL(costs.usual.suspend_ns, 80 * MS, 1);
    forget_all();
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a guest's own runs first", test_own_first },
        { "costs and the wire", test_costs_and_wire },
        { "the guest's pace", test_pace },
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    failed = unit_run("past_runs", tests, sizeof(tests) / sizeof(tests[0]));
    rmdir(folder);
    return failed;
}
