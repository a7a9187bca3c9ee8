/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that ask to be moved: who may, how often, and what they are told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "balancer.h"
#include "self_move.h"
#include "sim_fixture.h"

static const char two_guests[] =
    "{'host': {'total_kib': 4194304}, 'guests': ["
    "{'name': 'a', 'memory_kib': 1048576, 'report': 'agent'},"
    "{'name': 'b', 'memory_kib': 1048576, 'report': 'agent'}]}";

struct bed {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
    unsigned starts;
    uint32_t domid;
    char to[64];
    int fail;
};

static int on_start(uint32_t domid, const char *to, void *data)
{
    struct bed *b = data;

    if (b->fail)
        return b->fail;
    b->starts++;
    b->domid = domid;
    snprintf(b->to, sizeof(b->to), "%s", to);
    return 0;
}

static void run_s(struct bed *b, unsigned seconds)
{
    while (seconds--) {
        lxe_sim_advance(b->host, SECONDS(1));
        CU_ASSERT_EQUAL(aero_balancer_tick(&b->balancer), 0);
    }
}

static void begin(struct bed *b, const char *setting)
{
    struct lxe_err err = { 0 };

    *b = (struct bed){ .host = sim_open(two_guests) };
    if (aero_config_read_text(setting, "test.conf", &b->config, &err)) {
        printf("  %s\n", err.text);
        CU_FAIL_FATAL("the setting is wrong");
    }
    aero_balancer_init(&b->balancer, b->host, &b->config);
    b->balancer.self_moves = (struct aero_self_moves){ .start = on_start,
                                                       .data = b };
    run_s(b, 70); /* until they have booted */
}

static void end(struct bed *b)
{
    aero_balancer_clear(&b->balancer);
    aero_config_clear(&b->config);
    b->host->ops->close(b->host);
}

static void ask(struct bed *b, uint32_t domid, uint64_t id, const char *to)
{
    CU_ASSERT_EQUAL(lxe_sim_ask_to_move(b->host, domid, id, to, NULL), 0);
}

static bool told(struct bed *b, uint32_t domid, const char *words)
{
    char text[512] = "";

    CU_ASSERT_EQUAL(lxe_sim_move_answer(b->host, domid, text, NULL), 0);
    if (!strstr(text, words))
        printf("  told: %s\n", text);
    return strstr(text, words);
}

static void test_refused_by_default(void)
{
    static const char *const settings[] = { "", "self_migration = \"deny\"\n",
                                            "self_migration = []\n" };

    for (size_t i = 0; i < 3; i++) {
        struct bed b;

        begin(&b, settings[i]);
        ask(&b, 1, 9, "host2");
        run_s(&b, 1);
        CU_ASSERT_TRUE(told(&b, 1, "9 refused: this host's administrator"));
        CU_ASSERT_EQUAL(b.starts, 0);
        end(&b);
    }
}

#define RULES "self_migration = [ \"a=host2\", \"b=host2\", \"a=host3\" ]\n"

static void test_allowed(void)
{
    struct bed b;

    begin(&b, RULES);
    ask(&b, 1, 7, "host4");
    run_s(&b, 1);
    CU_ASSERT_TRUE(told(&b, 1, "7 refused"));
    CU_ASSERT_TRUE(told(&b, 1, "to host4"));
    ask(&b, 1, 8, "host3");
    run_s(&b, 11);
    CU_ASSERT_TRUE(told(&b, 1, "8 begun"));
    CU_ASSERT_EQUAL(b.starts, 1);
    CU_ASSERT_EQUAL(b.domid, 1);
    CU_ASSERT_STRING_EQUAL(b.to, "host3");
    end(&b);
}

/* One at a time on the host, and for a guest one in ten minutes. */
static void test_bounds(void)
{
    struct bed b;

    begin(&b, RULES);
    ask(&b, 1, 1, "host2");
    run_s(&b, 1);
    ask(&b, 2, 1, "host2");
    run_s(&b, 1);
    CU_ASSERT_TRUE(told(&b, 2, "another guest"));
    aero_self_moves_ended(&b.balancer.self_moves, b.host, false);
    CU_ASSERT_TRUE(told(&b, 1, "1 failed"));
    ask(&b, 2, 2, "host2");
    run_s(&b, 11);
    CU_ASSERT_TRUE(told(&b, 2, "2 begun"));
    aero_self_moves_ended(&b.balancer.self_moves, b.host, false);
    ask(&b, 1, 2, "host2");
    run_s(&b, 11);
    CU_ASSERT_TRUE(told(&b, 1, "tried lately"));
    run_s(&b, AERO_SELF_MOVE_S);
    ask(&b, 1, 3, "host2");
    run_s(&b, 11);
    CU_ASSERT_TRUE(told(&b, 1, "3 begun"));
    CU_ASSERT_EQUAL(b.starts, 3);
    end(&b);
}

/* A guest that asks all the time is answered once in ten seconds. */
static void test_greedy(void)
{
    unsigned answers = 0;
    char text[512], last[512] = "";
    struct bed b;

    begin(&b, "");
    for (uint64_t id = 1; id <= 60; id++) {
        ask(&b, 1, id, "host2");
        run_s(&b, 1);
        lxe_sim_move_answer(b.host, 1, text, NULL);
        answers += strcmp(text, last) != 0;
        memcpy(last, text, sizeof(last));
    }
    CU_ASSERT(answers >= 5);
    CU_ASSERT(answers <= 6);
    end(&b);
}

static void test_cannot_start(void)
{
    struct bed b;

    begin(&b, RULES);
    b.fail = -ENOENT;
    ask(&b, 1, 1, "host2");
    run_s(&b, 1);
    CU_ASSERT_TRUE(told(&b, 1, "refused: this host cannot start"));
    CU_ASSERT_EQUAL(b.balancer.self_moves.id, 0);
    end(&b);
}

static void test_bad_settings(void)
{
    static const char *const texts[] = {
        "self_migration = \"allow\"\n",    "self_migration = [ \"a\" ]\n",
        "self_migration = [ \"a=\" ]\n",   "self_migration = [ \"=b\" ]\n",
        "self_migration = [ \"a=-oX\" ]\n", "self_migration = [ \"a=b c\" ]\n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct aero_config c;
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(aero_config_read_text(texts[i], "t", &c, &err),
                        -EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "self_migration"));
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "refused by default, with the reason", test_refused_by_default },
        { "what the administrator lists", test_allowed },
        { "one at a time, one in ten minutes", test_bounds },
        { "one that asks all the time", test_greedy },
        { "a migration that cannot be started", test_cannot_start },
        { "settings that make no sense", test_bad_settings },
    };

    return unit_run("self_move", tests, sizeof(tests) / sizeof(tests[0]));
}
