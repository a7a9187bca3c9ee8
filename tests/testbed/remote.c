/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote: runs shell commands in an emulated dom0 over TCP.
 *
 *   remote --serve PORT               in dom0: a command a connection
 *   remote [-i] PORT COMMAND          on the machine: runs COMMAND there
 *   remote --clock PORT               sets dom0's clock to the machine's
 *
 * The client's exit status is the command's; 125 means that dom0 did not
 * answer or went away. When the client goes, its command is killed: no limit
 * in the testbed leaves anything running in dom0.
 *
 * Both directions carry frames: a type byte, a length (u32, little endian),
 * that many bytes. Types: c command, t clock (u64 ns), i input, e end of
 * input, o output, r error output, x exit status (u32).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 65536
#define LOST 125

struct frame {
    char type;
    uint32_t len;
    char data[FRAME_MAX + 1]; /* one more for a terminating NUL */
};

static bool write_all(int fd, const void *buf, size_t len)
{
    const char *p = buf;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

static bool read_all(int fd, void *buf, size_t len)
{
    char *p = buf;

    while (len > 0) {
        ssize_t n = read(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

static bool send_frame(int fd, char type, const void *data, uint32_t len)
{
    char head[5] = { type };
    uint32_t le = htole32(len);

    memcpy(head + 1, &le, sizeof(le));
    return write_all(fd, head, sizeof(head)) && write_all(fd, data, len);
}

static bool recv_frame(int fd, struct frame *f)
{
    char head[5];

    if (!read_all(fd, head, sizeof(head)))
        return false;
    f->type = head[0];
    memcpy(&f->len, head + 1, sizeof(f->len));
    f->len = le32toh(f->len);
    if (f->len > FRAME_MAX || !read_all(fd, f->data, f->len))
        return false;
    f->data[f->len] = '\0';
    return true;
}

/* Passes on what @from has now. Returns false at its end. */
static bool forward(int from, int to, char type)
{
    static char buf[FRAME_MAX];
    ssize_t n = read(from, buf, sizeof(buf));

    return n > 0 && send_frame(to, type, buf, n);
}

/* The command's end: its process group is its pid. */
struct child {
    pid_t pid;
    int in, out, err, sig;
};

static void start(struct child *c, const char *command)
{
    int in[2], out[2], er[2];
    sigset_t chld;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    c->sig = signalfd(-1, &chld, SFD_CLOEXEC);
    if (c->sig < 0 || pipe(in) || pipe(out) || pipe(er))
        err(LOST, "pipes");
    c->pid = fork();
    if (c->pid < 0)
        err(LOST, "fork");
    if (c->pid == 0) {
        setpgid(0, 0);
        sigprocmask(SIG_UNBLOCK, &chld, NULL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(er[1], 2);
        closefrom(3);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    setpgid(c->pid, c->pid);
    close(in[0]);
    close(out[1]);
    close(er[1]);
    c->in = in[1];
    c->out = out[0];
    c->err = er[0];
}

/* Input from the client. Returns false when the client is gone. */
static bool take_input(int sock, struct child *c)
{
    static struct frame f;

    if (!recv_frame(sock, &f))
        return false;
    if (f.type == 'i' && c->in >= 0 && !write_all(c->in, f.data, f.len)) {
        close(c->in);
        c->in = -1;
    }
    if (f.type == 'e' && c->in >= 0) {
        close(c->in);
        c->in = -1;
    }
    return true;
}

/*
 * Whatever is still in the pipes once the command has ended. A background
 * process may hold them open, so their end is not waited for.
 */
static void drain(int fd, int sock, char type)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    while (fd >= 0 && poll(&p, 1, 0) > 0 && forward(fd, sock, type))
        ;
}

static void serve_command(int sock, const char *command)
{
    struct child c;
    uint32_t status;
    int raw;

    start(&c, command);
    for (;;) {
        struct pollfd p[] = { { .fd = sock, .events = POLLIN },
                              { .fd = c.out, .events = POLLIN },
                              { .fd = c.err, .events = POLLIN },
                              { .fd = c.sig, .events = POLLIN } };

        if (poll(p, 4, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents && !forward(c.out, sock, 'o'))
            c.out = -1;
        if (p[2].revents && !forward(c.err, sock, 'r'))
            c.err = -1;
        if (p[0].revents && !take_input(sock, &c))
            break;
        if (p[3].revents && waitpid(c.pid, &raw, WNOHANG) == c.pid) {
            drain(c.out, sock, 'o');
            drain(c.err, sock, 'r');
            status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
            status = htole32(status);
            send_frame(sock, 'x', &status, sizeof(status));
            return;
        }
    }
    kill(-c.pid, SIGKILL);
}

static void serve_clock(int sock, const struct frame *f)
{
    uint64_t ns;
    struct timespec t;
    uint32_t status = 0;

    if (f->len != sizeof(ns))
        return;
    memcpy(&ns, f->data, sizeof(ns));
    ns = le64toh(ns);
    t.tv_sec = ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    if (clock_settime(CLOCK_REALTIME, &t))
        status = htole32(1);
    send_frame(sock, 'x', &status, sizeof(status));
}

/*
 * The client hangs up once it has the exit status. Closing before it does,
 * with something of its unread, would reset the connection and lose what is
 * still on its way.
 */
static void wait_for_hangup(int sock)
{
    struct timeval limit = { .tv_sec = 5 };
    char rest[4096];

    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    while (read(sock, rest, sizeof(rest)) > 0)
        ;
}

static void serve_one(int sock)
{
    static struct frame f;

    if (!recv_frame(sock, &f))
        return;
    if (f.type == 't')
        serve_clock(sock, &f);
    if (f.type == 'c')
        serve_command(sock, f.data);
    wait_for_hangup(sock);
}

static int serve(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) ||
        listen(listener, 64))
        err(1, "port %u", port);
    if (daemon(1, 1)) /* whoever started it can go on: it answers now */
        err(1, "daemon");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (sock >= 0 && fork() == 0) {
            signal(SIGCHLD, SIG_DFL);
            close(listener);
            serve_one(sock);
            _exit(0);
        }
        close(sock);
    }
}

static int dial(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int sock = socket(AF_INET, SOCK_STREAM, 0);

    if (sock < 0 || connect(sock, (struct sockaddr *)&a, sizeof(a)))
        err(LOST, "dom0 at port %u", port);
    signal(SIGPIPE, SIG_IGN);
    return sock;
}

/* Copies frames out until the exit status comes. @input is -1 for none. */
static int client(int sock, int input)
{
    static struct frame f;

    if (input < 0)
        send_frame(sock, 'e', "", 0);
    for (;;) {
        struct pollfd p[] = { { .fd = sock, .events = POLLIN },
                              { .fd = input, .events = POLLIN } };

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            err(LOST, "poll");
        if (p[1].revents && !forward(input, sock, 'i')) {
            send_frame(sock, 'e', "", 0);
            input = -1;
        }
        if (!p[0].revents)
            continue;
        if (!recv_frame(sock, &f))
            errx(LOST, "dom0 went away");
        if (f.type == 'o')
            write_all(1, f.data, f.len);
        if (f.type == 'r')
            write_all(2, f.data, f.len);
        if (f.type == 'x') {
            uint32_t status;

            memcpy(&status, f.data, sizeof(status));
            return le32toh(status);
        }
    }
}

static int set_clock(uint16_t port)
{
    int sock = dial(port);
    struct timespec t;
    uint64_t ns;

    clock_gettime(CLOCK_REALTIME, &t);
    ns = htole64(t.tv_sec * 1000000000ull + t.tv_nsec);
    send_frame(sock, 't', &ns, sizeof(ns));
    return client(sock, -1);
}

int main(int argc, char **argv)
{
    int first = argc > 1 && !strcmp(argv[1], "-i") ? 2 : 1;
    int sock;

    if (argc == 3 && !strcmp(argv[1], "--serve"))
        return serve(atoi(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "--clock"))
        return set_clock(atoi(argv[2]));
    if (argc != first + 2 || strlen(argv[first + 1]) > FRAME_MAX)
        errx(2, "usage: remote [-i] PORT COMMAND");
    sock = dial(atoi(argv[first]));
    send_frame(sock, 'c', argv[first + 1], strlen(argv[first + 1]));
    return client(sock, first == 2 ? 0 : -1);
}
