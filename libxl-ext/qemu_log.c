/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "qemu_log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

#define TIMEOUT_NS  (5 * LXE_NS_PER_SEC) /* for all of it */
#define MESSAGE_MAX 8192

/* A connection: what QEMU said, up to a newline or beyond. */
struct qmp {
    int fd;
    uint64_t end_ns;
    size_t len;
    char text[MESSAGE_MAX];
};

static int connect_to(const char *path, struct qmp *q, struct lxe_err *err)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(to.sun_path))
        return lxe_fail(err, -ENAMETOOLONG, "socket path is too long: %s",
                        path);
    strcpy(to.sun_path, path);
    q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (q->fd < 0)
        return lxe_fail(err, -errno, "cannot make a socket: %m");
    if (connect(q->fd, (struct sockaddr *)&to, sizeof(to)))
        return lxe_fail(err, -errno, "cannot connect to %s: %m", path);
    q->end_ns = lxe_now_ns() + TIMEOUT_NS;
    return 0;
}

static int wait_for_more(const struct qmp *q, struct lxe_err *err)
{
    struct pollfd p = { .fd = q->fd, .events = POLLIN };
    uint64_t now_ns = lxe_now_ns();

    if (now_ns >= q->end_ns)
        return lxe_fail(err, -ETIMEDOUT, "QEMU does not answer");
    if (poll(&p, 1, (int)((q->end_ns - now_ns) / LXE_NS_PER_MS) + 1) < 0 &&
        errno != EINTR)
        return lxe_fail(err, -errno, "cannot wait for QEMU: %m");
    return 0;
}

static int read_more(struct qmp *q, struct lxe_err *err)
{
    int rc = wait_for_more(q, err);
    ssize_t n;

    if (rc)
        return rc;
    if (q->len == sizeof(q->text))
        return lxe_fail(err, -EPROTO, "QEMU says too much at once");
    n = read(q->fd, q->text + q->len, sizeof(q->text) - q->len);
    if (!n)
        return lxe_fail(err, -EPROTO, "QEMU hung up");
    if (n < 0)
        return errno == EAGAIN || errno == EINTR
                   ? 0
                   : lxe_fail(err, -errno, "cannot read from QEMU: %m");
    q->len += (size_t)n;
    return 0;
}

/* The next line, as JSON. */
static int read_message(struct qmp *q, struct lxe_json **out,
                        struct lxe_err *err)
{
    char *end;
    int rc;

    while (!(end = memchr(q->text, '\n', q->len))) {
        rc = read_more(q, err);
        if (rc)
            return rc;
    }
    end++;
    rc = lxe_json_parse(q->text, (size_t)(end - q->text), out, err);
    q->len -= (size_t)(end - q->text);
    memmove(q->text, end, q->len);
    return rc ? lxe_fail(err, -EPROTO, "what QEMU says is not JSON") : 0;
}

/* Its greeting has a QMP, what it answers a return or an error; what it only
 * tells an event. @out gets what has the member. */
static int await(struct qmp *q, const char *member, struct lxe_json **out,
                 struct lxe_err *err)
{
    for (;;) {
        struct lxe_json *said = NULL;
        const struct lxe_json *error;
        const char *why;
        int rc = read_message(q, &said, err);

        if (rc)
            return rc;
        error = lxe_json_get(said, "error");
        why = lxe_json_str(lxe_json_get(error, "desc"));
        if (error)
            rc = lxe_fail(err, -EREMOTEIO, "QEMU refuses: %.200s",
                          why ? why : "it does not say why");
        if (!rc && lxe_json_get(said, member)) {
            *out = said;
            return 0;
        }
        lxe_json_free(said);
        if (rc)
            return rc;
    }
}

static int execute(struct qmp *q, const char *command, struct lxe_err *err)
{
    size_t len = strlen(command);
    ssize_t n = send(q->fd, command, len, MSG_NOSIGNAL);
    struct lxe_json *said = NULL;
    int rc;

    if (n != (ssize_t)len) /* so few bytes go at once */
        return lxe_fail(err, -EPROTO, "cannot write to QEMU: %m");
    rc = await(q, "return", &said, err);
    lxe_json_free(said);
    return rc;
}

/*
 * QEMU's own assertions end it when what is off is switched off, since 6.2,
 * and in that version also when what is on is switched on. It does not tell
 * which it is, so there nothing can be done that is safe.
 */
static int check_version(const struct lxe_json *greeting, struct lxe_err *err)
{
    const struct lxe_json *version = lxe_json_get(
        lxe_json_get(lxe_json_get(greeting, "QMP"), "version"), "qemu");
    uint64_t major, minor;

    if (lxe_json_u64(lxe_json_get(version, "major"), &major) ||
        lxe_json_u64(lxe_json_get(version, "minor"), &minor))
        return lxe_fail(err, -EPROTO, "QEMU does not tell its version");
    if (major == 6 && minor >= 2)
        return lxe_fail(err, -EOPNOTSUPP, "QEMU 6.2 could end by being told to"
                        " stop it; a newer one would not");
    return 0;
}

static int hear_greeting(struct qmp *q, struct lxe_err *err)
{
    struct lxe_json *greeting = NULL;
    int rc = await(q, "QMP", &greeting, err);

    if (!rc)
        rc = check_version(greeting, err);
    lxe_json_free(greeting);
    return rc;
}

/* On first, which changes nothing where it is on. */
static int switch_off(struct qmp *q, struct lxe_err *err)
{
    static const char *const commands[] = {
        "{\"execute\":\"qmp_capabilities\"}\n",
        "{\"execute\":\"xen-set-global-dirty-log\","
        "\"arguments\":{\"enable\":true}}\n",
        "{\"execute\":\"xen-set-global-dirty-log\","
        "\"arguments\":{\"enable\":false}}\n",
    };
    int rc = hear_greeting(q, err);

    for (size_t i = 0; !rc && i < sizeof(commands) / sizeof(commands[0]); i++)
        rc = execute(q, commands[i], err);
    return rc;
}

int lxe_qemu_log_off(const char *path, struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    struct qmp q = { .fd = -1 };
    int rc = connect_to(path, &q, &why);

    if (!rc)
        rc = switch_off(&q, &why);
    if (q.fd >= 0)
        close(q.fd);
    if (rc == -ENOENT || rc == -ECONNREFUSED)
        return 0;
    return rc ? lxe_fail(err, rc, "%s: %s", path, why.text) : 0;
}
