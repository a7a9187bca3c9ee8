/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host_sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim_host.h"
#include "sim_numa.h"

#define DOM0_MIN_KIB (128 << 10)           /* LIBXL_MIN_DOM0_MEM */
#define SET_SLACK_KIB 1024                 /* LIBXL_MAXMEM_CONSTANT */
#define WAIT_SLICE_NS (20 * LXE_NS_PER_MS) /* others get the lock between */

/* ---- lock and clock ---- */

static void catch_up(struct lxe_sim *sim)
{
    uint64_t now;

    if (sim->clock == LXE_SIM_MANUAL)
        return;
    now = lxe_now_ns();
    lxe_sim_world_advance(&sim->world,
                          (uint64_t)((double)(now - sim->real_ns) *
                                     sim->scenario->speed));
    sim->real_ns = now;
}

static struct lxe_sim *lock(struct lxe_host *host)
{
    struct lxe_sim *sim = lxe_sim_of(host);

    pthread_mutex_lock(&sim->lock);
    catch_up(sim);
    return sim;
}

void lxe_sim_end(struct lxe_sim *sim)
{
    pthread_mutex_unlock(&sim->lock);
}

int lxe_sim_begin(struct lxe_sim *sim, enum lxe_sim_op op,
                  struct lxe_err *err)
{
    struct lxe_sim_fault *fault = &sim->faults[op];
    int code;

    lock(&sim->base);
    if (sim->disconnected && op != LXE_SIM_OP_RECONNECT) {
        lxe_sim_end(sim);
        return lxe_fail(err, -EIO, "the simulated host lost its connection");
    }
    if (!fault->count)
        return 0;
    fault->count--;
    code = fault->code;
    lxe_sim_end(sim);
    return lxe_fail(err, code, "the simulated host was told to fail here");
}

int lxe_sim_begin_domain(struct lxe_sim *sim, enum lxe_sim_op op,
                         uint32_t domid, struct lxe_sim_guest **out,
                         struct lxe_err *err)
{
    int rc = lxe_sim_begin(sim, op, err);

    if (rc)
        return rc;
    *out = lxe_sim_world_find(&sim->world, domid);
    if (*out && !(*out)->dying)
        return 0;
    lxe_sim_end(sim);
    return lxe_fail(err, -ESRCH, "domain %u is not there", domid);
}

void lxe_sim_wait(struct lxe_sim *sim, uint64_t ns)
{
    uint64_t end = sim->world.now_ns + ns;

    if (sim->clock == LXE_SIM_MANUAL) {
        lxe_sim_world_advance(&sim->world, ns);
        return;
    }
    while (sim->world.now_ns < end) {
        double left = (double)(end - sim->world.now_ns);
        uint64_t real = (uint64_t)(left / sim->scenario->speed) + 1;

        lxe_sim_end(sim);
        lxe_sleep_ns(real < WAIT_SLICE_NS ? real : WAIT_SLICE_NS);
        lock(&sim->base);
    }
}

static uint64_t sim_now_ns(struct lxe_host *host)
{
    struct lxe_sim *sim = lock(host);
    uint64_t now = sim->world.now_ns;

    lxe_sim_end(sim);
    return now;
}

/* ---- facts ---- */

static void vanish(struct lxe_sim *sim)
{
    struct lxe_sim_guest *g = NULL;

    if (sim->vanish_domid)
        g = lxe_sim_world_find(&sim->world, sim->vanish_domid);
    if (g) {
        sim->vanish_domid = 0;
        lxe_sim_world_destroy(&sim->world, g);
    }
}

static int sim_list_domains(struct lxe_host *host,
                            struct lxe_domain_list *out, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_LIST_DOMAINS, err);

    if (rc)
        return rc;
    *out = (struct lxe_domain_list){
        .doms = calloc(sim->world.count, sizeof(*out->doms)),
        .count = sim->world.count,
    };
    for (size_t i = 0; out->doms && i < out->count; i++)
        lxe_sim_guest_describe(sim->world.guests[i], &out->doms[i]);
    if (out->doms)
        vanish(sim);
    lxe_sim_end(sim);
    if (out->doms)
        return 0;
    out->count = 0;
    return lxe_fail(err, -ENOMEM, "out of memory");
}

/* One that is dying is still there to be seen. */
static int sim_get_domain(struct lxe_host *host, uint32_t domid,
                          struct lxe_domain *out, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_GET_DOMAIN, err);
    struct lxe_sim_guest *g;

    if (rc)
        return rc;
    g = lxe_sim_world_find(&sim->world, domid);
    if (g)
        lxe_sim_guest_describe(g, out);
    lxe_sim_end(sim);
    return g ? 0 : lxe_fail(err, -ESRCH, "domain %u is not there", domid);
}

static int sim_memory(struct lxe_host *host, struct lxe_host_memory *out,
                      struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_MEMORY, err);

    if (rc)
        return rc;
    *out = (struct lxe_host_memory){
        .total_kib = sim->scenario->total_kib,
        .free_kib = sim->world.free_kib,
        .scrub_kib = sim->world.scrub_kib,
    };
    for (size_t i = 0; i < sim->world.count; i++)
        out->claimed_kib += sim->world.guests[i]->claim_kib;
    lxe_sim_end(sim);
    return 0;
}

static int sim_numa(struct lxe_host *host, struct lxe_numa *out,
                    struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_NUMA, err);

    if (rc)
        return rc;
    lxe_sim_numa(&sim->world, out, 0, NULL);
    lxe_sim_end(sim);
    return 0;
}

/* ---- memory ---- */

static int set_target(struct lxe_sim *sim, struct lxe_sim_guest *g,
                      uint64_t target_kib, struct lxe_err *err)
{
    uint64_t videoram = g->def->videoram_kib;

    if (g->building)
        return lxe_fail(err, -EIO, "domain %u is still being built",
                        g->domid);
    if (target_kib > g->def->static_max_kib - videoram)
        return lxe_fail(err, -EINVAL,
                        "domain %u: a target of %" PRIu64
                        " KiB is above its maximum of %" PRIu64,
                        g->domid, target_kib,
                        g->def->static_max_kib - videoram);
    if (!g->domid && target_kib < DOM0_MIN_KIB)
        return lxe_fail(err, -EINVAL, "dom0 needs %d KiB at least",
                        DOM0_MIN_KIB);
    g->target_kib = target_kib;
    g->xen_max_kib = target_kib + videoram + SET_SLACK_KIB;
    lxe_sim_world_note_memory(&sim->world, g);
    lxe_sim_world_check_guest(&sim->world, g);
    return 0;
}

static int sim_set_target(struct lxe_host *host, uint32_t domid,
                          uint64_t target_kib, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_SET_TARGET, domid, &g, err);

    if (rc)
        return rc;
    rc = set_target(sim, g, target_kib, err);
    lxe_sim_end(sim);
    return rc;
}

static int sim_prepare_agent(struct lxe_host *host, uint32_t domid,
                             struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_PREPARE_AGENT, domid, &g,
                                  err);

    if (rc)
        return rc;
    g->prepared = true;
    lxe_sim_end(sim);
    return 0;
}

static int sim_drop_page_cache(struct lxe_host *host, uint32_t domid,
                               struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_DROP_PAGE_CACHE, domid, &g,
                                  err);

    if (rc)
        return rc;
    if (g->report.source == LXE_REPORT_AGENT) {
        g->report.drop_pending = true;
        g->drop_at_ns = sim->world.now_ns + g->def->drop_ns;
        lxe_sim_world_note_memory(&sim->world, g);
    } else {
        rc = lxe_fail(err, -EOPNOTSUPP, "no agent reports from domain %u",
                      domid);
    }
    lxe_sim_end(sim);
    return rc;
}

static int sim_move_request(struct lxe_host *host, uint32_t domid,
                            struct lxe_move_request *out, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_MOVE_REQUEST, domid, &g,
                                  err);

    if (rc)
        return rc;
    *out = g->move;
    lxe_sim_end(sim);
    return 0;
}

static int sim_move_answer(struct lxe_host *host, uint32_t domid, uint64_t id,
                           const char *text, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_MOVE_ANSWER, domid, &g, err);

    if (rc)
        return rc;
    if (g->move.id == id)
        g->move.id = 0;
    snprintf(g->move_answer, sizeof(g->move_answer), "%" PRIu64 " %s", id,
             text);
    lxe_sim_end(sim);
    return 0;
}

/* ---- events ---- */

/* A watch fires once as it is set. */
static int sim_watch(struct lxe_host *host, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_WATCH, err);

    if (rc)
        return rc;
    sim->world.watching = true;
    lxe_sim_world_note_domains(&sim->world);
    lxe_sim_end(sim);
    return 0;
}

static int sim_reconnect(struct lxe_host *host, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_RECONNECT, err);

    if (rc)
        return rc;
    sim->disconnected = false;
    sim->world.watching = false;
    lxe_sim_end(sim);
    return 0;
}

/* Virtual events wake nobody. */
static int sim_event_fd(struct lxe_host *host)
{
    (void)host;
    return -1;
}

static bool next_event(struct lxe_sim *sim, struct lxe_event *event)
{
    bool any;

    pthread_mutex_lock(&sim->lock);
    any = lxe_sim_world_next_event(&sim->world, event);
    lxe_sim_end(sim);
    return any;
}

/* Unlocked for the callback, which may call ops. */
static int sim_dispatch(struct lxe_host *host, lxe_event_fn *fn, void *data,
                        struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    int rc = lxe_sim_begin(sim, LXE_SIM_OP_DISPATCH, err), count = 0;
    struct lxe_event event;

    if (rc)
        return rc;
    lxe_sim_end(sim);
    for (; next_event(sim, &event); count++)
        fn(&event, data);
    return count;
}

/* ---- running ---- */

static int sim_pause(struct lxe_host *host, uint32_t domid,
                     struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_PAUSE, domid, &g, err);

    if (rc)
        return rc;
    g->pauses++;
    lxe_sim_end(sim);
    return 0;
}

static int sim_unpause(struct lxe_host *host, uint32_t domid,
                       struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_UNPAUSE, domid, &g, err);

    if (rc)
        return rc;
    if (g->pauses)
        g->pauses--;
    else
        rc = lxe_fail(err, -EINVAL, "domain %u is not paused", domid);
    lxe_sim_end(sim);
    return rc;
}

static int check_cap(const struct lxe_sim *sim, struct lxe_err *err)
{
    if (sim->scenario->has_cap)
        return 0;
    return lxe_fail(err, -EOPNOTSUPP, "the scheduler knows no cap");
}

static int sim_cap_set(struct lxe_host *host, uint32_t domid,
                       unsigned percent, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_CAP_SET, domid, &g, err);

    if (rc)
        return rc;
    rc = check_cap(sim, err);
    if (!rc && percent > 100 * g->def->vcpus)
        rc = lxe_fail(err, -EINVAL, "domain %u has only %u vcpus", domid,
                      (unsigned)g->def->vcpus);
    if (!rc)
        g->cap_percent = percent;
    lxe_sim_end(sim);
    return rc;
}

static int sim_cap_get(struct lxe_host *host, uint32_t domid,
                       unsigned *percent, struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_CAP_GET, domid, &g, err);

    if (rc)
        return rc;
    rc = check_cap(sim, err);
    if (!rc)
        *percent = g->cap_percent;
    lxe_sim_end(sim);
    return rc;
}

static int sim_resume(struct lxe_host *host, uint32_t domid,
                      struct lxe_err *err)
{
    struct lxe_sim *sim = lxe_sim_of(host);
    struct lxe_sim_guest *g;
    int rc = lxe_sim_begin_domain(sim, LXE_SIM_OP_RESUME, domid, &g, err);

    if (rc)
        return rc;
    if (g->suspended) {
        g->suspended = false;
        lxe_sim_world_note_domains(&sim->world);
    }
    lxe_sim_end(sim);
    return 0;
}

/* ---- open and close ---- */

static void sim_close(struct lxe_host *host)
{
    struct lxe_sim *sim = lxe_sim_of(host);

    while (sim->logs)
        sim->logs->base.ops->close(&sim->logs->base);
    lxe_sim_world_deinit(&sim->world);
    lxe_sim_scenario_free(sim->scenario);
    pthread_mutex_destroy(&sim->lock);
    free(sim);
}

static const struct lxe_host_ops sim_ops = {
    .name = "sim",
    .close = sim_close,
    .now_ns = sim_now_ns,
    .list_domains = sim_list_domains,
    .get_domain = sim_get_domain,
    .memory = sim_memory,
    .numa = sim_numa,
    .set_target = sim_set_target,
    .watch = sim_watch,
    .event_fd = sim_event_fd,
    .dispatch = sim_dispatch,
    .reconnect = sim_reconnect,
    .prepare_agent = sim_prepare_agent,
    .drop_page_cache = sim_drop_page_cache,
    .move_request = sim_move_request,
    .move_answer = sim_move_answer,
    .pause = sim_pause,
    .unpause = sim_unpause,
    .cap_set = sim_cap_set,
    .cap_get = sim_cap_get,
    .resume = sim_resume,
    .check_devices = lxe_sim_check_devices,
    .dirty_log_open = lxe_sim_log_open,
    .page_sample_open = lxe_sim_sample_open,
    .save = lxe_sim_save,
};

/* Takes over the scenario, also where it fails. */
static int open_scenario(struct lxe_sim_scenario *scenario,
                         enum lxe_sim_clock clock, struct lxe_host **out,
                         struct lxe_err *err)
{
    struct lxe_sim *sim = calloc(1, sizeof(*sim));
    int rc;

    if (!sim) {
        lxe_sim_scenario_free(scenario);
        return lxe_fail(err, -ENOMEM, "out of memory");
    }
    sim->base.ops = &sim_ops;
    sim->scenario = scenario;
    sim->clock = clock;
    sim->real_ns = lxe_now_ns();
    pthread_mutex_init(&sim->lock, NULL);
    rc = lxe_sim_world_init(&sim->world, scenario, err);
    if (rc) {
        sim_close(&sim->base);
        return rc;
    }
    *out = &sim->base;
    return 0;
}

int lxe_sim_open(const char *path, enum lxe_sim_clock clock,
                 struct lxe_host **out, struct lxe_err *err)
{
    struct lxe_sim_scenario *scenario;
    int rc = lxe_sim_scenario_load(path, &scenario, err);

    return rc ? rc : open_scenario(scenario, clock, out, err);
}

int lxe_sim_open_text(const char *text, size_t len, const char *name,
                      enum lxe_sim_clock clock, struct lxe_host **out,
                      struct lxe_err *err)
{
    struct lxe_sim_scenario *scenario;
    int rc = lxe_sim_scenario_parse(text, len, name, &scenario, err);

    return rc ? rc : open_scenario(scenario, clock, out, err);
}

/* ---- for the owner only ---- */

void lxe_sim_advance(struct lxe_host *host, uint64_t ns)
{
    struct lxe_sim *sim = lock(host);

    lxe_sim_world_advance(&sim->world, ns);
    lxe_sim_end(sim);
}

void lxe_sim_disconnect(struct lxe_host *host)
{
    struct lxe_sim *sim = lxe_sim_of(host);

    lock(host);
    sim->disconnected = true;
    lxe_sim_end(sim);
}

void lxe_sim_fail_next(struct lxe_host *host, enum lxe_sim_op op, int code,
                       unsigned count)
{
    struct lxe_sim *sim = lock(host);

    sim->faults[op] = (struct lxe_sim_fault){ code, count };
    lxe_sim_end(sim);
}

void lxe_sim_vanish_after_list(struct lxe_host *host, uint32_t domid)
{
    struct lxe_sim *sim = lock(host);

    sim->vanish_domid = domid;
    lxe_sim_end(sim);
}

static int create_named(struct lxe_sim *sim, const char *name,
                        uint32_t *domid, struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    struct lxe_sim_guest *g;
    size_t i = 0;

    while (i < sim->scenario->guest_count &&
           strcmp(sim->scenario->guests[i].name, name) != 0)
        i++;
    if (i == sim->scenario->guest_count)
        return lxe_fail(err, -ENOENT, "the scenario has no guest '%.80s'",
                        name);
    g = lxe_sim_world_create(&sim->world, i, &why);
    if (!g)
        return lxe_fail(err, why.code, "%s", why.text);
    *domid = g->domid;
    return 0;
}

int lxe_sim_create(struct lxe_host *host, const char *name, uint32_t *domid,
                   struct lxe_err *err)
{
    struct lxe_sim *sim = lock(host);
    int rc = create_named(sim, name, domid, err);

    lxe_sim_end(sim);
    return rc;
}

int lxe_sim_ask_to_move(struct lxe_host *host, uint32_t domid, uint64_t id,
                        const char *to, struct lxe_err *err)
{
    struct lxe_sim *sim = lock(host);
    struct lxe_sim_guest *g = lxe_sim_world_find(&sim->world, domid);
    int rc = 0;

    if (g) {
        g->move.id = id;
        snprintf(g->move.to, sizeof(g->move.to), "%s", to);
    } else {
        rc = lxe_fail(err, -ESRCH, "domain %u is not there", domid);
    }
    lxe_sim_end(sim);
    return rc;
}

int lxe_sim_move_answer(struct lxe_host *host, uint32_t domid,
                        char text[512], struct lxe_err *err)
{
    struct lxe_sim *sim = lock(host);
    struct lxe_sim_guest *g = lxe_sim_world_find(&sim->world, domid);
    int rc = 0;

    if (g)
        memcpy(text, g->move_answer, sizeof(g->move_answer));
    else
        rc = lxe_fail(err, -ESRCH, "domain %u is not there", domid);
    lxe_sim_end(sim);
    return rc;
}

int lxe_sim_destroy(struct lxe_host *host, uint32_t domid,
                    struct lxe_err *err)
{
    struct lxe_sim *sim = lock(host);
    struct lxe_sim_guest *g = lxe_sim_world_find(&sim->world, domid);
    int rc = 0;

    if (!domid)
        rc = lxe_fail(err, -EINVAL, "dom0 cannot be destroyed");
    else if (!g || g->dying)
        rc = lxe_fail(err, -ESRCH, "domain %u is not there", domid);
    else
        lxe_sim_world_destroy(&sim->world, g);
    lxe_sim_end(sim);
    return rc;
}

uint64_t lxe_sim_refused_builds(struct lxe_host *host)
{
    struct lxe_sim *sim = lock(host);
    uint64_t count = sim->world.refused_builds;

    lxe_sim_end(sim);
    return count;
}

int lxe_sim_truth(struct lxe_host *host, uint32_t domid,
                  struct lxe_sim_truth *out, struct lxe_err *err)
{
    struct lxe_sim *sim = lock(host);
    const struct lxe_sim_guest *g = lxe_sim_world_find(&sim->world, domid);
    struct lxe_numa numa;

    if (g) {
        *out = (struct lxe_sim_truth){
            .demand_kib = g->use.demand_kib,
            .used_kib = g->use.resident_kib,
            .swap_kib = g->use.swap_kib,
            .unmet_kib = g->use.unmet_kib,
            .waiting_kib = g->use.waiting_kib,
            .cache_kib = g->use.cache_kib,
            .available_kib = lxe_sim_guest_available_kib(g),
            .floor_kib = g->def->floor_kib,
            .driver_sleeps = sim->world.now_ns < g->driver.wake_ns,
            .log_dirty = g->pages != NULL,
        };
        lxe_sim_numa(&sim->world, &numa, domid, &out->remote_kib);
    }
    lxe_sim_end(sim);
    return g ? 0 : lxe_fail(err, -ESRCH, "domain %u is not there", domid);
}

void lxe_sim_set_invariant(struct lxe_host *host, lxe_sim_invariant_fn *fn,
                           void *data)
{
    struct lxe_sim *sim = lock(host);

    sim->world.invariant = fn;
    sim->world.invariant_data = data;
    lxe_sim_end(sim);
}

void lxe_sim_leak(struct lxe_host *host, uint64_t kib)
{
    struct lxe_sim *sim = lock(host);

    sim->world.free_kib -= kib;
    lxe_sim_end(sim);
}
