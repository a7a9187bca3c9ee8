/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/std_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int lxe_std_fds_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* It is the lowest that is closed: open() gives this very one. */
        if (open("/dev/null", wrong_way) < 0) {
            int rc = -errno;

            perror("/dev/null");
            return rc;
        }
    }
    return 0;
}
