/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each allocation fails once: what goes on is told or tried again, nothing is
 * lost, and what is read is refused with the reason.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "journal.h"
#include "no_memory.h"
#include "replay.h"
#include "report.h"
#include "report_read.h"
#include "sim_fixture.h"
#include "story.h"
#include "wws_measure.h"

static char dir[64], log_path[96];

/* ---- the daemon ---- */

static void on_replayed(const struct aero_replayed *d, void *data)
{
    unsigned *differ = data;

    *differ += d->logged_kib != d->now_kib;
}

/* All that was logged is whole, and replays to the same. */
static void check_log(void)
{
    unsigned differ = 0;
    struct aero_replay *r = aero_replay_new(on_replayed, &differ);
    FILE *f = fopen(log_path, "re");
    struct lxe_err err = { 0 };
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    CU_ASSERT_FATAL(f && r);
    while ((n = getline(&line, &room, f)) > 0)
        if (aero_replay_line(r, line, (size_t)n - 1, &err)) {
            printf("  %s\n", err.text);
            CU_FAIL("the log cannot be read");
        }
    aero_replay_end(r);
    CU_ASSERT_EQUAL(differ, 0);
    aero_replay_free(r);
    free(line);
    fclose(f);
}

/* Plays the story; returns how many allocations there were. */
static unsigned play(unsigned fail_at, bool logged)
{
    unsigned before = CU_get_number_of_failures(), count;
    struct story s;

    story_begin(&s);
    if (logged)
        CU_ASSERT_EQUAL_FATAL(aero_decision_log_open(dir, 1 << 20, "test",
                                                     &s.log, NULL), 0);
    no_memory_at(fail_at);
    story_play(&s, s.sim);
    count = no_memory_end();
    CU_ASSERT_EQUAL(no_memory_was(), fail_at > 0);
    CU_ASSERT(s.failed_ticks <= 2);
    story_end(&s);
    aero_decision_log_close(s.log);
    if (logged) {
        check_log();
        unlink(log_path);
    }
    if (CU_get_number_of_failures() > before)
        printf("  allocation %u fails\n", fail_at);
    return count;
}

static void test_balancing(void)
{
    unsigned count = play(0, false);

    CU_ASSERT(count > 100);
    for (unsigned k = 1; k <= count; k++)
        play(k, false);
}

/* Twice the work a run: only those allocations that logging adds to a tick. */
static void test_logging(void)
{
    unsigned count = play(0, true);

    for (unsigned k = 1; k <= count; k += 13)
        play(k, true);
}

/* ---- the control socket ---- */

#define CLIENTS 4

struct control_bed {
    uv_loop_t loop;
    struct aero_control *control;
    char path[96];
    unsigned served, refused;
};

static void on_line(const struct aero_peer *peer, const char *text, size_t len,
                    void *data)
{
    struct control_bed *b = data;

    aero_control_send(b->control, peer->client, text, len);
}

static void on_full(const struct aero_peer *peer, void *data)
{
    (void)peer;
    (void)data;
}

static void on_gone(uint64_t client, void *data)
{
    (void)client;
    (void)data;
}

static int connect_and_ask(const struct control_bed *b)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, b->path);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address,
                                  sizeof(address)), 0);
    CU_ASSERT_EQUAL(send(fd, "ping\n", 5, MSG_NOSIGNAL), 5);
    return fd;
}

static void run_loop(struct control_bed *b)
{
    for (int i = 0; i < 6; i++)
        uv_run(&b->loop, UV_RUN_NOWAIT);
}

/* Nobody waits without end: an answer has come, or the end of it. */
static void see_answer(struct control_bed *b, int fd)
{
    char answer[16];
    ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

    if (n == 5 && !memcmp(answer, "ping\n", 5))
        b->served++;
    else if (n == 0 || (n < 0 && errno == ECONNRESET))
        b->refused++;
    close(fd);
}

/* Two clients at once, and two one after the other. */
static void use(struct control_bed *b)
{
    int fds[2] = { connect_and_ask(b), connect_and_ask(b) };

    run_loop(b);
    see_answer(b, fds[0]);
    see_answer(b, fds[1]);
    for (int i = 2; i < CLIENTS; i++) {
        fds[0] = connect_and_ask(b);
        run_loop(b);
        see_answer(b, fds[0]);
    }
    CU_ASSERT(b->refused <= 1);
    CU_ASSERT_EQUAL(b->served + b->refused, CLIENTS);
}

static unsigned listen_and_serve(unsigned fail_at)
{
    struct control_bed b = { .served = 0 };
    struct aero_control_handlers handlers = { on_line, on_full, on_gone, &b,
                                              NULL };
    struct lxe_err err = { 0 };
    unsigned count;
    int rc;

    snprintf(b.path, sizeof(b.path), "%s/sock", dir);
    CU_ASSERT_EQUAL_FATAL(uv_loop_init(&b.loop), 0);
    no_memory_at(fail_at);
    rc = aero_control_open(&b.loop, b.path, "", &handlers, &b.control, &err);
    CU_ASSERT(!rc || (rc == -ENOMEM && err.text[0]));
    if (!rc) {
        use(&b);
        aero_control_close(b.control);
    }
    uv_run(&b.loop, UV_RUN_DEFAULT);
    count = no_memory_end();
    CU_ASSERT_EQUAL(uv_loop_close(&b.loop), 0);
    return count;
}

static void test_control(void)
{
    unsigned count = listen_and_serve(0);

    CU_ASSERT(count > CLIENTS);
    for (unsigned k = 1; k <= count; k++)
        listen_and_serve(k);
}

/* ---- what is read and written ---- */

static int read_config(struct lxe_err *err)
{
    static const char text[] =
        "interval_ms = 500\nidle_tax = \"0.5\"\nhost_states = \"6,4,2,1\"\n"
        "self_migration = [ \"web=host2\", \"db=host3\" ]\n"
        "domains = [ \"name=web,min=256M\", \"name=db,shares=300\" ]\n";
    struct aero_config config;
    int rc = aero_config_read_text(text, "x.conf", &config, err);

    if (!rc) {
        CU_ASSERT_EQUAL(config.policy_count, 2);
        CU_ASSERT_EQUAL(config.self_count, 2);
        aero_config_clear(&config);
    }
    return rc;
}

static int read_scenario(struct lxe_err *err)
{
    struct lxe_host *opened = NULL;
    int rc = sim_try(ONE_GUEST(", 'writes': {'hot_kib': 8192,"
                               " 'hot_pages_s': 100}"), LXE_SIM_MANUAL, &opened,
                     err);

    if (!rc)
        opened->ops->close(opened);
    return rc;
}

static int keep_journal(struct lxe_err *err)
{
    struct mig_journal_list list;
    struct mig_journal j;
    int rc;

    mig_journal_init(&j, MIG_JOURNAL_SOURCE);
    j.domid = 1;
    strcpy(j.name, "web");
    strcpy(j.uuid, "00000000-0000-0000-0000-000000000001");
    strcpy(j.to, "far");
    rc = mig_journal_write(dir, &j, err);
    if (!rc)
        rc = mig_journal_read_all(dir, &list, err);
    if (!rc) {
        CU_ASSERT_EQUAL(list.count, 1);
        mig_journal_list_free(&list);
    }
    mig_journal_remove(dir, &j);
    return rc;
}

static int keep_report(struct lxe_err *err)
{
    struct mig_report report = { .domain = "web", .to = "far" };
    struct mig_run run = { 0 };
    char path[96];
    int rc;

    snprintf(path, sizeof(path), "%s/run.json", dir);
    mig_report_stage(&report, "plan", 1);
    rc = mig_report_write(&report, path, err);
    if (!rc)
        rc = mig_run_read(path, &run, err);
    mig_run_free(&run);
    mig_report_free(&report);
    unlink(path);
    return rc;
}

static struct lxe_host *host;

static bool wait_until(void *data, uint64_t until_ns)
{
    uint64_t now_ns = host->ops->now_ns(host);

    (void)data;
    lxe_sim_advance(host, until_ns > now_ns ? until_ns - now_ns : 0);
    return true;
}

static uint64_t no_cpu(void *data)
{
    (void)data;
    return 0;
}

static int measure(enum mig_wws_method method, struct lxe_err *err)
{
    static struct mig_wws_run run;
    struct mig_wws_io io = { .wait = wait_until, .cpu_ns = no_cpu };
    struct mig_wws_ask ask = {
        .method = method, .duration_ns = SECONDS(2),
        .window_ns = SECONDS(1), .max_cpu = 1, .max_pause = 1,
        .sample_pages = 32, .seed = 1,
    };
    struct lxe_domain dom = sim_dom(host, 1);
    int rc = mig_wws_measure(host, &dom, &ask, &io, &run, err);

    CU_ASSERT(!sim_truth(host, 1).log_dirty);
    return rc;
}

static int measure_by_log(struct lxe_err *err)
{
    return measure(MIG_WWS_LOG_DIRTY, err);
}

static int measure_by_sample(struct lxe_err *err)
{
    return measure(MIG_WWS_SAMPLE, err);
}

/* Does it once for each of its allocations: it is done, or refused for that. */
static void fail_each(const char *what, int (*fn)(struct lxe_err *err))
{
    struct lxe_err err = { 0 };
    unsigned count, before = CU_get_number_of_failures();

    no_memory_at(0);
    CU_ASSERT_EQUAL(fn(&err), 0);
    count = no_memory_end();
    CU_ASSERT(count > 0);
    for (unsigned k = 1; k <= count; k++) {
        int rc;

        err = (struct lxe_err){ 0 };
        no_memory_at(k);
        rc = fn(&err);
        no_memory_end();
        CU_ASSERT(!rc || rc == -ENOMEM);
        CU_ASSERT(!rc || strstr(err.text, "memory"));
    }
    if (CU_get_number_of_failures() > before)
        printf("  %s: %s\n", what, err.text);
}

static void test_files(void)
{
    fail_each("the settings", read_config);
    fail_each("a scenario", read_scenario);
    fail_each("a journal", keep_journal);
    fail_each("a report", keep_report);
    host = sim_open(ONE_GUEST(", 'writes': {'hot_kib': 8192,"
                              " 'hot_pages_s': 1000}"));
    fail_each("a measurement by log", measure_by_log);
    fail_each("a measurement by sample", measure_by_sample);
    host->ops->close(host);
}

static const struct unit_test tests[] = {
    { "a daemon's life", test_balancing },
    { "its log", test_logging },
    { "the control socket", test_control },
    { "what is read and written", test_files },
};

int main(void)
{
    int status;

    snprintf(dir, sizeof(dir), "%s/aerostat-no-memory.XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    snprintf(log_path, sizeof(log_path), "%s/" AERO_LOG_NAME, dir);
    status = unit_run("no-memory", tests, sizeof(tests) / sizeof(tests[0]));
    rmdir(dir);
    return status;
}
