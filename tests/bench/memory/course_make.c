/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "course_make.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sim_random.h"

#define MIB UINT64_C(1024)

struct maker {
    uint64_t random; /* a state of lxe_sim_random() */
    uint64_t length_s;
    struct lxe_jw *w;
};

/* low … high, both included */
static uint64_t between(struct maker *m, uint64_t low, uint64_t high)
{
    return low + lxe_sim_random(&m->random) % (high - low + 1);
}

static bool one_in(struct maker *m, unsigned n)
{
    return between(m, 1, n) == 1;
}

/* In whole pages. */
static uint64_t part(uint64_t kib, uint64_t percent)
{
    return kib * percent / 100 & ~UINT64_C(3);
}

static void put_point(struct maker *m, uint64_t at_s, uint64_t kib)
{
    lxe_jw_array(m->w);
    lxe_jw_u64(m->w, NULL, at_s);
    lxe_jw_u64(m->w, NULL, kib);
    lxe_jw_end_array(m->w);
}

/* Levels that hold for one to ten minutes, and ramps between them. */
static void put_demand(struct maker *m, uint64_t top_kib)
{
    uint64_t level = part(top_kib, between(m, 10, 50)), at = 0;

    lxe_jw_key(m->w, "demand");
    lxe_jw_array(m->w);
    put_point(m, 0, level);
    while (at < m->length_s) {
        at += between(m, 60, 600);
        put_point(m, at, level);
        at += between(m, 2, 30);
        level = part(top_kib, between(m, 10, 90));
        put_point(m, at, level);
    }
    lxe_jw_end_array(m->w);
}

/* One guest in five each: silent, with a hidden floor, slow; some stuck. */
static void put_habits(struct maker *m, uint64_t memory_kib)
{
    if (!one_in(m, 5))
        lxe_jw_str(m->w, "report", "agent");
    if (one_in(m, 5))
        lxe_jw_u64(m->w, "floor_kib", part(memory_kib, between(m, 30, 60)));
    if (one_in(m, 5))
        lxe_jw_u64(m->w, "balloon_kib_s", between(m, 20, 100) * MIB);
    if (one_in(m, 10))
        lxe_jw_u64(m->w, "stuck_every_s", between(m, 1, 4));
}

/* Returns its memory at the start. */
static uint64_t put_guest(struct maker *m, size_t index)
{
    uint64_t top = between(m, 16, 64) * 64 * MIB;
    uint64_t memory = part(top, between(m, 40, 60));
    uint64_t cache = part(top, between(m, 10, 40));
    char name[16];

    snprintf(name, sizeof(name), "g%zu", index);
    lxe_jw_object(m->w);
    lxe_jw_str(m->w, "name", name);
    lxe_jw_u64(m->w, "memory_kib", memory);
    lxe_jw_u64(m->w, "static_max_kib", top);
    lxe_jw_u64(m->w, "dynamic_min_kib", part(top, 25));
    lxe_jw_u64(m->w, "dynamic_max_kib", top);
    lxe_jw_u64(m->w, "swap_kib", part(top, 25));
    lxe_jw_u64(m->w, "page_cache_kib", cache);
    lxe_jw_u64(m->w, "page_cache_hot_kib", part(cache, 25));
    put_habits(m, memory);
    put_demand(m, top);
    lxe_jw_end_object(m->w);
    return memory;
}

static void put_request(struct maker *m, const struct course_request *r)
{
    lxe_jw_object(m->w);
    lxe_jw_str(m->w, "name", r->name);
    lxe_jw_u64(m->w, "memory_kib", r->kib);
    lxe_jw_bool(m->w, "absent", true);
    lxe_jw_u64(m->w, "build_s", 2);
    lxe_jw_u64(m->w, "dying_s", 1);
    lxe_jw_str(m->w, "report", "agent");
    lxe_jw_end_object(m->w);
}

/* One after the other: each is over before the next comes. */
static void plan_requests(struct maker *m, struct course *c)
{
    uint64_t at = between(m, 90, 240);

    while (c->request_count < COURSE_REQUESTS && at + 300 < c->length_s) {
        struct course_request *r = &c->requests[c->request_count];

        snprintf(r->name, sizeof(r->name), "new%zu", c->request_count++);
        r->kib = between(m, 4, 32) * 64 * MIB;
        r->at_s = at;
        r->lives_s = between(m, 60, 180);
        at += r->lives_s + between(m, 60, 180);
    }
}

static void put_scenario(struct maker *m, struct course *c)
{
    uint64_t all = 0, guests = between(m, 3, 10);

    lxe_jw_object(m->w);
    lxe_jw_u64(m->w, "seed", c->seed);
    lxe_jw_key(m->w, "guests");
    lxe_jw_array(m->w);
    for (size_t i = 0; i < guests; i++)
        all += put_guest(m, i);
    plan_requests(m, c);
    for (size_t i = 0; i < c->request_count; i++)
        put_request(m, &c->requests[i]);
    lxe_jw_end_array(m->w);
    lxe_jw_key(m->w, "host");
    lxe_jw_object(m->w);
    lxe_jw_u64(m->w, "total_kib", (512 + 64) * MIB +
                                      part(all, 100 + between(m, 5, 30)));
    lxe_jw_end_object(m->w);
    lxe_jw_end_object(m->w);
}

int course_make(uint64_t seed, uint64_t length_s, struct course *out)
{
    struct maker m = {
        .random = seed,
        .length_s = length_s,
        .w = lxe_jw_new(false),
    };
    const char *text;

    *out = (struct course){ .seed = seed, .length_s = length_s };
    if (!m.w)
        return -ENOMEM;
    put_scenario(&m, out);
    text = lxe_jw_text(m.w, &out->scenario_len);
    out->scenario = text ? strdup(text) : NULL;
    lxe_jw_free(m.w);
    return out->scenario ? 0 : -ENOMEM;
}

void course_free(struct course *course)
{
    free(course->scenario);
    course->scenario = NULL;
}
