/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What went wrong in a tick: the first is kept, and news are told once. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "trouble.h"
#include "unit.h"

static unsigned told;
static char last[AERO_WARNING_TEXT + 64];

static void __attribute__((format(printf, 5, 0)))
on_message(xentoollog_logger *logger, xentoollog_level level, int errnoval,
           const char *context, const char *format, va_list ap)
{
    (void)logger, (void)errnoval, (void)context;
    CU_ASSERT_EQUAL(level, XTL_WARN);
    vsnprintf(last, sizeof(last), format, ap);
    told++;
}

static xentoollog_logger logger = { .vmessage = on_message };

static void the_first_is_kept_and_all_are_counted(void)
{
    struct aero_trouble t = { .before = "" };

    told = 0;
    aero_trouble_note(&t, "no numbers");
    aero_trouble_note(&t, "out of memory");
    CU_ASSERT_STRING_EQUAL(t.text, "no numbers");
    CU_ASSERT_EQUAL(t.count, 2);
    CU_ASSERT_EQUAL(told, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(last, "no numbers; will try again"));
}

static void what_goes_on_is_told_once(void)
{
    struct aero_trouble first = { .before = "" };
    struct aero_trouble same = { .before = first.text };
    struct aero_trouble other = { .before = first.text };

    told = 0;
    aero_trouble_note(&first, "no numbers");
    aero_trouble_note(&same, "no numbers");
    CU_ASSERT_EQUAL(told, 1);
    CU_ASSERT_EQUAL(same.count, 1);
    CU_ASSERT_STRING_EQUAL(same.text, "no numbers");
    aero_trouble_note(&other, "out of memory");
    CU_ASSERT_EQUAL(told, 2);
}

static void a_long_one_is_cut(void)
{
    struct aero_trouble t = { .before = "" };
    char text[2 * AERO_WARNING_TEXT];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    aero_trouble_note(&t, text);
    CU_ASSERT_EQUAL(strlen(t.text), AERO_WARNING_TEXT - 1);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "the first is kept, and all are counted",
          the_first_is_kept_and_all_are_counted },
        { "what goes on is told once", what_goes_on_is_told_once },
        { "a long one is cut", a_long_one_is_cut },
    };

    lxe_log_use("trouble", &logger);
    return unit_run("trouble", tests, sizeof(tests) / sizeof(tests[0]));
}
