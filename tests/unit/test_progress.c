/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is shown of a migration while it runs, to one who may not read it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"
#include "unit.h"

/* The session's; it needs libxl. */
const char *mig_stage_name(enum mig_stage stage)
{
    return stage == MIG_STAGE_PRECOPY ? "pre-copy" : "commit";
}

/* Shows a progress so often, on a pipe in the place of a descriptor. Returns
 * how many bytes stand in the pipe then. */
static size_t show(enum mig_progress_style style, int fd, unsigned times)
{
    struct mig_progress p = { .style = style };
    const struct mig_report report = { .domain = "web" };
    struct mig_status status = { .kind = MIG_STATUS_PROGRESS };
    static char buf[65536];
    size_t have = 0;
    int fds[2], saved;
    ssize_t n;

    fflush(NULL);
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    saved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    dup2(fds[1], fd);
    close(fds[1]);
    alarm(60); /* rather than wait for ever */
    for (unsigned i = 0; i < times; i++)
        mig_progress_show(&p, MIG_STAGE_PRECOPY, &report, &status);
    alarm(0);
    dup2(saved, fd);
    close(saved);
    while ((n = read(fds[0], buf, sizeof(buf))) > 0)
        have += (size_t)n;
    close(fds[0]);
    return have;
}

/* A terminal that was stopped, a pager, a script that does other things: the
 * guest may stand still meanwhile. */
static void test_nobody_reads(void)
{
    CU_ASSERT(show(MIG_PROGRESS_JSON, STDOUT_FILENO, 2000) > 30000);
    CU_ASSERT(show(MIG_PROGRESS_LINE, STDERR_FILENO, 2000) > 30000);
}

static void test_shown(void)
{
    CU_ASSERT(show(MIG_PROGRESS_JSON, STDOUT_FILENO, 1) > 0);
    CU_ASSERT(show(MIG_PROGRESS_LINE, STDERR_FILENO, 1) > 0);
    CU_ASSERT_EQUAL(show(MIG_PROGRESS_LINES, STDERR_FILENO, 1), 0);
    CU_ASSERT_EQUAL(show(MIG_PROGRESS_NONE, STDERR_FILENO, 1), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "shown, each in its way", test_shown },
        { "nobody reads it", test_nobody_reads },
    };

    return unit_run("progress", tests, sizeof(tests) / sizeof(tests[0]));
}
