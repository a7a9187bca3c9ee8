/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "metrics_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/units.h"

#define WHERE_TEXT 64

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;

        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(
               &((const struct sockaddr_in6 *)(const void *)address)
                    ->sin6_addr);
}

/* Splits at the last colon; brackets are taken off. */
static int split(const char *where, char address[WHERE_TEXT],
                 const char **port)
{
    const char *colon = strrchr(where, ':');
    size_t len = colon ? (size_t)(colon - where) : 0;

    if (!len || len >= WHERE_TEXT || !colon[1])
        return -EINVAL;
    if (where[0] == '[' && where[len - 1] == ']') {
        where++;
        len -= 2;
    } else if (memchr(where, ':', len)) {
        return -EINVAL;
    }
    memcpy(address, where, len);
    address[len] = '\0';
    *port = colon + 1;
    return 0;
}

int aero_metrics_address(const char *where, struct addrinfo **out,
                         struct lxe_err *err)
{
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
        .ai_socktype = SOCK_STREAM,
    };
    char address[WHERE_TEXT];
    const char *port;
    uint64_t number;

    /* getaddrinfo() takes 70000 for 4464. */
    if (split(where, address, &port) ||
        lxe_parse_u64(port, 1, UINT16_MAX, &number, NULL) ||
        getaddrinfo(address, port, &hints, out))
        return lxe_fail(err, -EINVAL, "metrics_listen: '%.64s' is not"
                        " ADDRESS:PORT in numbers, the port up to 65535, as in"
                        " 127.0.0.1:9877", where);
    if (is_loopback((*out)->ai_addr))
        return 0;
    freeaddrinfo(*out);
    return lxe_fail(err, -EACCES, "metrics_listen: %.64s is not on the"
                    " loopback; everybody could read there: use 127.0.0.1 or"
                    " [::1]", where);
}
