/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in for standard descriptors that the caller closed. */
#include "base/std_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define STD_FDS 3

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* In a child: those of @closed (bits) were, and are of no use still. */
static bool stand_in(int closed)
{
    char byte = 'x';
    int next;

    for (int fd = 0; fd < STD_FDS; fd++)
        if (closed & 1 << fd)
            close(fd);
    if (lxe_std_fds_open() || !is_open(0) || !is_open(1) || !is_open(2))
        return false;
    next = open("/dev/null", O_RDWR);
    if (next < STD_FDS)
        return false;
    if (closed & 1 && (read(0, &byte, 1) >= 0 || errno != EBADF))
        return false;
    for (int fd = 1; fd < STD_FDS; fd++)
        if (closed & 1 << fd && (write(fd, &byte, 1) >= 0 || errno != EBADF))
            return false;
    return true;
}

static void test_each_way(void)
{
    for (int closed = 0; closed < 1 << STD_FDS; closed++) {
        pid_t pid = fork();
        int status = -1;

        CU_ASSERT_FATAL(pid >= 0);
        if (!pid)
            _exit(stand_in(closed) ? EXIT_SUCCESS : EXIT_FAILURE);
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        CU_ASSERT_EQUAL(status, 0);
    }
}

/* What the caller gave is his: a helper is told of descriptors by number. */
static void test_open_ones_stay(void)
{
    int ends[2], kept = dup(STDIN_FILENO);
    char byte = 'x';

    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    CU_ASSERT_EQUAL_FATAL(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    CU_ASSERT_EQUAL(lxe_std_fds_open(), 0);
    CU_ASSERT_EQUAL(write(ends[1], "a", 1), 1);
    CU_ASSERT_EQUAL(read(STDIN_FILENO, &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'a');
    close(ends[0]);
    close(ends[1]);
    if (kept < 0)
        close(STDIN_FILENO);
    else
        dup2(kept, STDIN_FILENO);
    close(kept);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "closed ones are of no use", test_each_way },
        { "open ones stay", test_open_ones_stay },
    };

    return unit_run("std_fds", tests, sizeof(tests) / sizeof(tests[0]));
}
