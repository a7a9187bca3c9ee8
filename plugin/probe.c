/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe.h"

#include "base/clock.h"

#define STEP_NS     (30 * LXE_NS_PER_SEC)
#define STEP_PART   64u
#define STEP_KIB    (2u << 10) /* at least: a superpage */
#define REST_NS     (60 * LXE_NS_PER_SEC)
#define REST_TIMES  6u /* doublings: up to an hour */
#define RELIEF_PART 8u

static uint64_t step_kib(const struct aero_probe *p)
{
    return p->kib / STEP_PART > STEP_KIB ? p->kib / STEP_PART : STEP_KIB;
}

static void back_off(struct aero_probe *p, const struct aero_probe_input *in)
{
    uint64_t kib = in->floor_kib + in->floor_kib / RELIEF_PART;
    uint64_t rest_ns = REST_NS << p->refusals;

    p->kib = kib < in->resting_kib ? kib : in->resting_kib;
    p->next_ns = in->now_ns + (rest_ns < 60 * REST_NS ? rest_ns
                                                      : 60 * REST_NS);
    if (p->refusals < REST_TIMES)
        p->refusals++;
}

static void move(struct aero_probe *p, const struct aero_probe_input *in)
{
    uint64_t step = step_kib(p);

    if (!in->wanted)
        p->kib = p->kib + step < in->resting_kib ? p->kib + step
                                                 : in->resting_kib;
    else if (in->held_kib <= p->kib + step && p->kib > step)
        p->kib -= step;
    p->next_ns = in->now_ns + STEP_NS;
}

uint64_t aero_probe_step(struct aero_probe *probe,
                         const struct aero_probe_input *in)
{
    if (!probe->kib || probe->kib > in->resting_kib) {
        probe->kib = in->resting_kib;
        probe->next_ns = in->now_ns + STEP_NS;
    }
    if (in->floor_kib && in->floor_kib > probe->kib)
        back_off(probe, in);
    else if (in->now_ns >= probe->next_ns)
        move(probe, in);
    return probe->kib;
}
