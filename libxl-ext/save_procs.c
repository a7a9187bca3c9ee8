/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "save_procs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"

#define ARGS_MAX 512 /* a helper's are shorter */
#define DOMID_ARG 4  /* NAME --save-domain IO_FD RECV_FD DOMID ... */

/* Argument number n, or NULL. Each is within the buffer, NUL included. */
static const char *arg(const char *args, size_t len, unsigned n)
{
    const char *end = args + len;

    while (args < end) {
        const char *nul = memchr(args, '\0', (size_t)(end - args));

        if (!nul)
            return NULL;
        if (!n--)
            return args;
        args = nul + 1;
    }
    return NULL;
}

bool lxe_is_save_helper(const char *args, size_t len, uint32_t domid)
{
    const char *verb = arg(args, len, 1), *number = arg(args, len, DOMID_ARG);
    uint64_t found;

    return verb && number && !strcmp(verb, "--save-domain") &&
           !lxe_parse_u64(number, 0, UINT32_MAX, &found, NULL) &&
           found == domid;
}

static bool is_self(const char *pid)
{
    uint64_t n;

    return !lxe_parse_u64(pid, 0, INT32_MAX, &n, NULL) &&
           n == (uint64_t)getpid();
}

static bool process_saves(int proc_fd, const char *pid, uint32_t domid)
{
    char path[64], args[ARGS_MAX];
    struct stat st;
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "%.32s/cmdline", pid);
    fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* It is whose the process is: others may call theirs what they like. */
    len = fstat(fd, &st) || st.st_uid != geteuid()
              ? 0 : read(fd, args, sizeof(args));
    close(fd);
    return len > 0 && lxe_is_save_helper(args, (size_t)len, domid);
}

bool lxe_save_is_running(uint32_t domid)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    bool found = false;

    while (proc && !found && (entry = readdir(proc)))
        found = isdigit((unsigned char)entry->d_name[0]) &&
                !is_self(entry->d_name) &&
                process_saves(dirfd(proc), entry->d_name, domid);
    if (proc)
        closedir(proc);
    return found;
}

int lxe_save_check_none(uint32_t domid, struct lxe_err *err)
{
    if (!lxe_save_is_running(domid))
        return 0;
    return lxe_fail(err, -EBUSY, "domain %" PRIu32 " is being saved or"
                    " migrated by somebody else, and of two saves each takes"
                    " dirty pages from the other; wait until that is done",
                    domid);
}
