/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child that is held until it is written down. What parent and child do is
 * seen in a pipe: once it ends, nobody is left who could do more. As the
 * tests' alarm ends a wait in vain, no time limit is needed.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "held_child.h"
#include "unit.h"

#define STATUS 5

struct trace {
    int fds[2];
    struct mig_process noted;
};

static void begin(struct trace *t)
{
    CU_ASSERT_EQUAL_FATAL(pipe(t->fds), 0);
}

/* All that was done, by the end of those who did it. */
static void check_done(struct trace *t, const char *want)
{
    char got[16] = "";
    size_t have = 0;
    ssize_t n;

    close(t->fds[1]);
    while ((n = read(t->fds[0], got + have, sizeof(got) - 1 - have)) > 0)
        have += (size_t)n;
    CU_ASSERT_STRING_EQUAL(got, want);
    close(t->fds[0]);
}

static void put(const struct trace *t, const char *what)
{
    CU_ASSERT_EQUAL(write(t->fds[1], what, 1), 1);
}

static int work(void *data)
{
    put(data, "w");
    return STATUS;
}

/* So slowly that a child that is not held would be first. */
static int note(void *data, const struct mig_process *child,
                struct lxe_err *err)
{
    struct trace *t = data;

    (void)err;
    CU_ASSERT_TRUE(mig_process_alive(child));
    t->noted = *child;
    lxe_sleep_ns(20 * LXE_NS_PER_MS);
    put(t, "n");
    return 0;
}

static int cannot_note(void *data, const struct mig_process *child,
                       struct lxe_err *err)
{
    note(data, child, err);
    return lxe_fail(err, -EROFS, "no place to write");
}

static int note_and_die(void *data, const struct mig_process *child,
                        struct lxe_err *err)
{
    note(data, child, err);
    return kill(getpid(), SIGKILL);
}

static int note_and_kill(void *data, const struct mig_process *child,
                         struct lxe_err *err)
{
    siginfo_t info;

    note(data, child, err);
    kill(child->pid, SIGKILL);
    return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT);
}

static void test_let_go(void)
{
    struct trace t;
    const struct mig_held_child how = { note, work, &t };
    struct lxe_err err = { 0 };
    int status;
    pid_t pid;

    begin(&t);
    CU_ASSERT_EQUAL_FATAL(mig_held_child_start(&how, &pid, &err), 0);
    CU_ASSERT_EQUAL(t.noted.pid, pid);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == STATUS);
    CU_ASSERT_EQUAL(err.code, 0);
    check_done(&t, "nw");
}

/* It ends, and is waited for. */
static void test_not_noted(void)
{
    struct trace t;
    const struct mig_held_child how = { cannot_note, work, &t };
    struct lxe_err err = { 0 };
    pid_t pid;

    begin(&t);
    CU_ASSERT_EQUAL(mig_held_child_start(&how, &pid, &err), -EROFS);
    CU_ASSERT_STRING_EQUAL(err.text, "no place to write");
    CU_ASSERT_TRUE(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    check_done(&t, "n");
}

static void test_parent_killed(void)
{
    struct trace t;
    const struct mig_held_child how = { note_and_die, work, &t };
    pid_t parent, pid;

    begin(&t);
    parent = fork();
    if (!parent) {
        mig_held_child_start(&how, &pid, NULL);
        put(&t, "!");
        _exit(0);
    }
    check_done(&t, "n");
    CU_ASSERT_EQUAL(waitpid(parent, NULL, 0), parent);
}

static void test_child_killed(void)
{
    struct trace t;
    const struct mig_held_child how = { note_and_kill, work, &t };
    struct lxe_err err = { 0 };
    pid_t pid;

    begin(&t);
    CU_ASSERT_EQUAL(mig_held_child_start(&how, &pid, &err), -ESRCH);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "died"));
    CU_ASSERT_TRUE(waitpid(-1, NULL, 0) < 0 && errno == ECHILD);
    check_done(&t, "n");
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "it works once it was noted", test_let_go },
        { "not where that fails", test_not_noted },
        { "nor where its parent is killed before", test_parent_killed },
        { "it is killed itself", test_child_killed },
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(60);
    return unit_run("held child", tests, sizeof(tests) / sizeof(tests[0]));
}
