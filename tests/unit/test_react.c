/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How soon memory comes to a guest that needs it, in virtual time: small
 * guests, of which one needs much at once while another still has what it
 * freed. Their programs wait for memory, so that a guest never looks as if it
 * had none (tests/testbed/case-react.sh is the same on real Xen).
 */
#include <stdio.h>

#include "balancer.h"
#include "sim_fixture.h"

#define LOOK_NS (LXE_NS_PER_SEC / 4) /* reports bring ticks no closer */
#define GUESTS  3

struct bench {
    struct lxe_host *host;
    struct aero_config config;
    struct aero_balancer balancer;
    bool no_events; /* the daemon hears of a report at its next tick only */
    bool event;
    uint64_t now_ns, last_ns;
    uint64_t waits_ns[GUESTS]; /* each, without a break until now */
    uint64_t longest_ns;       /* of those */
};

static void set_up(struct bench *b, const char *scenario)
{
    *b = (struct bench){ .host = sim_open(scenario) };
    aero_config_defaults(&b->config);
    aero_balancer_init(&b->balancer, b->host, &b->config);
    CU_ASSERT_EQUAL_FATAL(b->host->ops->watch(b->host, NULL), 0);
}

static void tear_down(struct bench *b)
{
    aero_balancer_clear(&b->balancer);
    aero_config_clear(&b->config);
    b->host->ops->close(b->host);
}

static void on_event(const struct lxe_event *event, void *data)
{
    struct bench *b = data;

    (void)event;
    b->event = !b->no_events;
}

/* As the daemon does: a tick every interval, and soon after a report. */
static void look(struct bench *b)
{
    b->host->ops->dispatch(b->host, on_event, b, NULL);
    if (!b->event && b->last_ns &&
        b->now_ns - b->last_ns < b->config.interval_ms * LXE_NS_PER_MS)
        return;
    b->event = false;
    b->last_ns = b->now_ns;
    aero_balancer_tick(&b->balancer);
}

static void note_waits(struct bench *b)
{
    for (uint32_t i = 0; i < GUESTS; i++) {
        if (!sim_truth(b->host, i + 1).waiting_kib)
            b->waits_ns[i] = 0;
        else
            b->waits_ns[i] += LOOK_NS;
        if (b->waits_ns[i] > b->longest_ns)
            b->longest_ns = b->waits_ns[i];
    }
}

/* Returns how long a guest waited at most, in s. */
static double run_s(struct bench *b, unsigned seconds)
{
    uint64_t end = b->now_ns + seconds * LXE_NS_PER_SEC;

    while (b->now_ns < end) {
        look(b);
        lxe_sim_advance(b->host, LOOK_NS);
        b->now_ns += LOOK_NS;
        note_waits(b);
    }
    printf("  longest wait: %.2f s\n", (double)b->longest_ns / 1e9);
    return (double)b->longest_ns / 1e9;
}

/*
 * A guest of 184 MiB, of at most 384, as the real ones: idle it needs 90, and
 * its programs stop where less than 8 are available. @trace ends with ','.
 */
#define GUEST(name, more, trace)                                              \
    "{'name': '" name "', 'memory_kib': 188416, 'static_max_kib': 393216,"    \
    " 'report': 'agent', 'report_s': 1, 'patient_kib': 8192,"                 \
    " 'balloon_kib_s': 32768" more ", 'demand': [" trace "[999, 92160]]}"
#define QUICK(name, trace) GUEST(name, "", trace)
/* 18 MiB are free beside the reserve, as there. */
#define HOST(guests)                                                          \
    "{'host': {'total_kib': 1238980}, 'guests': [" guests "]}"

/* From 90 MiB to 202 at 16 MiB/s, and at once back after 8 s. */
#define JUMP(from, to, end, then)                                             \
    "[" #from ", 92160], [" #to ", 206848], [" #end ", 206848],"              \
    " [" #then ", 92160],"
#define FIVE_JUMPS                                                            \
    QUICK("g1", JUMP(60, 67, 75, 75.1) JUMP(100, 107, 115, 115.1)             \
                JUMP(140, 147, 155, 155.1)) ","                               \
    QUICK("g2", JUMP(80, 87, 95, 95.1) JUMP(120, 127, 135, 135.1)) ","

/* Each needs what the other one has just freed. */
static void what_is_freed_comes_to_who_needs_it(void)
{
    struct bench b;

    set_up(&b, HOST(FIVE_JUMPS QUICK("g3", "")));
    CU_ASSERT(run_s(&b, 160) <= 1);
    tear_down(&b);
}

/* Where reports bring no ticks there is one every 2 s. */
static void and_by_the_interval_alone(void)
{
    struct bench b;

    set_up(&b, HOST(FIVE_JUMPS QUICK("g3", "")));
    b.no_events = true;
    CU_ASSERT(run_s(&b, 160) <= 4);
    tear_down(&b);
}

/* Another one gives what this one does not. */
static void beside_one_that_does_not_give(void)
{
    static const char *const others[] = {
        HOST(QUICK("g1", "") "," QUICK("g2", JUMP(60, 67, 115, 115.1)) ","
             GUEST("g3", ", 'stuck': true", "")),
        HOST(QUICK("g1", "") "," QUICK("g2", JUMP(60, 67, 115, 115.1)) ","
             GUEST("g3", ", 'floor_kib': 184320", "")),
        /* It gives a MiB/s: no reason to wait for it. */
        "{'host': {'total_kib': 1238980}, 'guests': ["
        QUICK("g1", "") "," QUICK("g2", JUMP(60, 67, 115, 115.1)) ","
        "{'name': 'slow', 'memory_kib': 188416, 'static_max_kib': 393216,"
        " 'report': 'agent', 'report_s': 1, 'balloon_kib_s': 1024,"
        " 'balloon_step_kib': 64, 'demand': [[0, 92160]]}]}",
    };
    struct bench b;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        set_up(&b, others[i]);
        CU_ASSERT(run_s(&b, 110) <= 2);
        tear_down(&b);
    }
}

/* Two share what three had, and one of them has only just freed its part. */
static void beside_one_that_is_stuck(void)
{
    struct bench b;

    set_up(&b, HOST(QUICK("g1", JUMP(102, 109, 140, 140.1)) ","
                    QUICK("g2", JUMP(60, 67, 100, 100.1)) ","
                    GUEST("g3", ", 'stuck': true", "")));
    CU_ASSERT(run_s(&b, 140) <= 2);
    tear_down(&b);
}

/* At 1 MiB/s nobody is surprised, and nobody is left a little short. */
static void who_grows_slowly_never_waits(void)
{
    struct bench b;

    set_up(&b, HOST(QUICK("g1", "[60, 92160], [172, 206848], [300, 206848],")
                    "," QUICK("g2", "") "," QUICK("g3", "")));
    CU_ASSERT(run_s(&b, 300) <= 0);
    CU_ASSERT_EQUAL(sim_truth(b.host, 1).used_kib, MIB(202));
    tear_down(&b);
}

static const struct unit_test tests[] = {
    { "what is freed comes to who needs it",
      what_is_freed_comes_to_who_needs_it },
    { "and by the interval alone", and_by_the_interval_alone },
    { "beside one that does not give", beside_one_that_does_not_give },
    { "beside one that is stuck", beside_one_that_is_stuck },
    { "who grows slowly never waits", who_grows_slowly_never_waits },
};

int main(void)
{
    return unit_run("react", tests, sizeof(tests) / sizeof(tests[0]));
}
