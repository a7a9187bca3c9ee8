/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NUMA nodes: where memory is wanted, who gives it, where it comes from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balancer.h"
#include "numa.h"
#include "policy.h"
#include "sim_fixture.h"

static void a_node_is_short_by_what_it_lacks(void)
{
    struct lxe_numa numa = { 2, { { MIB(4096), MIB(100) },
                                  { MIB(4096), MIB(300) } } };
    struct aero_numa_want wants[] = {
        { 1, MIB(60) }, { 1, MIB(60) }, { 2, MIB(300) },
        { 3, MIB(9999) }, { 0, MIB(9999) }, /* of no single node */
    };

    CU_ASSERT_EQUAL(aero_numa_short(&numa, wants, 5), 1);
    wants[2].kib++;
    CU_ASSERT_EQUAL(aero_numa_short(&numa, wants, 5), 3);
    CU_ASSERT_EQUAL(aero_numa_short(&numa, wants, 1), 0);
    numa.count = 1;
    CU_ASSERT_EQUAL(aero_numa_short(&numa, wants, 5), 0);
}

/* ---- the simulated host's ---- */

#define TWO_NODES "{'host': {'total_kib': 8388608, 'nodes': 2}, 'guests': ["

static void memory_lies_where_it_fits(void)
{
    struct lxe_host *host = sim_open(
        TWO_NODES "{'name': 'a', 'memory_kib': 3145728, 'node': 1},"
                  "{'name': 'b', 'memory_kib': 2097152, 'node': 1},"
                  "{'name': 'c', 'memory_kib': 1048576}]}");
    struct lxe_numa numa;

    CU_ASSERT_EQUAL(host->ops->numa(host, &numa, NULL), 0);
    CU_ASSERT_EQUAL(numa.count, 2);
    CU_ASSERT_EQUAL(numa.nodes[0].size_kib, MIB(4096));
    CU_ASSERT_EQUAL(numa.nodes[1].free_kib, 0);
    CU_ASSERT_EQUAL(numa.nodes[0].free_kib, sim_free(host));
    CU_ASSERT_EQUAL(sim_truth(host, 1).remote_kib, 0);
    CU_ASSERT_EQUAL(sim_truth(host, 2).remote_kib, MIB(1024));
    CU_ASSERT_EQUAL(sim_truth(host, 3).remote_kib, 0);
    CU_ASSERT_EQUAL(sim_dom(host, 1).nodes, 2);
    CU_ASSERT_EQUAL(sim_dom(host, 3).nodes, 0);
    host->ops->close(host);
}

static void a_node_must_exist(void)
{
    struct lxe_host *host;
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(sim_try(TWO_NODES "{'name': 'a', 'memory_kib': 4096, "
                            "'node': 2}]}", LXE_SIM_MANUAL, &host, &err),
                    -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no such node"));
}

/* ---- who gives ---- */

#define GUESTS 12

/* Idle guests of nodes 0 and 1, and one of node 1 that lacks memory. */
static void make_guests(struct aero_policy_guest *g, struct aero_policy_host *h)
{
    for (int i = 0; i < GUESTS; i++)
        g[i] = (struct aero_policy_guest){
            .movable = true, .max_kib = MIB(4096), .shares = 100,
            .demand_kib = MIB(200), .demand_known = true, .why = "by test",
            .need_kib = MIB(160), .target_kib = MIB(1000),
            .held_kib = MIB(1000), .speed_kib_s = UINT64_MAX,
            .nodes = 1u << i % 2,
        };
    g[GUESTS - 1].demand_kib = MIB(1400);
    g[GUESTS - 1].need_kib = MIB(1300);
    *h = (struct aero_policy_host){
        .change_kib = MIB(2048), .dead_band_kib = MIB(4), .tax = 750,
    };
}

static void equals_of_the_node_give(void)
{
    struct aero_policy_target out[GUESTS];
    struct aero_policy_guest g[GUESTS];
    struct aero_policy_host h;
    uint64_t given[2] = { 0 };

    make_guests(g, &h);
    h.short_nodes = 2;
    CU_ASSERT_EQUAL(aero_policy_run(&h, g, GUESTS, out), 0);
    for (int i = 0; i < GUESTS - 1; i++)
        given[i % 2] += MIB(1000) - out[i].target_kib;
    CU_ASSERT_EQUAL(given[0], 0);
    CU_ASSERT(given[1] > 0);
    CU_ASSERT(out[1].reason.for_node);
    CU_ASSERT_FALSE(out[0].reason.for_node);
    h.short_nodes = 0; /* and without it all of them do */
    CU_ASSERT_EQUAL(aero_policy_run(&h, g, GUESTS, out), 0);
    CU_ASSERT(out[0].target_kib < MIB(1000));
    CU_ASSERT_EQUAL(out[0].target_kib, out[1].target_kib);
}

static void price_goes_before_the_node(void)
{
    struct aero_policy_target out[GUESTS];
    struct aero_policy_guest g[GUESTS];
    struct aero_policy_host h;

    make_guests(g, &h);
    h.short_nodes = 2;
    g[0].held_kib = g[0].target_kib = MIB(2400);
    CU_ASSERT_EQUAL(aero_policy_run(&h, g, GUESTS, out), 0);
    CU_ASSERT(out[0].target_kib < MIB(2000));
}

static void order_does_not_matter(void)
{
    struct aero_policy_target out[GUESTS], mixed[GUESTS];
    struct aero_policy_guest g[GUESTS], m[GUESTS];
    uint64_t seed = unit_seed();
    struct aero_policy_host h;

    for (int run = 0; run < 300; run++) {
        size_t turn = unit_below(&seed, GUESTS);
        uint64_t pool, goals = 0;

        make_guests(g, &h);
        h.short_nodes = unit_below(&seed, 8);
        h.no_surplus = unit_below(&seed, 4) == 0;
        pool = h.free_kib = MIB(unit_below(&seed, 500));
        for (int i = 0; i < GUESTS; i++) {
            g[i].nodes = unit_below(&seed, 8);
            g[i].held_kib = MIB(900 + 10 * unit_below(&seed, 30));
            g[i].target_kib = g[i].held_kib;
            g[i].demand_kib = MIB(200 + 400 * unit_below(&seed, 4));
        }
        for (size_t i = 0; i < GUESTS; i++)
            m[(i + turn) % GUESTS] = g[i];
        CU_ASSERT_EQUAL(aero_policy_run(&h, g, GUESTS, out), 0);
        CU_ASSERT_EQUAL(aero_policy_run(&h, m, GUESTS, mixed), 0);
        for (size_t i = 0; i < GUESTS; i++) {
            CU_ASSERT_EQUAL(mixed[(i + turn) % GUESTS].target_kib,
                            out[i].target_kib);
            CU_ASSERT(out[i].goal_kib >= g[i].min_kib);
            pool += g[i].held_kib;
            goals += out[i].goal_kib;
        }
        CU_ASSERT(goals <= pool);
    }
}

/* ---- whole ticks ---- */

/*
 * Four equal, idle guests, two on each node, and one of node 1 that grows.
 * How much of it is elsewhere in the end.
 */
static uint64_t remote_after(bool by_node)
{
    struct lxe_host *host = sim_open(
        TWO_NODES
        "{'name': 'a', 'memory_kib': 1703936, 'node': 0, 'report': 'agent',"
        " 'demand': [[0, 204800]]},"
        "{'name': 'b', 'memory_kib': 1703936, 'node': 0, 'report': 'agent',"
        " 'demand': [[0, 204800]]},"
        "{'name': 'c', 'memory_kib': 1703936, 'node': 1, 'report': 'agent',"
        " 'demand': [[0, 204800]]},"
        "{'name': 'd', 'memory_kib': 1703936, 'node': 1, 'report': 'agent',"
        " 'demand': [[0, 204800]]},"
        "{'name': 'grows', 'memory_kib': 655360, 'static_max_kib': 2621440,"
        " 'node': 1, 'report': 'agent', 'swap_kib': 2097152,"
        " 'demand': [[0, 409600], [30, 409600], [60, 1843200]]}]}");
    struct aero_balancer b;
    struct aero_config config;
    uint64_t remote;

    aero_config_defaults(&config);
    aero_balancer_init(&b, host, &config);
    if (!by_node)
        b.numa.count = 1; /* as if it had been told so */
    for (unsigned s = 0; s < 200; s++) {
        aero_balancer_tick(&b);
        lxe_sim_advance(host, SECONDS(1));
    }
    CU_ASSERT(sim_current(host, 5) > MIB(1800));
    remote = sim_truth(host, 5).remote_kib;
    aero_balancer_clear(&b);
    host->ops->close(host);
    return remote;
}

static void memory_comes_from_the_node(void)
{
    uint64_t blind = remote_after(false), seeing = remote_after(true);

    CU_ASSERT(blind > MIB(500));
    CU_ASSERT(seeing < blind / 2);
}

static void a_reservation_may_name_its_node(void)
{
    struct lxe_host *host = sim_open(
        TWO_NODES
        "{'name': 'a', 'memory_kib': 3407872, 'node': 0, 'report': 'agent',"
        " 'demand': [[0, 204800]]},"
        "{'name': 'b', 'memory_kib': 3407872, 'node': 1, 'report': 'agent',"
        " 'demand': [[0, 204800]]}]}");
    struct aero_reservation want = { .kib = MIB(1500), .label = "new",
                                     .nodes = 2, .domid = AERO_NO_DOMID };
    struct aero_balancer b;
    struct aero_config config;

    aero_config_defaults(&config);
    aero_balancer_init(&b, host, &config);
    for (unsigned s = 0; s < 120; s++) {
        aero_balancer_tick(&b);
        lxe_sim_advance(host, SECONDS(1));
        want.deadline_ns = host->ops->now_ns(host) + SECONDS(60);
        if (s == 90)
            CU_ASSERT_EQUAL(aero_balancer_reserve(&b, &want, NULL), 0);
    }
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&b.reservations), MIB(1500));
    CU_ASSERT(sim_current(host, 2) + MIB(200) < sim_current(host, 1));
    aero_balancer_clear(&b);
    host->ops->close(host);
}

/* However much is free elsewhere. */
static void a_node_can_be_too_small(void)
{
    struct lxe_host *host = sim_open(
        TWO_NODES
        "{'name': 'a', 'memory_kib': 3145728, 'node': 1, 'report': 'agent',"
        " 'dynamic_min_kib': 2097152, 'demand': [[0, 204800]]}]}");
    struct aero_reservation want = { .kib = MIB(2500), .label = "new",
                                     .nodes = 2, .domid = AERO_NO_DOMID };
    struct aero_balancer b;
    struct aero_config config;
    struct lxe_err err = { 0 };

    aero_config_defaults(&config);
    aero_balancer_init(&b, host, &config);
    want.deadline_ns = SECONDS(200);
    for (unsigned s = 0; s < 90; s++) {
        aero_balancer_tick(&b);
        lxe_sim_advance(host, SECONDS(1));
    }
    CU_ASSERT(sim_free(host) > MIB(2500));
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b, &want, &err), -ENOSPC);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "on NUMA node 1"));
    /* With less it makes do, and gets no more than the node can have. */
    want.least_kib = MIB(1000);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b, &want, &err), 0);
    CU_ASSERT(b.reservations.items[0].kib <= MIB(2048));
    /* What is left of the node is that much less. */
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b, &want, &err), -ENOSPC);
    want.nodes = 1;
    want.kib = want.least_kib = MIB(256);
    CU_ASSERT_EQUAL(aero_balancer_reserve(&b, &want, &err), 0);
    aero_balancer_clear(&b);
    host->ops->close(host);
}

static void nodes_that_cannot_be_asked(void)
{
    struct lxe_host *host = sim_open(
        TWO_NODES "{'name': 'a', 'memory_kib': 1048576, 'node': 0}]}");
    struct aero_balancer b;
    struct aero_config config;

    aero_config_defaults(&config);
    aero_balancer_init(&b, host, &config);
    lxe_sim_fail_next(host, LXE_SIM_OP_NUMA, -EIO, 1);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b), 0);
    CU_ASSERT(b.trouble[0]);
    CU_ASSERT_EQUAL(b.numa.count, 0);
    CU_ASSERT_EQUAL(aero_balancer_tick(&b), 0);
    CU_ASSERT_EQUAL(b.numa.count, 2);
    CU_ASSERT_FALSE(b.trouble[0]);
    aero_balancer_clear(&b);
    host->ops->close(host);
}

static const struct unit_test tests[] = {
    { "a node is short by what it lacks", a_node_is_short_by_what_it_lacks },
    { "memory lies where it fits", memory_lies_where_it_fits },
    { "a node must exist", a_node_must_exist },
    { "equals of the node give", equals_of_the_node_give },
    { "price goes before the node", price_goes_before_the_node },
    { "order does not matter", order_does_not_matter },
    { "memory comes from the node", memory_comes_from_the_node },
    { "a reservation may name its node", a_reservation_may_name_its_node },
    { "a node can be too small", a_node_can_be_too_small },
    { "nodes that cannot be asked", nodes_that_cannot_be_asked },
};

int main(void)
{
    return unit_run("numa", tests, sizeof(tests) / sizeof(tests[0]));
}
