/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Switching QEMU's log off, with a thread in QEMU's place. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qemu_log.h"
#include "unit.h"

#define GREETING_OF(version)                                                  \
    "{\"QMP\": {\"version\": {" version "}, \"capabilities\": [\"oob\"]}}\r\n"
#define QEMU(major, minor)                                                    \
    "\"qemu\": {\"micro\": 22, \"minor\": " minor ", \"major\": " major "}"
#define GREETING GREETING_OF(QEMU("7", "2"))
#define EVENT    "{\"timestamp\": {}, \"event\": \"RTC_CHANGE\"}\r\n"
#define DONE     "{\"return\": {}}\r\n"

static char dir[64], path[96];

/* What it says when somebody comes, and to each thing that it is told. */
struct qemu {
    const char *says[4];
    int listener;
    pthread_t thread;
    char told[1024];
};

static void *serve(void *data)
{
    struct qemu *q = data;
    int fd = accept(q->listener, NULL, NULL);
    FILE *f = fdopen(fd, "r+");
    char line[256];

    setvbuf(f, NULL, _IONBF, 0);
    for (size_t i = 0; i < 4 && q->says[i]; i++) {
        fputs(q->says[i], f);
        if (!fgets(line, sizeof(line), f))
            break;
        strncat(q->told, line, sizeof(q->told) - strlen(q->told) - 1);
    }
    fclose(f);
    return NULL;
}

static void begin(struct qemu *q)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    unlink(path);
    q->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(q->listener, (struct sockaddr *)&at,
                               sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(q->listener, 1), 0);
    pthread_create(&q->thread, NULL, serve, q);
}

static int ask(struct qemu *q, struct lxe_err *err)
{
    int rc;

    begin(q);
    rc = lxe_qemu_log_off(path, err);
    pthread_join(q->thread, NULL);
    close(q->listener);
    return rc;
}

/* Off is said after on: else a QEMU whose log is off would end. */
static void test_off(void)
{
    struct qemu q = { .says = { GREETING, DONE, EVENT EVENT DONE, DONE } };
    const char *on, *off;

    CU_ASSERT_EQUAL(ask(&q, NULL), 0);
    on = strstr(q.told, "{\"execute\":\"xen-set-global-dirty-log\","
                        "\"arguments\":{\"enable\":true}}\n");
    off = strstr(q.told, "{\"execute\":\"xen-set-global-dirty-log\","
                         "\"arguments\":{\"enable\":false}}\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(on);
    CU_ASSERT_PTR_NOT_NULL_FATAL(off);
    CU_ASSERT_TRUE(strstr(q.told, "qmp_capabilities") < on && on < off);
}

/* Several at once, and one in pieces, make no difference. */
static void test_together(void)
{
    struct qemu q = { .says = { GREETING EVENT, DONE DONE DONE, "", "" } };

    CU_ASSERT_EQUAL(ask(&q, NULL), 0);
}

static void test_none(void)
{
    struct lxe_err err = { 0 };
    struct qemu q = { .says = { NULL } };

    unlink(path);
    CU_ASSERT_EQUAL(lxe_qemu_log_off(path, &err), 0);
    CU_ASSERT_EQUAL(ask(&q, NULL), -EPROTO); /* it hangs up */
    CU_ASSERT_EQUAL(lxe_qemu_log_off(path, &err), 0); /* nobody listens */
}

static void check_refused(const char *greeting, const char *answer, int rc,
                          const char *words)
{
    struct qemu q = { .says = { greeting, answer } };
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(ask(&q, &err), rc);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
}

/* One version ends when it is switched on twice, too: it is told nothing. */
static void test_versions(void)
{
    struct qemu old = { .says = { GREETING_OF(QEMU("6", "1")), DONE, DONE,
                                  DONE } };
    struct qemu newer = { .says = { GREETING_OF(QEMU("7", "0")), DONE, DONE,
                                    DONE } };
    struct qemu bad = { .says = { GREETING_OF(QEMU("6", "2")), DONE } };
    struct qemu unknown = { .says = { GREETING_OF(""), DONE } };

    CU_ASSERT_EQUAL(ask(&old, NULL), 0);
    CU_ASSERT_EQUAL(ask(&newer, NULL), 0);
    CU_ASSERT_EQUAL(ask(&bad, NULL), -EOPNOTSUPP);
    CU_ASSERT_STRING_EQUAL(bad.told, "");
    CU_ASSERT_EQUAL(ask(&unknown, NULL), -EPROTO);
    CU_ASSERT_STRING_EQUAL(unknown.told, "");
}

static void test_refused(void)
{
    static char endless[20000];

    memset(endless, ' ', sizeof(endless) - 1);
    check_refused(GREETING, "{\"error\": {\"class\": \"CommandNotFound\","
                  " \"desc\": \"no such thing\"}}\r\n", -EREMOTEIO,
                  "no such thing");
    check_refused(GREETING, "{\"error\": 7}\r\n", -EREMOTEIO, "does not say");
    check_refused("hello\r\n", NULL, -EPROTO, "not JSON");
    check_refused(endless, NULL, -EPROTO, "too much");
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "on, then off", test_off },
        { "several messages at once", test_together },
        { "no QEMU", test_none },
        { "versions that it would end", test_versions },
        { "refused, with the reason", test_refused },
    };
    int rc;

    snprintf(dir, sizeof(dir), "/tmp/qemu_log.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/qmp", dir);
    signal(SIGPIPE, SIG_IGN);
    rc = unit_run("qemu_log", tests, sizeof(tests) / sizeof(tests[0]));
    unlink(path);
    rmdir(dir);
    return rc;
}
