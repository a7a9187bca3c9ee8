/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who saves a domain, by the arguments of processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "save_procs.h"
#include "unit.h"

#define IS(text, domid) lxe_is_save_helper(text, sizeof(text) - 1, domid)

static void test_arguments(void)
{
    CU_ASSERT(IS("/x/helper\0--save-domain\0007\000-1\00012\0001\0", 12));
    CU_ASSERT(IS("h\0--save-domain\0007\000-1\00012\0", 12));
    CU_ASSERT(!IS("h\0--save-domain\0007\000-1\00012\0", 1));
    CU_ASSERT(!IS("h\0--restore-domain\0007\000-1\00012\0", 12));
    CU_ASSERT(!IS("h\0--save-domain\0007\000-1\00012", 12)); /* cut */
    CU_ASSERT(!IS("h\0--save-domain\0007\000-1\00012x\0", 12));
    CU_ASSERT(!IS("h\0--save-domain\000012\0", 12));
    CU_ASSERT(!IS("", 12));
    CU_ASSERT(!IS("\0\0\0\0\0", 0));
}

#define NOBODY 65534

/* A domid that no domain has: Xen's are below 0x7ff0. */
#define DOMID      4000000001u
#define DOMID_TEXT "4000000001"

/* Starts this program, as a user, as a helper that waits until its stdin
 * ends. */
static pid_t start_helper(uid_t user, int *stdin_fd)
{
    char name[] = "helper", verb[] = "--save-domain", io[] = "1";
    char none[] = "-1", domid[] = DOMID_TEXT;
    char *const argv[] = { name, verb, io, none, domid, NULL };
    int fds[2], self;
    pid_t pid;

    CU_ASSERT_FATAL(!pipe(fds));
    self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    pid = fork();
    if (pid == 0) {
        dup2(fds[0], 0);
        close(fds[0]);
        close(fds[1]);
        if (!setuid(user))
            fexecve(self, argv, environ);
        _exit(1);
    }
    close(self);
    close(fds[0]);
    *stdin_fd = fds[1];
    return pid;
}

static void test_processes(void)
{
    int fd, status;
    pid_t pid;

    CU_ASSERT(!lxe_save_is_running(DOMID));
    pid = start_helper(geteuid(), &fd);
    CU_ASSERT_FATAL(pid > 0);
    while (!lxe_save_is_running(DOMID) && !waitpid(pid, &status, WNOHANG))
        lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT(lxe_save_is_running(DOMID));
    CU_ASSERT(!lxe_save_is_running(DOMID + 1));
    CU_ASSERT_EQUAL(lxe_save_check_none(DOMID, NULL), -EBUSY);
    close(fd);
    CU_ASSERT(waitpid(pid, &status, 0) == pid && status == 0);
    CU_ASSERT(!lxe_save_is_running(DOMID));
    CU_ASSERT_EQUAL(lxe_save_check_none(DOMID, NULL), 0);
}

static bool says_it_saves(pid_t pid)
{
    char path[64], args[256];
    FILE *f;
    size_t len;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    f = fopen(path, "re");
    len = f ? fread(args, 1, sizeof(args), f) : 0;
    if (f)
        fclose(f);
    return lxe_is_save_helper(args, len, DOMID);
}

/* Whoever may log in could keep log-dirty mode on, or measurements away. */
static void test_another_user(void)
{
    int fd, status;
    pid_t pid;

    if (geteuid()) {
        printf("  left out: only root can be another user\n");
        return;
    }
    pid = start_helper(NOBODY, &fd);
    CU_ASSERT_FATAL(pid > 0);
    while (!says_it_saves(pid) && !waitpid(pid, &status, WNOHANG))
        lxe_sleep_ns(LXE_NS_PER_MS);
    CU_ASSERT(says_it_saves(pid));
    CU_ASSERT(!lxe_save_is_running(DOMID));
    close(fd);
    CU_ASSERT(waitpid(pid, &status, 0) == pid && status == 0);
}

/* As a helper: it does not see itself, and waits. */
static int wait_for_end(void)
{
    char c;

    return lxe_save_is_running(DOMID) || read(0, &c, 1) != 0;
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        { "arguments", test_arguments },
        { "processes", test_processes },
        { "another user's processes", test_another_user },
    };

    (void)argv;
    if (argc > 1)
        return wait_for_end();
    return unit_run("save-procs", tests, sizeof(tests) / sizeof(tests[0]));
}
