/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guests write: the good is understood, everything else is refused. */
#include "guest_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static int agent(const char *text, struct lxe_guest_report *out)
{
    memset(out, 0, sizeof(*out));
    return lxe_keys_parse_agent(text, strlen(text), out);
}

static void understands_a_whole_report(void)
{
    struct lxe_guest_report r;

    CU_ASSERT_EQUAL(agent("seq=7 total=131072 available=65536 used=60000 "
                          "swap=12 swapfree=8 refault=99 swapin=5 psi=1234",
                          &r), 0);
    CU_ASSERT_EQUAL(r.source, LXE_REPORT_AGENT);
    CU_ASSERT_EQUAL(r.seq, 7);
    CU_ASSERT_EQUAL(r.total_kib, 131072);
    CU_ASSERT_EQUAL(r.available_kib, 65536);
    CU_ASSERT_EQUAL(r.used_kib, 60000);
    CU_ASSERT_EQUAL(r.swap_used_kib, 12);
    CU_ASSERT_EQUAL(r.swap_free_kib, 8);
    CU_ASSERT_EQUAL(r.refaults, 99);
    CU_ASSERT_EQUAL(r.swapins, 5);
    CU_ASSERT_EQUAL(r.psi_some_x100, 1234);
}

static void fills_in_what_follows(void)
{
    struct lxe_guest_report r;

    CU_ASSERT_EQUAL(agent("seq=1 total=100 available=40", &r), 0);
    CU_ASSERT_EQUAL(r.used_kib, 60);
    CU_ASSERT_EQUAL(r.swap_used_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(r.psi_some_x100, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(agent("seq=1 zram=5 total=100 available=40", &r), 0);
}

static void refuses_bad_reports(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "seq=1",
        "seq=0 total=100 available=40",
        "seq=1 total=0 available=0",
        "seq=1 total=100 available=101",
        "seq=1 total=100 available=40 used=101",
        "seq=1 total=100 available=40 ",
        " seq=1 total=100 available=40",
        "seq=1  total=100 available=40",
        "seq=1 total=100 available=40\n",
        "seq=1 total=100 available=-4",
        "seq=1 total=+100 available=40",
        "seq=1 total=0x100 available=40",
        "seq=1 total=100 total=100 available=40",
        "seq=1 total= available=40",
        "seq=1 =5 total=100 available=40",
        "seq=1 total=100 available=40 psi=10001",
        "seq=1 total=17179869185 available=40",
        "seq=18446744073709551616 total=100 available=40",
        "seq=18446744073709551615 total=100 available=40",
        "seq=1 total=100 available=40 what=18446744073709551616",
        "SEQ=1 total=100 available=40",
    };
    struct lxe_guest_report r;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int rc = agent(bad[i], &r);

        if (rc != -EINVAL)
            printf("accepted: '%s'\n", bad[i]);
        CU_ASSERT_EQUAL(rc, -EINVAL);
        CU_ASSERT_EQUAL(r.source, LXE_REPORT_NONE);
    }
}

static void refuses_long_and_binary(void)
{
    char text[LXE_KEYS_REPORT_MAX + 64] = "seq=1 total=100 available=40 x=";
    struct lxe_guest_report r = { 0 };
    size_t len = strlen(text);

    memset(text + len, '0', sizeof(text) - len);
    CU_ASSERT_EQUAL(lxe_keys_parse_agent(text, LXE_KEYS_REPORT_MAX - 1, &r),
                    0);
    CU_ASSERT_EQUAL(lxe_keys_parse_agent(text, LXE_KEYS_REPORT_MAX, &r),
                    -EINVAL);
    text[6] = '\0';
    CU_ASSERT_EQUAL(lxe_keys_parse_agent(text, 40, &r), -EINVAL);
}

static uint64_t maybe(uint64_t *state, uint64_t below)
{
    return unit_below(state, 4) ? unit_below(state, below) : LXE_UNKNOWN;
}

/* Property: whatever the agent can write, the host reads back the same. */
static void reads_what_it_writes(void)
{
    uint64_t state = unit_seed();

    for (int i = 0; i < 2000; i++) {
        struct lxe_guest_report r = { .seq = 1 + unit_random(&state) / 2 };
        struct lxe_guest_report back = { 0 };
        char line[LXE_KEYS_REPORT_MAX];
        int len;

        r.total_kib = 1 + unit_below(&state, LXE_KEYS_MAX_KIB);
        r.available_kib = unit_below(&state, r.total_kib + 1);
        r.used_kib = unit_below(&state, r.total_kib + 1);
        r.swap_used_kib = maybe(&state, LXE_KEYS_MAX_KIB + 1);
        r.swap_free_kib = maybe(&state, LXE_KEYS_MAX_KIB + 1);
        r.refaults = maybe(&state, UINT64_MAX);
        r.swapins = maybe(&state, UINT64_MAX);
        r.psi_some_x100 = maybe(&state, LXE_KEYS_MAX_PSI + 1);
        len = lxe_keys_format_agent(&r, line);
        CU_ASSERT_FATAL(len > 0 && len < LXE_KEYS_REPORT_MAX);
        CU_ASSERT_EQUAL_FATAL(
            lxe_keys_parse_agent(line, (size_t)len, &back), 0);
        CU_ASSERT_EQUAL(back.seq, r.seq);
        CU_ASSERT_EQUAL(back.total_kib, r.total_kib);
        CU_ASSERT_EQUAL(back.available_kib, r.available_kib);
        CU_ASSERT_EQUAL(back.used_kib, r.used_kib);
        CU_ASSERT_EQUAL(back.swap_used_kib, r.swap_used_kib);
        CU_ASSERT_EQUAL(back.swap_free_kib, r.swap_free_kib);
        CU_ASSERT_EQUAL(back.refaults, r.refaults);
        CU_ASSERT_EQUAL(back.swapins, r.swapins);
        CU_ASSERT_EQUAL(back.psi_some_x100, r.psi_some_x100);
    }
}

/* Property: a damaged line gives no value out of bounds and no overread. */
static void survives_damage(void)
{
    static const char good[] = "seq=7 total=131072 available=65536 psi=34";
    uint64_t state = unit_seed();

    for (int i = 0; i < 20000; i++) {
        size_t len = unit_below(&state, sizeof(good));
        char *text = malloc(len + 1); /* exact size: a sanitizer sees more */
        struct lxe_guest_report r = { 0 };

        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        memcpy(text, good, len);
        if (len)
            text[unit_below(&state, len)] = (char)unit_below(&state, 256);
        text = realloc(text, len ? len : 1);
        if (!lxe_keys_parse_agent(text, len, &r)) {
            CU_ASSERT(r.total_kib <= LXE_KEYS_MAX_KIB);
            CU_ASSERT(r.available_kib <= r.total_kib);
            CU_ASSERT(r.used_kib <= r.total_kib);
        }
        free(text);
    }
}

static void will_not_write_nonsense(void)
{
    struct lxe_guest_report r = { .seq = 1, .total_kib = 10,
                                  .available_kib = 11 };
    char line[LXE_KEYS_REPORT_MAX];

    CU_ASSERT_EQUAL(lxe_keys_format_agent(&r, line), -EINVAL);
    r.available_kib = 5;
    r.psi_some_x100 = LXE_KEYS_MAX_PSI + 1;
    CU_ASSERT_EQUAL(lxe_keys_format_agent(&r, line), -EINVAL);
}

static void understands_qubes(void)
{
    struct lxe_guest_report r = { .seq = 5 };

    CU_ASSERT_EQUAL(lxe_keys_parse_qubes("123456", 6, &r), 0);
    CU_ASSERT_EQUAL(r.source, LXE_REPORT_QUBES);
    CU_ASSERT_EQUAL(r.used_kib, 123456);
    CU_ASSERT_EQUAL(r.total_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(r.available_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(r.seq, 5);
    CU_ASSERT_EQUAL(lxe_keys_parse_qubes("", 0, &r), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_qubes("12 ", 3, &r), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_qubes("MemTotal: 5", 11, &r), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_qubes("99999999999999999999", 20, &r),
                    -EINVAL);
}

static void understands_xenserver(void)
{
    struct lxe_guest_report r = { 0 };

    CU_ASSERT_EQUAL(lxe_keys_parse_xenserver("1000", 4, "400", 3, &r), 0);
    CU_ASSERT_EQUAL(r.source, LXE_REPORT_XENSERVER);
    CU_ASSERT_EQUAL(r.used_kib, 600);
    CU_ASSERT_EQUAL(r.available_kib, 400);
    CU_ASSERT_EQUAL(lxe_keys_parse_xenserver(NULL, 0, "400", 3, &r), 0);
    CU_ASSERT_EQUAL(r.total_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(r.used_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(lxe_keys_parse_xenserver("300", 3, "400", 3, &r), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_xenserver("x", 1, "400", 3, &r), -EINVAL);
}

static void understands_requests(void)
{
    uint64_t id = 0;

    CU_ASSERT_EQUAL(lxe_keys_parse_request("drop 42", 7, &id), 0);
    CU_ASSERT_EQUAL(id, 42);
    CU_ASSERT_EQUAL(lxe_keys_parse_request("", 0, &id), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_request("drop ", 5, &id), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_request("drop 4 2", 8, &id), -EINVAL);
    CU_ASSERT_EQUAL(lxe_keys_parse_request("halt 42", 7, &id), -EINVAL);
}

static int move(const char *text)
{
    struct lxe_move_request r = { 0 };

    return lxe_keys_parse_move(text, strlen(text), &r);
}

static void test_move(void)
{
    static const char *const bad[] = {
        "", " ", "1", "1 ", " host", "0 host", "-1 host", "1x host",
        "1  host", "1 -oProxyCommand=x", "1 .host", "1 a b", "1 a;b",
        "1 a\nb", "1 $(id)", "1 a/b", "1 \xc3\xa9", "1 root@host",
        "18446744073709551615 host",
        "1 a123456789012345678901234567890123456789012345678901234567890123",
    };
    struct lxe_move_request r;
    char longest[96] = "18446744073709551614 ";

    CU_ASSERT_EQUAL(lxe_keys_parse_move("7 host-2.example", 16, &r), 0);
    CU_ASSERT_EQUAL(r.id, 7);
    CU_ASSERT_STRING_EQUAL(r.to, "host-2.example");
    CU_ASSERT_EQUAL(lxe_keys_parse_move("7 host", 4, &r), 0);
    CU_ASSERT_STRING_EQUAL(r.to, "ho"); /* as many bytes as there are */
    memset(longest + strlen(longest), 'a', 63);
    CU_ASSERT_EQUAL(move(longest), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(move(bad[i]), -EINVAL);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "understands a whole report", understands_a_whole_report },
        { "fills in what follows", fills_in_what_follows },
        { "refuses bad reports", refuses_bad_reports },
        { "refuses long and binary ones", refuses_long_and_binary },
        { "reads what it writes", reads_what_it_writes },
        { "survives damage", survives_damage },
        { "will not write nonsense", will_not_write_nonsense },
        { "understands Qubes", understands_qubes },
        { "understands XenServer", understands_xenserver },
        { "understands requests", understands_requests },
        { "a guest asks to be moved", test_move },
    };

    return unit_run("guest_keys", tests, sizeof(tests) / sizeof(tests[0]));
}
