/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each allocation fails once: what goes on is told or tried again, nothing is
 * lost, and what is read is refused with the reason.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

    for (unsigned k = 1; k <= count; k += 7)
        play(k, true);
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
