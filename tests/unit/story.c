/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "story.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "sim_fixture.h"

#define TRIES  10 /* of a client that is told to try again */
#define MOVER  2
#define TAKEN  3  /* whose migration is lost */

#define RESERVATION "{\"kib\":1228800,\"timeout_ms\":60000}"

/* Clients. */
enum { RESERVER = 1, MIGRATOR, READER };

static const char scenario[] =
    "{'host': {'total_kib': 4718592, 'nodes': 2}, 'guests': ["
    "{'name': 'grows', 'memory_kib': 1048576, 'static_max_kib': 2097152,"
    " 'report': 'agent', 'swap_kib': 1048576, 'node': 1,"
    " 'demand': [[0, 204800], [100, 204800], [130, 1536000]]},"
    "{'name': 'idle', 'memory_kib': 1048576, 'report': 'agent',"
    " 'demand': [[0, 204800]]},"
    "{'name': 'taken', 'memory_kib': 1048576, 'report': 'qubes',"
    " 'demand': [[0, 307200]]},"
    "{'name': 'silent', 'memory_kib': 524288, 'node': 1,"
    " 'writes': {'hot_kib': 65536, 'hot_pages_s': 5000}}]}";

/* Looks cost nothing: all runs make the same calls. */
static uint64_t no_cpu_ns(void)
{
    return 0;
}

static void on_send(uint64_t client, const char *text, size_t len, void *data)
{
    struct story *s = data;

    s->answered++;
    s->last_failed = memmem(text, len, "\"error\"", 7);
    s->last_said_why = memmem(text, len, "\"message\":\"", 11) &&
                       !memmem(text, len, "\"message\":\"\"", 12);
    s->granted += client == RESERVER && !s->last_failed;
}

static void on_kick(void *data)
{
    (void)data; /* the next tick comes soon enough */
}

static void on_decided(const struct aero_tick *tick, void *data)
{
    struct story *s = data;

    if (aero_history_note(&s->history, tick))
        s->failed_ticks++;
    aero_decision_log_note(s->log, tick);
}

static int on_move(uint32_t domid, const char *to, void *data)
{
    struct story *s = data;

    CU_ASSERT_EQUAL(domid, MOVER);
    CU_ASSERT_STRING_EQUAL(to, "host2");
    s->moves++;
    return 0;
}

static void ticks(struct story *s, unsigned count, double seconds)
{
    while (count--) {
        int rc = aero_balancer_tick(&s->balancer);

        if (rc || s->balancer.trouble[0]) {
            s->failed_ticks++;
            CU_ASSERT(s->balancer.trouble[0]);
        }
        lxe_sim_advance(s->sim, SECONDS(seconds));
    }
}

/* Asks until it is not told to try again, or that something broke. */
static void ask(struct story *s, uint64_t client, const char *method,
                const char *params)
{
    struct aero_peer peer = { client, 0, 1 };
    char text[512];
    int n = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"%u\","
                     "\"method\":\"%s\",\"params\":%s}", s->asked, method,
                     params);

    for (int i = 0; i < TRIES; i++) {
        unsigned before = s->answered;

        s->asked++;
        s->last_failed = false;
        aero_methods_line(&s->methods, &peer, text, (size_t)n);
        CU_ASSERT(s->answered <= before + 1);
        if (!s->last_failed)
            return;
        CU_ASSERT(s->last_said_why);
        ticks(s, 1, 1);
    }
    CU_FAIL("a request fails again and again");
}

void story_begin(struct story *s)
{
    struct lxe_err err = { 0 };

    memset(s, 0, sizeof(*s));
    s->sim = sim_open(scenario);
    CU_ASSERT_EQUAL_FATAL(
        aero_config_read_text("activity = \"samples\"\n"
                              "self_migration = [ \"idle=host2\" ]\n"
                              "domains = [ \"name=taken,min=400M\" ]\n",
                              "story.conf", &s->config, &err), 0);
    aero_balancer_init(&s->balancer, s->sim, &s->config);
    s->balancer.sampler.cpu_ns = no_cpu_ns;
    s->methods = (struct aero_methods){
        .balancer = &s->balancer, .history = &s->history, .send = on_send,
        .kick = on_kick, .data = s,
    };
    s->balancer.reserved = aero_methods_reserved;
    s->balancer.reserved_data = &s->methods;
    s->balancer.decided = on_decided;
    s->balancer.decided_data = s;
    s->balancer.self_moves = (struct aero_self_moves){ .start = on_move,
                                                       .data = s };
}

/* A client announces a migration, shrinks the guest, and dies. */
static void lose_a_migration(struct story *s)
{
    ask(s, MIGRATOR, "migration.begin",
        "{\"domid\":3,\"to\":\"far\",\"original_target_kib\":1048576}");
    ask(s, MIGRATOR, "migration.update", "{\"domid\":3,\"stage\":\"pre-copy\"}");
    sim_target(s->sim, TAKEN, 524288);
    ticks(s, 2, 1);
    ask(s, READER, "migration.list", "{}");
    aero_methods_gone(&s->methods, MIGRATOR);
}

void story_play(struct story *s, struct lxe_host *host)
{
    s->balancer.host = host;
    s->balancer.sampler.host = host;
    ticks(s, 7, 11);
    ask(s, READER, "daemon.info", "{}");
    ask(s, READER, "mem.status", "{}");
    ask(s, READER, "mem.policy", "{\"domain\":\"idle\",\"shares\":200}");
    ask(s, RESERVER, "mem.reserve", RESERVATION);
    CU_ASSERT_EQUAL(lxe_sim_ask_to_move(s->sim, MOVER, 7, "host2", NULL), 0);
    ticks(s, 4, 1);
    lose_a_migration(s);
    ticks(s, 3, 1);
    ask(s, READER, "mem.explain", "{\"domain\":\"grows\"}");
    ticks(s, 14, 1);
    if (!s->granted) { /* it was told so, and tries again */
        ask(s, RESERVER, "mem.reserve", RESERVATION);
        ticks(s, 12, 1);
    }
    aero_methods_gone(&s->methods, RESERVER);
    ticks(s, 6, 5);
}

static void check_guests(struct story *s)
{
    for (size_t i = 0; i < s->balancer.guests.count; i++) {
        const struct aero_guest *g = &s->balancer.guests.items[i];

        if (!g->dom.domid)
            continue;
        CU_ASSERT(g->dom.running && !g->dom.paused && !g->dom.suspended);
        CU_ASSERT(g->dom.target_kib >= g->min_kib);
        CU_ASSERT(g->held_kib + 16384 >= g->min_kib);
        CU_ASSERT_EQUAL(g->condition.state, AERO_GUEST_ACTIVE);
        CU_ASSERT_EQUAL(g->rival.changes, 0); /* we are nobody's rival */
    }
}

void story_end(struct story *s)
{
    char text[512] = "";

    ticks(s, 2, 1);
    CU_ASSERT_EQUAL(s->balancer.trouble[0], 0);
    CU_ASSERT_EQUAL(s->balancer.guests.count, 5);
    CU_ASSERT(s->balancer.sampler.looks > 3);
    CU_ASSERT_EQUAL(s->asked, s->answered);
    CU_ASSERT_EQUAL(s->granted, 1);
    CU_ASSERT_EQUAL(s->balancer.reservations.count, 0);
    CU_ASSERT_EQUAL(s->balancer.migrations.count, 0);
    CU_ASSERT_EQUAL(s->moves, 1);
    CU_ASSERT_EQUAL(lxe_sim_move_answer(s->sim, MOVER, text, NULL), 0);
    CU_ASSERT_STRING_EQUAL(text, "7 begun");
    check_guests(s);
    CU_ASSERT_EQUAL(sim_truth(s->sim, 1).unmet_kib, 0);
    aero_history_clear(&s->history);
    aero_balancer_clear(&s->balancer);
    aero_config_clear(&s->config);
    s->sim->ops->close(s->sim);
}
