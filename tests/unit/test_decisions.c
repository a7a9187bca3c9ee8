/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decisions that are kept: members by name, the history in memory, the log on
 * disk and its replay, which must come to the same targets.
 */
#include <config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balancer.h"
#include "base/clock.h"
#include "decision_history.h"
#include "decision_log.h"
#include "host_sim.h"
#include "replay.h"
#include "unit.h"

#define MIB 1024ull

/* ---- members by name ---- */

struct thing {
    bool flag;
    unsigned count;
    uint64_t size_kib;
    uint64_t ticks;
    double part;
    const char *why;
};

static const struct aero_field thing_fields[] = {
    AERO_FIELD(struct thing, flag),   AERO_FIELD(struct thing, count),
    AERO_FIELD(struct thing, size_kib), AERO_FIELD(struct thing, ticks),
    AERO_FIELD(struct thing, part),   AERO_FIELD(struct thing, why),
};

static int read_thing(const char *text, const bool *given, struct thing *to)
{
    struct lxe_json *tree;
    struct lxe_err err = { 0 };
    int rc;

    CU_ASSERT_EQUAL_FATAL(lxe_json_parse(text, strlen(text), &tree, &err), 0);
    rc = aero_fields_read(tree, AERO_FIELDS(thing_fields), given, to, &err);
    CU_ASSERT_EQUAL(rc != 0, err.text[0] != 0);
    to->why = NULL; /* the tree owns it */
    lxe_json_free(tree);
    return rc;
}

static void members_there_and_back(void)
{
    struct thing a = { true, 7, 4096, LXE_UNKNOWN, 0.25, "because" }, b;
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *tree;
    const char *text;

    lxe_jw_object(w);
    aero_fields_write(w, AERO_FIELDS(thing_fields), &a);
    lxe_jw_end_object(w);
    text = lxe_jw_text(w, NULL);
    CU_ASSERT_STRING_EQUAL(text, "{\"flag\":true,\"count\":7,"
                           "\"size_kib\":4096,\"ticks\":null,\"part\":0.25,"
                           "\"why\":\"because\"}");
    CU_ASSERT_EQUAL(lxe_json_parse(text, strlen(text), &tree, NULL), 0);
    CU_ASSERT_EQUAL(aero_fields_read(tree, AERO_FIELDS(thing_fields), NULL,
                                     &b, NULL), 0);
    CU_ASSERT_TRUE(aero_fields_equal(AERO_FIELDS(thing_fields), &a, &b));
    b.part = 0.5;
    CU_ASSERT_FALSE(aero_fields_equal(AERO_FIELDS(thing_fields), &a, &b));
    CU_ASSERT_STRING_EQUAL(aero_fields_unknown(AERO_FIELDS(thing_fields), &a),
                           "ticks");
    lxe_json_free(tree);
    lxe_jw_free(w);
}

static void members_that_are_wrong(void)
{
    static const char *const bad[] = {
        "[]", "{}", "7",
        "{\"flag\":1,\"count\":7,\"size_kib\":1,\"ticks\":1,\"part\":1,"
        "\"why\":\"\"}",
        "{\"flag\":true,\"count\":4294967296,\"size_kib\":1,\"ticks\":1,"
        "\"part\":1,\"why\":\"\"}",
        "{\"flag\":true,\"count\":null,\"size_kib\":1,\"ticks\":1,"
        "\"part\":1,\"why\":\"\"}",
        "{\"flag\":true,\"count\":7,\"size_kib\":1099511627777,\"ticks\":1,"
        "\"part\":1,\"why\":\"\"}",
        "{\"flag\":true,\"count\":7,\"size_kib\":1,\"ticks\":-1,\"part\":1,"
        "\"why\":\"\"}",
        "{\"flag\":true,\"count\":7,\"size_kib\":1,\"ticks\":"
        "18446744073709551615,\"part\":1,\"why\":\"\"}",
        "{\"flag\":true,\"count\":7,\"size_kib\":1,\"ticks\":1,\"part\":1,"
        "\"why\":null}",
        "{\"flag\":true,\"count\":7,\"size_kib\":1,\"ticks\":1,\"part\":1,"
        "\"why\":\"\",\"more\":1}",
    };
    static const bool given[6] = { [3] = true };
    struct thing t = { 0 };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(read_thing(bad[i], NULL, &t), -EINVAL);
    t.ticks = 99;
    CU_ASSERT_EQUAL(read_thing("{\"flag\":true,\"count\":7,\"size_kib\":1,"
                               "\"part\":1,\"why\":\"\"}", given, &t), 0);
    CU_ASSERT_EQUAL(t.ticks, 99);
}

static int set(struct thing *t, const char *key, const char *value)
{
    int i = aero_fields_find(AERO_FIELDS(thing_fields), key);

    return i < 0 ? i : aero_field_set(&thing_fields[i], t, value, NULL);
}

static void members_are_set(void)
{
    struct thing t = { 0 };

    CU_ASSERT_EQUAL(set(&t, "flag", "1"), 0);
    CU_ASSERT_EQUAL(set(&t, "count", "12"), 0);
    CU_ASSERT_EQUAL(set(&t, "size", "2G"), 0);
    CU_ASSERT_EQUAL(set(&t, "part", "0.75"), 0);
    CU_ASSERT_TRUE(t.flag && t.count == 12 && t.size_kib == 2048 * MIB);
    CU_ASSERT_EQUAL(t.part, 0.75);
    CU_ASSERT_EQUAL(set(&t, "size_kib", "8K"), 0);
    CU_ASSERT_EQUAL(t.size_kib, 8);
    CU_ASSERT_EQUAL(set(&t, "siz", "1"), -ENOENT);
    CU_ASSERT_EQUAL(set(&t, "", "1"), -ENOENT);
    CU_ASSERT_NOT_EQUAL(set(&t, "flag", "2"), 0);
    CU_ASSERT_NOT_EQUAL(set(&t, "count", "4294967296"), 0);
    CU_ASSERT_NOT_EQUAL(set(&t, "size", "2000000000G"), 0);
    CU_ASSERT_NOT_EQUAL(set(&t, "part", "inf"), 0);
    CU_ASSERT_NOT_EQUAL(set(&t, "part", "1x"), 0);
    CU_ASSERT_NOT_EQUAL(set(&t, "why", "x"), 0);
}

/* Of 8 bytes in a row, some must be a member's: less may be padding. */
static void check_covered(const struct aero_field *fields, size_t count,
                          size_t size)
{
    static const size_t widths[] = {
        [AERO_FIELD_BOOL] = sizeof(bool),
        [AERO_FIELD_U64] = sizeof(uint64_t),
        [AERO_FIELD_UINT] = sizeof(unsigned),
        [AERO_FIELD_DOUBLE] = sizeof(double),
        [AERO_FIELD_TEXT] = sizeof(char *),
    };
    bool covered[512] = { false };
    size_t run = 0;

    CU_ASSERT_FATAL(size <= sizeof(covered));
    for (size_t i = 0; i < count; i++)
        memset(covered + fields[i].offset, true, widths[fields[i].kind]);
    for (size_t i = 0; i < size; i++) {
        run = covered[i] ? 0 : run + 1;
        CU_ASSERT(run < 8);
    }
}

static void no_input_of_the_policy_is_left_out(void)
{
    check_covered(aero_host_fields, aero_host_field_count,
                  sizeof(struct aero_policy_host));
    check_covered(aero_guest_fields, aero_guest_field_count,
                  sizeof(struct aero_policy_guest));
}

/* ---- a simulated host whose decisions are kept ---- */

struct bench {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
    struct aero_history history;
    struct aero_decision_log *log;
    char dir[32];
    uint64_t seed;
};

static void on_decided(const struct aero_tick *tick, void *data)
{
    struct bench *b = data;
    struct aero_tick t = *tick;

    t.time_ms = 1700000000000 + t.now_ns / LXE_NS_PER_MS;
    CU_ASSERT_EQUAL(aero_history_note(&b->history, &t), 0);
    aero_decision_log_note(b->log, &t);
}

static void open_log(struct bench *b, uint64_t limit)
{
    struct lxe_err err = { 0 };

    if (aero_decision_log_open(b->dir, limit, "test", &b->log, &err)) {
        puts(err.text);
        CU_FAIL_FATAL("no log");
    }
}

static void begin(struct bench *b)
{
    aero_balancer_init(&b->balancer, b->host, &b->config);
    b->balancer.decided = on_decided;
    b->balancer.decided_data = b;
}

/* @guests that report, wander and sometimes stick, from a seed. */
static void set_up(struct bench *b, unsigned guests, uint64_t limit)
{
    char *text = NULL;
    struct lxe_err err = { 0 };
    size_t len;
    FILE *f = open_memstream(&text, &len);

    *b = (struct bench){ .dir = "/tmp/aero-decisions.XXXXXX",
                         .seed = unit_seed() };
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(b->dir));
    fprintf(f, "{\"host\":{\"total_kib\":%llu,\"nodes\":2},\"guests\":[",
            (guests * 700 + 600) * MIB);
    for (unsigned i = 0; i < guests; i++) {
        fprintf(f, "%s{\"name\":\"g%u\",\"memory_kib\":524288,"
                "\"static_max_kib\":2097152,\"report\":\"%s\","
                "\"node\":%u,\"stuck\":%s,\"swap_kib\":524288,"
                "\"demand\":[[0,102400]",
                i ? "," : "", i, i % 5 == 4 ? "none" : "agent", i % 2,
                unit_below(&b->seed, 6) ? "false" : "true");
        for (unsigned s = 20; s < 400; s += 20)
            fprintf(f, ",[%u,%u]", s,
                    102400 + (unsigned)unit_below(&b->seed, 800000));
        fprintf(f, "]}");
    }
    fprintf(f, "]}");
    fclose(f);
    if (lxe_sim_open_text(text, len, "scenario", LXE_SIM_MANUAL, &b->host,
                          &err)) {
        puts(err.text);
        CU_FAIL_FATAL("no simulated host");
    }
    free(text);
    aero_config_defaults(&b->config);
    begin(b);
    open_log(b, limit);
}

static void path_of(const struct bench *b, const char *suffix, char out[80])
{
    snprintf(out, 80, "%s/" AERO_LOG_NAME "%s", b->dir, suffix);
}

static void tear_down(struct bench *b)
{
    char path[80];

    aero_decision_log_close(b->log);
    aero_history_clear(&b->history);
    aero_balancer_clear(&b->balancer);
    b->host->ops->close(b->host);
    path_of(b, "", path);
    unlink(path);
    path_of(b, ".1", path);
    unlink(path);
    CU_ASSERT_EQUAL(rmdir(b->dir), 0);
}

/* The balancer dies and comes back; the guests go on. */
static void restart(struct bench *b, uint64_t limit)
{
    aero_decision_log_close(b->log);
    aero_history_clear(&b->history);
    aero_balancer_clear(&b->balancer);
    begin(b);
    open_log(b, limit);
}

static void run_s(struct bench *b, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        aero_balancer_tick(&b->balancer);
        lxe_sim_advance(b->host, LXE_NS_PER_SEC);
    }
}

static uint64_t size_of(const struct bench *b, const char *suffix)
{
    char path[80];
    struct stat st;

    path_of(b, suffix, path);
    return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

struct outcome {
    int rc;
    uint64_t decisions, differ;
    struct aero_replay_counts counts;
};

static void on_replayed(const struct aero_replayed *d, void *data)
{
    struct outcome *o = data;

    o->decisions++;
    o->differ += d->logged_kib != d->now_kib;
}

static struct outcome replay(const struct bench *b, const char *suffix,
                             const char *what)
{
    struct outcome o = { 0 };
    struct aero_replay *r = aero_replay_new(on_replayed, &o);
    struct lxe_err err = { 0 };
    char path[80], line[AERO_LOG_LINE];
    FILE *f;

    if (what)
        CU_ASSERT_EQUAL(aero_replay_set(r, what, &err), 0);
    path_of(b, suffix, path);
    f = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    while (!o.rc && fgets(line, sizeof(line), f))
        o.rc = aero_replay_line(r, line, strlen(line), &err);
    if (o.rc)
        printf("\n  %s\n", err.text);
    fclose(f);
    o.counts = aero_replay_end(r);
    aero_replay_free(r);
    return o;
}

/* ---- the history ---- */

static void history_keeps_what_mattered(void)
{
    const struct aero_past *p;
    uint64_t last = UINT64_MAX;
    struct bench b;
    size_t n;

    set_up(&b, 3, 1 << 20);
    run_s(&b, 300);
    for (n = 1; (p = aero_history_get(&b.history, 1, n)); n++) {
        CU_ASSERT(p->tick < last);
        last = p->tick;
        CU_ASSERT(p->decision.out.reason.cause != AERO_CAUSE_NONE);
    }
    CU_ASSERT(n > 2 && n - 1 <= AERO_HISTORY_LENGTH);
    p = aero_history_get(&b.history, 1, 0);
    CU_ASSERT_EQUAL(p->tick, 300);
    CU_ASSERT_STRING_EQUAL(p->decision.facts.source, "agent");
    CU_ASSERT_PTR_NULL(aero_history_get(&b.history, 9, 0));

    CU_ASSERT_EQUAL(lxe_sim_destroy(b.host, 1, NULL), 0);
    run_s(&b, 2);
    CU_ASSERT_PTR_NULL(aero_history_get(&b.history, 1, 0));
    CU_ASSERT_PTR_NOT_NULL(aero_history_get(&b.history, 2, 0));
    tear_down(&b);
}

static void history_of_a_quiet_guest(void)
{
    struct bench b;
    uint64_t first;

    set_up(&b, 1, 1 << 20);
    run_s(&b, 1);
    first = aero_history_get(&b.history, 0, 1)->tick;
    run_s(&b, 100);
    /* dom0 is never touched: what it has is what it had at the start. */
    CU_ASSERT_EQUAL(aero_history_get(&b.history, 0, 1)->tick, first);
    CU_ASSERT_PTR_NULL(aero_history_get(&b.history, 0, 2));
    tear_down(&b);
}

/* ---- the log and its replay ---- */

static void replays_to_the_same(void)
{
    struct aero_reservation want = { .owner = 1, .kib = 700 * MIB,
                                     .deadline_ns = UINT64_MAX };
    struct outcome o, other;
    struct bench b;
    uint32_t domid;

    set_up(&b, 8, 64 << 20);
    run_s(&b, 120);
    lxe_sim_destroy(b.host, 8, NULL);
    run_s(&b, 60);
    lxe_sim_destroy(b.host, 2, NULL);
    CU_ASSERT_EQUAL(lxe_sim_create(b.host, "g1", &domid, NULL), 0);
    b.config.idle_tax = 0;
    b.config.host_reserve_kib = 128 * MIB;
    run_s(&b, 50);
    /* Somebody waits, as far as there is anything to wait for. */
    aero_balancer_reserve(&b.balancer, &want, NULL);
    run_s(&b, 60);
    /* And for memory of a node. */
    want.least_kib = 100 * MIB;
    want.kib = 4000 * MIB;
    want.nodes = 2;
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, NULL), 0);
    run_s(&b, 60);
    restart(&b, 64 << 20);
    run_s(&b, 100);

    o = replay(&b, "", NULL);
    CU_ASSERT_EQUAL(o.rc, 0);
    CU_ASSERT_EQUAL(o.differ, 0);
    CU_ASSERT(o.counts.ticks > 100 && o.counts.ticks <= 450);
    CU_ASSERT(o.decisions > 5 * o.counts.ticks);
    CU_ASSERT_EQUAL(o.counts.cut + o.counts.skipped, 0);
    other = replay(&b, "", "tax=900");
    CU_ASSERT_EQUAL(other.rc, 0);
    CU_ASSERT(other.differ > 0);
    other = replay(&b, "", "max=513M");
    CU_ASSERT(other.rc == 0 && other.differ > 0);
    other = replay(&b, "", "reserve=1G");
    CU_ASSERT(other.rc == 0 && other.differ > 0);
    other = replay(&b, "", "nobody.shares=7");
    CU_ASSERT(other.rc == 0 && other.differ == 0);
    tear_down(&b);
}

static void says_only_news(void)
{
    struct outcome o;
    struct bench b;
    uint64_t before;

    set_up(&b, 2, 1 << 20);
    CU_ASSERT_EQUAL(lxe_sim_destroy(b.host, 1, NULL), 0);
    CU_ASSERT_EQUAL(lxe_sim_destroy(b.host, 2, NULL), 0);
    run_s(&b, 3);
    before = size_of(&b, "");
    run_s(&b, AERO_LOG_FULL_TICKS - 10);
    CU_ASSERT_EQUAL(size_of(&b, ""), before);
    run_s(&b, 20); /* and all of it now and then */
    CU_ASSERT(size_of(&b, "") > before);
    o = replay(&b, "", NULL);
    CU_ASSERT(o.rc == 0 && o.differ == 0);
    tear_down(&b);
}

/* A guest whose numbers change costs a short line, and none that drifts. */
static void a_record_is_short(void)
{
    struct outcome o;
    struct bench b;
    uint64_t before;

    set_up(&b, 60, 64 << 20);
    run_s(&b, 100);
    before = size_of(&b, "");
    run_s(&b, 100);
    CU_ASSERT(size_of(&b, "") - before < 100 * 60 * 120);
    o = replay(&b, "", NULL);
    CU_ASSERT(o.rc == 0 && o.differ == 0 && o.counts.ticks > 50);
    tear_down(&b);
}

static void never_more_than_its_limit(void)
{
    const uint64_t limit = 200000;
    struct outcome o;
    struct bench b;

    set_up(&b, 6, limit);
    for (int i = 0; i < 40; i++) {
        run_s(&b, 10);
        CU_ASSERT(size_of(&b, "") + size_of(&b, ".1") <= limit);
    }
    CU_ASSERT(size_of(&b, ".1") > 0);
    o = replay(&b, "", NULL); /* each stands by itself */
    CU_ASSERT(o.rc == 0 && o.differ == 0 && o.counts.skipped == 0);
    o = replay(&b, ".1", NULL);
    CU_ASSERT(o.rc == 0 && o.differ == 0 && o.counts.skipped == 0);
    CU_ASSERT(o.counts.ticks > 0);
    tear_down(&b);
}

static void a_record_that_was_cut(void)
{
    uint64_t size, seed;
    struct outcome o;
    struct bench b;
    char path[80];

    set_up(&b, 3, 4 << 20);
    seed = b.seed;
    path_of(&b, "", path);
    for (int i = 0; i < 40; i++) {
        run_s(&b, 3);
        size = size_of(&b, "");
        /* As a machine that lost power leaves it. */
        CU_ASSERT_EQUAL(truncate(path, (off_t)(size - unit_below(&seed,
                                                                 1500))), 0);
        restart(&b, 4 << 20);
        run_s(&b, 1);
        o = replay(&b, "", NULL);
        CU_ASSERT_EQUAL(o.rc, 0);
        CU_ASSERT_EQUAL(o.differ, 0);
    }
    CU_ASSERT(o.counts.cut > 3);
    tear_down(&b);
}

static void a_disk_that_is_full(void)
{
    struct rlimit was, small;
    struct outcome o;
    struct bench b;
    uint64_t stays;

    signal(SIGXFSZ, SIG_IGN);
    set_up(&b, 3, 4 << 20);
    run_s(&b, 30);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = size_of(&b, "") + 700; /* in the middle of a record */
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    run_s(&b, 60);
    stays = size_of(&b, "");
    CU_ASSERT(stays <= small.rlim_cur);
    run_s(&b, 60);
    CU_ASSERT_EQUAL(size_of(&b, ""), stays);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &was), 0);
    run_s(&b, AERO_LOG_RETRY_TICKS + 10);
    CU_ASSERT(size_of(&b, "") > stays);
    o = replay(&b, "", NULL);
    CU_ASSERT_EQUAL(o.rc, 0);
    CU_ASSERT_EQUAL(o.differ, 0);
    tear_down(&b);
}

static void a_link_is_not_followed(void)
{
    struct aero_decision_log *log;
    char dir[] = "/tmp/aero-link.XXXXXX", path[80];
    struct lxe_err err = { 0 };

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/" AERO_LOG_NAME, dir);
    CU_ASSERT_EQUAL(symlink("/dev/null", path), 0);
    CU_ASSERT_EQUAL(aero_decision_log_open(dir, 1 << 20, "test", &log, &err),
                    -ELOOP);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
    unlink(path);
    rmdir(dir);
    err = (struct lxe_err){ 0 };
    CU_ASSERT_EQUAL(aero_decision_log_open("/no/such/dir", 1 << 20, "test",
                                           &log, &err), -ENOENT);
    CU_ASSERT(err.text[0]);
}

/* ---- lines that are wrong ---- */

#define HEAD "{\"decisions\":1,\"aerostat\":\"x\"}\n"
#define HOST                                                                   \
    "\"reserve_kib\":65536,\"host\":{\"free_kib\":409600,"                     \
    "\"keep_free_kib\":65536,\"change_kib\":262144,\"shrink_part\":8,"         \
    "\"dead_band_kib\":4096,\"slack_part\":0,\"tax\":750,"                     \
    "\"missing_kib\":0,\"no_surplus\":false,\"short_nodes\":0}"
#define TICK(full, guests, lines)                                              \
    "{\"tick\":1,\"time_ms\":5,\"full\":" full ",\"guests\":" guests           \
    ",\"lines\":" lines ",\"gone\":[]," HOST "}\n"
#define GUEST(domid, min, shares)                                              \
    "{\"domid\":" domid ",\"name\":\"a\",\"in\":{\"movable\":true,"            \
    "\"min_kib\":" min ",\"max_kib\":1048576,\"min_is_set\":false,"            \
    "\"shares\":" shares ",\"demand_kib\":524288,\"demand_known\":true,"       \
    "\"need_kib\":400000,\"rise_kib\":0,\"fresh_kib\":524288,"               \
    "\"keep_kib\":0,"                                                        \
    "\"why\":\"x\","                                                        \
    "\"target_kib\":524288,"                                                 \
    "\"held_kib\":524288,\"floor_kib\":0,\"speed_kib_s\":null,"              \
    "\"stuck_shrink\":false,\"stuck_grow\":false,\"nodes\":0},"        \
    "\"out\":{\"target_kib\":786432},\"reason\":\"r\"}\n"

static int feed_with(const char *what, const char *text, struct outcome *o)
{
    struct aero_replay *r = aero_replay_new(on_replayed, o);
    struct lxe_err err = { 0 };

    *o = (struct outcome){ 0 };
    if (what)
        CU_ASSERT_EQUAL(aero_replay_set(r, what, &err), 0);
    while (*text && !o->rc) {
        size_t len = strcspn(text, "\n");

        o->rc = aero_replay_line(r, text, len, &err);
        text += len + 1;
    }
    CU_ASSERT_EQUAL(o->rc != 0, err.text[0] != 0);
    o->counts = aero_replay_end(r);
    aero_replay_free(r);
    return o->rc;
}

static int feed(const char *text, struct outcome *o)
{
    return feed_with(NULL, text, o);
}

/* Whether a tick of one guest comes to another target with something set. */
static bool differs_with(const char *what)
{
    struct outcome o;

    CU_ASSERT_EQUAL(feed_with(what, HEAD TICK("true", "1", "1")
                                        GUEST("1", "65536", "100"), &o), 0);
    CU_ASSERT_EQUAL(o.decisions, 1);
    return o.differ > 0;
}

static void inputs_are_set(void)
{
    struct outcome o;

    CU_ASSERT_FALSE(differs_with(NULL));
    CU_ASSERT_FALSE(differs_with("a.max=1G")); /* as it is */
    CU_ASSERT_TRUE(differs_with("max=600M"));
    CU_ASSERT_TRUE(differs_with("a.max=600M"));
    CU_ASSERT_TRUE(differs_with("1.max_kib=600M"));
    CU_ASSERT_FALSE(differs_with("2.max=600M"));
    CU_ASSERT_FALSE(differs_with("b.max=600M"));
    CU_ASSERT_TRUE(differs_with("reserve=300M"));
    CU_ASSERT_TRUE(differs_with("change=100M"));
    CU_ASSERT_TRUE(differs_with("no_surplus=1"));
    CU_ASSERT_TRUE(differs_with("movable=0"));
    /* What the policy cannot be given is refused. */
    CU_ASSERT_EQUAL(feed_with("min=2G", HEAD TICK("true", "1", "1")
                                  GUEST("1", "65536", "100"), &o), -EDOM);
    /* What an older log lacks can be given. */
    CU_ASSERT_EQUAL(feed_with("tax=0", HEAD
        "{\"tick\":1,\"time_ms\":5,\"full\":true,\"guests\":0,\"lines\":0,"
        "\"gone\":[],\"reserve_kib\":0,\"host\":{\"free_kib\":4,"
        "\"keep_free_kib\":0,\"change_kib\":4,\"shrink_part\":8,"
        "\"dead_band_kib\":4,\"slack_part\":0,\"missing_kib\":0,"
        "\"no_surplus\":false,\"short_nodes\":0}}\n", &o), 0);
    CU_ASSERT_EQUAL(o.counts.ticks, 1);
}

static void lines_that_are_wrong(void)
{
    static const char *const bad[] = {
        "[]\n", "{}\n", "{\"x\":1}\n", "nonsense\n",
        "{\"decisions\":3}\n", "{\"decisions\":0}\n",
        "{\"decisions\":\"1\"}\n",
        HEAD GUEST("1", "65536", "100"),
        HEAD TICK("true", "1", "0"),
        HEAD TICK("true", "2", "1") GUEST("1", "65536", "100"),
        HEAD TICK("1", "1", "1"),
        HEAD TICK("true", "99999999", "1"),
        HEAD TICK("true", "2", "2") TICK("true", "1", "1"),
        HEAD TICK("true", "2", "2") GUEST("1", "65536", "100")
            GUEST("1", "65536", "100"),
        HEAD TICK("true", "1", "1") GUEST("4294967296", "65536", "100"),
        HEAD TICK("true", "1", "1") GUEST("1", "2097152", "100"),
        HEAD TICK("true", "1", "1") GUEST("1", "null", "100"),
        HEAD TICK("true", "1", "1") GUEST("1", "1099511627777", "100"),
        HEAD TICK("true", "1", "1") GUEST("1", "65536", "0"),
        HEAD TICK("true", "1", "1") "{\"domid\":1,\"in\":{}}\n",
        HEAD TICK("true", "1", "1") GUEST("1", "65536", "100001"),
        HEAD "{\"tick\":1,\"time_ms\":5,\"full\":true,\"guests\":0,"
             "\"lines\":0,\"gone\":[4]," HOST "}\n",
    };
    struct outcome o;

    CU_ASSERT_EQUAL(feed(HEAD TICK("true", "1", "1")
                             GUEST("1", "65536", "100"), &o), 0);
    CU_ASSERT(o.counts.ticks == 1 && o.decisions == 1 && o.differ == 0);
    CU_ASSERT_EQUAL(feed(TICK("false", "1", "1") GUEST("1", "65536", "100")
                             TICK("true", "0", "0"), &o), 0);
    CU_ASSERT(o.counts.skipped == 1 && o.counts.ticks == 1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_NOT_EQUAL(feed(bad[i], &o), 0);
        CU_ASSERT_EQUAL(o.counts.ticks, 0);
    }
}

/* A line of changes only, of a guest that was told of before. */
static void changes_of_a_guest(void)
{
    static const char begin[] = HEAD TICK("true", "1", "1")
        GUEST("1", "65536", "100");
    static const char *const bad[] = {
        "{\"domid\":2,\"in\":{\"min_kib\":65536}}\n", /* was not there */
        "{\"domid\":1,\"in\":{\"min_kib\":2097152}}\n",
        "{\"domid\":1,\"in\":{\"other\":1}}\n",
        "{\"domid\":1,\"in\":{},\"out\":{}}\n",
        "{\"domid\":1}\n",
    };
    char text[4096];
    struct outcome o;

    snprintf(text, sizeof(text), "%s%s%s", begin, TICK("false", "1", "1"),
             "{\"domid\":1,\"in\":{\"max_kib\":614400}}\n");
    CU_ASSERT_EQUAL(feed(text, &o), 0);
    CU_ASSERT(o.counts.ticks == 2 && o.differ == 1); /* the target is old */
    snprintf(text, sizeof(text), "%s%s%s", begin, TICK("false", "1", "1"),
             "{\"domid\":1,\"in\":{\"max_kib\":614400,\"why\":\"y\"},"
             "\"out\":{\"target_kib\":524288}}\n");
    CU_ASSERT_EQUAL(feed(text, &o), 0);
    CU_ASSERT(o.counts.ticks == 2 && o.differ == 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "%s%s%s", begin, TICK("false", "1", "1"),
                 bad[i]);
        CU_ASSERT_EQUAL(feed(text, &o), -EINVAL);
    }
}

static void sets_that_are_wrong(void)
{
    static const char *const bad[] = {
        "", "=", "tax", "tax=", "=5", ".tax=5", "tax=x", "taxx=5",
        "web.tax=5", "reserve=x", "web.reserve=5", "why=5", "free=-1",
        "a.=5", "shares=99999999999",
    };
    struct aero_replay *r = aero_replay_new(on_replayed, NULL);
    struct lxe_err err = { 0 };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.text[0] = 0;
        CU_ASSERT_NOT_EQUAL(aero_replay_set(r, bad[i], &err), 0);
        CU_ASSERT(err.text[0]);
    }
    for (unsigned i = 0; i < AERO_REPLAY_SETS; i++)
        CU_ASSERT_EQUAL(aero_replay_set(r, "a.b.min=5", &err), 0);
    CU_ASSERT_EQUAL(aero_replay_set(r, "tax=5", &err), -E2BIG);
    aero_replay_free(r);
}

static const struct unit_test tests[] = {
    { "members there and back", members_there_and_back },
    { "members that are wrong", members_that_are_wrong },
    { "members are set", members_are_set },
    { "no input is left out", no_input_of_the_policy_is_left_out },
    { "the history keeps what mattered", history_keeps_what_mattered },
    { "the history of a quiet guest", history_of_a_quiet_guest },
    { "replays to the same", replays_to_the_same },
    { "says only news", says_only_news },
    { "a record is short", a_record_is_short },
    { "never more than its limit", never_more_than_its_limit },
    { "a record that was cut", a_record_that_was_cut },
    { "a disk that is full", a_disk_that_is_full },
    { "a link is not followed", a_link_is_not_followed },
    { "inputs are set", inputs_are_set },
    { "lines that are wrong", lines_that_are_wrong },
    { "changes of a guest", changes_of_a_guest },
    { "sets that are wrong", sets_that_are_wrong },
};

int main(void)
{
    return unit_run("decisions", tests, sizeof(tests) / sizeof(tests[0]));
}
