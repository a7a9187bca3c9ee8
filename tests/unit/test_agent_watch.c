/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's watch, with a FIFO in the device's place. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#include "agent_watch.h"
#include "unit.h"

static void test_asks(void)
{
    static const char body[] = "data/aerostat/request\0request";
    char dir[] = "/tmp/aerostat-watch-XXXXXX", path[64], text[128];
    struct xsd_sockmsg head;
    int fd;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/xenbus", dir);
    CU_ASSERT_EQUAL(aero_agent_watch_open(path), -1); /* no Xen guest */
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    fd = aero_agent_watch_open(path);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(read(fd, text, sizeof(text)),
                    (ssize_t)(sizeof(head) + sizeof(body)));
    memcpy(&head, text, sizeof(head));
    CU_ASSERT_EQUAL(head.type, XS_WATCH);
    CU_ASSERT_EQUAL(head.tx_id, 0);
    CU_ASSERT_EQUAL(head.len, sizeof(body));
    CU_ASSERT_EQUAL(memcmp(text + sizeof(head), body, sizeof(body)), 0);
    CU_ASSERT_TRUE(aero_agent_watch_take(fd)); /* nothing, at once */
    close(fd);
    unlink(path);
    rmdir(dir);
}

/* All that came is taken, or it would fire again and again. */
static void test_takes(void)
{
    struct pollfd p = { .events = POLLIN };
    char many[4000] = "";
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
                                     ends), 0);
    p.fd = ends[0];
    CU_ASSERT_EQUAL(write(ends[1], many, sizeof(many)), sizeof(many));
    CU_ASSERT_EQUAL(poll(&p, 1, 0), 1);
    CU_ASSERT_TRUE(aero_agent_watch_take(ends[0]));
    CU_ASSERT_EQUAL(poll(&p, 1, 0), 0);
    close(ends[1]);
    CU_ASSERT_FALSE(aero_agent_watch_take(ends[0]));
    close(ends[0]);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "asks for events", test_asks },
        { "takes them all", test_takes },
    };

    return unit_run("agent-watch", tests, sizeof(tests) / sizeof(tests[0]));
}
