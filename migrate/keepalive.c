/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define IDLE_S  60 /* before the first probe */
#define EACH_S  10
#define PROBES  6
#define SEND_MS 120000

static void set(int fd, int level, int option, int value)
{
    /* One that this kernel has not leaves the others. */
    setsockopt(fd, level, option, &value, sizeof(value));
}

bool mig_keepalive(int fd)
{
    int protocol = 0;
    socklen_t len = sizeof(protocol);

    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) ||
        protocol != IPPROTO_TCP)
        return false;
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, EACH_S);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SEND_MS);
    return true;
}
