/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON-RPC on a simulated host: what clients ask, what they are told. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "control_methods.h"
#include "host_sim.h"
#include "unit.h"

#define MIB 1024ull

static const char scenario[] =
    "{ \"host\": { \"total_kib\": 4194304 },"
    "  \"guests\": ["
    "    { \"name\": \"a\", \"memory_kib\": 1048576,"
    "      \"report\": \"agent\", \"demand\": [[0, 204800]] },"
    "    { \"name\": \"b\", \"memory_kib\": 1048576 } ] }";

/* A daemon without its socket. */
struct bench {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
    struct aero_methods methods;
    unsigned answers;
    uint64_t answered;   /* the client of the last answer */
    struct lxe_json *last;
    char text[256]; /* of it, as far as it fits */
};

static void on_send(uint64_t client, const char *text, size_t len, void *data)
{
    struct bench *b = data;

    lxe_json_free(b->last);
    b->last = NULL;
    CU_ASSERT_PTR_NULL(memchr(text, '\n', len));
    CU_ASSERT_EQUAL(lxe_json_parse(text, len, &b->last, NULL), 0);
    snprintf(b->text, sizeof(b->text), "%.*s", (int)len, text);
    b->answers++;
    b->answered = client;
}

static void on_kick(void *data)
{
    (void)data;
}

static void set_up(struct bench *b)
{
    struct lxe_err err = { 0 };

    memset(b, 0, sizeof(*b));
    if (lxe_sim_open_text(scenario, strlen(scenario), "scenario",
                          LXE_SIM_MANUAL, &b->host, &err))
        CU_FAIL_FATAL("no simulated host");
    aero_config_defaults(&b->config);
    aero_balancer_init(&b->balancer, b->host, &b->config);
    b->methods = (struct aero_methods){ .balancer = &b->balancer,
                                        .send = on_send, .kick = on_kick,
                                        .data = b };
    b->balancer.reserved = aero_methods_reserved;
    b->balancer.reserved_data = &b->methods;
    CU_ASSERT_EQUAL(aero_balancer_tick(&b->balancer), 0);
}

static void tear_down(struct bench *b)
{
    lxe_json_free(b->last);
    aero_balancer_clear(&b->balancer);
    aero_config_clear(&b->config);
    b->host->ops->close(b->host);
}

static void say_as(struct bench *b, uint64_t client, uid_t uid,
                   const char *text)
{
    struct aero_peer peer = { client, uid, 1 };

    lxe_json_free(b->last);
    b->last = NULL;
    aero_methods_line(&b->methods, &peer, text, strlen(text));
}

/* Calls a method as root and client 1. */
static void say(struct bench *b, const char *method, const char *params)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
             method, params);
    say_as(b, 1, 0, text);
}

/* The error code of the last answer; 0 where it is a result; 1: no answer. */
static int64_t code(const struct bench *b)
{
    const struct lxe_json *error = lxe_json_get(b->last, "error");
    double n;

    if (lxe_json_get(b->last, "result"))
        return 0;
    return lxe_json_double(lxe_json_get(error, "code"), &n) ? 1 : (int64_t)n;
}

/* Whether the last response is an error that says so. */
static bool says(const struct bench *b, const char *what)
{
    const char *message = lxe_json_str(
        lxe_json_get(lxe_json_get(b->last, "error"), "message"));

    return message && strstr(message, what);
}

static bool notes(const struct bench *b, const char *what)
{
    const char *note =
        lxe_json_str(lxe_json_get(lxe_json_get(b->last, "result"), "note"));

    return note && strstr(note, what);
}

static uint64_t result_u64(const struct bench *b, const char *key)
{
    uint64_t n = UINT64_MAX;

    lxe_json_u64(lxe_json_get(lxe_json_get(b->last, "result"), key), &n);
    return n;
}

static void run_s(struct bench *b, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        lxe_sim_advance(b->host, LXE_NS_PER_SEC);
        aero_balancer_tick(&b->balancer);
    }
}

static uint64_t target(struct bench *b, uint32_t domid)
{
    return aero_guests_find(&b->balancer.guests, domid)->dom.target_kib;
}

static void envelope(void)
{
    struct bench b;

    set_up(&b);
    say_as(&b, 1, 0, "not json");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARSE);
    say_as(&b, 1, 0, "[]");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_REQUEST);
    say_as(&b, 1, 0, "{\"id\":1,\"method\":\"daemon.info\"}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_REQUEST);
    say_as(&b, 1, 0, "{\"jsonrpc\":\"2.0\",\"id\":{},"
                     "\"method\":\"daemon.info\"}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_REQUEST);
    say(&b, "mem.eat", "{}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_METHOD);
    say(&b, "daemon.info", "[1]");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    say(&b, "daemon.info", "{\"x\":1}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    say_as(&b, 1, 0, "{\"jsonrpc\":\"2.0\",\"method\":\"daemon.info\"}");
    CU_ASSERT_PTR_NULL(b.last); /* a notification has no answer */
    say_as(&b, 1, 0, "{\"jsonrpc\":\"2.0\",\"id\":\"x1\","
                     "\"method\":\"daemon.info\"}");
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(b.last, "id")), "x1");
    CU_ASSERT_EQUAL(result_u64(&b, "interval_ms"), 2000);
    tear_down(&b);
}

/* By it a client knows what is answered. */
static void id_comes_back_as_it_was(void)
{
    static const char *const good[] = {
        "-1234567890123", "1234567890123", "-9223372036854775808",
        "18446744073709551615", "9007199254740993", "0", "\"1.50\"", "null",
    };
    static const char *const bad[] = {
        "1.5", "1e3", "12345678901.25", "18446744073709551616",
        "-9223372036854775809", "true", "[1]",
    };
    char text[128], want[64];
    struct bench b;

    set_up(&b);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,"
                 "\"method\":\"daemon.info\"}", good[i]);
        say_as(&b, 1, 0, text);
        CU_ASSERT_EQUAL(code(&b), 0);
        snprintf(want, sizeof(want), "\"id\":%s,", good[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(b.text, want));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,"
                 "\"method\":\"daemon.info\"}", bad[i]);
        say_as(&b, 1, 0, text);
        CU_ASSERT_EQUAL(code(&b), AERO_RPC_REQUEST);
        CU_ASSERT_TRUE(says(&b, "whole number"));
    }
    tear_down(&b);
}

/* Each field is compared with all before it. */
static void fields_are_few(void)
{
    char text[2048], *at = text;
    struct bench b;

    set_up(&b);
    at += sprintf(at, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":"
                      "\"daemon.info\",\"params\":{\"k0\":0");
    for (int i = 1; i < 64; i++)
        at += sprintf(at, ",\"k%d\":0", i);
    strcpy(at, "}}");
    say_as(&b, 1, 0, text);
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    strcpy(at, ",\"k64\":0}}");
    say_as(&b, 1, 0, text);
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARSE);
    CU_ASSERT_TRUE(says(&b, "too many fields"));
    tear_down(&b);
}

static void full_is_told(void)
{
    struct aero_peer peer = { 9, 1000, 1 };
    struct bench b;

    set_up(&b);
    aero_methods_full(&b.methods, &peer);
    CU_ASSERT_EQUAL(b.answered, 9);
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_BUSY);
    CU_ASSERT_TRUE(says(&b, "too many clients"));
    CU_ASSERT_EQUAL(lxe_json_type(lxe_json_get(b.last, "id")), LXE_JSON_NULL);
    tear_down(&b);
}

static void others_only_read(void)
{
    static const char *const changes[] = {
        "\"mem.policy\",\"params\":{\"domain\":\"a\",\"shares\":5}",
        "\"mem.reserve\",\"params\":{\"kib\":4,\"timeout_ms\":1}",
        "\"mem.release\",\"params\":{\"id\":1}",
        "\"mem.transfer\",\"params\":{\"id\":1,\"domid\":1}",
        "\"migration.begin\",\"params\":{}",
        "\"migration.update\",\"params\":{}",
        "\"migration.commit\",\"params\":{}",
        "\"migration.end\",\"params\":{}",
    };
    struct bench b;
    char text[256];

    set_up(&b);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":%s}", changes[i]);
        say_as(&b, 1, 1000, text);
        CU_ASSERT_EQUAL(code(&b), AERO_RPC_DENIED);
    }
    say_as(&b, 1, 1000, "{\"jsonrpc\":\"2.0\",\"id\":1,"
                        "\"method\":\"mem.status\"}");
    CU_ASSERT_EQUAL(code(&b), 0);
    say_as(&b, 1, 1000, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                        "\"mem.policy\",\"params\":{\"domain\":\"a\"}}");
    CU_ASSERT_EQUAL(code(&b), 0);
    tear_down(&b);
}

static void status_shows_all(void)
{
    struct bench b;
    const struct lxe_json *domains, *d;

    set_up(&b);
    run_s(&b, 15);
    say(&b, "mem.status", "{}");
    domains = lxe_json_get(lxe_json_get(b.last, "result"), "domains");
    CU_ASSERT_EQUAL(lxe_json_count(domains), 3);
    d = lxe_json_at(domains, 1);
    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(d, "name")), "a");
    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(d, "source")), "agent");
    CU_ASSERT_STRING_EQUAL(lxe_json_str(lxe_json_get(d, "state")), "active");
    CU_ASSERT_EQUAL(lxe_json_type(lxe_json_get(d, "used_kib")),
                    LXE_JSON_NUMBER);
    d = lxe_json_at(domains, 2);
    CU_ASSERT_EQUAL(lxe_json_type(lxe_json_get(d, "used_kib")),
                    LXE_JSON_NULL);
    CU_ASSERT_EQUAL(lxe_json_type(lxe_json_get(d, "age_ms")), LXE_JSON_NULL);
    tear_down(&b);
}

static void policy_is_set_and_bounded(void)
{
    struct bench b;

    set_up(&b);
    say(&b, "mem.policy", "{\"domain\":\"a\",\"min_kib\":409600,"
                          "\"shares\":300}");
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_EQUAL(result_u64(&b, "min_kib"), 409600);
    CU_ASSERT_TRUE(notes(&b, "lasts until aerostatd or the domain ends;"));
    run_s(&b, 2);
    say(&b, "mem.policy", "{\"domain\":\"1\"}");
    CU_ASSERT_EQUAL(result_u64(&b, "min_kib"), 409600);
    CU_ASSERT_EQUAL(result_u64(&b, "shares"), 300);
    say(&b, "mem.policy", "{\"domain\":\"nobody\"}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_DOMAIN);
    CU_ASSERT_TRUE(says(&b, "no domain 'nobody'; see 'xl list'"));
    say(&b, "mem.policy", "{\"domain\":\"0\",\"min_kib\":307200}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    CU_ASSERT_TRUE(says(&b, "Domain-0 is dom0, which is never balanced"));
    say(&b, "mem.policy", "{\"domain\":\"0\"}");
    CU_ASSERT_EQUAL(code(&b), 0);
    say(&b, "mem.policy", "{\"domain\":\"a\",\"max_kib\":99999999}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    CU_ASSERT_TRUE(says(&b, "a was built for 1024 MiB (maxmem)"));
    say(&b, "mem.policy", "{\"domain\":\"a\",\"max_kib\":1024}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    CU_ASSERT_TRUE(says(&b, "min_kib, 400 MiB, would be above max_kib, 1 MiB"));
    say(&b, "migration.rate", "{\"max_rate_bps\":1000}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    CU_ASSERT_TRUE(says(&b, "at least 100.0 KB/s, or 0 (none) for no limit,"
                            " not 1.0 KB/s"));
    say(&b, "mem.policy", "{\"domain\":\"a\",\"shares\":0}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    CU_ASSERT_TRUE(says(&b, "from 1 to 100000"));
    say(&b, "mem.policy", "{\"domain\":\"a\",\"shares\":100001}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    CU_ASSERT_TRUE(says(&b, "from 1 to 100000"));
    say(&b, "mem.policy", "{\"domain\":\"a\",\"shares\":100000}");
    CU_ASSERT_EQUAL(code(&b), 0);
    tear_down(&b);
}

static void reservation_at_once(void)
{
    struct bench b;

    set_up(&b);
    say(&b, "mem.reserve", "{\"kib\":102400,\"timeout_ms\":5000}");
    CU_ASSERT_PTR_NULL(b.last);
    run_s(&b, 1);
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_EQUAL(result_u64(&b, "kib"), 102400);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&b.balancer.reservations),
                    102400);
    say(&b, "mem.release", "{\"id\":99}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    say(&b, "mem.release", "{\"id\":1}");
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_EQUAL(b.balancer.reservations.count, 0);
    tear_down(&b);
}

static void reservation_squeezes_and_is_kept(void)
{
    struct bench b;
    uint64_t want, most;
    char params[128];

    set_up(&b);
    run_s(&b, 15);
    want = b.balancer.memory.free_kib + 300 * MIB;
    snprintf(params, sizeof(params), "{\"kib\":%" PRIu64
             ",\"timeout_ms\":30000}", want);
    say(&b, "mem.reserve", params);
    CU_ASSERT_PTR_NULL(b.last);
    for (int i = 0; i < 30 && !b.last; i++)
        run_s(&b, 1);
    CU_ASSERT_EQUAL(result_u64(&b, "kib"), want);
    run_s(&b, 20);
    CU_ASSERT(b.balancer.memory.free_kib >= want);
    most = b.balancer.memory.free_kib;
    aero_methods_gone(&b.methods, 1);
    run_s(&b, 20); /* its memory is the guests' again */
    CU_ASSERT(b.balancer.memory.free_kib < most);
    tear_down(&b);
}

static void reservation_that_cannot_be(void)
{
    struct bench b;

    set_up(&b);
    run_s(&b, 12);
    say(&b, "mem.reserve", "{\"kib\":4000000,\"timeout_ms\":5000}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_CANNOT);
    /* What could be freed, but not in no time at all. */
    say(&b, "mem.reserve", "{\"kib\":2200000,\"timeout_ms\":0}");
    CU_ASSERT_PTR_NULL(b.last);
    run_s(&b, 1);
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_CANNOT);
    CU_ASSERT_EQUAL(b.balancer.reservations.count, 0);
    tear_down(&b);
}

static void migration_is_left_alone_and_undone(void)
{
    struct bench b;
    struct lxe_err err = { 0 };

    set_up(&b);
    run_s(&b, 12);
    say(&b, "migration.begin",
        "{\"domid\":1,\"to\":\"other\",\"original_target_kib\":900000}");
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_EQUAL(result_u64(&b, "min_kib"), 262144);
    CU_ASSERT(result_u64(&b, "working_set_kib") != UINT64_MAX);
    say(&b, "migration.begin",
        "{\"domid\":1,\"to\":\"third\",\"original_target_kib\":900000}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_BUSY);
    b.host->ops->set_target(b.host, 1, 500000, &err);
    run_s(&b, 5);
    CU_ASSERT_EQUAL(target(&b, 1), 500000); /* the client's to set */
    say(&b, "migration.update",
        "{\"domid\":1,\"stage\":\"precopy\",\"round\":3,\"to\":\"lies\"}");
    CU_ASSERT_EQUAL(code(&b), 0);
    say(&b, "migration.list", "{}");
    CU_ASSERT_EQUAL(code(&b), 0);
    aero_methods_gone(&b.methods, 2); /* somebody else */
    run_s(&b, 1);
    CU_ASSERT_EQUAL(b.balancer.migrations.count, 1);
    aero_methods_gone(&b.methods, 1);
    run_s(&b, 1);
    CU_ASSERT_EQUAL(b.balancer.migrations.count, 0);
    CU_ASSERT(target(&b, 1) > 800000);
    tear_down(&b);
}

static void committed_is_not_undone(void)
{
    struct bench b;
    struct lxe_err err = { 0 };

    set_up(&b);
    say(&b, "migration.begin",
        "{\"domid\":1,\"to\":\"other\",\"original_target_kib\":900000}");
    b.host->ops->set_target(b.host, 1, 500000, &err);
    say(&b, "migration.commit", "{\"domid\":1}");
    CU_ASSERT_EQUAL(code(&b), 0);
    aero_methods_gone(&b.methods, 1);
    run_s(&b, 1);
    CU_ASSERT_EQUAL(b.balancer.migrations.count, 0);
    CU_ASSERT_EQUAL(target(&b, 1), 500000);
    tear_down(&b);
}

static void migration_is_cancelled(void)
{
    struct bench b;
    int status = 0;
    pid_t child = fork();

    if (!child) {
        pause();
        _exit(0);
    }
    set_up(&b);
    say(&b, "migration.cancel", "{\"domid\":1}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_DOMAIN);
    say(&b, "migration.begin",
        "{\"domid\":1,\"to\":\"other\",\"original_target_kib\":900000}");
    say(&b, "migration.cancel", "{\"domid\":1}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_CANNOT); /* init migrates nothing */
    b.balancer.migrations.items[0].pid = child;
    say(&b, "migration.commit", "{\"domid\":1}");
    say(&b, "migration.cancel", "{\"domid\":1}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_CANNOT);
    CU_ASSERT_EQUAL(waitpid(child, &status, WNOHANG), 0);
    b.balancer.migrations.items[0].committed = false;
    say(&b, "migration.cancel", "{\"domid\":1}");
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_EQUAL(result_u64(&b, "pid"), (uint64_t)child);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    tear_down(&b);
}

static void migration_ends(void)
{
    struct bench b;

    set_up(&b);
    say(&b, "migration.end", "{\"domid\":1,\"outcome\":\"moved\"}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    say(&b, "migration.begin",
        "{\"domid\":1,\"to\":\"other\",\"original_target_kib\":900000}");
    say(&b, "migration.end", "{\"domid\":1,\"outcome\":\"lost\"}");
    CU_ASSERT_EQUAL(code(&b), AERO_RPC_PARAMS);
    say(&b, "migration.end", "{\"domid\":1,\"outcome\":\"moved\"}");
    CU_ASSERT_EQUAL(code(&b), 0);
    CU_ASSERT_EQUAL(b.balancer.migrations.count, 0);
    tear_down(&b);
}

/* Bytes that look like requests, cut and bent: no crash, at most 1 answer. */
static void anything_is_survived(void)
{
    static const char good[] =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"mem.policy\","
        "\"params\":{\"domain\":\"a\",\"min_kib\":409600}}";
    uint64_t seed = unit_seed();
    struct bench b;

    set_up(&b);
    for (int run = 0; run < 3000; run++) {
        char text[sizeof(good)];
        unsigned before = b.answers;

        memcpy(text, good, sizeof(text));
        for (uint64_t n = unit_below(&seed, 4); n > 0; n--)
            text[unit_below(&seed, sizeof(good) - 1)] =
                (char)(1 + unit_below(&seed, 255));
        say_as(&b, 1, 0, text);
        if (b.answers > before + 1)
            CU_FAIL("more than one answer");
    }
    CU_ASSERT(b.answers > 0);
    tear_down(&b);
}

static const struct unit_test tests[] = {
    { "the envelope", envelope },
    { "an id comes back as it was", id_comes_back_as_it_was },
    { "fields are few", fields_are_few },
    { "that there are too many is told", full_is_told },
    { "others only read", others_only_read },
    { "status shows all", status_shows_all },
    { "a policy is set and bounded", policy_is_set_and_bounded },
    { "a reservation at once", reservation_at_once },
    { "a reservation squeezes", reservation_squeezes_and_is_kept },
    { "a reservation that cannot be", reservation_that_cannot_be },
    { "a lost migration is undone", migration_is_left_alone_and_undone },
    { "a committed one is not", committed_is_not_undone },
    { "a migration ends", migration_ends },
    { "a migration is cancelled by its client", migration_is_cancelled },
    { "anything is survived", anything_is_survived },
};

int main(void)
{
    return unit_run("control", tests, sizeof(tests) / sizeof(tests[0]));
}
