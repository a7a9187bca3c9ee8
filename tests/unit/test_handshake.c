/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words around the stream, with targets of a few lines of shell. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "handshake.h"
#include "unit.h"

#define LONG_MS 60000

#define GREETING "echo aerostat receiver 1; read -r hello; "
#define BANNER   "echo 'xl migration receiver ready, send binary domain data.';"
#define READY    "printf 'domain received, ready to unpause\\0'; "
#define TAKE     "dd bs=1 count=44 of=/dev/null 2>&1 | : ; "
#define REPORT   "printf 'my copy unpause results are as follows\\0"
#define BACK     "printf 'domain is yours, you are cleared to unpause\\0'; "

static struct mig_hello hello = { .name = "web", .uuid = "uuid", .need_kib = 4096,
                                 .target_kib = 2048 };
static bool must_pack = true;

static struct mig_transport start(const char *script)
{
    struct mig_transport t;

    CU_ASSERT_EQUAL_FATAL(mig_transport_start(&t, script, -1, NULL), 0);
    return t;
}

static int greet(const char *script, struct mig_greeting *out,
                 struct lxe_err *err)
{
    struct mig_transport t = start(script);
    int rc = mig_handshake_begin(&t, &hello, must_pack, out, err);

    mig_transport_stop(&t);
    return rc;
}

static void test_greetings(void)
{
    struct lxe_err err = { 0 };
    struct mig_greeting g;

    CU_ASSERT_EQUAL(greet(BANNER, &g, &err), 0);
    CU_ASSERT_FALSE(g.aerostat);
    CU_ASSERT_EQUAL(greet(GREETING "echo '{\"ok\":true,\"reserved_kib\":7}'; "
                          BANNER, &g, &err), 0);
    CU_ASSERT_TRUE(g.aerostat);
    CU_ASSERT_EQUAL(g.reserved_kib, 7);
    CU_ASSERT_FALSE(g.gives_back);
    /* What it was told is what we said. */
    CU_ASSERT_EQUAL(greet(GREETING "case $hello in"
                          " *'\"name\":\"web\"'*'\"need_kib\":4096'*"
                          "'\"target_kib\":2048'*)"
                          " echo '{\"ok\":true,\"reserved_kib\":1,"
                          "\"gives_back\":true}';; esac; "
                          BANNER, &g, &err), 0);
    CU_ASSERT_EQUAL(g.reserved_kib, 1);
    CU_ASSERT_TRUE(g.gives_back);
}

static void test_refusals(void)
{
    struct lxe_err err = { 0 };
    struct mig_greeting g;

    CU_ASSERT_EQUAL(greet(GREETING "echo '{\"ok\":false,\"error\":"
                          "\"no \\u001b[2J room\"}'; ", &g, &err),
                    -EREMOTEIO);
    CU_ASSERT_STRING_EQUAL(err.text, "the target refuses: no ?[2J room");
    /* U+009B is ESC [ in one character; a letter of two bytes is none. */
    CU_ASSERT_EQUAL(greet(GREETING "echo '{\"ok\":false,\"error\":"
                          "\"n\\u00f6 \\u009b2J\\u007f\"}'; ", &g, &err),
                    -EREMOTEIO);
    CU_ASSERT_STRING_EQUAL(err.text, "the target refuses: n\u00f6 ??2J?");
}

/* One who cannot unpack is told nothing more, and nothing is lost. */
static void test_packing(void)
{
    struct lxe_err err = { 0 };
    struct mig_greeting g;

    hello.packed = true;
    CU_ASSERT_EQUAL(greet(GREETING "case $hello in *'\"packed\":true'*) echo"
                          " '{\"ok\":true,\"reserved_kib\":1,"
                          "\"packed\":true}';; esac; " BANNER, &g, &err), 0);
    CU_ASSERT_TRUE(g.packed);
    CU_ASSERT_EQUAL(greet(GREETING "echo '{\"ok\":true,\"reserved_kib\":1}'; "
                          BANNER, &g, &err), -EOPNOTSUPP);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "update it, or leave out"));
    CU_ASSERT_EQUAL(greet(BANNER, &g, &err), -EOPNOTSUPP);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is xl's own"));
    must_pack = false; /* then it goes as it is */
    CU_ASSERT_EQUAL(greet(GREETING "echo '{\"ok\":true,\"reserved_kib\":1}'; "
                          BANNER, &g, &err), 0);
    CU_ASSERT_FALSE(g.packed);
    CU_ASSERT_EQUAL(greet(BANNER, &g, &err), 0);
    CU_ASSERT_FALSE(g.packed);
    must_pack = true;
    hello.packed = false; /* and nobody packs unasked */
    CU_ASSERT_EQUAL(greet(GREETING "echo '{\"ok\":true,\"reserved_kib\":1,"
                          "\"packed\":true}'; " BANNER, &g, &err), 0);
    CU_ASSERT_FALSE(g.packed);
}

static void test_strangers(void)
{
    static const struct {
        const char *script;
        int rc;
    } cases[] = {
        { "true", -ECONNRESET },
        { "echo 'aerostat receiver 2'", -EPROTO },
        { "echo 'xl migration receiver ready, send binary domain data. '",
          -EPROTO },
        { "echo 'command not found'", -EPROTO },
        { "head -c 300 /dev/zero | tr '\\0' x", -EMSGSIZE },
        { GREETING "true", -ECONNRESET },
        { GREETING "echo nonsense", -EPROTO },
        { GREETING "echo '{\"ok\":true,\"reserved_kib\":7}'; echo Welcome",
          -EPROTO },
        { GREETING "echo '{\"ok\":true,\"reserved_kib\":7}'", -ECONNRESET },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lxe_err err = { 0 };
        struct mig_greeting g;
        int rc = greet(cases[i].script, &g, &err);

        if (rc != cases[i].rc)
            printf("  %s: %d, %s\n", cases[i].script, rc, err.text);
        CU_ASSERT_EQUAL(rc, cases[i].rc);
        CU_ASSERT(*err.text);
    }
}

static void test_ready(void)
{
    struct lxe_err err = { 0 };
    struct mig_transport t = start(READY);

    CU_ASSERT_EQUAL(mig_handshake_ready(&t, LONG_MS, &err), 0);
    mig_transport_stop(&t);
    t = start("printf 'domain received, ready to unpausE\\0'");
    CU_ASSERT_EQUAL(mig_handshake_ready(&t, LONG_MS, &err), -EPROTO);
    mig_transport_stop(&t);
    t = start("printf 'domain received'");
    CU_ASSERT_EQUAL(mig_handshake_ready(&t, LONG_MS, &err), -ECONNRESET);
    mig_transport_stop(&t);
    t = start("read -r forever");
    CU_ASSERT_EQUAL(mig_handshake_ready(&t, 50, &err), -ETIMEDOUT);
    mig_transport_stop(&t);
}

static enum mig_outcome commit(const char *script, uint64_t timeout_ms)
{
    struct lxe_err err = { 0 };
    struct mig_transport t = start(script);
    enum mig_outcome outcome = mig_handshake_commit(&t, timeout_ms, &err);

    CU_ASSERT_EQUAL(!*err.text, outcome == MIG_MOVED);
    mig_transport_stop(&t);
    return outcome;
}

static void test_commit(void)
{
    CU_ASSERT_EQUAL(commit(TAKE REPORT "\\0'", LONG_MS), MIG_MOVED);
    CU_ASSERT_EQUAL(commit(TAKE REPORT "\\006'; " BACK, LONG_MS), MIG_FAILED);
    /* Whatever it is that goes wrong, the guest may run there. */
    CU_ASSERT_EQUAL(commit(TAKE "true", LONG_MS), MIG_UNKNOWN);
    CU_ASSERT_EQUAL(commit(TAKE REPORT "'", LONG_MS), MIG_UNKNOWN);
    CU_ASSERT_EQUAL(commit(TAKE REPORT "\\006'", LONG_MS), MIG_UNKNOWN);
    CU_ASSERT_EQUAL(commit(TAKE REPORT "\\006'; echo something else that is"
                           " long enough to be it", LONG_MS), MIG_UNKNOWN);
    CU_ASSERT_EQUAL(commit(TAKE "sleep 1", 50), MIG_UNKNOWN);
}

/* The target is gone before it could be told: the guest is ours. */
static void test_commit_to_nobody(void)
{
    struct mig_transport t = start("exec <&-; sleep 1");
    struct lxe_err err = { 0 };

    while (write(t.send_fd, "x", 1) == 1) /* until its end is closed */
        usleep(1000);
    CU_ASSERT_EQUAL(mig_handshake_commit(&t, LONG_MS, &err), MIG_FAILED);
    mig_transport_stop(&t);
}

/* After the first byte a wish to cancel comes too late. */
static void test_no_cancel(void)
{
    struct lxe_err err = { 0 };
    struct mig_transport t = start(TAKE REPORT "\\0'");
    int cancel[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(cancel, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL(write(cancel[1], "x", 1), 1);
    t.cancel_fd = cancel[0];
    CU_ASSERT_EQUAL(mig_handshake_commit(&t, LONG_MS, &err), MIG_MOVED);
    mig_transport_stop(&t);
    close(cancel[0]);
    close(cancel[1]);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "greetings", test_greetings },
        { "refusals", test_refusals },
        { "packing", test_packing },
        { "who is no receiver", test_strangers },
        { "all received", test_ready },
        { "who has the guest in the end", test_commit },
        { "nobody to give it to", test_commit_to_nobody },
        { "too late to cancel", test_no_cancel },
    };

    signal(SIGPIPE, SIG_IGN);
    return unit_run("handshake", tests, sizeof(tests) / sizeof(tests[0]));
}
