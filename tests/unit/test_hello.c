/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What source and target say before xl's own handshake. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hello.h"
#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UUID     "3f1c0b52-8a4e-4a4f-9a6e-1f9b3f6c7d21"

/* Takes the newline off, which there must be one of, at the end. */
static void cut_newline(char *line)
{
    size_t len = strlen(line);

    CU_ASSERT_TRUE_FATAL(len > 0);
    CU_ASSERT_PTR_EQUAL(strchr(line, '\n'), line + len - 1);
    line[len - 1] = '\0';
}

static void check_hello(const struct mig_hello *hello)
{
    char line[MIG_HELLO_MAX_LINE];
    struct mig_hello out;

    CU_ASSERT_EQUAL_FATAL(mig_hello_write(hello, line), 0);
    cut_newline(line);
    CU_ASSERT_EQUAL_FATAL(mig_hello_parse(line, &out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(out.name, hello->name);
    CU_ASSERT_STRING_EQUAL(out.uuid, hello->uuid);
    CU_ASSERT_EQUAL(out.need_kib, hello->need_kib);
    CU_ASSERT_EQUAL(out.target_kib, hello->target_kib);
    CU_ASSERT_EQUAL(out.packed, hello->packed);
}

static void test_hello(void)
{
    struct mig_hello hello = { .name = "web", .uuid = UUID,
                               .need_kib = 1048576 };

    check_hello(&hello);
    strcpy(hello.name, "a \"b\"\n\\c\t\xc3\xa4");
    hello.need_kib = 0;
    hello.packed = true;
    check_hello(&hello);
    memset(hello.name, 1, sizeof(hello.name) - 1); /* 6 bytes each in JSON */
    hello.target_kib = hello.need_kib = UINT64_C(1) << 40;
    check_hello(&hello);
}

static struct mig_hello_answer
check_answer(const struct mig_hello_answer *answer)
{
    char line[MIG_HELLO_MAX_LINE];
    struct mig_hello_answer out;

    CU_ASSERT_EQUAL_FATAL(mig_hello_write_answer(answer, line), 0);
    cut_newline(line);
    CU_ASSERT_EQUAL_FATAL(mig_hello_parse_answer(line, &out, NULL), 0);
    return out;
}

static void test_answers(void)
{
    struct mig_hello_answer yes = { .reserved_kib = 524288 };
    struct mig_hello_answer no = { .refusal = "no room: 17 MiB are free" };
    struct mig_hello_answer out = check_answer(&yes);

    CU_ASSERT_EQUAL(out.reserved_kib, 524288);
    CU_ASSERT_STRING_EQUAL(out.refusal, "");
    CU_ASSERT_FALSE(out.packed);
    CU_ASSERT_FALSE(out.gives_back);
    yes.packed = yes.gives_back = true;
    CU_ASSERT_TRUE(check_answer(&yes).packed);
    CU_ASSERT_TRUE(check_answer(&yes).gives_back);
    yes.reserved_kib = 0; /* checked, not held */
    CU_ASSERT_EQUAL(check_answer(&yes).reserved_kib, 0);
    yes.reserved_kib = UINT64_C(1) << 40;
    CU_ASSERT_EQUAL(check_answer(&yes).reserved_kib, UINT64_C(1) << 40);
    CU_ASSERT_STRING_EQUAL(check_answer(&no).refusal, no.refusal);
    memset(no.refusal, 2, sizeof(no.refusal) - 1);
    CU_ASSERT_EQUAL(strlen(check_answer(&no).refusal), 400); /* cut */
}

struct bad {
    const char *line, *part;
};

static const struct bad bad_hellos[] = {
    { "", "hello is not JSON" },
    { "hello", "not JSON" },
    { "{\"name\":\"a\"", "not JSON" },
    { "[]", "'name'" },
    { "{}", "'name'" },
    { "{\"name\":\"\",\"uuid\":\"u\",\"need_kib\":1}", "'name'" },
    { "{\"name\":7,\"uuid\":\"u\",\"need_kib\":1}", "'name'" },
    { "{\"name\":\"a\",\"need_kib\":1}", "'uuid'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID UUID "\",\"need_kib\":1}",
      "'uuid'" },
    /* A number or a name could be taken for another domain's. */
    { "{\"name\":\"a\",\"uuid\":\"3\",\"need_kib\":1}", "'uuid'" },
    { "{\"name\":\"a\",\"uuid\":\"web\",\"need_kib\":1}", "'uuid'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "0\",\"need_kib\":1}", "'uuid'" },
    { "{\"name\":\"a\",\"uuid\":\"3F1C0B52-8A4E-4A4F-9A6E-1F9B3F6C7D21\","
      "\"need_kib\":1}", "'uuid'" },
    { "{\"name\":\"a\",\"uuid\":\"3f1c0b52-8a4e-4a4f-9a6e01f9b3f6c7d21\","
      "\"need_kib\":1}", "'uuid'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\"}", "'need_kib'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\",\"need_kib\":-1}",
      "'need_kib'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\",\"need_kib\":1,"
      "\"packed\":\"y\"}", "'packed'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\",\"need_kib\":5,"
      "\"target_kib\":6}", "'target_kib'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\",\"need_kib\":5,"
      "\"target_kib\":true}", "'target_kib'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\",\"need_kib\":1.5}",
      "'need_kib'" },
    { "{\"name\":\"a\",\"uuid\":\"" UUID "\","
      "\"need_kib\":1099511627777}", "'need_kib'" },
    { "{\"name\":\"a\",\"name\":\"b\",\"uuid\":\"u\",\"need_kib\":1}",
      "not JSON" },
};

static void test_bad_hellos(void)
{
    for (size_t i = 0; i < COUNT(bad_hellos); i++) {
        struct mig_hello out;
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(mig_hello_parse(bad_hellos[i].line, &out, &err),
                        -EPROTO);
        if (!strstr(err.text, bad_hellos[i].part))
            printf("  %s: %s\n", bad_hellos[i].line, err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad_hellos[i].part));
    }
}

/* What a newer target adds is no harm; what is missing is. */
static void test_unknown_members(void)
{
    struct mig_hello_answer answer;
    struct mig_hello hello;

    CU_ASSERT_EQUAL(mig_hello_parse("{\"name\":\"a\",\"uuid\":\"" UUID
                                    "\",\"need_kib\":1,\"more\":[1]}", &hello,
                                    NULL), 0);
    CU_ASSERT_EQUAL(mig_hello_parse_answer("{\"ok\":true,\"reserved_kib\":3,"
                                           "\"more\":{}}", &answer, NULL), 0);
}

static const struct bad bad_answers[] = {
    { "", "answer is not JSON" },
    { "no", "not JSON" },
    { "{}", "'ok'" },
    { "{\"ok\":1}", "'ok'" },
    { "{\"ok\":\"true\"}", "'ok'" },
    { "{\"ok\":true}", "'reserved_kib'" },
    { "{\"ok\":true,\"reserved_kib\":-5}", "'reserved_kib'" },
    { "{\"ok\":true,\"reserved_kib\":null}", "'reserved_kib'" },
    { "{\"ok\":true,\"reserved_kib\":1099511627777}", "'reserved_kib'" },
    { "{\"ok\":true,\"reserved_kib\":1,\"packed\":1}", "'packed'" },
};

static void test_bad_answers(void)
{
    for (size_t i = 0; i < COUNT(bad_answers); i++) {
        struct mig_hello_answer out;
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(mig_hello_parse_answer(bad_answers[i].line, &out,
                                               &err), -EPROTO);
        if (!strstr(err.text, bad_answers[i].part))
            printf("  %s: %s\n", bad_answers[i].line, err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, bad_answers[i].part));
    }
}

/* A target that refuses always leaves a reason to show. */
static void test_silent_refusals(void)
{
    static const char *const lines[] = {
        "{\"ok\":false}", "{\"ok\":false,\"error\":\"\"}",
        "{\"ok\":false,\"error\":12}",
    };

    for (size_t i = 0; i < COUNT(lines); i++) {
        struct mig_hello_answer out;

        CU_ASSERT_EQUAL(mig_hello_parse_answer(lines[i], &out, NULL), 0);
        CU_ASSERT_STRING_EQUAL(out.refusal, "it did not say why");
    }
}

static void test_damage(void)
{
    static const char line[] =
        "{\"name\":\"web\",\"uuid\":\"" UUID "\",\"need_kib\":1048576}";
    uint64_t seed = unit_seed();

    for (int i = 0; i < 20000; i++) {
        size_t cut = i % 2 ? sizeof(line) - 1
                           : unit_below(&seed, sizeof(line) - 1);
        char *copy = strndup(line, cut);
        struct mig_hello out;
        int rc;

        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        if (i % 2)
            copy[unit_below(&seed, cut)] = (char)unit_below(&seed, 256);
        rc = mig_hello_parse(copy, &out, NULL);
        CU_ASSERT_TRUE(rc == -EPROTO || (i % 2 && !rc));
        free(copy);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "a hello survives the way", test_hello },
        { "answers survive the way", test_answers },
        { "bad hellos are refused", test_bad_hellos },
        { "members that are not known", test_unknown_members },
        { "bad answers are refused", test_bad_answers },
        { "refusals without a word", test_silent_refusals },
        { "damage is refused, never overread", test_damage },
    };

    return unit_run("hello", tests, COUNT(tests));
}
