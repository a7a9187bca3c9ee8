/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables and escapes: alignment, wide characters, hostile names, cutting. */
#include "unit.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_table.h"
#include "cli_text.h"

static const struct aero_column columns[] = {
    { "NAME", AERO_LEFT },
    { "MEMORY", AERO_RIGHT },
    { "WHY", AERO_LEFT },
};

static void expect_escape(const char *text, const char *want)
{
    char *got = aero_text_escape(text);

    CU_ASSERT_STRING_EQUAL_FATAL(got, want);
    free(got);
}

static void test_escape(void)
{
    expect_escape("web-1", "web-1");
    expect_escape("", "");
    expect_escape("a\x1b[2Jb", "a\\x1b[2Jb");
    expect_escape("a\nb\tc\rd\x7f", "a\\x0ab\\x09c\\x0dd\\x7f");
    expect_escape("back\\slash", "back\\\\slash");
    expect_escape("bad\xff\xc3", "bad\\xff\\xc3");
    expect_escape("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
    expect_escape("c1\xc2\x9b" "2J", "c1\\u{9b}2J");
    expect_escape("rtl\xe2\x80\xaegnp", "rtl\\u{202e}gnp");
    expect_escape("tag\xf3\xa0\x81\x81", "tag\\u{e0041}");
}

/* Whatever the bytes, what comes out holds no control byte. */
static void test_escape_any_bytes(void)
{
    uint64_t state = unit_seed();

    for (int i = 0; i < 20000; i++) {
        char text[33];
        size_t n = unit_below(&state, 32);
        char *got;

        for (size_t k = 0; k < n; k++)
            text[k] = (char)(1 + unit_below(&state, 255));
        text[n] = '\0';
        got = aero_text_escape(text);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got);
        for (const char *p = got; *p; p++)
            CU_ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
        CU_ASSERT(aero_text_width(got) <= strlen(got));
        free(got);
    }
}

static void test_width(void)
{
    CU_ASSERT_EQUAL(aero_text_width("abc"), 3);
    CU_ASSERT_EQUAL(aero_text_width("gr\xc3\xbc"), 3);
    CU_ASSERT_EQUAL(aero_text_width("\xe6\xbc\xa2\xe5\xad\x97"), 4);
    CU_ASSERT_EQUAL(aero_text_width("e\xcc\x81"), 1);
    CU_ASSERT_EQUAL(aero_text_fit("\xe6\xbc\xa2\xe5\xad\x97", 3), 3);
    CU_ASSERT_EQUAL(aero_text_fit("abc", 9), 3);
    CU_ASSERT_EQUAL(aero_text_fit("abc", 0), 0);
}

/* Prints a table with the rows given and compares. */
static void expect_table(const char *const rows[][3], size_t count,
                         size_t width, const char *want)
{
    struct aero_table *t = aero_table_new(columns, 3);
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    for (size_t i = 0; i < count; i++)
        aero_table_add(t, rows[i]);
    CU_ASSERT_EQUAL(aero_table_print(t, out, width), 0);
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, want);
    if (strcmp(text, want))
        fprintf(stderr, "got:\n%swanted:\n%s", text, want);
    free(text);
    aero_table_free(t);
}

static void test_align(void)
{
    static const char *const rows[][3] = {
        { "web", "512M", "idle" },
        { "\xe6\xbc\xa2\xe5\xad\x97", "12345M", NULL },
        { "a\nb", NULL, "" },
    };

    expect_table(NULL, 0, 0, "NAME  MEMORY  WHY\n");
    expect_table(rows, 3, 0,
                 "NAME    MEMORY  WHY\n"
                 "web       512M  idle\n"
                 "\xe6\xbc\xa2\xe5\xad\x97    12345M  -\n"
                 "a\\x0ab       -  \n");
}

static void test_cut(void)
{
    static const char *const rows[][3] = {
        { "web", "512M", "a reason that is rather longer" },
        { "db", "1M", "just it: 12" },
    };
    static const char *const longer[][3] = {
        { "web", "512M", "a reason that is rather longer than that" },
        { "db", "1M", "the same of which no more: 123" },
    };

    expect_table(rows, 2, 44,
                 "NAME  MEMORY  WHY\n"
                 "web     512M  a reason that is rather longer\n"
                 "db        1M  just it: 12\n");
    expect_table(longer, 2, 44,
                 "NAME  MEMORY  WHY\n"
                 "web     512M  a reason that is rather longe\xe2\x80\xa6\n"
                 "db        1M  the same of which no more: 123\n");
    /* Too narrow for text: what is cut would say too little. */
    expect_table(rows, 2, 43,
                 "NAME  MEMORY\n"
                 "    WHY\n"
                 "web     512M\n"
                 "    a reason that is rather longer\n"
                 "db        1M\n"
                 "    just it: 12\n");
    expect_table(rows + 1, 1, 25,
                 "NAME  MEMORY  WHY\n"
                 "db        1M  just it: 12\n");
}

static void test_many_rows(void)
{
    static const char *const row[] = { "n", "1M", "r" };
    struct aero_table *t = aero_table_new(columns, 3);
    char *text = NULL;
    size_t len, lines = 0;
    FILE *out = open_memstream(&text, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    for (int i = 0; i < 1000; i++)
        aero_table_add(t, row);
    CU_ASSERT_EQUAL(aero_table_print(t, out, 80), 0);
    fclose(out);
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    CU_ASSERT_EQUAL(lines, 1001);
    free(text);
    aero_table_free(t);
}

static void test_full_disk(void)
{
    struct aero_table *t = aero_table_new(columns, 3);
    FILE *full = fopen("/dev/full", "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(full);
    setvbuf(full, NULL, _IONBF, 0);
    CU_ASSERT_EQUAL(aero_table_print(t, full, 0), -EIO);
    fclose(full);
    aero_table_free(t);
}

static void expect_size(uint64_t kib, const char *want)
{
    char buf[AERO_SIZE_TEXT];

    CU_ASSERT_STRING_EQUAL(aero_text_size(buf, kib), want);
}

static void test_sizes(void)
{
    char buf[AERO_SIZE_TEXT];

    expect_size(0, "0M");
    expect_size(96, "96K");
    expect_size(2048, "2M");
    expect_size(2049, "2049K");
    expect_size(10241, "10M");
    expect_size(524288 + 512, "513M");
    expect_size(UINT64_MAX, "18014398509481984M");
    CU_ASSERT_STRING_EQUAL(aero_text_duration(buf, 0.3), "300 ms");
    CU_ASSERT_STRING_EQUAL(aero_text_duration(buf, 42.2), "42 s");
    CU_ASSERT_STRING_EQUAL(aero_text_duration(buf, 600), "10 min");
    CU_ASSERT_STRING_EQUAL(aero_text_duration(buf, -1), "-");
    CU_ASSERT_STRING_EQUAL(aero_text_duration(buf, 1e300), "-");
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "escapes of hostile text", test_escape },
        { "escapes of any bytes", test_escape_any_bytes },
        { "widths in columns", test_width },
        { "alignment", test_align },
        { "cut at the terminal's width", test_cut },
        { "many rows", test_many_rows },
        { "a full disk is told", test_full_disk },
        { "sizes and durations", test_sizes },
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 77; /* this system has no UTF-8 locale to test with */
    return unit_run("cli_table", tests, sizeof(tests) / sizeof(tests[0]));
}
