/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli_create.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd_io.h"
#include "base/json.h"
#include "base/log.h"
#include "xl_domain.h"

#define CONFIG_MAX (1u << 20)

/* xl takes -N, no more than say what would be done, before its verb. */
static char **dry_run(char *const *command)
{
    static char option[] = "-N";
    size_t n = 0;
    char **dry;

    while (command[n])
        n++;
    dry = calloc(n + 2, sizeof(*dry));
    if (!dry)
        return NULL;
    dry[0] = command[0];
    dry[1] = option;
    memcpy(dry + 2, command + 1, (n - 1) * sizeof(*dry));
    return dry;
}

/* Its own complaints come again when it is run in earnest: not shown twice. */
static void run_child(char *const *dry, int out)
{
    if (dup2(out, STDOUT_FILENO) < 0 || !freopen("/dev/null", "w", stderr))
        _exit(127);
    execv(dry[0], dry);
    _exit(127);
}

static int read_all(int fd, char *text)
{
    size_t len = 0;
    ssize_t n;

    while ((n = read(fd, text + len, CONFIG_MAX - len)) != 0) {
        if (n < 0 && errno != EINTR)
            return -errno;
        len += n > 0 ? (size_t)n : 0;
        if (len == CONFIG_MAX)
            return -EFBIG;
    }
    text[len] = '\0';
    return 0;
}

/* Runs it and returns what it prints, or NULL. */
static char *output_of(char *const *dry, struct lxe_err *err)
{
    char *text = malloc(CONFIG_MAX + 1);
    int fds[2], status = 0, rc;
    pid_t pid;

    if (!text || pipe(fds)) {
        lxe_fail(err, -errno, "cannot run %s: %m", dry[0]);
        free(text);
        return NULL;
    }
    pid = fork();
    if (!pid)
        run_child(dry, fds[1]);
    close(fds[1]);
    rc = pid < 0 ? -errno : read_all(fds[0], text);
    close(fds[0]);
    if (pid > 0 && waitpid(pid, &status, 0) < 0)
        rc = -errno;
    if (!rc && !(WIFEXITED(status) && !WEXITSTATUS(status)))
        rc = -EIO;
    if (!rc)
        return text;
    lxe_fail(err, rc, "a dry run of the command failed");
    free(text);
    return NULL;
}

static char *name_of(const char *json)
{
    struct lxe_json *tree = NULL;
    const char *name = NULL;
    char *copy = NULL;

    if (!lxe_json_parse(json, strlen(json), &tree, NULL))
        name = lxe_json_str(lxe_json_get(lxe_json_get(tree, "c_info"),
                                         "name"));
    if (name)
        copy = strdup(name);
    lxe_json_free(tree);
    return copy;
}

int aero_create_need(char *const *command, uint64_t *need_kib, char **name,
                     struct lxe_err *err)
{
    _cleanup_free_ char **dry = dry_run(command);
    _cleanup_free_ char *json = dry ? output_of(dry, err) : NULL;
    struct lxe_xl *xl = NULL;
    int rc;

    *name = NULL;
    if (!json)
        return err->code ? err->code : lxe_fail(err, -ENOMEM, "out of memory");
    if (lxe_log_open("xl-aerostat", XTL_CRITICAL, false))
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = lxe_xl_open(&xl, err); /* what it says, the message sums up */
    if (!rc)
        rc = lxe_xl_need_kib(xl, json, need_kib, err);
    lxe_xl_close(xl);
    lxe_log_close();
    if (rc)
        return rc;
    *name = name_of(json);
    return *name ? 0 : lxe_fail(err, -EINVAL, "the domain has no name");
}
