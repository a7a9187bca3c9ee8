/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

/* Blocked, they wait until they are taken, also from before the fork. */
static void hold_signals(sigset_t *set, sigset_t *before)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would tell no status */
    sigprocmask(SIG_BLOCK, set, before);
}

static void become(char **command, const sigset_t *mask)
{
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command[0], command);
    aero_cli_fail("cannot run %s: %s", command[0], strerror(errno));
    _exit(127);
}

/* Who ends us means the command: what is held must not end before it does. */
static int follow(pid_t pid, const sigset_t *set, int *status)
{
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        int sig;

        if (ended)
            return ended < 0 ? -errno : 0;
        sig = sigwaitinfo(set, NULL);
        if (sig == SIGTERM || sig == SIGHUP)
            kill(pid, sig);
    }
}

int aero_cli_run(char **command)
{
    sigset_t set, before;
    int status, rc;
    pid_t pid;

    hold_signals(&set, &before);
    pid = fork();
    if (pid < 0)
        return aero_cli_fail("cannot run %s: %s", command[0], strerror(errno));
    if (!pid)
        become(command, &before);
    /* A terminal sends them to the command too, which decides. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    rc = follow(pid, &set, &status);
    if (rc)
        return aero_cli_fail("lost %s: %s", command[0], strerror(-rc));
    return WIFEXITED(status) ? WEXITSTATUS(status)
                             : 128 + WTERMSIG(status);
}
