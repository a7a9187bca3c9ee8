/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A test's fake of aerostatd: listens on a unix socket and answers each
 * request line with the next lines of a script, whatever was asked. It knows
 * no methods and holds no state. What it was asked goes to stdout.
 *
 *   usage: rpc-stub SOCKET SCRIPT
 *
 * A script has a directive a line, and serves each connection from its start:
 *   send TEXT   reads a request, then sends TEXT and a newline; @ID@ in it
 *               is replaced by the number 1, the id of a first request
 *   part TEXT   reads a request, then sends TEXT without a newline
 *   long N      reads a request, then sends N letters and no newline
 *   close       reads a request and says nothing
 *   early TEXT  sends TEXT and a newline, and only then reads a request
 *   late FILE TEXT  reads a request, waits until FILE is not empty, and sends
 *               TEXT and a newline
 * At the script's end the connection is closed. Prints "ready" once it
 * listens, and serves until it is ended by a signal.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_on(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(addr.sun_path)) {
        fprintf(stderr, "rpc-stub: no socket, or its path is too long\n");
        exit(EXIT_FAILURE);
    }
    memcpy(addr.sun_path, path, strlen(path));
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8)) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void await_text(const char *path)
{
    struct stat st;

    while (stat(path, &st) || !st.st_size)
        usleep(50000);
}

/* Reads one request line and repeats it on stdout. Returns 0 at the end. */
static int read_request(int fd)
{
    char c;
    ssize_t n;

    while ((n = read(fd, &c, 1)) == 1) {
        putchar(c);
        if (c == '\n')
            break;
    }
    fflush(stdout);
    return n == 1;
}

static void send_bytes(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n < 0)
            return; /* the client has had enough, which may be the test */
        text += n;
        len -= (size_t)n;
    }
}

static void send_long(int fd, size_t len)
{
    char *text = malloc(len);

    if (!text)
        exit(EXIT_FAILURE);
    memset(text, 'x', len);
    send_bytes(fd, text, len);
    free(text);
}

static void send_text(int fd, const char *text)
{
    const char *id = strstr(text, "@ID@");

    if (!id) {
        send_bytes(fd, text, strlen(text));
        return;
    }
    send_bytes(fd, text, (size_t)(id - text));
    send_bytes(fd, "1", 1);
    send_bytes(fd, id + 4, strlen(id + 4));
}

static void send_line(int fd, const char *text)
{
    send_text(fd, text);
    send_bytes(fd, "\n", 1);
}

/* FILE TEXT */
static void send_late(int fd, char *arguments)
{
    const char *path = strsep(&arguments, " ");

    await_text(path);
    send_line(fd, arguments ? arguments : "");
}

static void obey(int fd, char *line)
{
    if (!strncmp(line, "send ", 5)) {
        send_line(fd, line + 5);
    } else if (!strncmp(line, "part ", 5)) {
        send_text(fd, line + 5);
    } else if (!strncmp(line, "long ", 5)) {
        send_long(fd, strtoul(line + 5, NULL, 10));
    } else if (!strncmp(line, "late ", 5)) {
        send_late(fd, line + 5);
    } else if (strcmp(line, "close")) {
        fprintf(stderr, "rpc-stub: what is '%s'?\n", line);
        exit(EXIT_FAILURE);
    }
}

static void serve(int fd, const char *script)
{
    FILE *f = fopen(script, "r");
    char *line = NULL;
    size_t room = 0;

    if (!f) {
        perror(script);
        exit(EXIT_FAILURE);
    }
    while (getline(&line, &room, f) > 0) {
        bool early = !strncmp(line, "early ", 6);

        line[strcspn(line, "\n")] = '\0';
        if (early)
            send_line(fd, line + 6);
        if (!read_request(fd))
            break;
        if (!early)
            obey(fd, line);
    }
    free(line);
    fclose(f);
}

int main(int argc, char **argv)
{
    int listener;

    if (argc != 3) {
        fprintf(stderr, "usage: rpc-stub SOCKET SCRIPT\n");
        return 2;
    }
    listener = listen_on(argv[1]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 && errno == EINTR)
            continue;
        if (fd < 0)
            return EXIT_FAILURE;
        serve(fd, argv[2]);
        close(fd);
    }
}
