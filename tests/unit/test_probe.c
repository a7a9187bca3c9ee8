/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "probe.h"
#include "probe_ask.h"
#include "unit.h"

/* One line, with its newline, which is taken off. */
static void cut_newline(char *line)
{
    char *end = strchr(line, '\n');

    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_EQUAL(end[1], '\0');
    *end = '\0';
}

static void test_request(void)
{
    struct mig_probe_request r = { "a \"name\"", "uuid-1" }, out;
    char line[MIG_HELLO_MAX_LINE];

    CU_ASSERT_EQUAL_FATAL(mig_probe_write(&r, line), 0);
    cut_newline(line);
    CU_ASSERT(mig_probe_is_request(line));
    CU_ASSERT_EQUAL(mig_probe_parse(line, &out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(out.name, r.name);
    CU_ASSERT_STRING_EQUAL(out.uuid, r.uuid);
    CU_ASSERT(!mig_probe_is_request("{\"name\":\"a\",\"uuid\":\"b\","
                                    "\"need_kib\":1}"));
    CU_ASSERT(!mig_probe_is_request("{\"probe\":2}"));
    CU_ASSERT(!mig_probe_is_request("probe"));
    CU_ASSERT_EQUAL(mig_probe_parse("{\"probe\":1}", &out, NULL), -EPROTO);
    CU_ASSERT_EQUAL(mig_probe_parse("", &out, NULL), -EPROTO);
}

static struct mig_probe_answer there_and_back(const struct mig_probe_answer *a)
{
    struct mig_probe_answer out;
    char line[MIG_HELLO_MAX_LINE];

    memset(&out, 0x7f, sizeof(out));
    CU_ASSERT_EQUAL_FATAL(mig_probe_write_answer(a, line), 0);
    cut_newline(line);
    CU_ASSERT_EQUAL_FATAL(mig_probe_parse_answer(line, &out, NULL), 0);
    return out;
}

static void test_answer(void)
{
    struct mig_probe_answer a = {
        .xen = "4.17.7", .total_kib = 9, .free_kib = 7, .obtainable_kib = 8,
        .name_known = true, .name_taken = true,
        .pv = { { 1, 2 }, 2 }, .hvm = { { 0xffffffff }, LXE_CPU_WORDS },
    };
    struct mig_probe_answer out = there_and_back(&a);

    CU_ASSERT_STRING_EQUAL(out.xen, "4.17.7");
    CU_ASSERT_EQUAL(out.total_kib, 9);
    CU_ASSERT_EQUAL(out.free_kib, 7);
    CU_ASSERT_EQUAL(out.obtainable_kib, 8);
    CU_ASSERT(out.name_known && out.name_taken);
    CU_ASSERT(!memcmp(&out.pv, &a.pv, sizeof(a.pv)));
    CU_ASSERT(!memcmp(&out.hvm, &a.hvm, sizeof(a.hvm)));
    memset(&a.hvm.words, 0xff, sizeof(a.hvm.words)); /* as long as it gets */
    a.pv = a.hvm;
    there_and_back(&a);
}

static void test_unknown(void)
{
    struct mig_probe_answer a = { .total_kib = LXE_UNKNOWN,
                                  .free_kib = LXE_UNKNOWN,
                                  .obtainable_kib = LXE_UNKNOWN };
    struct mig_probe_answer out = there_and_back(&a);

    CU_ASSERT_STRING_EQUAL(out.xen, "");
    CU_ASSERT_EQUAL(out.total_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(out.obtainable_kib, LXE_UNKNOWN);
    CU_ASSERT(!out.name_known && !out.name_taken);
    CU_ASSERT_EQUAL(out.hvm.count, 0);
}

static void test_hostile(void)
{
    static const char *const lines[] = {
        "",
        "[]",
        "{\"ok\":1}",
        "{\"ok\":false}",
        "{\"ok\":false,\"error\":\"\\u001b[2J\"}",
        "{\"ok\":true,\"xen\":5}",
        "{\"ok\":true,\"xen\":\"0123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789\"}",
        "{\"ok\":true,\"free_kib\":-1}",
        "{\"ok\":true,\"free_kib\":99999999999999999}",
        "{\"ok\":true,\"name_taken\":1}",
        "{\"ok\":true,\"cpu_pv\":{}}",
        "{\"ok\":true,\"cpu_pv\":[4294967296]}",
        "{\"ok\":true,\"cpu_hvm\":[\"a\"]}",
        "{\"ok\":true,\"cpu_hvm\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
        "0,0,0,0,0,0,0,0,0,0,0,0,0]}",
    };
    struct mig_probe_answer out;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(mig_probe_parse_answer(lines[i], &out, &err),
                        -EPROTO);
        CU_ASSERT(*err.text && !strchr(err.text, '\033'));
    }
    CU_ASSERT_EQUAL(mig_probe_parse_answer("{\"ok\":true,\"xen\":\"4\\n.17\"}",
                                           &out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(out.xen, "4?.17");
    CU_ASSERT_EQUAL(mig_probe_parse_answer("{\"ok\":true,\"xen\":"
                                           "\"4\\u009b.17\"}", &out, NULL), 0);
    CU_ASSERT_STRING_EQUAL(out.xen, "4??.17");
}

static void test_count(void)
{
    char line[MIG_HELLO_MAX_LINE];
    uint64_t n;

    CU_ASSERT_EQUAL(mig_probe_write_count("a_bytes", 77, line), 0);
    cut_newline(line);
    CU_ASSERT_EQUAL(mig_probe_parse_count(line, "a_bytes", &n, NULL), 0);
    CU_ASSERT_EQUAL(n, 77);
    CU_ASSERT_EQUAL(mig_probe_parse_count(line, "b_bytes", &n, NULL), -EPROTO);
    CU_ASSERT_EQUAL(mig_probe_parse_count("{\"a\":67108865}", "a", &n, NULL),
                    -EPROTO);
    CU_ASSERT_EQUAL(mig_probe_parse_count("x", "a", &n, NULL), -EPROTO);
}

/* ---- over a pipe, to the real receiver, on a machine without Xen ---- */

static int ask(const char *command, bool measure, struct mig_probe_found *out,
               struct lxe_err *err)
{
    struct mig_probe_ask ask = { .to = command, .how = "",
                                 .measure = measure,
                                 .request = { "guest", "uuid" } };

    return mig_probe_run(&ask, out, err);
}

static void test_real(void)
{
    const char *build = getenv("top_builddir");
    struct mig_probe_found found;
    struct lxe_err err = { 0 };
    char command[4096];

    setenv("AEROSTAT_SOCKET", "/nonexistent/socket", 1);
    snprintf(command, sizeof(command), "exec %s/aerostat-receive 2>/dev/null",
             build ? build : ".");
    CU_ASSERT_EQUAL(ask(command, true, &found, &err), 0);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    CU_ASSERT_EQUAL(found.peer, MIG_PEER_AEROSTAT);
    CU_ASSERT_EQUAL(found.answer.obtainable_kib, LXE_UNKNOWN);
    CU_ASSERT(found.wire_bps > 0);
    CU_ASSERT(found.round_trip_ns > 0);
    CU_ASSERT_EQUAL(ask(command, false, &found, &err), 0);
    CU_ASSERT_EQUAL(found.wire_bps, 0);
}

static void test_others(void)
{
    struct mig_probe_found found;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(ask("echo 'xl migration receiver ready, send binary domain"
                        " data.'; cat >/dev/null", true, &found, &err), 0);
    CU_ASSERT_EQUAL(found.peer, MIG_PEER_XL);
    CU_ASSERT_EQUAL(ask("echo 'aerostat receiver 1'; read -r l; echo"
                        " \"{\\\"ok\\\":false,\\\"error\\\":\\\"the source's"
                        " hello: bad 'need_kib'\\\"}\"", false, &found, &err),
                    0);
    CU_ASSERT_EQUAL(found.peer, MIG_PEER_OLD);
    CU_ASSERT_EQUAL(ask("echo hello", false, &found, &err), -EPROTO);
    CU_ASSERT_EQUAL(ask("true", false, &found, &err), -ECONNRESET);
    CU_ASSERT_EQUAL(ask("echo 'aerostat receiver 1'; read -r l;"
                        " echo '{\"ok\":true}'; read -r l;"
                        " echo '{\"received_bytes\":1}'", true, &found, &err),
                    -EPROTO);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "the question", test_request },
        { "the answer", test_answer },
        { "an answer that knows nothing", test_unknown },
        { "hostile answers", test_hostile },
        { "counts", test_count },
        { "the real receiver", test_real },
        { "other receivers", test_others },
    };

    return unit_run("probe", tests, sizeof(tests) / sizeof(tests[0]));
}
