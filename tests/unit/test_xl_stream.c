/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What xl puts around a stream, byte by byte. tests/testbed shows that the
 * real xl takes it.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "xl_stream.h"

/* A little-endian machine's, as every x86 is. */
static const uint8_t header[] =
    "Xen saved domain, xl format\n \0 \r" /* 32 bytes */
    "\x04\x03\x02\x01"                    /* byte order */
    "\x03\0\0\0"                          /* JSON, stream version 2 */
    "\0\0\0\0"
    "\x07\0\0\0"                          /* of optional data */
    "\x03\0\0\0"                          /* of the configuration, with NUL */
    "{}";

static void test_header(void)
{
    size_t len;
    uint8_t *made = lxe_xl_make_header("{}", &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    CU_ASSERT_EQUAL_FATAL(len, sizeof(header));
    CU_ASSERT_EQUAL(memcmp(made, header, sizeof(header)), 0);
    free(made);
}

static void check_message(const struct lxe_xl_message *m, const char *text,
                          size_t len)
{
    CU_ASSERT_EQUAL(m->len, len);
    CU_ASSERT_EQUAL(memcmp(m->text, text, len), 0);
}

/* The banner ends with its newline, the others with their NUL. */
static void test_messages(void)
{
    check_message(&lxe_xl_banner,
                  "xl migration receiver ready, send binary domain data.\n",
                  54);
    check_message(&lxe_xl_ready, "domain received, ready to unpause", 34);
    check_message(&lxe_xl_go, "domain is yours, you are cleared to unpause",
                  44);
    check_message(&lxe_xl_report, "my copy unpause results are as follows",
                  39);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "the header's bytes", test_header },
        { "the messages' bytes", test_messages },
    };

    return unit_run("xl_stream", tests, sizeof(tests) / sizeof(tests[0]));
}
