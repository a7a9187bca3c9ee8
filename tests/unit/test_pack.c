/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is packed at the source comes out at the target as it went in, at once
 * and whatever the pieces; and nothing else does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "pack.h"
#include "synth_stream.h"
#include "unit.h"
#include "unpack.h"

#define MIB  (1u << 20)
#define PAGE 4096u

/* Takes what comes out of either. */
static int collect(void *data, const void *bytes, size_t len)
{
    synth_raw(data, bytes, len);
    return 0;
}

static int refuse(void *data, const void *bytes, size_t len)
{
    (void)data;
    (void)bytes;
    (void)len;
    return -EPIPE;
}

static struct mig_pack *open_pack(uint64_t window_bytes)
{
    struct mig_pack *p;

    CU_ASSERT_EQUAL_FATAL(mig_pack_open(1, window_bytes, &p, NULL), 0);
    return p;
}

static struct mig_unpack *open_unpack(enum mig_unpack_from from)
{
    struct mig_unpack *u;

    CU_ASSERT_EQUAL_FATAL(mig_unpack_open(from, &u, NULL), 0);
    return u;
}

static void pack(struct mig_pack *p, const void *data, size_t len, bool end,
                 struct synth *out)
{
    struct iovec iov = { (void *)data, len };

    CU_ASSERT_EQUAL(mig_pack_take(p, &iov, 1, end, collect, out), 0);
}

/* Feeds it in pieces of random sizes. */
static int feed(struct mig_unpack *u, const struct synth *in, size_t most,
                uint64_t *seed, struct synth *out, struct lxe_err *err)
{
    size_t at = 0;
    int rc = 0;

    while (at < in->len && !rc) {
        size_t n = 1 + unit_below(seed, most);

        n = n < in->len - at ? n : in->len - at;
        rc = mig_unpack_feed(u, in->data + at, n, collect, out, err);
        at += n;
    }
    return rc;
}

static bool same(const struct synth *a, const struct synth *b)
{
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* As random as the contents of pages can be. */
static void noise(struct synth *s, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t word = unit_random(&seed);

        synth_raw(s, &word, sizeof(word));
    }
}

/* ---- there and back ---- */

static void test_all_that_went_in_is_out(void)
{
    struct mig_unpack *u = open_unpack(MIG_UNPACK_LIBXC);
    struct mig_pack *p = open_pack(0);
    struct synth in = { 0 }, out = { 0 };
    uint64_t seed = unit_seed();

    for (int i = 0; i < 200; i++) {
        struct synth plain = { 0 }, packed = { 0 };

        noise(&plain, 8 + unit_below(&seed, 20000), seed);
        synth_raw(&in, plain.data, plain.len);
        pack(p, plain.data, plain.len, i == 199, &packed);
        CU_ASSERT_EQUAL(feed(u, &packed, 5000, &seed, &out, NULL), 0);
        CU_ASSERT_TRUE(same(&in, &out));
        CU_ASSERT_EQUAL(mig_unpack_done(u), i == 199);
        synth_free(&plain);
        synth_free(&packed);
    }
    mig_pack_free(p);
    mig_unpack_free(u);
    synth_free(&in);
    synth_free(&out);
}

/* Pages that come again, with a word changed in each. */
static size_t second_round(uint64_t window_bytes)
{
    struct mig_pack *p = open_pack(window_bytes);
    struct synth pages = { 0 }, first = { 0 }, second = { 0 };
    size_t bytes;

    noise(&pages, 4 * MIB, 1);
    pack(p, pages.data, pages.len, false, &first);
    for (size_t at = 0; at < pages.len; at += PAGE)
        pages.data[at + at / PAGE % PAGE]++;
    pack(p, pages.data, pages.len, true, &second);
    bytes = second.len;
    mig_pack_free(p);
    synth_free(&pages);
    synth_free(&first);
    synth_free(&second);
    return bytes;
}

static void test_the_window_finds_what_came_before(void)
{
    CU_ASSERT_TRUE(second_round(0) > 3 * MIB);
    CU_ASSERT_TRUE(second_round(16 * MIB) < MIB / 4);
}

static void test_a_sink_that_fails(void)
{
    struct mig_pack *p = open_pack(0);
    struct mig_unpack *u = open_unpack(MIG_UNPACK_LIBXC);
    struct iovec iov = { (void *)"xyz", 3 };
    struct synth out = { 0 };

    CU_ASSERT_EQUAL(mig_pack_take(p, &iov, 1, true, refuse, NULL), -EPIPE);
    mig_pack_free(p);
    p = open_pack(0);
    pack(p, "xyz", 3, true, &out);
    CU_ASSERT_EQUAL(
        mig_unpack_feed(u, out.data, out.len, refuse, NULL, NULL), -EPIPE);
    mig_pack_free(p);
    mig_unpack_free(u);
    synth_free(&out);
}

/* ---- within what xl and libxl send ---- */

static void put_u32(struct synth *s, uint32_t value)
{
    synth_raw(s, &value, sizeof(value));
}

static void put_xl(struct synth *s, uint32_t length)
{
    uint8_t byte = '{';

    synth_raw(s, "Xen saved domain, xl format\n \0 \r", 32);
    put_u32(s, 0x01020304);
    put_u32(s, 3);
    put_u32(s, 0);
    put_u32(s, length);
    while (length--)
        synth_raw(s, &byte, 1);
}

static void put_libxl(struct synth *out)
{
    struct synth s = { 0 };

    synth_raw(&s, "LibxlFmt\0\0\0\2\0\0\0\0", 16);
    synth_record(&s, 2, "of the emulator", 15); /* it is padded */
    synth_record(&s, 2, "", 0);
    put_u32(&s, 1); /* LIBXC_CONTEXT */
    put_u32(&s, 0);
    synth_raw(out, s.data, s.len);
    synth_free(&s);
}

#define AFTER "\0\0\0\0\0\0\0\0domain is yours, you are cleared to unpause"

static void test_what_is_around_it_is_passed_on(void)
{
    struct synth plain = { 0 }, in = { 0 }, want = { 0 }, out = { 0 };
    uint64_t seed = unit_seed();

    noise(&plain, 300000, 7);
    for (unsigned i = 0; i < 50; i++) {
        struct mig_unpack *u = open_unpack(MIG_UNPACK_XL);
        struct mig_pack *p = open_pack(0);

        in.len = want.len = out.len = 0;
        put_xl(&in, (uint32_t)unit_below(&seed, 3000));
        put_libxl(&in);
        synth_raw(&want, in.data, in.len);
        pack(p, plain.data, plain.len, true, &in);
        synth_raw(&want, plain.data, plain.len);
        synth_raw(&in, AFTER, sizeof(AFTER));
        synth_raw(&want, AFTER, sizeof(AFTER));
        CU_ASSERT_EQUAL(feed(u, &in, 1u << i % 17, &seed, &out, NULL), 0);
        CU_ASSERT_TRUE(same(&want, &out));
        CU_ASSERT_TRUE(mig_unpack_done(u));
        mig_pack_free(p);
        mig_unpack_free(u);
    }
    synth_free(&plain);
    synth_free(&in);
    synth_free(&want);
    synth_free(&out);
}

/* ---- what a source must not send ---- */

static void refused(const struct synth *in, enum mig_unpack_from from,
                    const char *word)
{
    struct mig_unpack *u = open_unpack(from);
    struct synth out = { 0 };
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(
        mig_unpack_feed(u, in->data, in->len, collect, &out, &err), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, word));
    CU_ASSERT_FALSE(mig_unpack_done(u));
    mig_unpack_free(u);
    synth_free(&out);
}

static void test_strange_headers(void)
{
    struct synth in = { 0 };

    put_xl(&in, 5);
    in.data[3]++;
    refused(&in, MIG_UNPACK_XL, "not a domain sent by xl");
    in.data[3]--;
    in.data[32]++;
    refused(&in, MIG_UNPACK_XL, "byte order");
    in.data[32]--;
    synth_raw(&in, "LibxlFmx\0\0\0\2\0\0\0\0", 16);
    refused(&in, MIG_UNPACK_XL, "no stream of libxl's");
    synth_free(&in);
}

static void test_damage(void)
{
    struct synth in = { 0 }, plain = { 0 };
    struct mig_pack *p = open_pack(0);

    refused(&(struct synth){ (uint8_t *)"plain text", 10, 10 },
            MIG_UNPACK_LIBXC, "damaged");
    noise(&plain, 5000, 3);
    memset(plain.data + 1000, 0, 3000);
    pack(p, plain.data, plain.len, true, &in);
    in.data[4] = 0xff; /* what the frame says of itself */
    in.data[5] = 0xff;
    refused(&in, MIG_UNPACK_LIBXC, "damaged");
    mig_pack_free(p);
    synth_free(&in);
    synth_free(&plain);
}

/* zstd unpacks some of these, by code that is not told of our bound. */
static void test_formats_of_before(void)
{
    static const uint32_t magics[] = {
        0x184d2a50, 0xfd2fb522, 0xfd2fb523, 0xfd2fb524, 0xfd2fb525,
        0xfd2fb526, 0xfd2fb527,
    };

    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        struct synth in = { 0 };

        put_u32(&in, magics[i]);
        refused(&in, MIG_UNPACK_LIBXC, "damaged");
        synth_raw(&in, "\4\1\x58", 3);
        refused(&in, MIG_UNPACK_LIBXC, "damaged");
        synth_free(&in);
    }
}

/* To its last byte, without which the checksum is not whole. */
static void test_broken_off(void)
{
    struct mig_unpack *u = open_unpack(MIG_UNPACK_LIBXC);
    struct synth in = { 0 }, out = { 0 };
    struct mig_pack *p = open_pack(0);

    pack(p, "some pages", 10, true, &in);
    for (size_t i = 0; i < in.len; i++) {
        CU_ASSERT_FALSE(mig_unpack_done(u));
        CU_ASSERT_EQUAL(
            mig_unpack_feed(u, in.data + i, 1, collect, &out, NULL), 0);
    }
    CU_ASSERT_TRUE(mig_unpack_done(u));
    mig_pack_free(p);
    mig_unpack_free(u);
    synth_free(&in);
    synth_free(&out);
}

/* More than 128 MiB of memory is not to be had. */
static void test_a_window_too_large(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_inBuffer from = { "x", 1, 0 };
    uint8_t frame[100];
    ZSTD_outBuffer to = { frame, sizeof(frame), 0 };
    struct synth in = { 0 };

    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, 28);
    ZSTD_compressStream2(zstd, &to, &from, ZSTD_e_flush);
    synth_raw(&in, frame, to.pos);
    refused(&in, MIG_UNPACK_LIBXC, "damaged");
    ZSTD_freeCCtx(zstd);
    synth_free(&in);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "all that went in is out", test_all_that_went_in_is_out },
        { "the window finds what came before",
          test_the_window_finds_what_came_before },
        { "a sink that fails", test_a_sink_that_fails },
        { "what is around it is passed on",
          test_what_is_around_it_is_passed_on },
        { "strange headers", test_strange_headers },
        { "damage", test_damage },
        { "formats of before zstd 0.8", test_formats_of_before },
        { "broken off", test_broken_off },
        { "a window too large", test_a_window_too_large },
    };

    return unit_run("pack", tests, sizeof(tests) / sizeof(tests[0]));
}
