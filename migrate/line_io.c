/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "line_io.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

int mig_read_line(int fd, char *line, size_t size, uint64_t timeout_ns,
                  const char *what, struct lxe_err *err)
{
    uint64_t end_ns = lxe_now_ns() + timeout_ns;
    struct pollfd p = { .fd = fd, .events = POLLIN };

    for (size_t len = 0; len < size;) {
        ssize_t n;

        if (lxe_now_ns() >= end_ns)
            return lxe_fail(err, -ETIMEDOUT, "%s did not come", what);
        if (poll(&p, 1, 1000) <= 0)
            continue;
        n = read(fd, line + len, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return lxe_fail(err, -ECONNRESET, "the connection ended before"
                            " %s", what);
        if (line[len++] == '\n') {
            line[len - 1] = '\0';
            return 0;
        }
    }
    return lxe_fail(err, -EMSGSIZE, "%s is too long", what);
}
