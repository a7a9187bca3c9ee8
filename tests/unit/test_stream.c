/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "synth_stream.h"
#include "unit.h"

/* What a parse saw: the items, as one string of kind, type, offset, bytes. */
struct seen {
    uint32_t items;
    uint64_t hash;
    uint64_t bytes;
    uint64_t shape; /* of kinds, types and lengths alone */
};

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void note(struct seen *seen, const struct mig_stream *s)
{
    struct mig_stream_item item = mig_stream_item(s);
    uint64_t shape[] = {item.kind, item.type, item.offset, item.length,
                        item.contents};

    CU_ASSERT_EQUAL(item.offset, seen->bytes);
    seen->items++;
    seen->bytes += item.length + item.contents;
    seen->shape = mix(seen->shape, shape, sizeof(shape));
    seen->hash =
        mix(mix(seen->hash, shape, sizeof(shape)), item.data, item.length);
}

/*
 * Feeds a stream in pieces of random size up to max, each in a block of its
 * own exact size, so that the sanitizer sees a read past its end.
 */
static int feed_in_pieces(struct mig_stream *s, const uint8_t *data, size_t len,
                          size_t max, uint64_t *random, struct seen *seen,
                          struct lxe_err *err)
{
    size_t at = 0;
    int rc = 0;

    while (at < len && rc >= 0) {
        size_t n = 1 + unit_below(random, max), done = 0, used;
        uint8_t *piece;

        if (n > len - at)
            n = len - at;
        piece = malloc(n);
        memcpy(piece, data + at, n);
        for (; done < n && rc >= 0; done += used) {
            rc = mig_stream_feed(s, piece + done, n - done, &used, err);
            if (rc == 1)
                note(seen, s);
        }
        free(piece);
        at += n;
    }
    return rc;
}

/* Parses it all; returns 0, or the parser's or its end's error. */
static int parse(const uint8_t *data, size_t len, size_t max, uint64_t *random,
                 struct seen *seen, struct lxe_err *err)
{
    struct mig_stream s;
    int rc;

    memset(seen, 0, sizeof(*seen));
    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, err), 0);
    rc = feed_in_pieces(&s, data, len, max, random, seen, err);
    if (rc >= 0)
        rc = mig_stream_eof(&s, err);
    mig_stream_deinit(&s);
    return rc;
}

static void test_whole(void)
{
    uint64_t random = 1;
    struct synth in = {0};
    struct mig_stream s;
    struct lxe_err err = {0};
    size_t used, at = 0;

    synth_hvm(&in, &random, 3);
    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, &err), 0);
    CU_ASSERT_EQUAL(mig_stream_feed(&s, in.data, in.len, &used, &err), 1);
    CU_ASSERT_EQUAL(used, MIG_IMAGE_HEADER_BYTES);
    CU_ASSERT_EQUAL(mig_stream_item(&s).kind, MIG_ITEM_IMAGE_HEADER);
    CU_ASSERT_EQUAL(s.version, 3);
    CU_ASSERT_EQUAL(s.guest_type, MIG_GUEST_NONE);
    at += used;
    CU_ASSERT_EQUAL(mig_stream_feed(&s, in.data + at, in.len - at, &used, &err),
                    1);
    CU_ASSERT_EQUAL(mig_stream_item(&s).kind, MIG_ITEM_DOMAIN_HEADER);
    CU_ASSERT_EQUAL(s.guest_type, MIG_GUEST_HVM);
    at += used;
    CU_ASSERT_EQUAL(mig_stream_feed(&s, in.data + at, in.len - at, &used, &err),
                    1);
    CU_ASSERT_EQUAL(mig_stream_item(&s).kind, MIG_ITEM_RECORD);
    CU_ASSERT_EQUAL(mig_stream_item(&s).type, MIG_REC_X86_CPUID_POLICY);
    CU_ASSERT_EQUAL(mig_stream_item(&s).length, 8 + 48);
    CU_ASSERT_EQUAL(mig_stream_item(&s).offset, 40);
    CU_ASSERT_FALSE(mig_stream_done(&s));
    CU_ASSERT_EQUAL(mig_stream_eof(&s, &err), -EPIPE);
    mig_stream_deinit(&s);
    synth_free(&in);
}

static void test_any_split(void)
{
    uint64_t random = unit_seed();
    static const size_t sizes[] = {1, 2, 7, 8, 100, 5000, 70000};

    for (int round = 0; round < 10; round++) {
        struct synth in = {0};
        struct seen whole, split;
        struct lxe_err err = {0};

        synth_hvm(&in, &random, 1 + (uint32_t)unit_below(&random, 6));
        CU_ASSERT_EQUAL(parse(in.data, in.len, in.len, &random, &whole, &err),
                        0);
        CU_ASSERT_EQUAL(whole.bytes, in.len);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            CU_ASSERT_EQUAL(
                parse(in.data, in.len, sizes[i], &random, &split, &err), 0);
            CU_ASSERT_EQUAL(split.items, whole.items);
            CU_ASSERT_EQUAL(split.hash, whole.hash);
        }
        synth_free(&in);
    }
}

/* The pump's way: read into the parser's own buffer, short reads included. */
static void test_want_got(void)
{
    uint64_t random = unit_seed();
    struct synth in = {0}, out = {0};
    struct mig_stream s;
    struct lxe_err err = {0};
    size_t at = 0, len;
    void *buf;

    synth_hvm(&in, &random, 4);
    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, &err), 0);
    for (mig_stream_want(&s, &buf, &len); len > 0;
         mig_stream_want(&s, &buf, &len)) {
        size_t n = 1 + unit_below(&random, len);
        int rc;

        CU_ASSERT_FATAL(n <= in.len - at);
        if (buf)
            memcpy(buf, in.data + at, n);
        else /* the contents of pages, which are the caller's to carry */
            synth_raw(&out, in.data + at, n);
        at += n;
        rc = mig_stream_got(&s, n, &err);
        CU_ASSERT_FATAL(rc >= 0);
        if (rc == 1)
            synth_raw(&out, mig_stream_item(&s).data,
                      mig_stream_item(&s).length);
    }
    CU_ASSERT_TRUE(mig_stream_done(&s));
    CU_ASSERT_EQUAL(mig_stream_eof(&s, &err), 0);
    CU_ASSERT_EQUAL(at, in.len);
    CU_ASSERT_EQUAL_FATAL(out.len, in.len);
    CU_ASSERT_EQUAL(memcmp(out.data, in.data, in.len), 0);
    mig_stream_deinit(&s);
    synth_free(&in);
    synth_free(&out);
}

/* Pages do not pass through the parser; it knows how many bytes they are. */
static void test_contents(void)
{
    const uint64_t entries[] = {synth_entry(MIG_PAGE_NOTAB, 1),
                                synth_entry(MIG_PAGE_XTAB, 2),
                                synth_entry(MIG_PAGE_NOTAB, 3)};
    struct synth in = {0};
    struct mig_stream s;
    struct lxe_err err = {0};
    size_t used, len;
    void *buf;

    synth_headers(&in, 2, MIG_GUEST_HVM);
    synth_pages(&in, entries, 3, 7);
    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, &err), 0);
    CU_ASSERT_EQUAL(mig_stream_feed(&s, in.data, 24, &used, &err), 1);
    CU_ASSERT_EQUAL(mig_stream_feed(&s, in.data + 24, 16, &used, &err), 1);
    CU_ASSERT_EQUAL(
        mig_stream_feed(&s, in.data + 40, in.len - 40, &used, &err), 1);
    CU_ASSERT_EQUAL(used, 8 + 8 + 3 * 8);
    CU_ASSERT_EQUAL(mig_stream_item(&s).length, used);
    CU_ASSERT_EQUAL(mig_stream_item(&s).contents, 2 * 4096);
    mig_stream_want(&s, &buf, &len);
    CU_ASSERT_PTR_NULL(buf);
    CU_ASSERT_EQUAL(len, 2 * 4096);
    CU_ASSERT_EQUAL(mig_stream_got(&s, 2 * 4096 + 1, &err), -EINVAL);
    CU_ASSERT_EQUAL(mig_stream_got(&s, 4097, &err), 0);
    CU_ASSERT_EQUAL(mig_stream_eof(&s, &err), -EPIPE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "4095 bytes"));
    CU_ASSERT_EQUAL(mig_stream_got(&s, 4095, &err), 0);
    mig_stream_want(&s, &buf, &len);
    CU_ASSERT_PTR_NOT_NULL(buf);
    CU_ASSERT_EQUAL(len, MIG_RECORD_HEADER_BYTES);
    mig_stream_deinit(&s);
    synth_free(&in);
}

static void test_truncated(void)
{
    uint64_t random = unit_seed();
    struct synth in = {0};
    struct seen seen;
    struct lxe_err err = {0};

    synth_hvm(&in, &random, 1);
    for (size_t len = 0; len < in.len; len += len < 200 ? 1 : 61)
        CU_ASSERT_EQUAL(parse(in.data, len, 4096, &random, &seen, &err),
                        -EPIPE);
    CU_ASSERT_EQUAL(parse(in.data, in.len - 1, 4096, &random, &seen, &err),
                    -EPIPE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "END"));
    synth_free(&in);
}

/* One damaged byte: refused, waiting for more, or the same items. */
static void test_flipped(void)
{
    uint64_t random = unit_seed();
    struct synth in = {0};
    struct seen good, bad;
    struct lxe_err err = {0};
    size_t refused = 0, same = 0;

    synth_hvm(&in, &random, 1);
    CU_ASSERT_EQUAL(parse(in.data, in.len, 512, &random, &good, &err), 0);
    for (size_t i = 0; i < in.len; i += i < 400 ? 1 : 97) {
        uint8_t old = in.data[i];

        in.data[i] ^= (uint8_t)(1u << unit_below(&random, 8));
        if (parse(in.data, in.len, 512, &random, &bad, &err) < 0)
            refused++;
        else if (bad.shape == good.shape)
            same++;
        else
            /* A type changed into another one that may stand there too. */
            CU_ASSERT_EQUAL(bad.bytes, good.bytes);
        in.data[i] = old;
    }
    CU_ASSERT(refused > 40);
    CU_ASSERT(same > 0);
    synth_free(&in);
}

/* What a stream of these headers and one more record is told. */
static int verdict(uint32_t version, uint32_t guest, uint32_t type,
                   const void *body, uint32_t len, struct lxe_err *err)
{
    uint64_t random = 1;
    struct synth in = {0};
    struct seen seen;
    int rc;

    synth_headers(&in, version, guest);
    synth_record(&in, type, body, len);
    rc = parse(in.data, in.len, in.len, &random, &seen, err);
    synth_free(&in);
    return rc;
}

static void test_refused_records(void)
{
    static const uint8_t zero[4104];
    struct lxe_err err = {0};

    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_END, NULL, 0, &err), 0);
    CU_ASSERT_EQUAL(verdict(2, 1, MIG_REC_END, NULL, 0, &err), 0);
    CU_ASSERT_EQUAL(verdict(1, 2, MIG_REC_END, NULL, 0, &err), -ENOTSUP);
    CU_ASSERT_EQUAL(verdict(4, 2, MIG_REC_END, NULL, 0, &err), -ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "version 4"));
    CU_ASSERT_EQUAL(verdict(3, 3, MIG_REC_END, NULL, 0, &err), -ENOTSUP);
    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_END, zero, 8, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "byte 40"));
    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_CHECKPOINT, NULL, 0, &err), -ENOTSUP);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Remus"));
    CU_ASSERT_EQUAL(verdict(3, 2, 0x0f, NULL, 0, &err), -EPROTO);
    CU_ASSERT_EQUAL(verdict(3, 2, 0x13, NULL, 0, &err), -EPROTO);
    CU_ASSERT_EQUAL(verdict(3, 2, 0x7fffffff, NULL, 0, &err), -EPROTO);
    /* An optional one passes, so that only END is missed. */
    CU_ASSERT_EQUAL(verdict(3, 2, 0x80000013, zero, 9, &err), -EPIPE);
    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_SHARED_INFO, zero, 4096, &err),
                    -EPROTO);
    CU_ASSERT_EQUAL(verdict(3, 1, MIG_REC_SHARED_INFO, zero, 4096, &err),
                    -EPIPE);
    CU_ASSERT_EQUAL(verdict(3, 1, MIG_REC_SHARED_INFO, zero, 4104, &err),
                    -EPROTO);
    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_X86_TSC_INFO, zero, 16, &err),
                    -EPROTO);
    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_HVM_PARAMS, zero, 8, &err), -EPIPE);
    CU_ASSERT_EQUAL(verdict(3, 2, MIG_REC_HVM_PARAMS, zero, 24, &err), -EPROTO);
}

static int page_verdict(const uint64_t *words, uint32_t count,
                        struct lxe_err *err)
{
    return verdict(2, 2, MIG_REC_PAGE_DATA, words, 8 * count, err);
}

static void test_refused_pages(void)
{
    const uint64_t xtab = synth_entry(MIG_PAGE_XTAB, 5);
    static uint64_t many[1 + MIG_BATCH_PAGES + 1];
    struct lxe_err err = {0};

    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){1, xtab}, 2, &err), -EPIPE);
    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){0, xtab}, 2, &err), -EPROTO);
    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){2, xtab}, 2, &err), -EPROTO);
    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){UINT32_MAX, xtab}, 2, &err),
                    -EPROTO);
    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){1, xtab, xtab}, 3, &err),
                    -EPROTO);
    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){1, 5}, 2, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1 pages"));
    CU_ASSERT_EQUAL(
        page_verdict((uint64_t[]){1, xtab | UINT64_C(1) << 52}, 2, &err),
        -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "reserved"));
    CU_ASSERT_EQUAL(page_verdict((uint64_t[]){1, synth_entry(5, 9)}, 2, &err),
                    -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "0x9"));
    for (size_t i = 1; i <= MIG_BATCH_PAGES + 1; i++)
        many[i] = xtab;
    many[0] = MIG_BATCH_PAGES;
    CU_ASSERT_EQUAL(page_verdict(many, 1 + MIG_BATCH_PAGES, &err), -EPIPE);
    many[0]++;
    CU_ASSERT_EQUAL(page_verdict(many, 2 + MIG_BATCH_PAGES, &err), -EPROTO);
    /* Version 3 says where the static data ends; pages come after that. */
    CU_ASSERT_EQUAL(
        verdict(3, 2, MIG_REC_PAGE_DATA, (uint64_t[]){1, xtab}, 16, &err),
        -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "STATIC_DATA_END"));
}

static void test_refused_raw(void)
{
    uint64_t random = 1;
    struct synth in = {0};
    struct seen seen;
    struct lxe_err err = {0};
    uint8_t huge[8] = {9, 0, 0, 0, 1, 0, 0, 1}; /* 16 MiB and a byte */

    synth_headers(&in, 3, MIG_GUEST_HVM);
    synth_raw(&in, huge, sizeof(huge));
    CU_ASSERT_EQUAL(parse(in.data, in.len, 9, &random, &seen, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "16777217"));
    in.len = 40;
    synth_record(&in, MIG_REC_HVM_CONTEXT, "abcdefghi", 9);
    in.data[in.len - 1] = 1;
    CU_ASSERT_EQUAL(parse(in.data, in.len, 9, &random, &seen, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "padding"));
    in.len = 40;
    synth_record(&in, MIG_REC_STATIC_DATA_END, NULL, 0);
    synth_record(&in, MIG_REC_STATIC_DATA_END, NULL, 0);
    CU_ASSERT_EQUAL(parse(in.data, in.len, 9, &random, &seen, &err), -EPROTO);
    in.len = 40;
    synth_record(&in, MIG_REC_END, NULL, 0);
    synth_raw(&in, "x", 1);
    CU_ASSERT_EQUAL(parse(in.data, in.len, 99, &random, &seen, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "follow END"));
    synth_free(&in);
}

/* A record larger than a batch of pages makes the buffer grow. */
static void test_large_record(void)
{
    uint64_t random = unit_seed();
    uint32_t len = MIG_RECORD_BODY_MAX - 3;
    uint8_t *blob = malloc(len);
    struct synth in = {0};
    struct seen a, b;
    struct lxe_err err = {0};

    memset(blob, 0x5a, len);
    synth_headers(&in, 3, MIG_GUEST_HVM);
    synth_record(&in, MIG_REC_HVM_CONTEXT, blob, len);
    synth_record(&in, MIG_REC_END, NULL, 0);
    CU_ASSERT_EQUAL(parse(in.data, in.len, in.len, &random, &a, &err), 0);
    CU_ASSERT_EQUAL(parse(in.data, in.len, 1 << 20, &random, &b, &err), 0);
    CU_ASSERT_EQUAL(a.bytes, in.len);
    CU_ASSERT_EQUAL(a.hash, b.hash);
    synth_free(&in);
    free(blob);
}

static void test_stays_failed(void)
{
    struct mig_stream s;
    struct lxe_err err = {0};
    uint8_t zero[64] = {0};
    size_t used, len;
    void *buf;

    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, &err), 0);
    CU_ASSERT_EQUAL(mig_stream_got(&s, MIG_IMAGE_HEADER_BYTES + 1, &err),
                    -EINVAL);
    CU_ASSERT_EQUAL(mig_stream_feed(&s, zero, 64, &used, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "marker"));
    CU_ASSERT_EQUAL(mig_stream_feed(&s, zero, 64, &used, &err), -EPROTO);
    CU_ASSERT_EQUAL(used, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "refused before"));
    mig_stream_want(&s, &buf, &len);
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(mig_stream_eof(&s, &err), -EPIPE);
    mig_stream_deinit(&s);
    mig_stream_deinit(&s);
}

static void test_names(void)
{
    CU_ASSERT_STRING_EQUAL(mig_record_name(MIG_REC_PAGE_DATA), "PAGE_DATA");
    CU_ASSERT_STRING_EQUAL(mig_record_name(MIG_REC_CHECKPOINT), "CHECKPOINT");
    CU_ASSERT_STRING_EQUAL(mig_record_name(0x0b), "unknown");
    CU_ASSERT_STRING_EQUAL(mig_record_name(0x80000001), "unknown");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"whole stream", test_whole},
        {"any split gives the same items", test_any_split},
        {"read into the parser's buffer", test_want_got},
        {"contents of pages", test_contents},
        {"every truncation is noticed", test_truncated},
        {"flipped bytes", test_flipped},
        {"refused records", test_refused_records},
        {"refused pages", test_refused_pages},
        {"refused framing", test_refused_raw},
        {"large record", test_large_record},
        {"an error is final", test_stays_failed},
        {"names", test_names},
    };

    return unit_run("stream", tests, sizeof(tests) / sizeof(tests[0]));
}
