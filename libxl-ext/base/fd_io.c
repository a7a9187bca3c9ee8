/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd_io.h"

#include <errno.h>
#include <unistd.h>

int lxe_write_all(int fd, const void *data, size_t len)
{
    for (const char *at = data; len;) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EPIPE;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
