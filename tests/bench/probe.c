/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe: what the benchmark on the testbed measures with, in an emulated
 * dom0.
 *
 *   probe stamp [ADDRESS]      copies lines, each behind the wall clock's ms;
 *                              also sends them to a host whose clock shall
 *                              stamp them
 *   probe hear                 stamps what comes from there
 *   probe ping ADDRESS MS      sends an ICMP echo request every MS until
 *                              SIGTERM, then prints "sent N answered N
 *                              longest_ms N silent_ms N": the longest time
 *                              between two answers, which is a guest's
 *                              downtime as the network has it, and the time
 *                              since the last one; SIGUSR1 prints it as well
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STAMP_PORT 8003

static volatile sig_atomic_t ended, asked;

static void on_signal(int signal)
{
    if (signal == SIGTERM)
        ended = 1;
    else
        asked = 1;
}

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void print_stamped(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    printf("%lld %s\n", (long long)clock_ms(CLOCK_REALTIME), line);
}

static int open_udp(struct sockaddr_in *at, const char *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){ .sin_family = AF_INET,
                                .sin_port = htons(STAMP_PORT) };
    if (inet_pton(AF_INET, address, &at->sin_addr) != 1)
        errx(2, "%s is no address", address);
    if (fd < 0)
        err(1, "socket");
    return fd;
}

static int stamp(const char *address)
{
    struct sockaddr_in to;
    int fd = address ? open_udp(&to, address) : -1;
    char line[4096];

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin)) {
        if (fd >= 0)
            sendto(fd, line, strcspn(line, "\r\n"), MSG_DONTWAIT,
                   (struct sockaddr *)&to, sizeof(to));
        print_stamped(line);
    }
    return 0;
}

_Noreturn static void hear(void)
{
    struct sockaddr_in at;
    int fd = open_udp(&at, "0.0.0.0");
    char line[4096];

    if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
        err(1, "bind");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) { /* until a signal ends us */
        ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

        if (n < 0)
            err(1, "recv");
        line[n] = '\0';
        print_stamped(line);
    }
}

/* RFC 1071's, of a header: a whole number of words. */
static uint16_t checksum(const struct icmphdr *h)
{
    const uint8_t *p = (const uint8_t *)h;
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof(*h); i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void request(int fd, uint16_t id, uint16_t sequence)
{
    struct icmphdr h = { .type = ICMP_ECHO };

    h.un.echo.id = id;
    h.un.echo.sequence = htons(sequence);
    h.checksum = checksum(&h);
    send(fd, &h, sizeof(h), MSG_DONTWAIT); /* a lost one shows as lost */
}

/* Takes one packet; says whether it answers us. */
static bool answered(int fd, uint16_t id)
{
    unsigned char buf[256];
    struct icmphdr h;
    ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
    size_t at;

    if (n < (ssize_t)sizeof(struct iphdr))
        return false;
    at = (size_t)(buf[0] & 0xf) * 4;
    if ((size_t)n < at + sizeof(h))
        return false;
    memcpy(&h, buf + at, sizeof(h));
    return h.type == ICMP_ECHOREPLY && h.un.echo.id == id;
}

static int open_ping(const char *address)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
        errx(2, "%s is no address", address);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
        err(1, "%s", address);
    return fd;
}

struct answers {
    unsigned sent, got;
    int64_t last, longest;
};

static void tell(const struct answers *a)
{
    printf("sent %u answered %u longest_ms %lld silent_ms %lld\n", a->sent,
           a->got, (long long)a->longest,
           (long long)(clock_ms(CLOCK_MONOTONIC) - a->last));
    fflush(stdout);
}

static int ping(const char *address, int every_ms)
{
    uint16_t id = (uint16_t)getpid();
    int64_t next = clock_ms(CLOCK_MONOTONIC);
    struct answers a = { .last = next };
    struct pollfd p = { .fd = open_ping(address), .events = POLLIN };
    struct sigaction act = { .sa_handler = on_signal };

    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    while (!ended) {
        int64_t now = clock_ms(CLOCK_MONOTONIC);

        if (now >= next) {
            request(p.fd, id, (uint16_t)a.sent++);
            next = now + every_ms;
        }
        if (asked) {
            asked = 0;
            tell(&a);
        }
        if (poll(&p, 1, (int)(next - now > 0 ? next - now : 0)) <= 0 ||
            !answered(p.fd, id))
            continue;
        now = clock_ms(CLOCK_MONOTONIC);
        if (a.got++ && now - a.last > a.longest)
            a.longest = now - a.last;
        a.last = now;
    }
    tell(&a);
    return 0;
}

int main(int argc, char **argv)
{
    if ((argc == 2 || argc == 3) && !strcmp(argv[1], "stamp"))
        return stamp(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "hear"))
        hear();
    if (argc == 4 && !strcmp(argv[1], "ping") && atoi(argv[3]) > 0)
        return ping(argv[2], atoi(argv[3]));
    fprintf(stderr, "usage: probe stamp [ADDRESS] | probe hear |"
                    " probe ping ADDRESS MS\n");
    return 2;
}
