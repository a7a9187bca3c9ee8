/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a report says of a migration before it begins. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "foretell.h"
#include "sim_fixture.h"
#include "unit.h"

#define GUEST 1u

/* A guest that writes 1000 pages a second, and no page twice. */
static const struct mig_wws steady = {
    .points = { { 5 * LXE_NS_PER_SEC, 5000, 4000, 6000 } },
    .count = 1,
    .domain_pages = 262144,
    .windows = 5,
};

struct fixture {
    struct mig_foretell how;
    struct mig_report report;
    struct lxe_err err;
    unsigned watched;
    bool cancel;
};

static void on_watch(void *data)
{
    struct fixture *f = data;

    f->watched++;
}

static bool is_cancelled(void *data)
{
    return ((struct fixture *)data)->cancel;
}

static void begin(struct fixture *f, const struct mig_wws *wws)
{
    *f = (struct fixture){ .how = { .wws = wws } };
    mig_limits_default(&f->how.in.limits);
    f->how.in.pages = 262144;
    f->how.in.wire_bps = 1e8;
    f->how.in.costs.usual.pace = f->how.in.costs.low.pace =
        f->how.in.costs.high.pace = 1;
    f->how.domid = GUEST;
    f->how.watch_ns = 10 * LXE_NS_PER_SEC;
    f->how.watching = on_watch;
    f->how.cancelled = is_cancelled;
    f->how.data = f;
}

static void test_given(void)
{
    struct mig_prediction want;
    struct fixture f;

    begin(&f, &steady);
    CU_ASSERT_EQUAL(mig_foretell(&f.how, &f.report, &f.err), 0);
    CU_ASSERT_EQUAL(f.watched, 0);
    CU_ASSERT_TRUE(f.report.has_wws && f.report.has_prediction);
    CU_ASSERT_EQUAL(f.report.wws.points[0].pages, 5000);
    mig_predict(&steady, &f.how.in, &want);
    CU_ASSERT_EQUAL(f.report.predicted.bytes.expected, want.bytes.expected);
    CU_ASSERT_TRUE(want.bytes.expected > 1e9); /* 1 GiB, and what it writes */
}

static void test_packed(void)
{
    const struct mig_packing packing = { 512, 4, 4, 4, 1e9 };
    struct fixture f;

    begin(&f, &steady);
    f.how.in.limits.compress_level = 1;
    f.how.in.packing = packing;
    f.how.in.costs.usual.packed_first = f.how.in.costs.low.packed_first =
        f.how.in.costs.high.packed_first = 1;
    f.how.in.costs.usual.packed_later = f.how.in.costs.low.packed_later =
        f.how.in.costs.high.packed_later = 1;
    CU_ASSERT_EQUAL(mig_foretell(&f.how, &f.report, &f.err), 0);
    CU_ASSERT_TRUE(f.report.has_prediction);
    CU_ASSERT_DOUBLE_EQUAL(f.report.predicted.bytes.expected,
                           4 * f.report.predicted.wire_bytes.expected, 1);
}

/* A warning says so, and the migration goes on. */
static void test_unknown(void)
{
    struct fixture f;

    begin(&f, &steady);
    f.how.in.limits.compress_level = 3;
    CU_ASSERT_EQUAL(mig_foretell(&f.how, &f.report, &f.err), 0);
    CU_ASSERT_TRUE(f.report.has_wws);
    CU_ASSERT_FALSE(f.report.has_prediction);
    begin(&f, &steady);
    f.how.in.wire_bps = 0; /* but how it writes is worth keeping */
    CU_ASSERT_EQUAL(mig_foretell(&f.how, &f.report, &f.err), 0);
    CU_ASSERT_TRUE(f.report.has_wws);
    CU_ASSERT_FALSE(f.report.has_prediction);
    begin(&f, NULL);
    f.how.host = sim_open(ONE_GUEST(""));
    f.how.domid = GUEST + 1; /* which is not there to be watched */
    CU_ASSERT_EQUAL(mig_foretell(&f.how, &f.report, &f.err), 0);
    CU_ASSERT_EQUAL(f.watched, 1);
    CU_ASSERT_FALSE(f.report.has_wws || f.report.has_prediction);
    CU_ASSERT_EQUAL(f.err.code, 0);
    f.how.host->ops->close(f.how.host);
}

static void test_cancelled(void)
{
    struct fixture f;

    begin(&f, NULL);
    f.how.host = sim_open(ONE_GUEST(""));
    f.cancel = true;
    CU_ASSERT_EQUAL(mig_foretell(&f.how, &f.report, &f.err), -ECANCELED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.err.text, "cancelled"));
    CU_ASSERT_EQUAL(f.watched, 1);
    CU_ASSERT_FALSE(f.report.has_wws || f.report.has_prediction);
    f.how.host->ops->close(f.how.host);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "from a curve that is given", test_given },
        { "one that is packed", test_packed },
        { "not what is not known", test_unknown },
        { "cancelled while it is watched", test_cancelled },
    };

    alarm(60);
    return unit_run("foretell", tests, sizeof(tests) / sizeof(tests[0]));
}
