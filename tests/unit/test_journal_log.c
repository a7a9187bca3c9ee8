/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines as systemd's journal wants them, and when. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/journal_log.h"
#include "base/log.h"
#include "unit.h"

/* What one message becomes, from level INFO on. */
__attribute__((format(printf, 4, 5)))
static char *logged(xentoollog_level level, int errnoval, const char *context,
                    const char *format, ...)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    xentoollog_logger *logger = lxe_journal_logger(to, "prog", XTL_INFO);
    va_list ap;

    va_start(ap, format);
    xtl_logv(logger, level, errnoval, context, format, ap);
    va_end(ap);
    xtl_logger_destroy(logger);
    fclose(to);
    return text;
}

static void is(char *got, const char *want)
{
    CU_ASSERT_STRING_EQUAL(got, want);
    free(got);
}

static void test_priorities(void)
{
    is(logged(XTL_CRITICAL, -1, "prog", "a %d", 1), "<2>a 1\n");
    is(logged(XTL_ERROR, -1, "prog", "a"), "<3>a\n");
    is(logged(XTL_WARN, -1, NULL, "a"), "<4>a\n");
    is(logged(XTL_NOTICE, -1, "prog", "a"), "<5>a\n");
    is(logged(XTL_INFO, -1, "prog", "a"), "<6>a\n");
    is(logged(XTL_DEBUG, -1, "prog", "a"), "");
}

/* libxl's and libxc's lines say whose they are, and what went wrong. */
static void test_others(void)
{
    is(logged(XTL_ERROR, ENOENT, "libxl", "cannot"),
       "<3>libxl: cannot: No such file or directory\n");
}

/* Each line has a priority of its own, and no text can forge one. */
static void test_lines(void)
{
    is(logged(XTL_WARN, -1, "prog", "a\n<0>b\n"), "<4>a\n<4><0>b\n");
    is(logged(XTL_WARN, -1, "prog", "%s", ""), "<4>\n");
}

/* What others wrote moves no cursor, sets no title, and begins no line. */
static void test_control_characters(void)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    xentoollog_logger *logger = lxe_journal_logger(to, "prog", XTL_INFO);

    lxe_log_use("prog", logger);
    lxe_warn("domain 1 (%s): b", "\033]0;a\a\r\t\x7f\xc2\x9b\xc3\xa4");
    lxe_warn("domain 1 (%s): b", "a\nprog: all is well");
    lxe_log_close();
    xtl_logger_destroy(logger);
    fclose(to);
    is(text, "<4>domain 1 (?]0;a??\?\?\?\?\xc3\xa4): b\n"
             "<4>domain 1 (a?prog: all is well): b\n");
}

static void test_long(void)
{
    char *text = logged(XTL_INFO, -1, "prog", "%*s", 100000, "x");

    CU_ASSERT(strlen(text) > 1000 && strlen(text) < 4096);
    CU_ASSERT_EQUAL(text[strlen(text) - 1], '\n');
    free(text);
}

static void test_stream(void)
{
    int fd = open("/dev/null", O_WRONLY);
    char stream[64];
    struct stat st;

    CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    CU_ASSERT_TRUE(lxe_journal_is(stream, fd));
    CU_ASSERT_FALSE(lxe_journal_is(NULL, fd));
    CU_ASSERT_FALSE(lxe_journal_is("", fd));
    CU_ASSERT_FALSE(lxe_journal_is("8", fd));
    close(fd);
    CU_ASSERT_FALSE(lxe_journal_is(stream, fd));
    fd = open("/dev/null", O_WRONLY);
    strcat(stream, "0");
    CU_ASSERT_FALSE(lxe_journal_is(stream, fd));
    close(fd);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "priorities", test_priorities },
        { "other programs' lines", test_others },
        { "more than one line", test_lines },
        { "control characters", test_control_characters },
        { "a long line", test_long },
        { "whether it is the journal", test_stream },
    };

    return unit_run("journal_log", tests, sizeof(tests) / sizeof(tests[0]));
}
