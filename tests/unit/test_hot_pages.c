/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When pages may be left for later, and what it may cost to know which. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "fake_log.h"
#include "hot_pages.h"
#include "unit.h"

#define MS(n)   ((n) * LXE_NS_PER_MS)
#define A_PAGE  77u
#define PAGE_NS 1000000u
#define BASE_NS (MS(50) + MS(50) * FAKE_LOG_PAGES / (1u << 24))

struct fixture {
    struct fake_log fake;
    struct mig_hot_pages *hot;
};

static void open_hot(struct fixture *f)
{
    fake_log_init(&f->fake);
    lxe_bitmap_set(f->fake.dirty, A_PAGE);
    CU_ASSERT_EQUAL_FATAL(mig_hot_open(&f->fake.log, &f->hot, NULL), 0);
}

/* Whether a batch at that time may leave A_PAGE out. */
static bool offers_at(struct fixture *f, uint64_t now_ns)
{
    uint64_t pages = 0;
    const uint64_t *bits = mig_hot_begin(f->hot, now_ns, &pages);
    bool yes = bits && lxe_bitmap_test(bits, A_PAGE);

    CU_ASSERT_EQUAL(pages, FAKE_LOG_PAGES);
    mig_hot_end(f->hot, yes ? 1000 : 0, PAGE_NS); /* it pays */
    return yes;
}

static struct mig_hot_stats stats_of(struct fixture *f)
{
    struct mig_hot_stats stats;

    mig_hot_stats(f->hot, &stats);
    return stats;
}

static void test_held(void)
{
    struct fixture f;
    bool closed = false;

    open_hot(&f);
    f.fake.closed = &closed;
    CU_ASSERT_FALSE(offers_at(&f, MS(1000)));
    mig_hot_release(f.hot, 0);
    CU_ASSERT_TRUE(offers_at(&f, MS(2000)));
    mig_hot_hold(f.hot);
    mig_hot_hold(f.hot); /* as before a suspend that follows a round's end */
    CU_ASSERT_FALSE(offers_at(&f, MS(3000)));
    CU_ASSERT_EQUAL(f.fake.peeks, 1);
    mig_hot_close(f.hot);
    CU_ASSERT_TRUE(closed);
}

/* What was dirty before a CLEAN says nothing about the round after it. */
static void test_hold_forgets(void)
{
    struct fixture f;

    open_hot(&f);
    mig_hot_release(f.hot, 0);
    CU_ASSERT_TRUE(offers_at(&f, MS(1000)));
    mig_hot_hold(f.hot);
    lxe_bitmap_clear(f.fake.dirty, A_PAGE);
    mig_hot_release(f.hot, 0);
    CU_ASSERT_FALSE(offers_at(&f, MS(1010))); /* a PEEK is not due yet */
    CU_ASSERT_EQUAL(f.fake.peeks, 1);
    CU_ASSERT_FALSE(offers_at(&f, MS(1100)));
    CU_ASSERT_EQUAL(f.fake.peeks, 2);
    mig_hot_close(f.hot);
}

static void test_interval(void)
{
    struct fixture f;
    uint64_t next;

    open_hot(&f);
    mig_hot_release(f.hot, 0);
    CU_ASSERT_TRUE(offers_at(&f, MS(1000)));
    next = MS(1000) + BASE_NS + stats_of(&f).peek_ns;
    CU_ASSERT_TRUE(offers_at(&f, next - 1)); /* from the same PEEK */
    CU_ASSERT_EQUAL(f.fake.peeks, 1);
    CU_ASSERT_TRUE(offers_at(&f, next));
    CU_ASSERT_EQUAL(f.fake.peeks, 2);
    CU_ASSERT_EQUAL(stats_of(&f).peeks, 2);
    mig_hot_close(f.hot);
}

/* One that takes long may be had less often: 1/20 of the time. */
static void test_budget(void)
{
    struct fixture f;
    uint64_t took;

    open_hot(&f);
    f.fake.took_ns = MS(5);
    mig_hot_release(f.hot, 0);
    CU_ASSERT_TRUE(offers_at(&f, MS(1000)));
    took = stats_of(&f).peek_ns;
    CU_ASSERT_TRUE(took >= MS(5));
    CU_ASSERT_TRUE(offers_at(&f, MS(1000) + 21 * took - 1));
    CU_ASSERT_EQUAL(f.fake.peeks, 1);
    CU_ASSERT_TRUE(offers_at(&f, MS(1000) + 21 * took));
    CU_ASSERT_EQUAL(f.fake.peeks, 2);
    mig_hot_close(f.hot);
}

/* A PEEK that fails costs its chance, no more. */
static void test_failures(void)
{
    struct fixture f;

    open_hot(&f);
    mig_hot_release(f.hot, 0);
    f.fake.peek_code = -EBUSY;
    CU_ASSERT_FALSE(offers_at(&f, MS(1000)));
    CU_ASSERT_EQUAL(stats_of(&f).busy, 1);
    f.fake.peek_code = -EIO;
    CU_ASSERT_FALSE(offers_at(&f, MS(2000)));
    CU_ASSERT_EQUAL(stats_of(&f).busy, 1);
    f.fake.peek_code = 0;
    CU_ASSERT_TRUE(offers_at(&f, MS(3000)));
    f.fake.peek_code = -EBUSY; /* what was seen is too old now */
    CU_ASSERT_FALSE(offers_at(&f, MS(4000)));
    mig_hot_close(f.hot);
}

/* Nothing to leave out: PEEKs become rare, and more so in later rounds. */
static void test_does_not_pay(void)
{
    struct fixture f;
    uint64_t pages, now_ns = MS(1000);

    open_hot(&f);
    f.fake.took_ns = 100000;
    mig_hot_release(f.hot, 0);
    for (int i = 0; i < 1000; i++, now_ns += MS(10)) {
        mig_hot_begin(f.hot, now_ns, &pages);
        mig_hot_end(f.hot, 0, PAGE_NS);
    }
    CU_ASSERT_TRUE(f.fake.peeks >= 2 && f.fake.peeks <= 12);
    CU_ASSERT_EQUAL(stats_of(&f).saved_ns, 0);
    mig_hot_close(f.hot);
}

static void test_pays(void)
{
    struct fixture f;
    uint64_t now_ns = MS(1000);

    open_hot(&f);
    mig_hot_release(f.hot, 0);
    for (int i = 0; i < 100; i++, now_ns += MS(100))
        CU_ASSERT_TRUE(offers_at(&f, now_ns));
    CU_ASSERT_TRUE(f.fake.peeks > 90); /* but after one that took long */
    CU_ASSERT_EQUAL(stats_of(&f).saved_ns, UINT64_C(100000) * PAGE_NS);
    mig_hot_close(f.hot);
}

static void test_count(void)
{
    struct fixture f;
    uint64_t pages = 0;

    open_hot(&f);
    f.fake.count = 42;
    CU_ASSERT_EQUAL(mig_hot_count(f.hot, &pages, NULL), 0);
    CU_ASSERT_EQUAL(pages, 42);
    f.fake.count_code = -EBUSY;
    CU_ASSERT_EQUAL(mig_hot_count(f.hot, &pages, NULL), -EBUSY);
    f.fake.count_code = 0;
    mig_hot_release(f.hot, 0); /* a PEEK might be under way */
    CU_ASSERT_EQUAL(mig_hot_count(f.hot, &pages, NULL), -EBUSY);
    CU_ASSERT_EQUAL(f.fake.counts, 2);
    mig_hot_close(f.hot);
}

/* ---- two threads ---- */

struct looker {
    struct fixture *f;
    atomic_bool stop;
    atomic_uint looks;
};

/* Each look is so late that a PEEK is always due. */
static void *look(void *data)
{
    struct looker *l = data;
    uint64_t now_ns = 0;

    while (!atomic_load(&l->stop)) {
        uint64_t pages;

        now_ns += MS(60000);
        mig_hot_begin(l->f->hot, now_ns, &pages);
        mig_hot_end(l->f->hot, 1000000000, PAGE_NS);
        atomic_fetch_add(&l->looks, 1);
        sched_yield();
    }
    return NULL;
}

static void wait_for_looks(struct looker *l, unsigned count)
{
    unsigned until = atomic_load(&l->looks) + count;

    while ((int)(atomic_load(&l->looks) - until) < 0)
        sched_yield();
}

/*
 * Condition 3: no PEEK beside a CLEAN, ever. The hold alone sees to that:
 * every other round goes without a count in between.
 */
static void test_threads(void)
{
    struct fixture f;
    struct looker looker = { .f = &f };
    uint64_t seed = unit_seed();
    pthread_t thread;

    open_hot(&f);
    f.fake.took_ns = 200000;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, look, &looker), 0);
    for (int round = 0; round < 200; round++) {
        uint64_t pages;

        mig_hot_release(f.hot, 0);
        wait_for_looks(&looker, 2);
        lxe_sleep_ns(unit_below(&seed, 200000)); /* into the next PEEK */
        mig_hot_hold(f.hot);
        if (round % 2)
            CU_ASSERT_EQUAL(mig_hot_count(f.hot, &pages, NULL), 0);
        fake_log_clean_begins(&f.fake);
        wait_for_looks(&looker, 2);
        fake_log_clean_ends(&f.fake);
    }
    atomic_store(&looker.stop, true);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(f.fake.overlaps, 0);
    CU_ASSERT_TRUE(f.fake.peeks >= 200);
    mig_hot_close(f.hot);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "nothing is left out while held", test_held },
        { "a hold forgets what was seen", test_hold_forgets },
        { "PEEKs are 50 ms apart", test_interval },
        { "they take a twentieth of the time", test_budget },
        { "one that fails costs only its chance", test_failures },
        { "PEEKs that do not pay", test_does_not_pay },
        { "goes on where it does", test_pays },
        { "counts while held only", test_count },
        { "no PEEK runs beside a CLEAN", test_threads },
    };

    return unit_run("hot_pages", tests, sizeof(tests) / sizeof(tests[0]));
}
