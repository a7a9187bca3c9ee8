/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether and how much a guest is slowed. The definitions below whose names
 * begin with mig_brake_ stand for brake.c's: a brake that works at once.
 */
#include "base/clock.h"
#include "base/log.h"
#include "slowing.h"
#include "unit.h"

#define MS(n) ((n) * LXE_NS_PER_MS)

struct mig_brake {
    double slowed;
};

void mig_brake_set(struct mig_brake *brake, double slowed)
{
    brake->slowed = slowed;
}

void mig_brake_release(struct mig_brake *brake)
{
    if (brake)
        brake->slowed = 0;
}

double mig_brake_slowed(struct mig_brake *brake)
{
    return brake ? brake->slowed : 0;
}

uint64_t mig_brake_run_ns(struct mig_brake *brake)
{
    (void)brake;
    return 1;
}

/* ---- what it logs ---- */

static unsigned warnings;

static void __attribute__((format(printf, 5, 0)))
count_warning(struct xentoollog_logger *logger, xentoollog_level level,
              int errnoval, const char *context, const char *format,
              va_list al)
{
    (void)logger;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)al;
    warnings += level == XTL_WARN;
}

static void no_progress(struct xentoollog_logger *logger, const char *context,
                        const char *doing_what, int percent,
                        unsigned long done, unsigned long total)
{
    (void)logger;
    (void)context;
    (void)doing_what;
    (void)percent;
    (void)done;
    (void)total;
}

static struct xentoollog_logger logger = { count_warning, no_progress, NULL };

/* ---- a guest ---- */

struct fixture {
    struct mig_brake brake;
    struct mig_slowing slowing;
    struct mig_limits limits;
    struct mig_dirty_curve curve;
    struct mig_slowing_in in;
};

/*
 * A round of 10000 pages at 10000 a second, of a guest that writes so many
 * new ones in a second. 100 ms of 300 are for suspending it, so that 2000
 * pages may be left.
 */
static void begin(struct fixture *f, uint64_t pages_per_s)
{
    *f = (struct fixture){ .limits = { .throttle = MIG_THROTTLE_PAUSE } };
    f->slowing.brake = &f->brake;
    f->slowing.way = MIG_THROTTLE_PAUSE;
    f->limits.throttle_max_percent = 80;
    f->limits.max_downtime_ns = MS(300);
    mig_dirty_curve_add(&f->curve, LXE_NS_PER_SEC, pages_per_s);
    f->in.limits = &f->limits;
    f->in.downtime_limit_ns = MS(300);
    f->in.costs.final_bps = 10000.0 * MIG_PAGE_WIRE_BYTES;
    f->in.costs.fixed_cost_ns = MS(100);
    f->in.curve = &f->curve;
    f->in.round_pages = f->in.left_pages = 10000;
    f->in.round_bps = f->in.costs.final_bps;
}

static double adjust(struct fixture *f)
{
    return mig_slowing_adjust(&f->slowing, &f->in);
}

static void test_by_need(void)
{
    struct fixture f;

    begin(&f, 6000);
    CU_ASSERT_EQUAL(adjust(&f), 0); /* gets there by itself */
    begin(&f, 10000);
    CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.3, 1e-9);
    CU_ASSERT_DOUBLE_EQUAL(f.brake.slowed, 0.3, 1e-9);
    f.in.round_pages = 20000; /* a longer round to shrink from */
    CU_ASSERT_EQUAL(adjust(&f), 0);
    CU_ASSERT_EQUAL(f.brake.slowed, 0); /* it is let go */
}

/* It calmed down: twice the speed in each round, however often it is asked. */
static void test_given_back(void)
{
    struct fixture f;

    begin(&f, 1000000);
    for (int i = 0; i < 3; i++)
        adjust(&f);
    CU_ASSERT_DOUBLE_EQUAL(f.brake.slowed, 0.8, 1e-9);
    f.curve = (struct mig_dirty_curve){ 0 };
    mig_dirty_curve_add(&f.curve, LXE_NS_PER_SEC, 10);
    CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.6, 1e-9);
    f.in.ran_ns = 1e6; /* within the round */
    CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.6, 1e-9);
    f.in.ran_ns = 0;
    CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.2, 1e-9);
    CU_ASSERT_EQUAL(adjust(&f), 0);
}

/* Step by step to the user's limit, and no further. */
static void test_until_full(void)
{
    struct fixture f;

    begin(&f, 1000000);
    CU_ASSERT_FALSE(mig_slowing_is_full(&f.slowing, &f.limits));
    CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.5, 1e-9);
    CU_ASSERT_FALSE(mig_slowing_is_full(&f.slowing, &f.limits));
    CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.75, 1e-9);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_DOUBLE_EQUAL(adjust(&f), 0.8, 1e-9);
    CU_ASSERT_TRUE(mig_slowing_is_full(&f.slowing, &f.limits));
}

/* Nobody opened a brake, or the user has forbidden it since. */
static void test_may_not(void)
{
    struct fixture f;

    begin(&f, 1000000);
    adjust(&f);
    f.limits.throttle = MIG_THROTTLE_NONE;
    CU_ASSERT_TRUE(mig_slowing_is_full(&f.slowing, &f.limits));
    CU_ASSERT_EQUAL(adjust(&f), 0);
    f.limits.throttle = MIG_THROTTLE_CAP; /* not what was opened */
    CU_ASSERT_EQUAL(adjust(&f), 0);
    f.limits.throttle = MIG_THROTTLE_PAUSE;
    f.in.round_bps = 0; /* how long the round takes is not known */
    CU_ASSERT_EQUAL(adjust(&f), 0);
    f.in.round_bps = f.in.costs.final_bps;
    CU_ASSERT_TRUE(adjust(&f) > 0);
    f.slowing.brake = NULL;
    CU_ASSERT_EQUAL(adjust(&f), 0);
    CU_ASSERT_TRUE(mig_slowing_is_full(&f.slowing, &f.limits));
}

/* Suspending it alone takes too long: that is said, once. */
static void test_futile(void)
{
    struct fixture f;

    begin(&f, 1000000);
    f.in.costs.fixed_cost_ns = MS(400);
    warnings = 0;
    CU_ASSERT_EQUAL(adjust(&f), 0);
    CU_ASSERT_EQUAL(adjust(&f), 0);
    CU_ASSERT_EQUAL(warnings, 1);
    f.limits.downtime_limit_max_ns = MS(500); /* as far as it may give way */
    CU_ASSERT_TRUE(adjust(&f) > 0);
    CU_ASSERT_EQUAL(warnings, 1);
}

static void test_mean(void)
{
    struct fixture f;

    begin(&f, 1000000);
    CU_ASSERT_EQUAL(mig_slowing_mean_percent(&f.slowing), 0);
    mig_slowing_begin(&f.slowing);
    adjust(&f);
    lxe_sleep_ns(MS(1));
    mig_slowing_end(&f.slowing);
    CU_ASSERT_EQUAL(f.brake.slowed, 0);
    /* It ran for no time at all between the two. */
    CU_ASSERT_EQUAL(mig_slowing_mean_percent(&f.slowing), 100);
    f.slowing.begin_ns = MS(1000);
    f.slowing.end_ns = MS(2000);
    f.slowing.end_run_ns = f.slowing.begin_run_ns + MS(600);
    CU_ASSERT_DOUBLE_EQUAL(mig_slowing_mean_percent(&f.slowing), 40, 1e-9);
    mig_slowing_end(&f.slowing);
    CU_ASSERT_EQUAL(f.slowing.end_ns, MS(2000)); /* it had ended */
    f.slowing.end_run_ns = f.slowing.begin_run_ns + MS(1000);
    CU_ASSERT_EQUAL(mig_slowing_mean_percent(&f.slowing), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "as much as is needed", test_by_need },
        { "given back by and by", test_given_back },
        { "as much as is allowed", test_until_full },
        { "only as is allowed", test_may_not },
        { "not where it is no use", test_futile },
        { "its mean over pre-copy", test_mean },
    };

    lxe_log_use("slowing", &logger);
    return unit_run("slowing", tests, sizeof(tests) / sizeof(tests[0]));
}
