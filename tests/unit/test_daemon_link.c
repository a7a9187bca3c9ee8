/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration's line to its daemon, which is a thread here. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "daemon_link.h"
#include "unit.h"

static char dir[64], path[96];

/* A daemon that answers each method with what a test gave it. */
struct fake {
    int listener;
    pthread_t thread;
    const char *share;   /* max_rate_bps in the answer to an update */
    const char *refuses; /* a method that it refuses */
    const char *hangs_up_at;
    const char *ignores; /* a method that it does not answer */
    unsigned begins, updates, commits, ends;
    char begin[1024];    /* the last begin, whole */
    char update[1024];   /* and the last update */
};

static bool answer(struct fake *f, int fd, const char *line)
{
    struct lxe_json *tree = NULL;
    const char *method;
    char text[256];
    uint64_t id = 0;

    CU_ASSERT_EQUAL_FATAL(lxe_json_parse(line, strlen(line), &tree, NULL), 0);
    method = lxe_json_str(lxe_json_get(tree, "method"));
    lxe_json_u64(lxe_json_get(tree, "id"), &id);
    f->begins += !strcmp(method, "migration.begin");
    f->updates += !strcmp(method, "migration.update");
    f->commits += !strcmp(method, "migration.commit");
    f->ends += !strcmp(method, "migration.end");
    if (!strcmp(method, "migration.begin"))
        snprintf(f->begin, sizeof(f->begin), "%s", line);
    if (!strcmp(method, "migration.update"))
        snprintf(f->update, sizeof(f->update), "%s", line);
    if (f->hangs_up_at && !strcmp(method, f->hangs_up_at)) {
        f->hangs_up_at = NULL;
        lxe_json_free(tree);
        return false;
    }
    if (f->ignores && !strcmp(method, f->ignores)) {
        lxe_json_free(tree);
        return true;
    }
    if (f->refuses && !strcmp(method, f->refuses))
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"error\":"
                 "{\"code\":-32004,\"message\":\"not now\"}}\n", (unsigned)id);
    else
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,"
                 "\"result\":{\"min_kib\":77,\"max_rate_bps\":%s}}\n",
                 (unsigned)id, f->share);
    lxe_json_free(tree);
    return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static void *serve(void *data)
{
    struct fake *f = data;
    int fd;

    while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
        FILE *in = fdopen(fd, "r");
        char line[4096];

        while (fgets(line, sizeof(line), in) && answer(f, fd, line))
            ;
        fclose(in);
    }
    return NULL;
}

static void begin(struct fake *f)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };

    *f = (struct fake){ .share = "null" };
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(f->listener, (struct sockaddr *)&at,
                               sizeof(at)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(f->listener, 5), 0);
    pthread_create(&f->thread, NULL, serve, f);
}

static void end(struct fake *f, struct mig_daemon_link *link)
{
    mig_daemon_close(link);
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->listener);
    unlink(path);
}

static void announce(struct mig_daemon_link *link)
{
    struct lxe_err err = { 0 };
    uint64_t floor_kib = 0;

    CU_ASSERT_EQUAL_FATAL(mig_daemon_open(link, 5, &err), 0);
    link->weight = 300;
    link->max_rate_bps = 9000000;
    CU_ASSERT_EQUAL_FATAL(mig_daemon_begin(link, "far", 1024, &floor_kib,
                                           &err), 0);
    CU_ASSERT_EQUAL(floor_kib, 77);
}

static void test_no_daemon(void)
{
    struct mig_daemon_link link;
    struct lxe_err err = { 0 };
    uint64_t floor_kib = 1;

    CU_ASSERT_EQUAL(mig_daemon_open(&link, 5, &err), 0);
    CU_ASSERT_EQUAL(mig_daemon_begin(&link, "far", 1024, &floor_kib, &err),
                    0);
    CU_ASSERT_EQUAL(floor_kib, 0);
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_EQUAL(link.share_bps, 0);
    CU_ASSERT_EQUAL(mig_daemon_commit(&link, &err), 0);
    mig_daemon_end(&link, MIG_MOVED);
    mig_daemon_close(&link);
}

/* Asked for beforehand, when it is to be chosen how to send. */
static void test_host_rate(void)
{
    struct mig_daemon_link link;
    struct fake f;

    CU_ASSERT_EQUAL_FATAL(mig_daemon_open(&link, 5, NULL), 0);
    CU_ASSERT_EQUAL(mig_daemon_host_rate(&link), 0); /* no daemon */
    begin(&f);
    CU_ASSERT_EQUAL_FATAL(mig_daemon_open(&link, 5, NULL), 0);
    CU_ASSERT_EQUAL(mig_daemon_host_rate(&link), 0);
    f.share = "125000000";
    CU_ASSERT_EQUAL(mig_daemon_host_rate(&link), 125000000);
    f.refuses = "migration.rate";
    CU_ASSERT_EQUAL(mig_daemon_host_rate(&link), 0);
    CU_ASSERT_PTR_NOT_NULL(link.rpc);
    end(&f, &link);
}

/* How fast it dirties memory is not known before round 1. */
static void test_progress(void)
{
    struct mig_status round = { .kind = MIG_STATUS_PROGRESS,
                                .remaining_pages = 7,
                                .round.dirty_pps = -1 };
    struct mig_daemon_link link;
    struct fake f;

    begin(&f);
    announce(&link);
    f.share = "null";
    mig_daemon_update(&link, "pre-copy", &round);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.update, "\"stage\":\"pre-copy\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.update, "\"remaining_pages\":7"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.update, "\"dirty_pages_per_s\":null"));
    round.round.dirty_pps = 250;
    mig_daemon_update(&link, "pre-copy", &round);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.update, "\"dirty_pages_per_s\":250"));
    end(&f, &link);
}

static void test_whole(void)
{
    struct mig_daemon_link link;
    struct lxe_err err = { 0 };
    struct fake f;

    begin(&f);
    announce(&link);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.begin, "\"weight\":300"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.begin, "\"max_rate_bps\":9000000"));
    f.share = "4000000";
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_EQUAL(link.share_bps, 4000000);
    f.share = "null"; /* no rate of the host any more */
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_EQUAL(link.share_bps, 0);
    CU_ASSERT_EQUAL(mig_daemon_commit(&link, &err), 0);
    mig_daemon_end(&link, MIG_MOVED);
    end(&f, &link);
    CU_ASSERT_EQUAL(f.begins, 1);
    CU_ASSERT_EQUAL(f.updates, 2);
    CU_ASSERT_EQUAL(f.commits, 1);
    CU_ASSERT_EQUAL(f.ends, 1);
}

static void test_refused(void)
{
    struct mig_daemon_link link;
    struct lxe_err err = { 0 };
    struct fake f;
    uint64_t floor_kib;

    begin(&f);
    f.refuses = "migration.begin";
    CU_ASSERT_EQUAL_FATAL(mig_daemon_open(&link, 5, &err), 0);
    CU_ASSERT_EQUAL(mig_daemon_begin(&link, "far", 1024, &floor_kib, &err),
                    -EREMOTEIO);
    CU_ASSERT_STRING_EQUAL(err.text, "aerostatd: not now");
    end(&f, &link);
    /* A commit that it does not take must not be made. */
    begin(&f);
    announce(&link);
    f.refuses = "migration.commit";
    CU_ASSERT_EQUAL(mig_daemon_commit(&link, &err), -EREMOTEIO);
    end(&f, &link);
}

/* Its successor is told of us, and a commit needs no daemon that is gone. */
static void test_restarted(void)
{
    struct mig_daemon_link link;
    struct lxe_err err = { 0 };
    struct fake f;

    begin(&f);
    announce(&link);
    f.share = "4000000";
    mig_daemon_update(&link, "pre-copy", NULL);
    f.hangs_up_at = "migration.update";
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_PTR_NULL(link.rpc);
    CU_ASSERT_EQUAL(link.share_bps, 4000000); /* as it was last told */
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_PTR_NOT_NULL(link.rpc);
    f.hangs_up_at = "migration.update";
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_EQUAL(mig_daemon_commit(&link, &err), 0);
    end(&f, &link);
    CU_ASSERT_EQUAL(f.begins, 2);
}

/* One that hangs is not waited for again and again: each time a guest may
 * stand still meanwhile. */
static void test_hangs(void)
{
    struct mig_daemon_link link;
    struct lxe_err err = { 0 };
    struct fake f;

    begin(&f);
    announce(&link);
    f.ignores = "migration.update";
    link.hurried = true;
    mig_daemon_update(&link, "stop and copy", NULL);
    CU_ASSERT_PTR_NULL(link.rpc);
    f.ignores = NULL;
    mig_daemon_update(&link, "commit", NULL);
    CU_ASSERT_PTR_NULL(link.rpc);
    link.hurried = false;
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_PTR_NULL(link.rpc); /* not for a minute */
    link.silent_until_ns = lxe_now_ns();
    mig_daemon_update(&link, "pre-copy", NULL);
    CU_ASSERT_PTR_NOT_NULL(link.rpc);
    f.ignores = "migration.commit"; /* the guest stands still: it goes on */
    CU_ASSERT_EQUAL(mig_daemon_commit(&link, &err), 0);
    CU_ASSERT_PTR_NULL(link.rpc);
    end(&f, &link);
    CU_ASSERT_EQUAL(f.updates, 2);
    CU_ASSERT_EQUAL(f.begins, 2);
}

/* Its queue of connections is full. */
static void test_accepts_nothing(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct mig_daemon_link link;
    struct lxe_err err = { 0 };
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&at, sizeof(at)),
                          0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 0), 0);
    CU_ASSERT_EQUAL_FATAL(connect(waiting, (struct sockaddr *)&at,
                                  sizeof(at)), 0);
    alarm(120); /* rather than wait for ever */
    CU_ASSERT_EQUAL(mig_daemon_open(&link, 5, &err), -ETIMEDOUT);
    alarm(0);
    close(waiting);
    close(listener);
    unlink(path);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "no daemon", test_no_daemon },
        { "the host's rate", test_host_rate },
        { "from begin to end", test_whole },
        { "a round under way", test_progress },
        { "refused", test_refused },
        { "a daemon that is restarted", test_restarted },
        { "a daemon that does not answer", test_hangs },
        { "a daemon that accepts nothing", test_accepts_nothing },
    };
    int status;

    snprintf(dir, sizeof(dir), "/tmp/aerostat-link.XXXXXX");
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    snprintf(path, sizeof(path), "%s/socket", dir);
    setenv("AEROSTAT_SOCKET", path, 1);
    status = unit_run("daemon_link", tests,
                      sizeof(tests) / sizeof(tests[0]));
    rmdir(dir);
    return status;
}
