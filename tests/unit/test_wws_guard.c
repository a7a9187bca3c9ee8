/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log-dirty mode ends whoever is killed. The mode of a domain is a file
 * here: the measurement makes it and removes it, or somebody else must.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit.h"
#include "wws_guard.h"

#define DOMID 7

static char dir[64], records[96], mode[96];
static volatile sig_atomic_t stopped;

static int off(uint32_t domid, struct lxe_err *err)
{
    (void)err;
    CU_ASSERT(domid == DOMID);
    unlink(mode);
    return 0;
}

static int off_fails(uint32_t domid, struct lxe_err *err)
{
    return lxe_fail(err, -EIO, "domain %u: not off", domid);
}

static bool is_on(void)
{
    return !access(mode, F_OK);
}

static bool has_record(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%d", records, DOMID);
    return !access(path, F_OK);
}

static void turn_on(void)
{
    int fd = open(mode, O_CREAT | O_WRONLY, 0600);

    if (fd >= 0)
        close(fd);
}

static void wait_for(bool (*what)(void), bool value)
{
    uint64_t end_ns = lxe_now_ns() + 30 * LXE_NS_PER_SEC;

    while (what() != value && lxe_now_ns() < end_ns)
        lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT_FATAL(what() == value);
}

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

/* Measures until it is told to end, as a real one does. */
static int work_until_told(void *data)
{
    signal(SIGTERM, stop);
    turn_on();
    *(volatile pid_t *)data = getpid();
    while (!stopped)
        lxe_sleep_ns(LXE_NS_PER_MS);
    unlink(mode);
    return 143;
}

/* Ctrl-Z comes to both while the mode is on. */
static int work_briefly(void *data)
{
    (void)data;
    turn_on();
    raise(SIGTSTP);
    kill(getppid(), SIGTSTP);
    unlink(mode);
    return 5;
}

static int work_killed(void *data)
{
    (void)data;
    turn_on();
    raise(SIGKILL);
    return 0;
}

/* Runs a guard in a process of its own, whose pid it returns. */
static pid_t start_guard(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        pid_t inner;
        int status = 1;

        setpgid(0, 0);
        mig_wws_guard_run(records, DOMID, off, work_until_told, &inner,
                          &status, NULL);
        _exit(status);
    }
    setpgid(pid, pid);
    wait_for(is_on, true);
    return pid;
}

static pid_t record_holder(void)
{
    char path[128], text[16] = "";
    FILE *f;

    snprintf(path, sizeof(path), "%s/%d", records, DOMID);
    f = fopen(path, "re");
    CU_ASSERT_FATAL(f != NULL);
    CU_ASSERT_FATAL(fgets(text, sizeof(text), f) != NULL);
    fclose(f);
    return (pid_t)strtol(text, NULL, 10);
}

static void test_ends_by_itself(void)
{
    int status = 0;

    CU_ASSERT(!mig_wws_guard_run(records, DOMID, off, work_briefly, NULL,
                                 &status, NULL));
    CU_ASSERT(status == 5);
    CU_ASSERT(!is_on() && !has_record());
}

static void test_child_killed(void)
{
    struct lxe_err err = { 0 };
    int status = 0;

    CU_ASSERT(mig_wws_guard_run(records, DOMID, off, work_killed, NULL,
                                &status, &err) == -EINTR);
    CU_ASSERT(strstr(err.text, "killed") != NULL);
    CU_ASSERT(!is_on() && !has_record());
}

/* What could not be turned off is kept in mind. */
static void test_off_fails(void)
{
    int status = 0;

    CU_ASSERT(mig_wws_guard_run(records, DOMID, off_fails, work_killed, NULL,
                                &status, NULL) == -EIO);
    CU_ASSERT(is_on() && has_record());
    CU_ASSERT(mig_wws_guard_repair(records, off_fails) == 0);
    CU_ASSERT(is_on() && has_record());
    CU_ASSERT(mig_wws_guard_repair(records, off) == 1);
    CU_ASSERT(!is_on() && !has_record());
    CU_ASSERT(mig_wws_guard_repair(records, off) == 0);
}

static void test_parent_killed(void)
{
    pid_t pid = start_guard();

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    wait_for(has_record, false);
    CU_ASSERT(!is_on());
}

static void test_signal_goes_on(void)
{
    pid_t pid = start_guard();
    int status;

    kill(pid, SIGTERM);
    CU_ASSERT(waitpid(pid, &status, 0) == pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 143);
    CU_ASSERT(!is_on() && !has_record());
}

/* As systemd does it: the whole group at once. The next one repairs. */
static void test_all_killed(void)
{
    pid_t pid = start_guard(), inner = record_holder();
    int status = 0;

    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (!kill(inner, 0) && errno != ESRCH)
        lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT(is_on() && has_record());
    CU_ASSERT(mig_wws_guard_dead(records) == DOMID);
    CU_ASSERT(!mig_wws_guard_run(records, DOMID, off, work_briefly, NULL,
                                 &status, NULL));
    CU_ASSERT(!is_on() && !has_record());
}

static void test_busy_and_yield(void)
{
    pid_t pid = start_guard();
    int status = 0;

    CU_ASSERT(mig_wws_guard_run(records, DOMID, off, work_briefly, NULL,
                                &status, NULL) == -EBUSY);
    CU_ASSERT(mig_wws_guard_repair(records, off) == 0 && is_on());
    CU_ASSERT(mig_wws_guard_dead(records) == 0);
    CU_ASSERT(!mig_wws_guard_yield(records, DOMID, off));
    CU_ASSERT(!is_on());
    CU_ASSERT(waitpid(pid, &status, 0) == pid);
    CU_ASSERT(!has_record());
    CU_ASSERT(!mig_wws_guard_yield(records, DOMID, off));
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "ends by itself", test_ends_by_itself },
        { "the child is killed", test_child_killed },
        { "cannot be turned off", test_off_fails },
        { "the parent is killed", test_parent_killed },
        { "a signal goes on", test_signal_goes_on },
        { "all are killed", test_all_killed },
        { "busy, and a save", test_busy_and_yield },
    };
    int rc;

    lxe_log_open("test", XTL_CRITICAL, false);
    snprintf(dir, sizeof(dir), "/tmp/test-wws-guard-XXXXXX");
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    snprintf(records, sizeof(records), "%s/run/wws", dir);
    snprintf(mode, sizeof(mode), "%s/mode", dir);
    rc = unit_run("wws-guard", tests, sizeof(tests) / sizeof(tests[0]));
    rmdir(records);
    *strrchr(records, '/') = '\0';
    rmdir(records);
    rmdir(dir);
    lxe_log_close();
    return rc;
}
