/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "course.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/u64.h"
#include "host_sim.h"

#define STEP_NS     (LXE_NS_PER_SEC / 4)
#define LACK_KIB    (4u << 10)
#define MOVE_KIB    (1u << 10)
#define KIB_PER_MIB 1024.0

enum request_state { COMING, WAITING, BUILT, OVER };

struct run {
    const struct course *course;
    const struct peer_ops *ops;
    void *peer;
    struct lxe_host *host;
    struct course_result *out;
    size_t request;
    enum request_state state;
    uint64_t asked_ns;
    bool could; /* have been met, when it was asked */
    uint32_t domid;
    uint64_t target_kib[PEER_DOMIDS]; /* as last seen; 0: never */
    bool lacking[PEER_DOMIDS];
};

/* What a guest could give at once without harm, known by nobody in it. */
static uint64_t spare_kib(struct run *r, const struct peer_guest *g)
{
    struct lxe_sim_truth truth;
    struct lxe_err err = { 0 };

    if (lxe_sim_truth(r->host, g->domid, &truth, &err))
        return 0;
    return lxe_less(g->held_kib,
                    lxe_max(lxe_max(g->min_kib, truth.floor_kib),
                            truth.demand_kib));
}

static bool could_be_met(struct run *r, uint64_t kib)
{
    struct peer_view view;
    uint64_t have;

    peer_look(r->host, &view);
    have = view.free_kib;
    for (size_t i = 0; i < view.count; i++)
        have += spare_kib(r, &view.guests[i]);
    return have >= kib;
}

static void end_request(struct run *r)
{
    r->request++;
    r->state = COMING;
}

static void give_up(struct run *r)
{
    r->out->missed += r->could;
    if (r->ops->gone)
        r->ops->gone(r->peer);
    end_request(r);
}

static void build(struct run *r, const struct course_request *want,
                  uint64_t now_ns)
{
    struct lxe_err err = { 0 };

    /* Memory that was promised and is not there is a broken promise. */
    if (lxe_sim_create(r->host, want->name, &r->domid, &err)) {
        give_up(r);
        return;
    }
    if (r->ops->took)
        r->ops->took(r->peer, r->domid);
    r->out->granted++;
    r->out->granted_after_s += (double)(now_ns - r->asked_ns) / 1e9;
    r->state = BUILT;
}

static void ask(struct run *r, const struct course_request *want,
                uint64_t now_ns)
{
    uint64_t until = r->asked_ns + COURSE_PATIENCE_S * LXE_NS_PER_SEC;
    enum peer_answer answer = r->ops->ask(r->peer, want->kib, now_ns, until);

    if (answer == PEER_GRANTED)
        build(r, want, now_ns);
    else if (answer == PEER_REFUSED || now_ns >= until)
        give_up(r);
}

static void serve_requests(struct run *r, uint64_t now_ns)
{
    const struct course_request *want = &r->course->requests[r->request];
    struct lxe_err err = { 0 };

    if (r->request == r->course->request_count ||
        now_ns < want->at_s * LXE_NS_PER_SEC)
        return;
    if (r->state == COMING) {
        r->state = WAITING;
        r->asked_ns = now_ns;
        r->could = could_be_met(r, want->kib);
        r->out->asked++;
    }
    if (r->state == WAITING) {
        ask(r, want, now_ns);
    } else if (now_ns >= r->asked_ns + want->lives_s * LXE_NS_PER_SEC) {
        lxe_sim_destroy(r->host, r->domid, &err);
        end_request(r);
    }
}

/* What all guests want and have at one moment. */
struct moment {
    uint64_t demand_kib, unmet_kib, have_kib;
};

static void measure_guest(struct run *r, const struct lxe_domain *d,
                          struct moment *all)
{
    struct lxe_sim_truth truth;
    struct lxe_err err = { 0 };
    uint64_t lack;

    if (lxe_sim_truth(r->host, d->domid, &truth, &err))
        return;
    lack = lxe_less(truth.demand_kib, truth.used_kib);
    all->demand_kib += truth.demand_kib;
    all->unmet_kib += lack;
    all->have_kib += d->current_kib;
    if (lack < LACK_KIB) {
        r->lacking[d->domid] = false;
        return;
    }
    r->out->shortages += !r->lacking[d->domid];
    r->out->shortage_s += (double)STEP_NS / 1e9;
    r->lacking[d->domid] = true;
}

static void sum_up(struct run *r, const struct moment *all)
{
    uint64_t avoidable = lxe_less(all->unmet_kib,
                                  lxe_less(all->demand_kib, all->have_kib));
    double mib_s = (double)STEP_NS / 1e9 / KIB_PER_MIB;

    r->out->unmet_mib_s += (double)all->unmet_kib * mib_s;
    r->out->avoidable_mib_s += (double)avoidable * mib_s;
}

static void count_move(struct run *r, const struct lxe_domain *d)
{
    uint64_t was = r->target_kib[d->domid], change;

    if (d->target_kib == LXE_UNKNOWN)
        return;
    change = lxe_less(was, d->target_kib) + lxe_less(d->target_kib, was);
    if (was && change >= MOVE_KIB) {
        r->out->moves++;
        r->out->moved_mib += (double)change / KIB_PER_MIB;
    }
    r->target_kib[d->domid] = d->target_kib;
}

static int measure(struct run *r)
{
    struct lxe_domain_list list;
    struct lxe_host_memory memory;
    struct moment all = { 0 };
    struct lxe_err err = { 0 };
    int rc = r->host->ops->list_domains(r->host, &list, &err);

    if (rc || (rc = r->host->ops->memory(r->host, &memory, &err)))
        return rc;
    all.have_kib = lxe_less(memory.free_kib, PEER_RESERVE_KIB);
    for (size_t i = 0; i < list.count; i++) {
        const struct lxe_domain *d = &list.doms[i];

        if (!d->domid || d->domid >= PEER_DOMIDS || d->building || d->dying)
            continue;
        measure_guest(r, d, &all);
        count_move(r, d);
    }
    sum_up(r, &all);
    lxe_domain_list_free(&list);
    return 0;
}

static int go(struct run *r)
{
    uint64_t end_ns = r->course->length_s * LXE_NS_PER_SEC, look_ns = 0;
    int rc = 0;

    for (uint64_t now = 0; now < end_ns && !rc; now += STEP_NS) {
        serve_requests(r, now);
        if (now >= look_ns)
            look_ns = now + r->ops->look(r->peer, now);
        lxe_sim_advance(r->host, STEP_NS);
        rc = measure(r);
    }
    r->out->hours += (double)r->course->length_s / 3600;
    return rc;
}

int course_run(const struct course *course, const struct peer_ops *ops,
               struct course_result *result)
{
    struct run r = { .course = course, .ops = ops, .out = result };
    struct lxe_err err = { 0 };
    char name[64];
    int rc;

    snprintf(name, sizeof(name), "scenario of seed %llu",
             (unsigned long long)course->seed);
    rc = lxe_sim_open_text(course->scenario, course->scenario_len, name,
                           LXE_SIM_MANUAL, &r.host, &err);
    if (rc) {
        fprintf(stderr, "%s\n", err.text);
        return rc;
    }
    r.peer = ops->open(r.host);
    rc = r.peer ? go(&r) : -ENOMEM;
    if (r.peer)
        ops->close(r.peer);
    r.host->ops->close(r.host);
    return rc;
}
