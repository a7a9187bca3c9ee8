/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is reserved of a NUMA node: who gives it, and who is not given
 * it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balancer.h"
#include "decision.h"
#include "node_pools.h"
#include "sim_fixture.h"

/* ---- the policy ---- */

#define GUESTS 9

/* Idle guests, two in three of node 0, the rest of node 1. */
static void make_guests(struct aero_policy_guest *g, struct aero_policy_host *h)
{
    for (int i = 0; i < GUESTS; i++)
        g[i] = (struct aero_policy_guest){
            .movable = true, .min_kib = MIB(100), .max_kib = MIB(1000),
            .shares = 100, .demand_kib = MIB(300), .demand_known = true,
            .why = "by test", .need_kib = MIB(250), .target_kib = MIB(1000),
            .held_kib = MIB(1000), .speed_kib_s = UINT64_MAX,
            .nodes = i % 3 == 2 ? 2 : 1,
        };
    *h = (struct aero_policy_host){
        .free_kib = MIB(3000), .keep_free_kib = MIB(1200),
        .change_kib = MIB(4096), .dead_band_kib = MIB(4), .tax = 750,
    };
}

static void only_those_of_the_node_give(void)
{
    struct aero_node_pools pools = { 2, { { MIB(2700), 0 },
                                          { MIB(300), MIB(1200) } } };
    struct aero_policy_target out[GUESTS];
    struct aero_policy_guest g[GUESTS];
    struct aero_policy_host h;
    uint64_t given = 0;

    make_guests(g, &h);
    CU_ASSERT_EQUAL(aero_policy_run(&h, g, GUESTS, out), 0);
    CU_ASSERT_EQUAL(out[2].target_kib, MIB(1000)); /* the host has enough */
    CU_ASSERT_EQUAL(aero_node_pools_run(&h, &pools, g, GUESTS, out), 0);
    for (int i = 0; i < GUESTS; i++) {
        if (g[i].nodes == 2)
            given += MIB(1000) - out[i].target_kib;
        else
            CU_ASSERT_EQUAL(out[i].target_kib, MIB(1000));
        CU_ASSERT_EQUAL(out[i].reason.for_node, g[i].nodes == 2);
    }
    CU_ASSERT(given >= MIB(900));
    CU_ASSERT(given < MIB(920));
}

static void what_is_kept_is_not_given(void)
{
    struct aero_node_pools pools = { 2, { { MIB(2700), 0 },
                                          { MIB(300), MIB(200) } } };
    struct aero_policy_target out[GUESTS];
    struct aero_policy_guest g[GUESTS];
    struct aero_policy_host h;
    char text[AERO_REASON_TEXT];

    make_guests(g, &h);
    h.keep_free_kib = MIB(200);
    for (int i = 0; i < GUESTS; i++) {
        g[i].max_kib = MIB(4000);
        g[i].demand_kib = g[i].need_kib = i < 3 ? MIB(2000) : MIB(1000);
    }
    CU_ASSERT_EQUAL(aero_node_pools_run(&h, &pools, g, GUESTS, out), 0);
    CU_ASSERT(out[0].target_kib > MIB(1900));
    CU_ASSERT(out[1].target_kib > MIB(1900));
    CU_ASSERT(out[2].target_kib <= MIB(1100));
    CU_ASSERT(out[2].goal_kib + out[5].goal_kib + out[8].goal_kib <=
              MIB(3100));
    aero_reason_text(&out[2].reason, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "its NUMA node is short: "));
    aero_reason_text(&out[0].reason, text);
    CU_ASSERT_PTR_NULL(strstr(text, "NUMA node"));
}

static void make_random(struct aero_policy_guest *g,
                        struct aero_policy_host *h,
                        struct aero_node_pools *pools, uint64_t *seed)
{
    make_guests(g, h);
    h->keep_free_kib = 0;
    h->free_kib = 0;
    pools->count = 3;
    for (int n = 0; n < 3; n++) {
        struct aero_node_pool *pool = &pools->nodes[n];

        pool->free_kib = MIB(unit_below(seed, 1500));
        pool->keep_kib = unit_below(seed, 2) ? MIB(unit_below(seed, 1500)) : 0;
        h->free_kib += pool->free_kib;
        h->keep_free_kib += pool->keep_kib;
    }
    for (int i = 0; i < GUESTS; i++) {
        g[i].nodes = unit_below(seed, 8);
        g[i].movable = unit_below(seed, 6) > 0;
        g[i].max_kib = MIB(1000 + unit_below(seed, 2000));
        g[i].held_kib = MIB(100 + unit_below(seed, 900));
        g[i].target_kib = MIB(100 + unit_below(seed, 900));
        g[i].demand_kib = MIB(100 + unit_below(seed, 1500));
        g[i].need_kib = g[i].demand_kib - MIB(unit_below(seed, 100));
    }
}

/* What a node of its own pool bears; *least is what its guests must have. */
static uint64_t borne(const struct aero_policy_guest *g,
                      const struct aero_node_pool *pool, unsigned node,
                      uint64_t *least)
{
    uint64_t have = pool->free_kib, gone = pool->keep_kib;

    *least = 0;
    for (int i = 0; i < GUESTS; i++) {
        if (!aero_may_be_on(g[i].nodes, node))
            continue;
        if (g[i].movable) {
            have += g[i].held_kib;
            *least += g[i].min_kib;
        } else if (g[i].target_kib > g[i].held_kib) {
            gone += g[i].target_kib - g[i].held_kib;
        }
    }
    return have > gone ? have - gone : 0;
}

static void no_pool_is_overdrawn(void)
{
    struct aero_policy_target out[GUESTS];
    struct aero_policy_guest g[GUESTS];
    struct aero_node_pools pools = { 0 };
    struct aero_policy_host h;
    uint64_t seed = unit_seed();
    int tight = 0;

    for (int run = 0; run < 2000; run++) {
        make_random(g, &h, &pools, &seed);
        for (int i = 0; i < GUESTS; i++)
            g[i].nodes = UINT64_C(1) << i % 3;
        CU_ASSERT_EQUAL(aero_node_pools_run(&h, &pools, g, GUESTS, out), 0);
        for (unsigned n = 0; n < 3; n++) {
            uint64_t least, bears = borne(g, &pools.nodes[n], n, &least);
            uint64_t goals = 0;

            for (int i = 0; i < GUESTS; i++)
                if (g[i].movable && g[i].nodes == UINT64_C(1) << n)
                    goals += out[i].goal_kib;
            if (!pools.nodes[n].keep_kib || bears < least)
                continue;
            CU_ASSERT(goals <= bears);
            tight += goals + MIB(20) > bears;
        }
    }
    CU_ASSERT(tight > 100);
}

static void order_does_not_matter(void)
{
    struct aero_policy_target out[GUESTS], mixed[GUESTS];
    struct aero_policy_guest g[GUESTS], m[GUESTS];
    struct aero_node_pools pools = { 0 };
    struct aero_policy_host h;
    uint64_t seed = unit_seed();

    for (int run = 0; run < 300; run++) {
        size_t turn = unit_below(&seed, GUESTS);

        make_random(g, &h, &pools, &seed);
        for (size_t i = 0; i < GUESTS; i++)
            m[(i + turn) % GUESTS] = g[i];
        CU_ASSERT_EQUAL(aero_node_pools_run(&h, &pools, g, GUESTS, out), 0);
        CU_ASSERT_EQUAL(aero_node_pools_run(&h, &pools, m, GUESTS, mixed), 0);
        for (size_t i = 0; i < GUESTS; i++)
            CU_ASSERT_EQUAL(mixed[(i + turn) % GUESTS].target_kib,
                            out[i].target_kib);
    }
}

static void nothing_kept_changes_nothing(void)
{
    struct aero_policy_target out[GUESTS], plain[GUESTS];
    struct aero_policy_guest g[GUESTS];
    struct aero_node_pools pools = { 0 };
    struct aero_policy_host h;
    uint64_t seed = unit_seed();

    for (int run = 0; run < 100; run++) {
        make_random(g, &h, &pools, &seed);
        for (int n = 0; n < 3; n++)
            pools.nodes[n].keep_kib = 0;
        CU_ASSERT_EQUAL(aero_policy_run(&h, g, GUESTS, plain), 0);
        CU_ASSERT_EQUAL(aero_node_pools_run(&h, &pools, g, GUESTS, out), 0);
        for (int i = 0; i < GUESTS; i++)
            CU_ASSERT_EQUAL(out[i].target_kib, plain[i].target_kib);
    }
}

/* ---- whole ticks, on a host with two nodes of 4 GiB ---- */

struct bench {
    struct lxe_host *host;
    struct aero_balancer balancer;
    struct aero_config config;
    int answer; /* 1 held, -1 refused */
    char why[AERO_REFUSED_TEXT];
};

static void note_answer(const struct aero_reservation *r, void *data)
{
    struct bench *b = data;

    b->answer = r->held ? 1 : -1;
    strcpy(b->why, r->why);
}

#define GUEST(name, kib, node, more)                                           \
    "{'name': '" name "', 'memory_kib': " #kib ", 'node': " #node              \
    ", 'report': 'agent'" more "}"
#define IDLE ", 'demand': [[0, 204800]]"

static void set_up(struct bench *b, const char *guests, unsigned until_s)
{
    char text[4096];

    memset(b, 0, sizeof(*b));
    snprintf(text, sizeof(text), "{'host': {'total_kib': 8388608, 'nodes': 2},"
             " 'guests': [%s]}", guests);
    b->host = sim_open(text);
    aero_config_defaults(&b->config);
    aero_balancer_init(&b->balancer, b->host, &b->config);
    b->balancer.reserved = note_answer;
    b->balancer.reserved_data = b;
    for (unsigned s = 0; s < until_s; s++) {
        aero_balancer_tick(&b->balancer);
        lxe_sim_advance(b->host, SECONDS(1));
    }
}

static void tear_down(struct bench *b)
{
    aero_balancer_clear(&b->balancer);
    b->host->ops->close(b->host);
}

static int reserve(struct bench *b, uint64_t kib, uint64_t nodes,
                   unsigned wait_s, struct lxe_err *err)
{
    struct aero_reservation want = {
        .owner = 1, .kib = kib, .label = "new", .nodes = nodes,
        .deadline_ns = b->host->ops->now_ns(b->host) + SECONDS(wait_s),
    };

    b->answer = 0;
    return aero_balancer_reserve(&b->balancer, &want, err);
}

static uint64_t node_free(struct bench *b, unsigned node)
{
    struct lxe_numa numa;

    CU_ASSERT_EQUAL_FATAL(b->host->ops->numa(b->host, &numa, NULL), 0);
    return numa.nodes[node].free_kib;
}

/* Ticks until an answer came or the time is over. */
static void wait_for_answer(struct bench *b, unsigned seconds)
{
    for (unsigned t = 0; t < 4 * seconds && !b->answer; t++) {
        lxe_sim_advance(b->host, SECONDS(0.25));
        aero_balancer_tick(&b->balancer);
    }
}

/* Whether node 1 has so much free at each tick. */
static bool stays_free(struct bench *b, uint64_t kib, unsigned seconds)
{
    bool stays = true;

    for (unsigned s = 0; s < seconds; s++) {
        lxe_sim_advance(b->host, SECONDS(1));
        stays &= node_free(b, 1) >= kib;
        aero_balancer_tick(&b->balancer);
    }
    return stays;
}

#define NEAR_AND_FAR                                                           \
    GUEST("near1", 1638400, 1, IDLE) "," GUEST("near2", 1638400, 1, IDLE) ","        \
    GUEST("far", 524288, 0, IDLE)

static void free_elsewhere_does_not_do(void)
{
    struct bench b;

    set_up(&b, NEAR_AND_FAR, 90);
    CU_ASSERT(sim_free(b.host) > MIB(3000));
    CU_ASSERT(node_free(&b, 1) < MIB(1500));
    CU_ASSERT_EQUAL(reserve(&b, MIB(2000), 2, 60, NULL), 0);
    aero_balancer_tick(&b.balancer);
    CU_ASSERT_EQUAL(b.answer, 0);
    wait_for_answer(&b, 30);
    CU_ASSERT_EQUAL(b.answer, 1);
    CU_ASSERT(node_free(&b, 1) >= MIB(2000));
    CU_ASSERT_EQUAL(sim_current(b.host, 3), MIB(512));
    /* Where it is free it is had at the next tick. */
    CU_ASSERT_EQUAL(reserve(&b, MIB(1000), 1, 0, NULL), 0);
    aero_balancer_tick(&b.balancer);
    CU_ASSERT_EQUAL(b.answer, 1);
    tear_down(&b);
}

#define SLOW ", 'balloon_kib_s': 20480"

/* Its neighbours stand in for what is free there and not given. */
static void growth_does_not_take_it(void)
{
    struct bench b;
    uint64_t near, far;

    set_up(&b, GUEST("near1", 1331200, 1, IDLE SLOW) ","
           GUEST("near2", 1331200, 1, IDLE SLOW) "," GUEST("grows", 524288, 1, ", 'static_max_kib': 1572864,"
                     " 'swap_kib': 2097152,"
                     " 'demand': [[0, 204800], [120, 204800], [150, 921600]]")
           "," GUEST("far", 524288, 0, IDLE), 90);
    CU_ASSERT_EQUAL(reserve(&b, MIB(1800), 2, 60, NULL), 0);
    wait_for_answer(&b, 25);
    CU_ASSERT_EQUAL(b.answer, 1);
    near = sim_current(b.host, 1) + sim_current(b.host, 2);
    far = sim_current(b.host, 4);
    CU_ASSERT_TRUE(stays_free(&b, MIB(1800), 150));
    CU_ASSERT(sim_current(b.host, 3) > 921600);
    CU_ASSERT(sim_current(b.host, 1) + sim_current(b.host, 2) + MIB(200) <
              near);
    CU_ASSERT_EQUAL(sim_current(b.host, 4), far);
    /* Its client goes: it is given again. */
    CU_ASSERT_EQUAL(aero_reservations_drop_owner(&b.balancer.reservations, 1),
                    1);
    CU_ASSERT_FALSE(stays_free(&b, MIB(1800), 60));
    CU_ASSERT(sim_current(b.host, 1) + sim_current(b.host, 2) > near);
    tear_down(&b);
}

static void a_node_is_not_promised_twice(void)
{
    struct lxe_err err = { 0 };
    struct bench b;
    uint64_t most;

    set_up(&b, NEAR_AND_FAR, 90);
    CU_ASSERT_EQUAL(reserve(&b, MIB(2000), 2, 60, NULL), 0);
    CU_ASSERT_EQUAL(reserve(&b, MIB(2000), 2, 60, &err), -ENOSPC);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "on NUMA node 1"));
    wait_for_answer(&b, 30);
    CU_ASSERT_EQUAL(b.answer, 1);
    /* One of any node may have all the rest, and nothing beyond. */
    most = aero_balancer_obtainable_kib(&b.balancer);
    CU_ASSERT(most > MIB(3000));
    CU_ASSERT_EQUAL(reserve(&b, most + 4, 0, 60, NULL), -ENOSPC);
    CU_ASSERT_EQUAL(reserve(&b, most, 0, 60, NULL), 0);
    wait_for_answer(&b, 30);
    CU_ASSERT_EQUAL(b.answer, 1);
    CU_ASSERT(node_free(&b, 1) >= MIB(2000));
    CU_ASSERT(sim_free(b.host) >= most + MIB(2000));
    CU_ASSERT_EQUAL(reserve(&b, MIB(100), 2, 60, NULL), -ENOSPC);
    tear_down(&b);
}

static void a_domain_takes_it_over(void)
{
    struct bench b;
    uint32_t domid;

    set_up(&b, NEAR_AND_FAR ","
           GUEST("new", 2048000, 1, ", 'absent': true, 'build_s': 5"), 90);
    CU_ASSERT_EQUAL(reserve(&b, MIB(2000), 2, 60, NULL), 0);
    wait_for_answer(&b, 30);
    CU_ASSERT_EQUAL_FATAL(b.answer, 1);
    CU_ASSERT_EQUAL(lxe_sim_create(b.host, "new", &domid, NULL), 0);
    CU_ASSERT_EQUAL(aero_reservations_transfer(&b.balancer.reservations, 1, 1,
                                               domid, NULL), 0);
    aero_balancer_tick(&b.balancer);
    CU_ASSERT_EQUAL(sim_truth(b.host, domid).remote_kib, 0);
    stays_free(&b, 0, 3);
    CU_ASSERT(aero_reservations_node_held_kib(&b.balancer.reservations, 1) <
              MIB(1500));
    stays_free(&b, 0, 10);
    CU_ASSERT_EQUAL(
        aero_reservations_node_held_kib(&b.balancer.reservations, 1), 0);
    CU_ASSERT(sim_current(b.host, domid) >= MIB(2000));
    tear_down(&b);
}

static void a_range_is_of_its_node(void)
{
    struct bench b;
    struct aero_reservation want = { .owner = 1, .kib = MIB(8000),
                                     .least_kib = MIB(1500), .nodes = 2 };
    uint64_t kib;

    set_up(&b, NEAR_AND_FAR, 90);
    want.deadline_ns = b.host->ops->now_ns(b.host) + SECONDS(60);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, NULL), 0);
    kib = b.balancer.reservations.items[0].kib;
    CU_ASSERT(kib > MIB(1800)); /* all that is to spare there */
    CU_ASSERT(kib < MIB(3600));
    wait_for_answer(&b, 61);
    CU_ASSERT_EQUAL(b.answer, 1);
    CU_ASSERT(b.balancer.reservations.items[0].kib > kib - kib / 16);
    CU_ASSERT(node_free(&b, 1) >= b.balancer.reservations.items[0].kib);
    tear_down(&b);
    /* Where it takes too long, with what has come by then. */
    set_up(&b, GUEST("slow", 3276800, 1, IDLE ", 'balloon_kib_s': 10240"), 90);
    want.deadline_ns = b.host->ops->now_ns(b.host) + SECONDS(100);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b.balancer, &want, NULL), 0);
    kib = b.balancer.reservations.items[0].kib;
    wait_for_answer(&b, 99);
    CU_ASSERT_EQUAL(b.answer, 0);
    wait_for_answer(&b, 2);
    CU_ASSERT_EQUAL(b.answer, 1);
    CU_ASSERT(b.balancer.reservations.items[0].kib < kib);
    CU_ASSERT(node_free(&b, 1) >= b.balancer.reservations.items[0].kib);
    tear_down(&b);
}

/* Nobody says how much of it lies where: it gives until it is enough. */
static void one_of_no_node_gives(void)
{
    struct bench b;

    set_up(&b, "{'name': 'wide', 'memory_kib': 5242880, 'report': 'agent'"
               IDLE "}", 90);
    CU_ASSERT(node_free(&b, 1) < MIB(1500));
    CU_ASSERT_EQUAL(reserve(&b, MIB(2000), 2, 60, NULL), 0);
    wait_for_answer(&b, 60);
    CU_ASSERT_EQUAL(b.answer, 1);
    CU_ASSERT(node_free(&b, 1) >= MIB(2000));
    CU_ASSERT_TRUE(stays_free(&b, MIB(2000), 60));
    tear_down(&b);
}

static void who_stops_short_ends_it(void)
{
    struct bench b;

    set_up(&b, GUEST("stops", 3276800, 1, IDLE ", 'stuck': true"), 90);
    CU_ASSERT_EQUAL(reserve(&b, MIB(2000), 2, 120, NULL), 0);
    wait_for_answer(&b, 60);
    CU_ASSERT_EQUAL(b.answer, -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(b.why, "on NUMA node 1; one that stopped"
                                         " shrinking is stops"));
    CU_ASSERT_EQUAL(b.balancer.reservations.count, 0);
    tear_down(&b);
}

/* A node that does not answer for a moment grants and refuses nothing. */
static void a_silent_node_is_waited_for(void)
{
    struct bench b;

    set_up(&b, NEAR_AND_FAR, 90);
    CU_ASSERT_EQUAL(reserve(&b, MIB(100), 2, 60, NULL), 0);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_NUMA, -EIO, 1);
    aero_balancer_tick(&b.balancer);
    CU_ASSERT_EQUAL(b.answer, 0);
    aero_balancer_tick(&b.balancer);
    CU_ASSERT_EQUAL(b.answer, 1);
    tear_down(&b);
}

/* ---- as data ---- */

static void pools_are_read_as_written(void)
{
    static const char *const wrong[] = {
        "{}", "[1]", "[{\"free_kib\":1}]",
        "[{\"free_kib\":null,\"keep_kib\":1}]",
    };
    struct aero_node_pools pools = { 2, { { 5, 0 }, { 7, 6 } } }, back;
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *json;
    struct lxe_err err = { 0 };
    const char *text;
    size_t len;

    lxe_jw_object(w);
    aero_decision_write_nodes(w, &pools);
    lxe_jw_end_object(w);
    text = lxe_jw_text(w, &len);
    CU_ASSERT_EQUAL_FATAL(lxe_json_parse(text, len, &json, &err), 0);
    CU_ASSERT_EQUAL(aero_decision_read_nodes(lxe_json_get(json, "nodes"),
                                             &back, &err), 0);
    CU_ASSERT_EQUAL(back.count, 2);
    CU_ASSERT_EQUAL(memcmp(back.nodes, pools.nodes, sizeof(pools.nodes)), 0);
    CU_ASSERT_EQUAL(aero_decision_read_nodes(NULL, &back, &err), 0);
    CU_ASSERT_EQUAL(back.count, 0);
    lxe_json_free(json);
    lxe_jw_free(w);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CU_ASSERT_EQUAL_FATAL(lxe_json_parse(wrong[i], strlen(wrong[i]), &json,
                                             &err), 0);
        CU_ASSERT_EQUAL(aero_decision_read_nodes(json, &back, &err), -EINVAL);
        lxe_json_free(json);
    }
}

static const struct unit_test tests[] = {
    { "only those of the node give", only_those_of_the_node_give },
    { "what is kept is not given", what_is_kept_is_not_given },
    { "no pool is overdrawn", no_pool_is_overdrawn },
    { "order does not matter", order_does_not_matter },
    { "nothing kept changes nothing", nothing_kept_changes_nothing },
    { "free elsewhere does not do", free_elsewhere_does_not_do },
    { "growth does not take it", growth_does_not_take_it },
    { "a node is not promised twice", a_node_is_not_promised_twice },
    { "a domain takes it over", a_domain_takes_it_over },
    { "a range is of its node", a_range_is_of_its_node },
    { "one of no node gives", one_of_no_node_gives },
    { "who stops short ends it", who_stops_short_ends_it },
    { "a silent node is waited for", a_silent_node_is_waited_for },
    { "pools are read as written", pools_are_read_as_written },
};

int main(void)
{
    return unit_run("node pools", tests, sizeof(tests) / sizeof(tests[0]));
}
