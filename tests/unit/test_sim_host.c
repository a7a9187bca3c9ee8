/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated host: accounts, events, log-dirty, saves, faults, clocks. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "dirty_log.h"
#include "sim_fixture.h"

/* ---- accounts ---- */

static void count_broken(const char *what, void *data)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(what, "adds up to"));
    ++*(unsigned *)data;
}

static void test_checks_find_a_leak(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    unsigned broken = 0;

    lxe_sim_set_invariant(host, count_broken, &broken);
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_EQUAL(broken, 0);
    lxe_sim_leak(host, 4);
    lxe_sim_advance(host, SECONDS(0.02));
    CU_ASSERT_EQUAL(broken, 2); /* one a step */
    host->ops->close(host);
}

static void test_set_target_bounds(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    struct lxe_err err = { 0 };

    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, MIB(2048) + 4, &err),
                    -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "above its maximum"));
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, UINT64_MAX, NULL),
                    -EINVAL);
    CU_ASSERT_EQUAL(host->ops->set_target(host, 9, MIB(1), NULL), -ESRCH);
    CU_ASSERT_EQUAL(host->ops->set_target(host, 0, MIB(64), NULL), -EINVAL);
    CU_ASSERT_EQUAL(sim_dom(host, 1).target_kib, MIB(1024));
    host->ops->close(host);
}

#define BUILDING                                                              \
    "{'host': {'total_kib': 4194304, 'scrub_kib_s': 131072}, 'guests': ["     \
    "{'name': 'a', 'memory_kib': 1048576, 'dying_s': 4}, "                    \
    "{'name': 'b', 'memory_kib': 2097152, 'absent': true, 'build_s': 10}], "  \
    "'events': [{'at_s': 5, 'do': 'create', 'guest': 'b'}, "                  \
    "{'at_s': 6, 'do': 'create', 'guest': 'b'}, "                             \
    "{'at_s': 20, 'do': 'pause', 'guest': 'b'}, "                             \
    "{'at_s': 21, 'do': 'unpause', 'guest': 'b'}, "                           \
    "{'at_s': 30, 'do': 'destroy', 'guest': 'a'}]}"

static void test_building_claims(void)
{
    struct lxe_host *host = sim_open(BUILDING);
    struct lxe_host_memory memory;
    struct lxe_domain dom;

    lxe_sim_advance(host, SECONDS(10));
    dom = sim_dom(host, 2);
    CU_ASSERT_TRUE(dom.building);
    CU_ASSERT_FALSE(dom.running);
    CU_ASSERT_EQUAL(dom.target_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(dom.static_max_kib, LXE_UNKNOWN);
    CU_ASSERT_EQUAL(dom.current_kib, MIB(2048));
    host->ops->memory(host, &memory, NULL);
    CU_ASSERT_EQUAL(memory.claimed_kib, MIB(1024)); /* half of it is there */
    CU_ASSERT_EQUAL(memory.free_kib, MIB(4096 - 64 - 512 - 1024 - 2048));
    CU_ASSERT_EQUAL(host->ops->set_target(host, 2, MIB(512), NULL), -EIO);
    lxe_sim_advance(host, SECONDS(6));
    dom = sim_dom(host, 2);
    CU_ASSERT_FALSE(dom.building);
    CU_ASSERT_TRUE(dom.running);
    CU_ASSERT_EQUAL(dom.target_kib, MIB(2048));
    CU_ASSERT_EQUAL(lxe_sim_refused_builds(host), 1); /* the second create */
    lxe_sim_advance(host, SECONDS(4.5));
    CU_ASSERT_TRUE(sim_dom(host, 2).paused);
    lxe_sim_advance(host, SECONDS(1));
    CU_ASSERT_FALSE(sim_dom(host, 2).paused);
    host->ops->close(host);
}

static void test_dying_and_scrubbing(void)
{
    struct lxe_host *host = sim_open(BUILDING);
    struct lxe_host_memory memory;
    struct lxe_domain dom;

    lxe_sim_advance(host, SECONDS(32));
    dom = sim_dom(host, 1);
    CU_ASSERT_TRUE(dom.dying);
    CU_ASSERT_EQUAL(dom.current_kib, MIB(512));
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, MIB(512), NULL), -ESRCH);
    host->ops->memory(host, &memory, NULL);
    CU_ASSERT_EQUAL(memory.free_kib, MIB(4096 - 64 - 512 - 2048 - 512));
    CU_ASSERT_TRUE(memory.scrub_kib > MIB(200));
    CU_ASSERT_TRUE(memory.scrub_kib < MIB(300));
    lxe_sim_advance(host, SECONDS(2));
    CU_ASSERT_EQUAL(host->ops->get_domain(host, 1, &dom, NULL), -ESRCH);
    lxe_sim_advance(host, SECONDS(8));
    host->ops->memory(host, &memory, NULL);
    CU_ASSERT_EQUAL(memory.scrub_kib, 0);
    CU_ASSERT_EQUAL(memory.free_kib, MIB(4096 - 64 - 512 - 2048));
    host->ops->close(host);
}

static void test_creation_needs_memory(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 1048576}, 'guests': ["
        "{'name': 'a', 'memory_kib': 262144}, "
        "{'name': 'b', 'memory_kib': 262144, 'absent': true}]}");
    struct lxe_err err = { 0 };
    uint32_t domid = 0;

    CU_ASSERT_EQUAL(lxe_sim_create(host, "b", &domid, &err), -ENOMEM);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "needs 262144 KiB"));
    CU_ASSERT_EQUAL(lxe_sim_create(host, "x", &domid, NULL), -ENOENT);
    CU_ASSERT_EQUAL(lxe_sim_create(host, "a", &domid, NULL), -EEXIST);
    CU_ASSERT_EQUAL(lxe_sim_destroy(host, 1, NULL), 0);
    CU_ASSERT_EQUAL(lxe_sim_create(host, "b", &domid, NULL), 0);
    CU_ASSERT_EQUAL(domid, 2); /* ids are not used again */
    CU_ASSERT_EQUAL(lxe_sim_destroy(host, 0, NULL), -EINVAL);
    CU_ASSERT_EQUAL(lxe_sim_destroy(host, 1, NULL), -ESRCH);
    host->ops->close(host);
}

static void test_list_and_find(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(
        ", 'vcpus': 3, 'dynamic_min_kib': 4096, 'uncooperative': true, "
        "'no_balloon': true, 'migrating': true"));
    struct lxe_domain_list list;
    const struct lxe_domain *dom;
    struct lxe_domain found;

    CU_ASSERT_EQUAL(host->ops->list_domains(host, &list, NULL), 0);
    CU_ASSERT_EQUAL(list.count, 2);
    CU_ASSERT_EQUAL(list.doms[0].domid, 0);
    CU_ASSERT_STRING_EQUAL(list.doms[0].name, "Domain-0");
    dom = &list.doms[1];
    CU_ASSERT_EQUAL(dom->domid, 1);
    CU_ASSERT_EQUAL(dom->vcpus, 3);
    CU_ASSERT_EQUAL(dom->dynamic_min_kib, MIB(4));
    CU_ASSERT_EQUAL(dom->dynamic_max_kib, LXE_UNKNOWN);
    CU_ASSERT_TRUE(dom->uncooperative && dom->no_balloon && dom->migrating);
    CU_ASSERT_EQUAL(strlen(dom->uuid), LXE_UUID_TEXT - 1);
    CU_ASSERT_EQUAL(lxe_host_find(host, "g", &found, NULL), 0);
    CU_ASSERT_EQUAL(lxe_host_find(host, dom->uuid, &found, NULL), 0);
    CU_ASSERT_EQUAL(found.domid, 1);
    lxe_domain_list_free(&list);
    host->ops->close(host);
}

/* As for xl: who is started with a domid must not get one with that name. */
static void test_find_by_number(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304}, 'guests': ["
        "{'name': '2', 'memory_kib': 262144},"
        "{'name': '9', 'memory_kib': 262144}]}");
    struct lxe_domain found, again;

    CU_ASSERT_EQUAL(lxe_host_find(host, "2", &found, NULL), 0);
    CU_ASSERT_EQUAL(found.domid, 2);
    CU_ASSERT_EQUAL(lxe_host_find(host, "1", &found, NULL), 0);
    CU_ASSERT_EQUAL(found.domid, 1);
    CU_ASSERT_EQUAL(lxe_host_find(host, "9", &found, NULL), 0);
    CU_ASSERT_EQUAL(found.domid, 2); /* no domain has that number */
    CU_ASSERT_EQUAL(lxe_host_find(host, "3", &found, NULL), -ESRCH);
    CU_ASSERT_EQUAL(lxe_host_find_uuid(host, found.uuid, &again, NULL), 0);
    CU_ASSERT_EQUAL(again.domid, found.domid);
    CU_ASSERT_EQUAL(lxe_host_find_uuid(host, "2", &again, NULL), -ESRCH);
    host->ops->close(host);
}

/* ---- events ---- */

struct seen {
    struct lxe_host *host;
    unsigned domains, memory[8];
};

static void on_event(const struct lxe_event *event, void *data)
{
    struct seen *seen = data;
    struct lxe_host_memory memory;

    if (event->kind == LXE_EVENT_DOMAINS)
        seen->domains++;
    else
        seen->memory[event->domid]++;
    CU_ASSERT_EQUAL(seen->host->ops->memory(seen->host, &memory, NULL), 0);
}

static void test_events(void)
{
    struct lxe_host *host = sim_open(BUILDING);
    struct seen seen = { .host = host };

    CU_ASSERT_EQUAL(host->ops->event_fd(host), -1);
    sim_target(host, 1, MIB(1000));
    CU_ASSERT_EQUAL(host->ops->dispatch(host, on_event, &seen, NULL), 0);
    CU_ASSERT_EQUAL(host->ops->watch(host, NULL), 0);
    CU_ASSERT_EQUAL(host->ops->dispatch(host, on_event, &seen, NULL), 1);
    CU_ASSERT_EQUAL(seen.domains, 1); /* a watch fires as it is set */
    sim_target(host, 1, MIB(900));
    CU_ASSERT_EQUAL(host->ops->dispatch(host, on_event, &seen, NULL), 1);
    CU_ASSERT_EQUAL(seen.memory[1], 1);
    lxe_sim_advance(host, SECONDS(5.5));
    CU_ASSERT_EQUAL(host->ops->dispatch(host, on_event, &seen, NULL), 1);
    CU_ASSERT_EQUAL(seen.domains, 2);
    lxe_sim_advance(host, SECONDS(10));
    host->ops->dispatch(host, on_event, &seen, NULL);
    CU_ASSERT_EQUAL(seen.domains, 3);
    CU_ASSERT_EQUAL(seen.memory[2], 1); /* its target was written */
    lxe_sim_destroy(host, 2, NULL);
    host->ops->dispatch(host, on_event, &seen, NULL);
    CU_ASSERT_EQUAL(seen.domains, 4);
    CU_ASSERT_EQUAL(host->ops->dispatch(host, on_event, &seen, NULL), 0);
    host->ops->close(host);
}

static void test_report_events(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'report': 'agent'"));
    struct seen seen = { .host = host };

    host->ops->watch(host, NULL);
    host->ops->prepare_agent(host, 1, NULL);
    for (unsigned i = 0; i < 10; i++) {
        lxe_sim_advance(host, SECONDS(1));
        host->ops->dispatch(host, on_event, &seen, NULL);
    }
    CU_ASSERT_EQUAL(seen.memory[1], 10);
    CU_ASSERT_EQUAL(seen.memory[0], 0);
    host->ops->close(host);
}

/* ---- faults ---- */

static void test_injected_faults(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    struct lxe_domain_list list;
    struct lxe_err err = { 0 };

    lxe_sim_fail_next(host, LXE_SIM_OP_SET_TARGET, -ESTALE, 2);
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, MIB(512), &err), -ESTALE);
    CU_ASSERT_EQUAL(err.code, -ESTALE);
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, MIB(512), NULL), -ESTALE);
    CU_ASSERT_EQUAL(sim_dom(host, 1).target_kib, MIB(1024));
    sim_target(host, 1, MIB(512));
    lxe_sim_fail_next(host, LXE_SIM_OP_LIST_DOMAINS, -EIO, 1);
    CU_ASSERT_EQUAL(host->ops->list_domains(host, &list, NULL), -EIO);
    lxe_sim_vanish_after_list(host, 1);
    CU_ASSERT_EQUAL(host->ops->list_domains(host, &list, NULL), 0);
    CU_ASSERT_EQUAL(list.count, 2);
    CU_ASSERT_EQUAL(host->ops->set_target(host, 1, MIB(512), NULL), -ESRCH);
    lxe_domain_list_free(&list);
    host->ops->close(host);
}

static void test_cap(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'vcpus': 2"));
    unsigned percent = 1;

    CU_ASSERT_EQUAL(host->ops->cap_get(host, 1, &percent, NULL), 0);
    CU_ASSERT_EQUAL(percent, 0);
    CU_ASSERT_EQUAL(host->ops->cap_set(host, 1, 150, NULL), 0);
    CU_ASSERT_EQUAL(host->ops->cap_get(host, 1, &percent, NULL), 0);
    CU_ASSERT_EQUAL(percent, 150);
    CU_ASSERT_EQUAL(host->ops->cap_set(host, 1, 201, NULL), -EINVAL);
    host->ops->close(host);
    host = sim_open("{'host': {'total_kib': 1048576, 'has_cap': false}}");
    CU_ASSERT_EQUAL(host->ops->cap_set(host, 0, 50, NULL), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(host->ops->cap_get(host, 0, &percent, NULL), -EOPNOTSUPP);
    host->ops->close(host);
}

/* ---- log-dirty ---- */

static struct lxe_dirty_log *open_log(struct lxe_host *host)
{
    struct lxe_dirty_log *log = NULL;

    CU_ASSERT_EQUAL_FATAL(host->ops->dirty_log_open(host, 1, &log, NULL), 0);
    return log;
}

static void test_hot_set(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(
        ", 'writes': {'hot_kib': 65536, 'hot_pages_s': 100000}"));
    struct lxe_dirty_log *log = open_log(host);
    uint64_t n = 0, again = 0, first = 0, last = 0;

    CU_ASSERT_EQUAL(log->pages, MIB(2048) / 4);
    CU_ASSERT_EQUAL(log->ops->clean(log, &n, NULL), 0);
    CU_ASSERT_EQUAL(n, 0);
    lxe_sim_advance(host, SECONDS(0.01));
    log->ops->peek_count(log, &n, NULL);
    CU_ASSERT_TRUE(n > 900 && n <= 1000); /* 1000 writes, few twice */
    log->ops->peek(log, &again, NULL);
    CU_ASSERT_EQUAL(again, n);
    CU_ASSERT_EQUAL(lxe_bitmap_count(log->bitmap, log->pages), n);
    lxe_sim_advance(host, SECONDS(10));
    log->ops->clean(log, &n, NULL);
    CU_ASSERT_EQUAL(n, 16384); /* all of the hot set, and no more */
    for (uint64_t i = 0; i < log->pages; i++)
        if (lxe_bitmap_test(log->bitmap, i)) {
            first = last ? first : i;
            last = i;
        }
    CU_ASSERT_EQUAL(last - first + 1, 16384);
    log->ops->peek_count(log, &n, NULL);
    CU_ASSERT_EQUAL(n, 0);
    log->ops->close(log);
    CU_ASSERT_FALSE(sim_truth(host, 1).log_dirty);
    host->ops->close(host);
}

static void test_uniform_writes(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(
        ", 'vcpus': 1, 'writes': {'uniform_pages_s': 10000}"));
    struct lxe_dirty_log *log = open_log(host);
    uint64_t n;

    lxe_sim_advance(host, SECONDS(2));
    log->ops->clean(log, &n, NULL);
    CU_ASSERT_TRUE(n > 18000 && n <= 20000); /* of 262144 */
    host->ops->cap_set(host, 1, 10, NULL);
    lxe_sim_advance(host, SECONDS(2));
    log->ops->clean(log, &n, NULL);
    CU_ASSERT_TRUE(n > 1900 && n <= 2000);
    host->ops->pause(host, 1, NULL);
    lxe_sim_advance(host, SECONDS(2));
    log->ops->clean(log, &n, NULL);
    CU_ASSERT_EQUAL(n, 0);
    log->ops->close(log);
    host->ops->close(host);
}

/* What is dirty does not depend on how often one looks. */
static void test_looking_changes_nothing(void)
{
    static const char text[] = ONE_GUEST(
        ", 'writes': {'hot_kib': 65536, 'hot_pages_s': 12345}");
    struct lxe_host *a = sim_open(text), *b = sim_open(text);
    struct lxe_dirty_log *la = open_log(a), *lb = open_log(b);
    uint64_t na, nb;

    lxe_sim_advance(a, SECONDS(1));
    for (unsigned i = 0; i < 1000; i++) {
        lxe_sim_advance(b, SECONDS(0.001));
        lb->ops->peek_count(lb, &nb, NULL);
    }
    la->ops->clean(la, &na, NULL);
    lb->ops->clean(lb, &nb, NULL);
    CU_ASSERT_EQUAL(na, nb);
    CU_ASSERT_EQUAL(memcmp(la->bitmap, lb->bitmap, la->pages / 8), 0);
    a->ops->close(a); /* ends its session, too */
    b->ops->close(b);
}

static int try_log(const char *text)
{
    struct lxe_host *host = sim_open(text);
    struct lxe_dirty_log *log = NULL;
    int rc = host->ops->dirty_log_open(host, 1, &log, NULL);

    CU_ASSERT_EQUAL(host->ops->dirty_log_open(host, 0, &log, NULL), -EINVAL);
    host->ops->close(host);
    return rc;
}

static void test_log_refusals(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    struct lxe_dirty_log *log = open_log(host), *two = NULL;
    uint64_t n;

    CU_ASSERT_EQUAL(host->ops->dirty_log_open(host, 1, &two, NULL), -EBUSY);
    lxe_sim_fail_next(host, LXE_SIM_OP_DIRTY_PEEK, -EBUSY, 1);
    CU_ASSERT_EQUAL(log->ops->peek(log, &n, NULL), -EBUSY);
    CU_ASSERT_EQUAL(log->ops->peek(log, &n, NULL), 0);
    lxe_sim_destroy(host, 1, NULL);
    CU_ASSERT_EQUAL(log->ops->clean(log, &n, NULL), -ESRCH);
    log->ops->close(log);
    host->ops->close(host);
    CU_ASSERT_EQUAL(try_log(ONE_GUEST(", 'passthrough': true")), -EINVAL);
    CU_ASSERT_EQUAL(try_log(ONE_GUEST(", 'paging_pool_kib': 512")), -ENOMEM);
    CU_ASSERT_EQUAL(try_log(ONE_GUEST(", 'paging_pool_kib': 8192")), 0);
}

/* ---- saves ---- */

#define WIRE_100MB                                                            \
    "{'host': {'total_kib': 4194304, 'wire_mb_s': 100}, 'guests': ["          \
    "{'name': 'g', 'memory_kib': 1048576, 'writes': "                         \
    "{'hot_kib': 40960, 'hot_pages_s': 1000000}}]}"

static int save(struct lxe_host *host, bool live, bool verify, double *took_s)
{
    struct lxe_save_args args = { .domid = 1, .stream_fd = -1, .live = live,
                                  .verify = verify };
    uint64_t start = host->ops->now_ns(host);
    int rc = host->ops->save(host, &args, NULL);

    *took_s = (double)(host->ops->now_ns(host) - start) / 1e9;
    return rc;
}

static void test_live_save(void)
{
    struct lxe_host *host = sim_open(WIRE_100MB);
    struct seen seen = { .host = host };
    double took;

    host->ops->watch(host, NULL);
    host->ops->dispatch(host, on_event, &seen, NULL);
    CU_ASSERT_EQUAL(save(host, true, false, &took), 0);
    /* 1 GiB once, then 5 times 40 MiB, at 100 MB/s */
    CU_ASSERT_DOUBLE_EQUAL(took, 10.737 + 5 * 0.4194, 0.01);
    CU_ASSERT_TRUE(sim_dom(host, 1).suspended);
    CU_ASSERT_TRUE(sim_dom(host, 1).shutdown);
    CU_ASSERT_FALSE(sim_truth(host, 1).log_dirty);
    host->ops->dispatch(host, on_event, &seen, NULL);
    CU_ASSERT_EQUAL(seen.domains, 2);
    CU_ASSERT_EQUAL(save(host, true, false, &took), -EIO); /* not running */
    CU_ASSERT_EQUAL(host->ops->resume(host, 1, NULL), 0);
    CU_ASSERT_TRUE(sim_dom(host, 1).running);
    CU_ASSERT_EQUAL(host->ops->resume(host, 1, NULL), 0);
    CU_ASSERT_EQUAL(save(host, false, true, &took), 0);
    CU_ASSERT_DOUBLE_EQUAL(took, 2 * 10.737, 0.01);
    host->ops->close(host);
}

/* 25 pages are few: they go with the last pass, after one round. */
static void test_save_of_a_quiet_guest(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304, 'wire_mb_s': 1}, 'guests': ["
        "{'name': 'g', 'memory_kib': 65536, 'writes': "
        "{'hot_kib': 100, 'hot_pages_s': 10000}}]}");
    double took;

    CU_ASSERT_EQUAL(save(host, true, false, &took), 0);
    CU_ASSERT_DOUBLE_EQUAL(took, 67.109 + 0.102, 0.01);
    host->ops->close(host);
}

static void test_save_of_one_that_vanishes(void)
{
    struct lxe_host *host = sim_open(
        "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "
        "'memory_kib': 1048576}], 'events': [{'at_s': 3, 'do': 'destroy', "
        "'guest': 'g'}]}");
    double took;

    lxe_sim_fail_next(host, LXE_SIM_OP_SAVE, -EIO, 1);
    CU_ASSERT_EQUAL(save(host, true, false, &took), -EIO);
    CU_ASSERT_DOUBLE_EQUAL(took, 0, 0);
    CU_ASSERT_EQUAL(save(host, true, false, &took), -EIO);
    CU_ASSERT_EQUAL(save(host, true, false, &took), -ESRCH);
    host->ops->close(host);
}

static void test_save_refuses_a_logged_guest(void)
{
    struct lxe_host *host = sim_open(WIRE_100MB);
    struct lxe_dirty_log *log = open_log(host);
    double took;

    CU_ASSERT_EQUAL(save(host, true, false, &took), -EBUSY);
    log->ops->close(log);
    host->ops->pause(host, 1, NULL);
    CU_ASSERT_EQUAL(save(host, true, false, &took), -EIO);
    CU_ASSERT_FALSE(sim_truth(host, 1).log_dirty);
    host->ops->close(host);
}

/* ---- real time ---- */

static void *save_thread(void *data)
{
    double took;

    CU_ASSERT_EQUAL(save(data, true, false, &took), 0);
    return NULL;
}

/* The rest of the host goes on while another thread saves. */
static void test_real_clock(void)
{
    struct lxe_host *host = NULL;
    struct lxe_dirty_log *log;
    pthread_t thread;

    CU_ASSERT_EQUAL_FATAL(
        sim_try("{'speed': 100, 'host': {'total_kib': 4194304, 'wire_mb_s': "
                "50}, 'guests': [{'name': 'g', 'memory_kib': 524288}]}",
                LXE_SIM_REAL, &host, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, save_thread, host), 0);
    while (!sim_truth(host, 1).log_dirty)
        usleep(1000);
    CU_ASSERT_EQUAL(host->ops->dirty_log_open(host, 1, &log, NULL), -EBUSY);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(sim_dom(host, 1).suspended);
    CU_ASSERT_TRUE(host->ops->now_ns(host) >= SECONDS(10.7));
    host->ops->close(host);
}

static void test_open_by_name(void)
{
    const char *dir = getenv("top_srcdir");
    struct lxe_host *host = NULL;
    struct lxe_err err = { 0 };
    struct lxe_domain dom;
    char name[512];

    snprintf(name, sizeof(name), "sim:%s/docs/scenarios/zoo.json",
             dir ? dir : ".");
    CU_ASSERT_EQUAL_FATAL(lxe_host_open(name, &host, NULL), 0);
    CU_ASSERT_STRING_EQUAL(host->ops->name, "sim");
    CU_ASSERT_EQUAL(lxe_host_find(host, "greedy", &dom, NULL), 0);
    CU_ASSERT_EQUAL(dom.domid, 7);
    host->ops->close(host);
    CU_ASSERT_EQUAL(lxe_host_open("kvm", &host, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no host 'kvm'"));
    CU_ASSERT_EQUAL(lxe_host_open("sim:/nowhere", &host, &err), -ENOENT);
}

/* Time in one go, and in pieces. */
static void test_pieces_of_time(void)
{
    struct lxe_host *a = sim_open(BUILDING), *b = sim_open(BUILDING);

    lxe_sim_advance(a, SECONDS(31.005));
    for (unsigned i = 0; i < 10335; i++)
        lxe_sim_advance(b, SECONDS(0.003));
    CU_ASSERT_EQUAL(a->ops->now_ns(a), b->ops->now_ns(b));
    CU_ASSERT_EQUAL(sim_free(a), sim_free(b));
    CU_ASSERT_EQUAL(sim_current(a, 1), sim_current(b, 1));
    a->ops->close(a);
    b->ops->close(b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "checks find a leak", test_checks_find_a_leak },
        { "set_target has bounds", test_set_target_bounds },
        { "building domains claim", test_building_claims },
        { "dying and scrubbing", test_dying_and_scrubbing },
        { "creation needs memory", test_creation_needs_memory },
        { "list and find", test_list_and_find },
        { "a number is a domid first", test_find_by_number },
        { "events", test_events },
        { "report events", test_report_events },
        { "injected faults", test_injected_faults },
        { "cap", test_cap },
        { "log-dirty: hot set", test_hot_set },
        { "log-dirty: uniform, capped, paused", test_uniform_writes },
        { "log-dirty: looking changes nothing", test_looking_changes_nothing },
        { "log-dirty: refusals", test_log_refusals },
        { "live save", test_live_save },
        { "save of a quiet guest", test_save_of_a_quiet_guest },
        { "save of one that vanishes", test_save_of_one_that_vanishes },
        { "save refuses a logged guest", test_save_refuses_a_logged_guest },
        { "real clock, two threads", test_real_clock },
        { "open by name", test_open_by_name },
        { "pieces of time", test_pieces_of_time },
    };

    return unit_run("sim_host", tests, sizeof(tests) / sizeof(*tests));
}
