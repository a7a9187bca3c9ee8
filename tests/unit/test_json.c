/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "unit.h"

static int parse(const char *text, struct lxe_json **out, struct lxe_err *err)
{
    return lxe_json_parse(text, strlen(text), out, err);
}

static void test_reads_values(void)
{
    struct lxe_json *root;
    struct lxe_err err = { 0 };
    uint64_t u;
    double d;
    bool b;

    CU_ASSERT_EQUAL_FATAL(
        parse("{\"a\":18446744073709551615,\n\"b\":[1.5,true,null,\"x\"]}",
              &root, &err), 0);
    CU_ASSERT_EQUAL(lxe_json_u64(lxe_json_get(root, "a"), &u), 0);
    CU_ASSERT_EQUAL(u, UINT64_MAX);
    const struct lxe_json *list = lxe_json_get(root, "b");
    CU_ASSERT_EQUAL(lxe_json_count(list), 4);
    CU_ASSERT_EQUAL(lxe_json_line(list), 2);
    CU_ASSERT_EQUAL(lxe_json_double(lxe_json_at(list, 0), &d), 0);
    CU_ASSERT_DOUBLE_EQUAL(d, 1.5, 0);
    CU_ASSERT_EQUAL(lxe_json_u64(lxe_json_at(list, 0), &u), -EINVAL);
    CU_ASSERT_EQUAL(lxe_json_bool(lxe_json_at(list, 1), &b), 0);
    CU_ASSERT_TRUE(b);
    CU_ASSERT_EQUAL(lxe_json_type(lxe_json_at(list, 2)), LXE_JSON_NULL);
    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_at(list, 3)), "x");
    CU_ASSERT_PTR_NULL(lxe_json_at(list, 4));
    CU_ASSERT_PTR_NULL(lxe_json_get(list, "a"));
    lxe_json_free(root);
}

/* What follows the text is not ours to read, if only to count lines. */
static void test_reads_no_further(void)
{
    struct lxe_json *root;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(lxe_json_parse("\n\n", 0, &root, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "line 1"));
    err = (struct lxe_err){ 0 };
    CU_ASSERT_EQUAL(lxe_json_parse("\n[", 2, &root, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "line 2"));
}

static void test_refuses(void)
{
    static const struct {
        const char *text;
        int code;
        const char *word;
    } cases[] = {
        { "", -EINVAL, "line 1" },
        { "{\"a\":1,\n\n\"a\":2}", -EINVAL, "line 3: field 'a' is given twice" },
        { "[1,2", -EINVAL, "line 1" },
        { "{} x", -EINVAL, "line 1" },
        { "\"a\\u0000b\"", -EINVAL, "NUL" },
        { "\"\xff\xfe\"", -EINVAL, "line 1" },
        { "[1e999]", -EINVAL, "out of range" },
        { "[\n\n  nope]", -EINVAL, "line 3" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lxe_err err = { 0 };
        struct lxe_json *root = (struct lxe_json *)&err;

        CU_ASSERT_EQUAL(parse(cases[i].text, &root, &err), cases[i].code);
        CU_ASSERT_PTR_NULL(root);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].word));
    }
}

static void test_bounds_depth_and_nodes(void)
{
    size_t n = LXE_JSON_MAX_NODES * 2 + 2;
    char *text = malloc(n + 1);
    struct lxe_json *root;
    struct lxe_err err = { 0 };

    memset(text, '[', n);
    CU_ASSERT_EQUAL(lxe_json_parse(text, 1000, &root, &err), -E2BIG);
    for (size_t i = 0; i < n; i++)
        text[i] = i % 2 ? ',' : '1';
    text[0] = '[';
    text[1] = '1';
    text[2] = ',';
    text[3] = '1';
    for (size_t i = 4; i < n; i++)
        text[i] = i % 2 ? '1' : ',';
    text[n - 1] = ']';
    CU_ASSERT_EQUAL(lxe_json_parse(text, n, &root, &err), -E2BIG);
    free(text);
}

/* Time would grow with the square of what a client sends. */
static void test_bounds_fields(void)
{
    char *text = malloc(LXE_JSON_MAX_FIELDS * 16 + 64), *at = text;
    struct lxe_json *root;
    struct lxe_err err = { 0 };

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    *at++ = '{';
    for (int i = 0; i < LXE_JSON_MAX_FIELDS; i++)
        at += sprintf(at, "\"k%d\":%d,", i, i);
    strcpy(at - 1, "}");
    CU_ASSERT_EQUAL(lxe_json_parse(text, strlen(text), &root, &err), 0);
    lxe_json_free(root);
    strcpy(at - 1, ",\"more\":1}");
    CU_ASSERT_EQUAL(lxe_json_parse(text, strlen(text), &root, &err), -E2BIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "too many fields"));
    free(text);
}

static void test_bounds_fields_further(void)
{
    static const char two[] = "[{\"a\":1,\"b\":2},{\"c\":3,\"d\":4}]";
    struct lxe_json *root;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(lxe_json_parse_within(two, strlen(two), 2, &root, &err),
                    0);
    lxe_json_free(root);
    CU_ASSERT_EQUAL(lxe_json_parse_within(two, strlen(two), 1, &root, &err),
                    -E2BIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "too many fields"));
}

static void test_writes(void)
{
    struct lxe_jw *w = lxe_jw_new(false);
    const char *text;
    size_t len;

    lxe_jw_object(w);
    lxe_jw_u64(w, "u", UINT64_MAX);
    lxe_jw_i64(w, "i", -5);
    lxe_jw_double(w, "d", 0.25);
    lxe_jw_double(w, "nan", NAN);
    lxe_jw_str(w, "s", "a\"\xff");
    lxe_jw_key(w, "l");
    lxe_jw_array(w);
    lxe_jw_bool(w, NULL, true);
    lxe_jw_null(w, NULL);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
    text = lxe_jw_text(w, &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text,
                           "{\"u\":18446744073709551615,\"i\":-5,\"d\":0.25,"
                           "\"nan\":null,\"s\":\"a\\\"?\",\"l\":[true,null]}");
    CU_ASSERT_EQUAL(len, strlen(text));
    lxe_jw_free(w);
}

static void test_copies_trees(void)
{
    const char *text = "{\"a\":[1,-2.5,{\"b\":false}],\"c\":\"x\",\"d\":null}";
    struct lxe_json *root;
    struct lxe_err err = { 0 };
    struct lxe_jw *w = lxe_jw_new(false);

    CU_ASSERT_EQUAL_FATAL(parse(text, &root, &err), 0);
    lxe_jw_tree(w, NULL, root);
    CU_ASSERT_STRING_EQUAL(lxe_jw_text(w, NULL), text);
    lxe_jw_free(w);
    lxe_json_free(root);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "reads values", test_reads_values },
        { "refuses bad input and names the line", test_refuses },
        { "reads no further than the text", test_reads_no_further },
        { "bounds depth and nodes", test_bounds_depth_and_nodes },
        { "bounds the fields of an object", test_bounds_fields },
        { "bounds fields further", test_bounds_fields_further },
        { "writes", test_writes },
        { "copies trees", test_copies_trees },
    };

    return unit_run("json", tests, sizeof(tests) / sizeof(tests[0]));
}
