/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "agent_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

static const struct {
    struct xsd_sockmsg head;
    char body[sizeof("data/aerostat/request\0request")]; /* path, token */
} watch = {
    .head = { .type = XS_WATCH, .len = sizeof(watch.body) },
    .body = "data/aerostat/request\0request",
};

int aero_agent_watch_open(const char *device)
{
    const size_t len = sizeof(watch.head) + sizeof(watch.body);
    int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && write(fd, &watch, len) != (ssize_t)len) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* What it says is of no matter: the request is read as it is then. */
bool aero_agent_watch_take(int fd)
{
    char text[512];
    ssize_t n;

    do {
        n = read(fd, text, sizeof(text));
    } while (n > 0);
    return n < 0 && errno == EAGAIN;
}
