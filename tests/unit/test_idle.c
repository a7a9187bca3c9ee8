/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A restore that waits for a link that was cut, told from one that works. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "idle.h"
#include "keepalive.h"
#include "unit.h"

static void test_looks(void)
{
    static const struct {
        uint64_t activity, now_ns;
        bool idle;
    } looks[] = {
        { 7, 100, false },                { 7, 199, false },
        { 7, 200, true },                 { 7, 900, true },
        { 8, 901, false },                { 8, 1000, false },
        { MIG_IDLE_UNKNOWN, 1001, false }, { MIG_IDLE_UNKNOWN, 5000, false },
        { 8, 5001, false },               { 8, 5100, false },
        { 8, 5101, true },
    };
    struct mig_idle idle = { 0 }, never = { 0 };

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        CU_ASSERT_EQUAL(mig_idle_look(&idle, looks[i].activity,
                                      looks[i].now_ns, 100), looks[i].idle);
        CU_ASSERT_FALSE(mig_idle_look(&never, 7, looks[i].now_ns, 0));
    }
}

/* Runs a shell whose input is a pipe, as the leader of a group. */
static pid_t run(const char *command, int in[2])
{
    pid_t pid;

    CU_ASSERT_EQUAL_FATAL(pipe2(in, O_CLOEXEC), 0);
    pid = fork();
    if (!pid) {
        setpgid(0, 0);
        dup2(in[0], STDIN_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    setpgid(pid, pid);
    return pid;
}

static void end(pid_t pid, int in[2])
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(in[0]);
    close(in[1]);
}

/* Waits until nothing moves in it any more. */
static uint64_t settle(pid_t pid, int fd)
{
    uint64_t was = MIG_IDLE_UNKNOWN, is = MIG_IDLE_UNKNOWN;
    unsigned same = 0;

    for (int i = 0; i < 3000 && same < 20; i++) {
        is = mig_idle_activity(pid, fd);
        same = is == was && is != MIG_IDLE_UNKNOWN ? same + 1 : 0;
        was = is;
        lxe_sleep_ns(10 * LXE_NS_PER_MS);
    }
    CU_ASSERT_EQUAL(same, 20);
    return is;
}

/* Waits until the activity is another one. */
static bool moves(pid_t pid, int fd, uint64_t from)
{
    for (int i = 0; i < 3000; i++) {
        if (mig_idle_activity(pid, fd) != from)
            return true;
        lxe_sleep_ns(10 * LXE_NS_PER_MS);
    }
    return false;
}

static void test_activity(void)
{
    int in[2];
    pid_t pid = run("(cat >/dev/null; :); :", in);
    uint64_t was = settle(pid, in[0]);

    CU_ASSERT_EQUAL(write(in[1], "x", 1), 1); /* its child's child reads */
    CU_ASSERT_TRUE(moves(pid, in[0], was));
    CU_ASSERT_NOT_EQUAL(settle(pid, in[0]), was);
    end(pid, in);
}

/* Input that comes is activity; input that lies there unread is none. */
static void test_waiting_input(void)
{
    int in[2];
    pid_t pid = run("exec sleep 1000", in);
    uint64_t was = settle(pid, in[0]);

    CU_ASSERT_EQUAL(write(in[1], "x", 1), 1);
    CU_ASSERT_NOT_EQUAL(mig_idle_activity(pid, in[0]), was);
    was = settle(pid, in[0]);
    CU_ASSERT_EQUAL(mig_idle_activity(pid, in[0]), was);
    end(pid, in);
}

static void test_work_is_activity(void)
{
    int in[2];
    pid_t pid = run("(while :; do :; done); :", in);

    CU_ASSERT_TRUE(moves(pid, in[0], mig_idle_activity(pid, in[0])));
    end(pid, in);
}

static void test_gone(void)
{
    int in[2];
    pid_t pid = run("exit 0", in);

    end(pid, in);
    CU_ASSERT_EQUAL(mig_idle_activity(pid, -1), MIG_IDLE_UNKNOWN);
}

static void count(void *data)
{
    unsigned *n = data;

    ++*n;
}

/* One that waits is ended with all below it, whatever signals they ignore. */
static void test_given_up(void)
{
    struct mig_idle_wait wait = { .limit_ns = LXE_NS_PER_SEC,
                                  .meanwhile = count };
    unsigned calls = 0;
    bool gave_up = false;
    int in[2], status;
    pid_t pid = run("trap '' TERM; cat >/dev/null", in);

    wait.pid = pid;
    wait.fd = in[0];
    wait.data = &calls;
    status = mig_idle_wait(&wait, &gave_up);
    CU_ASSERT(gave_up && calls > 5);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int i = 0; i < 3000 && !kill(-pid, 0); i++) /* until init reaps it */
        lxe_sleep_ns(10 * LXE_NS_PER_MS);
    CU_ASSERT(kill(-pid, 0) && errno == ESRCH);
    end(pid, in);
}

/* One that is slow, but works, is waited for. */
static void test_waited_for(void)
{
    struct mig_idle_wait wait = { .limit_ns = 2500 * LXE_NS_PER_MS };
    bool gave_up = true;
    int in[2], status;

    wait.pid = run("n=0; while [ $n -lt 20 ]; do sleep 0.2; n=$((n + 1)); done;"
                   " exit 7", in);
    wait.fd = in[0];
    status = mig_idle_wait(&wait, &gave_up);
    CU_ASSERT(!gave_up && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    end(wait.pid, in);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    CU_ASSERT_EQUAL(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void test_keepalive(void)
{
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

    CU_ASSERT_FATAL(tcp >= 0);
    CU_ASSERT_TRUE(mig_keepalive(tcp));
    CU_ASSERT_EQUAL(option(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
    CU_ASSERT_EQUAL(option(tcp, IPPROTO_TCP, TCP_KEEPIDLE) +
                        option(tcp, IPPROTO_TCP, TCP_KEEPINTVL) *
                            option(tcp, IPPROTO_TCP, TCP_KEEPCNT), 120);
    CU_ASSERT_EQUAL(option(tcp, IPPROTO_TCP, TCP_USER_TIMEOUT), 120000);
    close(tcp);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CU_ASSERT_FALSE(mig_keepalive(pair[0]));
    CU_ASSERT_EQUAL(option(pair[0], SOL_SOCKET, SO_KEEPALIVE), 0);
    close(pair[0]);
    close(pair[1]);
    CU_ASSERT_EQUAL_FATAL(pipe(pair), 0);
    CU_ASSERT_FALSE(mig_keepalive(pair[0]));
    close(pair[0]);
    close(pair[1]);
}

static const struct unit_test tests[] = {
    { "looks", test_looks },
    { "bytes that are read", test_activity },
    { "bytes that wait", test_waiting_input },
    { "work", test_work_is_activity },
    { "one that is gone", test_gone },
    { "one that waits is ended", test_given_up },
    { "one that works is waited for", test_waited_for },
    { "keepalive", test_keepalive },
};

int main(void)
{
    return unit_run("idle", tests, sizeof(tests) / sizeof(tests[0]));
}
