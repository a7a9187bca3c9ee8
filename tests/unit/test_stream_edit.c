/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "stream.h"
#include "stream_edit.h"
#include "synth_stream.h"
#include "unit.h"

#define SEED 11

static uint64_t word_at(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static uint32_t count_of(const uint8_t *record)
{
    uint32_t v;

    memcpy(&v, record + 8, sizeof(v));
    return le32toh(v);
}

static uint64_t entry_of(const uint8_t *record, uint32_t i)
{
    return word_at(record + 16 + 8 * (size_t)i);
}

/* Whether a stream of just this record and END parses. */
static bool parses(const uint8_t *record, size_t len, uint32_t guest)
{
    struct synth in = {0};
    struct mig_stream s;
    struct lxe_err err = {0};
    size_t at = 0, used;
    int rc = 0;

    synth_headers(&in, 2, guest);
    synth_raw(&in, record, len);
    synth_record(&in, MIG_REC_END, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, &err), 0);
    for (; at < in.len && rc >= 0; at += used)
        rc = mig_stream_feed(&s, in.data + at, in.len - at, &used, &err);
    rc = rc < 0 ? rc : mig_stream_eof(&s, &err);
    mig_stream_deinit(&s);
    synth_free(&in);
    return rc == 0;
}

/*
 * Edits a record that is whole in memory, and moves together what is to be
 * sent, as it would arrive. Returns its bytes.
 */
static size_t edit(uint8_t *record, size_t len, const uint64_t *dirty,
                   uint64_t dirty_pages, bool drop_holes,
                   struct mig_edit_result *r)
{
    uint8_t *page = record + 16 + 8 * (size_t)count_of(record), *to;

    mig_edit_page_data(record, dirty, dirty_pages, drop_holes, r);
    CU_ASSERT_FATAL(r->runs <= sizeof(r->run) / sizeof(r->run[0]));
    to = record + r->length;
    for (uint32_t i = 0; i < r->runs; i++) {
        size_t send = r->run[i].send * (size_t)4096;

        memmove(to, page, send);
        to += send;
        page += send + r->run[i].leave * (size_t)4096;
    }
    CU_ASSERT_PTR_EQUAL(page, record + len);
    return (size_t)(to - record);
}

static void put_record(struct synth *s, const uint64_t *entries, uint32_t n)
{
    synth_pages(s, entries, n, SEED);
}

static void test_nothing_to_do(void)
{
    const uint64_t entries[] = {synth_entry(0, 1), synth_entry(0xf, 2),
                                synth_entry(0, 3)};
    struct synth s = {0}, copy = {0};
    struct mig_edit_result r;
    uint64_t clean[1] = {0};

    put_record(&s, entries, 3);
    synth_raw(&copy, s.data, s.len);
    CU_ASSERT_EQUAL(edit(s.data, s.len, NULL, 0, false, &r), s.len);
    CU_ASSERT(r.sent == 2 && r.skipped == 0 && r.holes == 1 && r.other == 0);
    CU_ASSERT(r.runs == 1 && r.run[0].send == 2 && r.run[0].leave == 0);
    CU_ASSERT_EQUAL(memcmp(s.data, copy.data, s.len), 0);
    CU_ASSERT_EQUAL(edit(s.data, s.len, clean, 64, false, &r), s.len);
    CU_ASSERT_EQUAL(memcmp(s.data, copy.data, s.len), 0);
    synth_free(&s);
    synth_free(&copy);
}

static void test_skip_one(void)
{
    const uint64_t entries[] = {synth_entry(0, 1), synth_entry(0, 2),
                                synth_entry(0, 3)};
    struct synth s = {0};
    struct mig_edit_result r;
    uint64_t dirty[1] = {1 << 2};
    size_t len;

    put_record(&s, entries, 3);
    len = edit(s.data, s.len, dirty, 64, true, &r);
    CU_ASSERT(r.sent == 2 && r.skipped == 1);
    CU_ASSERT_EQUAL(len, s.len - 4096);
    CU_ASSERT_EQUAL(entry_of(s.data, 0), synth_entry(0, 1));
    CU_ASSERT_EQUAL(entry_of(s.data, 1), synth_entry(0xe, 2));
    CU_ASSERT_EQUAL(entry_of(s.data, 2), synth_entry(0, 3));
    CU_ASSERT_EQUAL(word_at(s.data + 40), synth_word(1, SEED, 0));
    CU_ASSERT_EQUAL(word_at(s.data + 40 + 4096), synth_word(3, SEED, 0));
    CU_ASSERT_TRUE(parses(s.data, len, MIG_GUEST_HVM));
    synth_free(&s);
}

static void test_holes(void)
{
    const uint64_t none[] = {synth_entry(0xf, 8), synth_entry(0xf, 9)};
    const uint64_t mixed[] = {synth_entry(0xf, 8), synth_entry(0, 1),
                              synth_entry(0xd, 2), synth_entry(0xf, 9)};
    struct synth s = {0};
    struct mig_edit_result r;
    size_t len;

    put_record(&s, none, 2);
    CU_ASSERT_EQUAL(edit(s.data, s.len, NULL, 0, true, &r), 0);
    CU_ASSERT(r.length == 0 && r.holes == 2);
    CU_ASSERT_EQUAL(edit(s.data, s.len, NULL, 0, false, &r), s.len);
    CU_ASSERT(r.length == s.len && r.holes == 2);
    synth_free(&s);
    put_record(&s, mixed, 4);
    len = edit(s.data, s.len, NULL, 0, true, &r);
    CU_ASSERT(r.holes == 2 && r.sent == 1 && r.other == 1);
    CU_ASSERT_EQUAL(len, s.len - 16);
    CU_ASSERT_EQUAL(count_of(s.data), 2);
    CU_ASSERT_EQUAL(entry_of(s.data, 0), synth_entry(0, 1));
    CU_ASSERT_EQUAL(entry_of(s.data, 1), synth_entry(0xd, 2));
    CU_ASSERT_EQUAL(word_at(s.data + 32), synth_word(1, SEED, 0));
    CU_ASSERT_TRUE(parses(s.data, len, MIG_GUEST_HVM));
    synth_free(&s);
}

/* Page tables carry their type, and a broken page has nothing to skip. */
static void test_untouched_types(void)
{
    uint64_t entries[11], dirty[1] = {UINT64_MAX};
    static const unsigned int types[] = {1,   2,   3,   4,   9,  0xa,
                                         0xb, 0xc, 0xd, 0xe, 0xf};
    struct synth s = {0}, copy = {0};
    struct mig_edit_result r;

    for (uint32_t i = 0; i < 11; i++)
        entries[i] = synth_entry(types[i], i);
    put_record(&s, entries, 11);
    synth_raw(&copy, s.data, s.len);
    CU_ASSERT_EQUAL(edit(s.data, s.len, dirty, 64, false, &r), s.len);
    CU_ASSERT(r.sent == 8 && r.other == 2 && r.holes == 1 && r.skipped == 0);
    CU_ASSERT_EQUAL(memcmp(s.data, copy.data, s.len), 0);
    synth_free(&s);
    synth_free(&copy);
}

/* Pfns at and beyond the bitmap's end are sent, and it is not read there. */
static void test_bitmap_end(void)
{
    const uint64_t entries[] = {synth_entry(0, 63), synth_entry(0, 64),
                                synth_entry(0, MIG_PFN_MASK)};
    uint64_t *dirty = malloc(sizeof(*dirty));
    struct synth s = {0};
    struct mig_edit_result r;

    *dirty = UINT64_MAX;
    put_record(&s, entries, 3);
    edit(s.data, s.len, dirty, 64, true, &r);
    CU_ASSERT(r.sent == 2 && r.skipped == 1);
    CU_ASSERT_EQUAL(entry_of(s.data, 0), synth_entry(0xe, 63));
    synth_free(&s);
    free(dirty);
}

struct trial {
    uint64_t entries[64];
    uint32_t count;
    uint64_t dirty[4];
    bool holes;
};

static bool is_skipped(const struct trial *t, uint64_t entry)
{
    return entry >> 60 == 0 && (entry & MIG_PFN_MASK) < 256 &&
           lxe_bitmap_test(t->dirty, entry & MIG_PFN_MASK);
}

static bool is_omitted(const struct trial *t, uint64_t entry)
{
    return t->holes && entry >> 60 == MIG_PAGE_XTAB;
}

/* Walks the edited record along with what was put in. */
static void compare(const struct trial *t, const uint8_t *record, size_t len,
                    const struct mig_edit_result *r)
{
    const uint8_t *page = record + 16 + 8 * (size_t)count_of(record);
    uint32_t at = 0, sent = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        uint64_t entry = t->entries[i], pfn = entry & MIG_PFN_MASK;

        if (is_omitted(t, entry))
            continue;
        if (is_skipped(t, entry)) {
            CU_ASSERT_EQUAL(entry_of(record, at++), synth_entry(0xe, pfn));
            continue;
        }
        CU_ASSERT_EQUAL(entry_of(record, at++), entry);
        if (!mig_page_has_data(entry >> 60))
            continue;
        for (size_t w = 0; w < 512; w++, page += 8)
            CU_ASSERT_FATAL(word_at(page) == synth_word(pfn, SEED, w));
        sent++;
    }
    CU_ASSERT_EQUAL(at, count_of(record));
    CU_ASSERT_EQUAL(sent, r->sent);
    CU_ASSERT_PTR_EQUAL(page, record + len);
}

static void random_trial(struct trial *t, uint64_t *random, bool hvm)
{
    static const unsigned int types[] = {0,   0,   0, 0xf, 0xf,
                                         0xd, 0xe, 1, 2,   0xb};

    t->count = 1 + (uint32_t)unit_below(random, 64);
    t->holes = hvm && unit_below(random, 2);
    for (uint32_t i = 0; i < t->count; i++)
        t->entries[i] = synth_entry(types[unit_below(random, hvm ? 7 : 10)],
                                    unit_below(random, 300));
    for (size_t i = 0; i < 4; i++)
        t->dirty[i] = unit_random(random) & unit_random(random);
}

static void test_property(void)
{
    uint64_t random = unit_seed();

    for (int round = 0; round < 300; round++) {
        bool hvm = unit_below(&random, 2);
        struct trial t;
        struct synth s = {0};
        struct mig_edit_result r;
        uint8_t *exact;
        size_t len;

        random_trial(&t, &random, hvm);
        put_record(&s, t.entries, t.count);
        exact = malloc(s.len);
        memcpy(exact, s.data, s.len);
        len = edit(exact, s.len, t.dirty, 256, t.holes, &r);
        CU_ASSERT_EQUAL(r.sent + r.skipped + r.holes + r.other, t.count);
        CU_ASSERT(len <= s.len);
        if (r.length) {
            compare(&t, exact, len, &r);
            CU_ASSERT_TRUE(parses(exact, len, hvm ? 2 : 1));
        } else {
            CU_ASSERT_EQUAL(r.holes, t.count);
        }
        free(exact);
        synth_free(&s);
    }
}

/* Every other page is left, the first of them too: the most runs there are. */
static void test_most_runs(void)
{
    uint64_t entries[MIG_BATCH_PAGES], dirty[MIG_BATCH_PAGES / 64];
    struct synth s = {0};
    struct mig_edit_result r;

    for (uint32_t i = 0; i < MIG_BATCH_PAGES; i++)
        entries[i] = synth_entry(0, i);
    memset(dirty, 0x55, sizeof(dirty));
    put_record(&s, entries, MIG_BATCH_PAGES);
    CU_ASSERT_EQUAL(edit(s.data, s.len, dirty, MIG_BATCH_PAGES, true, &r),
                    s.len - MIG_BATCH_PAGES / 2 * (size_t)4096);
    CU_ASSERT_EQUAL(r.runs, MIG_BATCH_PAGES / 2 + 1);
    CU_ASSERT_EQUAL(r.sent, MIG_BATCH_PAGES / 2);
    synth_free(&s);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"nothing to do", test_nothing_to_do},
        {"one page is left for later", test_skip_one},
        {"holes", test_holes},
        {"page tables and bare entries stay", test_untouched_types},
        {"end of the bitmap", test_bitmap_end},
        {"as many runs as can be", test_most_runs},
        {"any record", test_property},
    };

    return unit_run("stream_edit", tests, sizeof(tests) / sizeof(tests[0]));
}
