/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pid_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Who may read it could hold a read lock, and no daemon would ever start. */
#define MODE 0600

/* A link would have us empty the file that it names. */
static int open_own(const char *path)
{
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
}

static int say_who(int fd, const char *path, struct lxe_err *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
        return lxe_fail(err, -EBUSY, "another aerostatd holds %s", path);
    return lxe_fail(err, -EBUSY, "another aerostatd runs: process %d holds"
                    " %s; one balances a host", (int)lock.l_pid, path);
}

int aero_pid_lock(const char *path, struct lxe_err *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    _cleanup_close_ int fd = open_own(path);
    int kept;

    if (fd < 0)
        return lxe_fail(err, -errno, "cannot open %s: %m", path);
    if (fchmod(fd, MODE))
        return lxe_fail(err, -errno, "cannot close %s to others: %m", path);
    if (fcntl(fd, F_SETLK, &lock)) {
        if (errno == EACCES || errno == EAGAIN)
            return say_who(fd, path, err);
        return lxe_fail(err, -errno, "cannot lock %s: %m", path);
    }
    if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0)
        return lxe_fail(err, -errno, "cannot write %s: %m", path);
    kept = fd;
    fd = -1;
    return kept;
}

void aero_pid_unlock(int fd)
{
    if (ftruncate(fd, 0))
        perror("aerostatd: pid file");
    close(fd);
}
