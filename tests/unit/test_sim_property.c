/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever is done to whatever host, its books add up, no guest comes below
 * its floor, and the same again gives the same again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "dirty_log.h"
#include "sim_fixture.h"

#define SCENARIOS 300
#define MOVES     60

struct text {
    char buf[16384];
    size_t len;
};

static void put(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    t->len += (size_t)vsnprintf(t->buf + t->len, sizeof(t->buf) - t->len, fmt,
                                ap);
    va_end(ap);
}

static uint64_t pages_kib(uint64_t *rnd, uint64_t mib)
{
    return 4 * unit_below(rnd, mib * 256 + 1);
}

static bool coin(uint64_t *rnd)
{
    return unit_below(rnd, 2);
}

static void put_behaviour(struct text *t, uint64_t *rnd, uint64_t memory_kib)
{
    static const char *const sources[] = { "none", "agent", "qubes",
                                           "xenserver" };

    if (coin(rnd))
        put(t, ", 'balloon_kib_s': %" PRIu64, 1 + unit_below(rnd, 100000));
    if (coin(rnd))
        put(t, ", 'balloon_step_kib': %" PRIu64, 4 + pages_kib(rnd, 4));
    if (coin(rnd))
        put(t, ", 'floor_kib': %" PRIu64, memory_kib / 8 * 4);
    if (unit_below(rnd, 8) == 0)
        put(t, ", 'stuck': true");
    if (unit_below(rnd, 4) == 0)
        put(t, ", 'stuck_every_s': 0.%" PRIu64, 1 + unit_below(rnd, 9));
    if (coin(rnd))
        put(t, ", 'greedy': true");
    put(t, ", 'report': '%s', 'report_percent': %" PRIu64,
        sources[unit_below(rnd, 4)], unit_below(rnd, 300));
    put(t, ", 'page_cache_kib': %" PRIu64 ", 'swap_kib': %" PRIu64,
        pages_kib(rnd, 256), pages_kib(rnd, 64));
    put(t, ", 'demand': [[0, %" PRIu64 "], [20, %" PRIu64 "], [40, %" PRIu64
           "]]", pages_kib(rnd, 512), pages_kib(rnd, 512),
        pages_kib(rnd, 512));
}

static void put_guest(struct text *t, uint64_t *rnd, unsigned i)
{
    uint64_t memory_kib = 4 + pages_kib(rnd, 256), video_kib = 0;
    bool hvm = unit_below(rnd, 3) == 0;

    if (hvm)
        video_kib = pages_kib(rnd, 16);
    put(t, "%s{'name': 'g%u', 'type': '%s', 'memory_kib': %" PRIu64
           ", 'videoram_kib': %" PRIu64 ", 'static_max_kib': %" PRIu64,
        i ? ",\n" : "", i, hvm ? "hvm" : "pvh", memory_kib, video_kib,
        memory_kib + video_kib + pages_kib(rnd, 512));
    put_behaviour(t, rnd, memory_kib);
    if (i && coin(rnd))
        put(t, ", 'absent': true");
    put(t, ", 'build_s': %" PRIu64 ", 'dying_s': %" PRIu64,
        unit_below(rnd, 5), unit_below(rnd, 3));
    put(t, ", 'writes': {'hot_kib': 4, 'hot_pages_s': 100, "
           "'uniform_pages_s': %" PRIu64 "}}", unit_below(rnd, 1000));
}

/* Returns how many guests there are. */
static unsigned put_scenario(struct text *t, uint64_t *rnd)
{
    static const char *const actions[] = { "create", "destroy", "pause",
                                           "unpause" };
    unsigned guests = 1 + (unsigned)unit_below(rnd, 6);

    put(t, "{'seed': %" PRIu64 ", 'host': {'total_kib': %" PRIu64
           ", 'scrub_kib_s': 100000},\n'guests': [", unit_random(rnd),
        MIB(512 + 64 + guests * 272) + pages_kib(rnd, 256));
    for (unsigned i = 0; i < guests; i++)
        put_guest(t, rnd, i);
    put(t, "],\n'events': [");
    for (unsigned i = 0; i < 8; i++)
        put(t, "%s{'at_s': %u, 'do': '%s', 'guest': 'g%" PRIu64 "'}",
            i ? ", " : "", i * 5, actions[unit_below(rnd, 4)],
            unit_below(rnd, guests));
    put(t, "]}");
    return guests;
}

/* All that can be seen goes into one number. */
static void mix(uint64_t *sum, uint64_t value)
{
    *sum = (*sum ^ value) * UINT64_C(0x100000001b3);
    *sum ^= *sum >> 29;
}

static void look(struct lxe_host *host, uint64_t *sum)
{
    struct lxe_domain_list list;
    struct lxe_host_memory memory;

    CU_ASSERT_EQUAL_FATAL(host->ops->list_domains(host, &list, NULL), 0);
    CU_ASSERT_EQUAL(host->ops->memory(host, &memory, NULL), 0);
    mix(sum, memory.free_kib);
    mix(sum, memory.claimed_kib);
    mix(sum, memory.scrub_kib);
    for (size_t i = 0; i < list.count; i++) {
        const struct lxe_domain *d = &list.doms[i];
        struct lxe_sim_truth truth = sim_truth(host, d->domid);

        if (!d->building && !d->dying)
            CU_ASSERT_TRUE(d->current_kib - d->videoram_kib >=
                           truth.floor_kib);
        mix(sum, d->current_kib);
        mix(sum, d->target_kib);
        mix(sum, d->report.seq);
        mix(sum, d->report.used_kib);
        mix(sum, (uint64_t)d->paused << 1 | d->dying);
        mix(sum, truth.cache_kib);
    }
    lxe_domain_list_free(&list);
}

static void count_writes(struct lxe_host *host, uint32_t domid, uint64_t *sum)
{
    struct lxe_dirty_log *log;
    uint64_t n;

    if (host->ops->dirty_log_open(host, domid, &log, NULL))
        return;
    lxe_sim_advance(host, SECONDS(0.5));
    if (!log->ops->clean(log, &n, NULL))
        mix(sum, n);
    log->ops->close(log);
}

static void save(struct lxe_host *host, uint32_t domid)
{
    struct lxe_save_args args = { .domid = domid, .stream_fd = -1,
                                  .live = true };

    if (!host->ops->save(host, &args, NULL))
        host->ops->resume(host, domid, NULL);
}

/* Each may fail; what matters is what is left. */
static void make_move(struct lxe_host *host, uint64_t *rnd, unsigned guests,
                      uint64_t *sum)
{
    const struct lxe_host_ops *ops = host->ops;
    uint32_t domid = (uint32_t)unit_below(rnd, guests + 3);
    char name[16];

    snprintf(name, sizeof(name), "g%" PRIu64, unit_below(rnd, guests));
    switch (unit_below(rnd, 12)) {
    case 0:
        ops->pause(host, domid, NULL);
        break;
    case 1:
        ops->unpause(host, domid, NULL);
        break;
    case 2:
        lxe_sim_destroy(host, domid, NULL);
        break;
    case 3:
        lxe_sim_create(host, name, &domid, NULL);
        break;
    case 4:
        ops->prepare_agent(host, domid, NULL);
        ops->drop_page_cache(host, domid, NULL);
        break;
    case 5:
        count_writes(host, domid, sum);
        break;
    case 6:
        save(host, domid);
        break;
    default:
        ops->set_target(host, domid, unit_below(rnd, MIB(800)), NULL);
    }
    lxe_sim_advance(host, unit_below(rnd, SECONDS(2)));
}

static uint64_t run(const char *text, unsigned guests, uint64_t seed)
{
    struct lxe_host *host = sim_open(text);
    uint64_t rnd = seed, sum = 0;

    for (unsigned i = 0; i < MOVES; i++) {
        make_move(host, &rnd, guests, &sum);
        look(host, &sum);
    }
    host->ops->close(host);
    return sum;
}

static void test_random_scenarios(void)
{
    uint64_t rnd = unit_seed(), seed;
    unsigned guests;

    for (unsigned i = 0; i < SCENARIOS; i++) {
        struct text t = { .len = 0 };
        uint64_t first;

        guests = put_scenario(&t, &rnd);
        CU_ASSERT_TRUE_FATAL(t.len < sizeof(t.buf));
        seed = unit_random(&rnd);
        first = run(t.buf, guests, seed);
        if (i % 4 == 0)
            CU_ASSERT_EQUAL(run(t.buf, guests, seed), first);
        if (i % 4 == 1)
            CU_ASSERT_NOT_EQUAL(run(t.buf, guests, seed + 1), first);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "random scenarios, random moves", test_random_scenarios },
    };

    return unit_run("sim_property", tests, sizeof(tests) / sizeof(*tests));
}
