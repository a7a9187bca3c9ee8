/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/units.h"
#include "unit.h"

static void test_sizes(void)
{
    struct lxe_err err = { 0 };
    uint64_t kib;

    CU_ASSERT_EQUAL(lxe_parse_size_kib("512", &kib, &err), 0);
    CU_ASSERT_EQUAL(kib, 512 * 1024);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("1.5G", &kib, &err), 0);
    CU_ASSERT_EQUAL(kib, 1536 * 1024);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("96kib", &kib, &err), 0);
    CU_ASSERT_EQUAL(kib, 96);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("-1", &kib, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("0x10", &kib, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("inf", &kib, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("1e5", &kib, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("", &kib, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_size_kib(".", &kib, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_size_kib("99999999T", &kib, &err), -ERANGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "99999999T"));
}

static void test_rates_and_durations(void)
{
    struct lxe_err err = { 0 };
    uint64_t v;

    CU_ASSERT_EQUAL(lxe_parse_rate_bps("500Mbit", &v, &err), 0);
    CU_ASSERT_EQUAL(v, 62500000);
    CU_ASSERT_EQUAL(lxe_parse_rate_bps("10MB", &v, &err), 0);
    CU_ASSERT_EQUAL(v, 10000000);
    CU_ASSERT_EQUAL(lxe_parse_rate_bps("10", &v, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_rate_bps("none", &v, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_duration_ms("300", &v, &err), 0);
    CU_ASSERT_EQUAL(v, 300);
    CU_ASSERT_EQUAL(lxe_parse_duration_ms("2s", &v, &err), 0);
    CU_ASSERT_EQUAL(v, 2000);
    CU_ASSERT_EQUAL(lxe_parse_duration_ms("2 s", &v, &err), -EINVAL);
}

/* What keeps a limit takes 0 for none: only that word may say it. */
static void test_no_rate(void)
{
    static const char *const nothing[] = { "0Mbit", "0B", "1bit", "0.0GB" };
    struct lxe_err err = { 0 };
    uint64_t v = 7;

    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        CU_ASSERT_EQUAL(lxe_parse_rate_bps(nothing[i], &v, &err), -ERANGE);
        CU_ASSERT_PTR_NULL(strstr(err.text, "none"));
        CU_ASSERT_EQUAL(lxe_parse_rate_limit_bps(nothing[i], &v, &err),
                        -ERANGE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "none"));
        CU_ASSERT_EQUAL(v, 7);
    }
    CU_ASSERT_EQUAL(lxe_parse_rate_limit_bps("0", &v, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "none"));
    CU_ASSERT_EQUAL(lxe_parse_rate_limit_bps("8bit", &v, &err), 0);
    CU_ASSERT_EQUAL(v, 1);
    CU_ASSERT_EQUAL(lxe_parse_rate_limit_bps("none", &v, &err), 0);
    CU_ASSERT_EQUAL(v, 0);
}

static void test_whole_numbers(void)
{
    struct lxe_err err = { 0 };
    uint64_t v = 7;

    CU_ASSERT_EQUAL(lxe_parse_u64("18446744073709551615", 0, UINT64_MAX, &v,
                                  &err), 0);
    CU_ASSERT_EQUAL(v, UINT64_MAX);
    CU_ASSERT_EQUAL(lxe_parse_u64("18446744073709551616", 0, UINT64_MAX, &v,
                                  &err), -ERANGE);
    CU_ASSERT_EQUAL(lxe_parse_u64("5", 6, 7, &v, &err), -ERANGE);
    CU_ASSERT_EQUAL(lxe_parse_u64("+5", 0, 7, &v, &err), -EINVAL);
    CU_ASSERT_EQUAL(lxe_parse_u64("", 0, 7, &v, &err), -EINVAL);
}

static void test_formats(void)
{
    char buf[LXE_UNIT_TEXT];

    CU_ASSERT_STRING_EQUAL(lxe_format_kib(buf, 96), "96 KiB");
    CU_ASSERT_STRING_EQUAL(lxe_format_kib(buf, 1536 * 1024), "1536 MiB");
    CU_ASSERT_STRING_EQUAL(lxe_format_kib(buf, UINT64_C(12 * 1024 * 1024)),
                           "12.0 GiB");
    CU_ASSERT_STRING_EQUAL(lxe_format_bps(buf, 12.34e6), "12.3 MB/s");
}

static void test_bitmap(void)
{
    uint64_t map[3] = { 0 };

    CU_ASSERT_EQUAL(lxe_bitmap_words(129), 3);
    lxe_bitmap_set(map, 0);
    lxe_bitmap_set(map, 64);
    lxe_bitmap_set(map, 128);
    CU_ASSERT_TRUE(lxe_bitmap_test(map, 64));
    CU_ASSERT_FALSE(lxe_bitmap_test(map, 65));
    CU_ASSERT_EQUAL(lxe_bitmap_count(map, 129), 3);
    lxe_bitmap_clear(map, 64);
    CU_ASSERT_EQUAL(lxe_bitmap_count(map, 129), 2);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "sizes", test_sizes },
        { "rates and durations", test_rates_and_durations },
        { "a rate of nothing", test_no_rate },
        { "whole numbers", test_whole_numbers },
        { "formats", test_formats },
        { "bitmap", test_bitmap },
    };

    return unit_run("units", tests, sizeof(tests) / sizeof(tests[0]));
}
