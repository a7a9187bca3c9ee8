/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of pages: how they are chosen, and what the simulated host shows. */
#include <errno.h>

#include "base/units.h"
#include "dirty_log.h"
#include "page_sample.h"
#include "sim_fixture.h"

/* ---- choosing ---- */

/* Every `every`-th frame is populated. */
static int ask_every(void *data, const uint64_t *gfns, size_t count,
                     bool *there, struct lxe_err *err)
{
    const uint64_t *every = data;

    (void)err;
    for (size_t i = 0; i < count; i++)
        there[i] = gfns[i] % *every == 0;
    return 0;
}

static int ask_fails(void *data, const uint64_t *gfns, size_t count,
                     bool *there, struct lxe_err *err)
{
    (void)data;
    (void)gfns;
    (void)count;
    (void)there;
    return lxe_fail(err, -ESRCH, "gone");
}

static void test_choose(void)
{
    uint64_t random = unit_seed(), every = 16, gfns[512], low = 0;
    size_t count;

    for (unsigned round = 0; round < 40; round++) {
        CU_ASSERT_FATAL(!lxe_page_sample_choose(1 << 20, 512, &random,
                                                ask_every, &every, gfns,
                                                &count, NULL));
        CU_ASSERT(count > 480 && count <= 512);
        for (size_t i = 0; i < count; i++) {
            CU_ASSERT(gfns[i] % every == 0 && gfns[i] < 1 << 20);
            CU_ASSERT(!i || gfns[i] > gfns[i - 1]);
            low += gfns[i] < 1 << 19;
        }
    }
    /* Half of 20480 lie in the lower half: six deviations of 72. */
    CU_ASSERT(low > 9800 && low < 10700);
}

static void test_choose_few(void)
{
    uint64_t random = 1, every = 4096, gfns[512];
    size_t count;

    /* 64 x 1024 questions over 4096: about 16. */
    CU_ASSERT(!lxe_page_sample_choose(1 << 30, 512, &random, ask_every,
                                      &every, gfns, &count, NULL));
    CU_ASSERT(count > 1 && count < 60);
    CU_ASSERT(lxe_page_sample_choose(1 << 20, 512, &random, ask_fails, NULL,
                                     gfns, &count, NULL) == -ESRCH);
}

static void test_hash(void)
{
    uint8_t page[LXE_PAGE_SIZE] = { 0 };
    uint64_t zero = lxe_page_hash(page);

    page[LXE_PAGE_SIZE - 1] = 1;
    CU_ASSERT(lxe_page_hash(page) != zero);
    page[LXE_PAGE_SIZE - 1] = 0;
    CU_ASSERT(lxe_page_hash(page) == zero);
}

/* ---- the simulated host ---- */

static const char one_writer[] =
    "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "
    "'memory_kib': 1048576, 'static_max_kib': 2097152, "
    "'demand': [[0, 262144]], 'writes': {'hot_kib': 524288, "
    "'hot_pages_s': 2000000}}]}";

static size_t changed(struct lxe_page_sample *s)
{
    uint64_t before[512];
    size_t n = 0;

    memcpy(before, s->hashes, s->count * sizeof(*before));
    CU_ASSERT_FATAL(!s->ops->look(s, NULL));
    for (size_t i = 0; i < s->count; i++)
        n += before[i] != s->hashes[i];
    return n;
}

/* Its hot set lies somewhere in all that it may have. */
static void test_sim(void)
{
    struct lxe_host *host = sim_open(one_writer);
    struct lxe_page_sample *s, *second;
    size_t n;

    lxe_sim_advance(host, SECONDS(5));
    CU_ASSERT_FATAL(
        !host->ops->page_sample_open(host, 1, 512, unit_seed(), &s, NULL));
    CU_ASSERT(s->count > 480 && s->span == 524288);
    CU_ASSERT(host->ops->page_sample_open(host, 1, 512, 2, &second, NULL) ==
              -EBUSY);
    CU_ASSERT_FATAL(!s->ops->look(s, NULL));
    for (size_t i = 0; i < s->count; i++)
        CU_ASSERT(s->there[i] && s->gfns[i] < 262144);
    CU_ASSERT(changed(s) == 0);
    lxe_sim_advance(host, SECONDS(5));
    n = changed(s);
    printf("  %zu of %zu changed\n", n, s->count);
    CU_ASSERT(n <= s->count);
    CU_ASSERT(changed(s) == 0);
    s->ops->close(s);
    CU_ASSERT(!host->ops->page_sample_open(host, 1, 512, 2, &s, NULL));
    s->ops->close(s);
    host->ops->close(host);
}

/* Log-dirty mode and a sample see the same writes. */
static void test_sim_agrees(void)
{
    struct lxe_host *host = sim_open(one_writer);
    uint64_t dirty, hits = 0, expected = 0;
    struct lxe_page_sample *s;
    struct lxe_dirty_log *log;

    lxe_sim_advance(host, SECONDS(5));
    CU_ASSERT_FATAL(!host->ops->dirty_log_open(host, 1, &log, NULL));
    CU_ASSERT_FATAL(!host->ops->page_sample_open(host, 1, 512, 3, &s, NULL));
    CU_ASSERT_FATAL(!s->ops->look(s, NULL));
    lxe_sim_advance(host, SECONDS(5));
    hits = changed(s);
    CU_ASSERT_FATAL(!log->ops->clean(log, &dirty, NULL));
    for (size_t i = 0; i < s->count; i++)
        expected += log->bitmap[s->gfns[i] / 64] >> (s->gfns[i] % 64) & 1;
    CU_ASSERT(hits == expected);
    s->ops->close(s);
    log->ops->close(log);
    host->ops->close(host);
}

/* Pages that the balloon took are not there; a dead guest has none. */
static void test_sim_shrinks(void)
{
    struct lxe_host *host = sim_open(one_writer);
    struct lxe_page_sample *s;
    size_t there = 0;

    lxe_sim_advance(host, SECONDS(5));
    CU_ASSERT_FATAL(!host->ops->page_sample_open(host, 1, 512, 4, &s, NULL));
    sim_target(host, 1, MIB(512));
    lxe_sim_advance(host, SECONDS(60));
    CU_ASSERT_FATAL(!s->ops->look(s, NULL));
    for (size_t i = 0; i < s->count; i++) {
        CU_ASSERT(s->there[i] ==
                  (s->gfns[i] < sim_current(host, 1) / LXE_KIB_PER_PAGE));
        there += s->there[i];
    }
    CU_ASSERT(there > 0 && there < s->count);
    lxe_sim_fail_next(host, LXE_SIM_OP_PAGE_SAMPLE_LOOK, -EIO, 1);
    CU_ASSERT(s->ops->look(s, NULL) == -EIO);
    CU_ASSERT(!lxe_sim_destroy(host, 1, NULL));
    lxe_sim_advance(host, SECONDS(60));
    CU_ASSERT(s->ops->look(s, NULL) == -ESRCH);
    s->ops->close(s);
    CU_ASSERT(host->ops->page_sample_open(host, 1, 512, 2, &s, NULL) ==
              -ESRCH);
    host->ops->close(host);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "choosing", test_choose },
        { "choosing among few", test_choose_few },
        { "the hash", test_hash },
        { "a simulated guest", test_sim },
        { "agrees with log-dirty mode", test_sim_agrees },
        { "pages that go", test_sim_shrinks },
    };

    return unit_run("page-sample", tests, sizeof(tests) / sizeof(tests[0]));
}
