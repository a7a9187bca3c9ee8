/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command to the other host, with children that do as they like. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "transport.h"
#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- what is run ---- */

static int command(const char *how, const char *host,
                   enum mig_receiver receiver, bool debug, char out[512])
{
    return mig_transport_command(how, host, receiver, debug, out, 512, NULL);
}

static void test_commands(void)
{
    char text[512];

    CU_ASSERT_EQUAL(command("ssh", "b.example", MIG_RECEIVER_XL, false, text),
                    0);
    CU_ASSERT_STRING_EQUAL(text,
                           "exec ssh b.example 'exec xl migrate-receive'");
    CU_ASSERT_EQUAL(command("ssh -p 22", "root@10.0.0.2", MIG_RECEIVER_XL,
                            true, text), 0);
    CU_ASSERT_STRING_EQUAL(text, "exec ssh -p 22 root@10.0.0.2"
                                 " 'exec xl migrate-receive -d'");
    CU_ASSERT_EQUAL(command("ssh", "fe80::1%eth0", MIG_RECEIVER_AEROSTAT,
                            true, text), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "exec aerostat-receive --debug'"));
    CU_ASSERT_EQUAL(command("ssh", "b", MIG_RECEIVER_AUTO, false, text), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "&& exec aerostat-receive;"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "; exec xl migrate-receive'"));
    CU_ASSERT_EQUAL(command("", "nc b 99; true", MIG_RECEIVER_AUTO, false,
                            text), 0); /* the user's own command */
    CU_ASSERT_STRING_EQUAL(text, "nc b 99; true");
}

static void test_hostile_hosts(void)
{
    static const char *const hosts[] = {
        "", "-oProxyCommand=reboot", "a b", "a;reboot", "a\nreboot", "$(id)",
        "`id`", "a'b", "a\"b", "a|b", "a&b", "a>b", "a<b", "#a", "~root",
        "a*", "a?", "[ab]", "{a,b}", "!a", "a\\b", "a\tb", "a\x01z", "a\rb",
    };
    char text[512];

    for (size_t i = 0; i < COUNT(hosts); i++) {
        int rc = command("ssh", hosts[i], MIG_RECEIVER_AUTO, false, text);

        if (rc != -EINVAL)
            printf("  '%s' went through\n", hosts[i]);
        CU_ASSERT_EQUAL(rc, -EINVAL);
    }
}

static void test_long_command(void)
{
    char host[600], text[512];

    memset(host, 'a', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    CU_ASSERT_EQUAL(command("ssh", host, MIG_RECEIVER_XL, false, text),
                    -ENAMETOOLONG);
    CU_ASSERT_EQUAL(command("", host, MIG_RECEIVER_XL, false, text),
                    -ENAMETOOLONG);
}

/* ---- how it is talked to ---- */

static void start(struct mig_transport *t, const char *what, int cancel_fd)
{
    CU_ASSERT_EQUAL_FATAL(mig_transport_start(t, what, cancel_fd, NULL), 0);
}

static void test_cat(void)
{
    struct mig_transport t;
    struct lxe_err err = { 0 };
    char buf[32];

    start(&t, "exec cat", -1);
    CU_ASSERT_EQUAL(mig_transport_write(&t, "one\ntwo and", 11, "it", 5000,
                                        &err), 0);
    CU_ASSERT_EQUAL(mig_transport_read_line(&t, buf, sizeof(buf), "it", 0,
                                            &err), 0);
    CU_ASSERT_STRING_EQUAL(buf, "one");
    CU_ASSERT_EQUAL(mig_transport_read(&t, buf, 7, "it", 5000, &err), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "two and", 7), 0);
    mig_transport_stop(&t);
    CU_ASSERT_EQUAL(t.pid, 0);
    CU_ASSERT_EQUAL(t.send_fd, -1);
    mig_transport_stop(&t); /* does nothing */
}

/* Lines end where their room does; what is read is not taken twice. */
static void test_long_lines(void)
{
    struct mig_transport t;
    struct lxe_err err = { 0 };
    char buf[8];

    start(&t, "printf '1234567\\n12345678\\n'; exec cat", -1);
    CU_ASSERT_EQUAL(mig_transport_read_line(&t, buf, sizeof(buf), "the word",
                                            5000, &err), 0);
    CU_ASSERT_STRING_EQUAL(buf, "1234567");
    CU_ASSERT_EQUAL(mig_transport_read_line(&t, buf, sizeof(buf), "the word",
                                            5000, &err), -EMSGSIZE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the word is too long"));
    mig_transport_stop(&t);
}

static void test_time_out(void)
{
    struct mig_transport t;
    struct lxe_err err = { 0 };
    char buf[8];

    start(&t, "exec cat", -1);
    CU_ASSERT_EQUAL(mig_transport_read(&t, buf, 1, "the word", 50, &err),
                    -ETIMEDOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no the word came in time"));
    mig_transport_stop(&t);
}

/* Its input may be closed a little after its output. */
static int write_until_closed(struct mig_transport *t, struct lxe_err *err)
{
    int rc = 0;

    for (int i = 0; i < 1000 && !rc; i++) {
        rc = mig_transport_write(t, "x", 1, "the hello", 5000, err);
        lxe_sleep_ns(LXE_NS_PER_MS);
    }
    return rc;
}

static void test_child_ends(void)
{
    struct mig_transport t;
    struct lxe_err err = { 0 };
    char buf[64];

    start(&t, "echo half; exit 3", -1);
    CU_ASSERT_EQUAL(mig_transport_read(&t, buf, 64, "the banner", 5000, &err),
                    -ECONNRESET);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "before it sent the banner"));
    CU_ASSERT_EQUAL(write_until_closed(&t, &err), -ECONNRESET);
    mig_transport_stop(&t);
    start(&t, "no-such-command-here 2>/dev/null", -1);
    CU_ASSERT_EQUAL(mig_transport_read_line(&t, buf, 64, "the banner", 5000,
                                            &err), -ECONNRESET);
    mig_transport_stop(&t);
}

static void *make_readable(void *data)
{
    lxe_sleep_ns(20 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(write(*(int *)data, "x", 1), 1);
    return NULL;
}

static void test_cancel(void)
{
    struct mig_transport t;
    struct lxe_err err = { 0 };
    pthread_t thread;
    int fds[2];
    char buf[8];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    start(&t, "exec cat", fds[0]);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, make_readable,
                                         &fds[1]), 0);
    CU_ASSERT_EQUAL(mig_transport_read(&t, buf, 1, "the word", 0, &err),
                    -ECANCELED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "cancelled while waiting"));
    pthread_join(thread, NULL);
    t.cancel_fd = -1; /* after the commit nothing cancels */
    CU_ASSERT_EQUAL(mig_transport_write(&t, "y", 1, "it", 5000, &err), 0);
    CU_ASSERT_EQUAL(mig_transport_read(&t, buf, 1, "it", 5000, &err), 0);
    mig_transport_stop(&t);
    close(fds[0]);
    close(fds[1]);
}

/* More than any pipe holds, to somebody who reads nothing. */
static void test_hanging_reader(void)
{
    static const char much[4 << 20];
    struct mig_transport t;
    struct lxe_err err = { 0 };
    pthread_t thread;
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    start(&t, "exec sleep 60", fds[0]);
    CU_ASSERT_EQUAL(mig_transport_write(&t, much, sizeof(much), "it", 50,
                                        &err), -ETIMEDOUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "did not take it in time"));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, make_readable,
                                         &fds[1]), 0);
    CU_ASSERT_EQUAL(mig_transport_write(&t, much, sizeof(much), "it", 0,
                                        &err), -ECANCELED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "cancelled while sending it"));
    pthread_join(thread, NULL);
    kill(t.pid, SIGKILL);
    mig_transport_stop(&t);
    close(fds[0]);
    close(fds[1]);
}

/* All of it comes, in order. */
static void test_long_write(void)
{
    static unsigned char much[300001], back[sizeof(much)];
    struct mig_transport t;

    for (size_t i = 0; i < sizeof(much); i++)
        much[i] = (unsigned char)(i * 7 >> 3);
    start(&t, "f=$(mktemp); head -c 300001 >$f; cat $f; rm $f", -1);
    CU_ASSERT_EQUAL(mig_transport_write(&t, much, sizeof(much), "it", 60000,
                                        NULL), 0);
    CU_ASSERT_EQUAL(mig_transport_read(&t, back, sizeof(back), "it", 60000,
                                       NULL), 0);
    CU_ASSERT_EQUAL(memcmp(much, back, sizeof(much)), 0);
    mig_transport_stop(&t);
}

/* ---- how it ends ---- */

/* It reads its input's end, takes its time, and is waited for. */
static void test_ends_by_itself(void)
{
    struct mig_transport t;
    uint64_t start_ns;

    start(&t, "cat >/dev/null; sleep 0.2", -1);
    start_ns = lxe_now_ns();
    mig_transport_stop(&t);
    CU_ASSERT_TRUE(lxe_now_ns() - start_ns >= 200 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

static void test_ignores_sigterm(void)
{
    struct mig_transport t;
    uint64_t start_ns, took_ns;
    char word[8];
    pid_t pid;

    start(&t, "trap '' TERM; echo on; exec sleep 60", -1);
    CU_ASSERT_EQUAL(mig_transport_read_line(&t, word, sizeof(word), "a word",
                                            5000, NULL), 0);
    pid = t.pid;
    start_ns = lxe_now_ns();
    mig_transport_stop(&t);
    took_ns = lxe_now_ns() - start_ns;
    CU_ASSERT_TRUE(took_ns >= 4 * LXE_NS_PER_SEC);
    CU_ASSERT_TRUE(took_ns < 30 * LXE_NS_PER_SEC);
    CU_ASSERT_EQUAL(kill(pid, 0), -1);
}

/* Ctrl-C and a closed terminal are for who migrates, and maybe has to commit. */
static void test_keeps_the_line(void)
{
    static const char *const names[] = { "INT", "HUP" };

    for (size_t i = 0; i < COUNT(names); i++) {
        struct mig_transport t;
        struct lxe_err err = { 0 };
        char how[64], line[16] = "";

        snprintf(how, sizeof(how), "kill -%s $$; echo there", names[i]);
        CU_ASSERT_EQUAL_FATAL(mig_transport_start(&t, how, -1, &err), 0);
        CU_ASSERT_EQUAL(mig_transport_read_line(&t, line, sizeof(line), "it",
                                                60000, &err), 0);
        CU_ASSERT_STRING_EQUAL(line, "there");
        mig_transport_stop(&t);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "the command", test_commands },
        { "hosts that are none", test_hostile_hosts },
        { "a command that is too long", test_long_command },
        { "there and back", test_cat },
        { "lines that are too long", test_long_lines },
        { "waiting has an end", test_time_out },
        { "the other side ends", test_child_ends },
        { "cancelled while waiting", test_cancel },
        { "a reader that hangs", test_hanging_reader },
        { "more than a pipe holds", test_long_write },
        { "a command that ends by itself", test_ends_by_itself },
        { "one that ignores SIGTERM is killed", test_ignores_sigterm },
        { "the terminal does not end it", test_keeps_the_line },
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    return unit_run("transport", tests, COUNT(tests));
}
