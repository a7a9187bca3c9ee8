/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sampler.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "page_sample.h"

#define RETRY_NS (60 * LXE_NS_PER_SEC)
#define NEVER_NS (3600 * LXE_NS_PER_SEC) /* that kind of guest cannot be */

struct aero_sampled {
    uint32_t domid;
    char uuid[LXE_UUID_TEXT];
    struct lxe_page_sample *sample;
    uint64_t held_kib; /* as the period began */
    uint64_t begin_ns;
    uint64_t next_ns;  /* the next look */
    uint64_t first[AERO_SAMPLE_PAGES]; /* hashes as the period began */
    bool there[AERO_SAMPLE_PAGES];
    bool written[AERO_SAMPLE_PAGES];
};

void aero_sampler_init(struct aero_sampler *s, struct lxe_host *host,
                       aero_cpu_ns_fn *cpu_ns)
{
    memset(s, 0, sizeof(*s));
    s->host = host;
    s->cpu_ns = cpu_ns ? cpu_ns : lxe_thread_cpu_ns;
}

static void end(struct aero_sampled *p)
{
    p->sample->ops->close(p->sample);
    free(p);
}

static void end_at(struct aero_sampler *s, size_t i)
{
    end(s->items[i]);
    s->items[i] = s->items[--s->count];
}

void aero_sampler_clear(struct aero_sampler *s)
{
    while (s->count)
        end_at(s, s->count - 1);
}

static void earn(struct aero_sampler *s, uint64_t now_ns)
{
    uint64_t ns = (now_ns - s->last_ns) / AERO_SAMPLE_CPU_PART;
    int64_t most = AERO_SAMPLE_CREDIT_NS;

    s->last_ns = now_ns;
    s->credit_ns += ns < (uint64_t)most ? (int64_t)ns : most;
    if (s->credit_ns > most)
        s->credit_ns = most;
}

static void spend(struct aero_sampler *s, uint64_t since_ns)
{
    uint64_t ns = s->cpu_ns() - since_ns;

    s->used_ns += ns;
    s->credit_ns -= (int64_t)ns;
    s->looks++;
}

/* One that says nothing, and could be asked to give or take. */
static bool wanted(const struct aero_guest *g)
{
    return g->dom.domid && g->dom.report.source == LXE_REPORT_NONE &&
           (aero_guest_movable(g->condition.state) ||
            g->condition.state == AERO_GUEST_BOOTING);
}

static struct aero_guest *guest_of(const struct aero_sampled *p,
                                   const struct aero_guests *guests)
{
    struct aero_guest *g = aero_guests_find(guests, p->domid);

    return g && wanted(g) && !strcmp(g->dom.uuid, p->uuid) ? g : NULL;
}

/* What changed since the period began; what went meanwhile is left out. */
static struct aero_activity_counts compare(struct aero_sampled *p)
{
    struct aero_activity_counts c = { .held_kib = p->held_kib };
    const struct lxe_page_sample *s = p->sample;

    for (size_t i = 0; i < s->count; i++) {
        if (!s->there[i])
            p->there[i] = false;
        if (!p->there[i])
            continue;
        if (s->hashes[i] != p->first[i])
            p->written[i] = true;
        c.looked++;
        c.written += p->written[i];
    }
    return c;
}

static bool is_over(const struct aero_sampled *p, uint64_t now_ns)
{
    return now_ns - p->begin_ns >= AERO_SAMPLE_PERIOD_S * LXE_NS_PER_SEC;
}

static int look_again(struct aero_sampler *s, struct aero_sampled *p,
                      struct aero_guest *g, uint64_t now_ns,
                      struct lxe_err *err)
{
    uint64_t cpu_ns = s->cpu_ns();
    int rc = p->sample->ops->look(p->sample, err);
    struct aero_activity_counts counts;

    spend(s, cpu_ns);
    if (rc)
        return rc;
    counts = compare(p);
    p->next_ns = now_ns + AERO_SAMPLE_LOOK_S * LXE_NS_PER_SEC;
    if (is_over(p, now_ns))
        aero_activity_estimate(&counts, now_ns, &g->activity);
    else
        aero_activity_raise(&counts, now_ns, &g->activity);
    return 0;
}

/* A guest that is given up for a while; that it went is normal. */
static void put_off(struct aero_guest *g, int rc, const struct lxe_err *err,
                    uint64_t now_ns)
{
    g->sample_ns = now_ns + (rc == -EOPNOTSUPP ? NEVER_NS : RETRY_NS);
    if (rc != -ESRCH)
        lxe_debug("domain %" PRIu32 " (%s): its pages cannot be sampled: %s",
                  g->dom.domid, g->dom.name, err->text);
}

static void drop_unwanted(struct aero_sampler *s,
                          const struct aero_guests *guests)
{
    for (size_t i = s->count; i-- > 0;)
        if (!guest_of(s->items[i], guests))
            end_at(s, i);
}

/* The period that waits longest for a look, or count. */
static size_t most_due(const struct aero_sampler *s, uint64_t now_ns)
{
    size_t best = s->count;

    for (size_t i = 0; i < s->count; i++)
        if (now_ns >= s->items[i]->next_ns &&
            (best == s->count ||
             s->items[i]->next_ns < s->items[best]->next_ns))
            best = i;
    return best;
}

static void go_on(struct aero_sampler *s, struct aero_guests *guests,
                  uint64_t now_ns)
{
    size_t i;

    while (s->credit_ns > 0 && (i = most_due(s, now_ns)) < s->count) {
        struct aero_guest *g = guest_of(s->items[i], guests);
        struct lxe_err err = { 0 };
        int rc = look_again(s, s->items[i], g, now_ns, &err);

        if (rc)
            put_off(g, rc, &err, now_ns);
        if (rc || is_over(s->items[i], now_ns))
            end_at(s, i);
    }
}

static struct aero_sampled *begin(struct aero_sampler *s,
                                  const struct aero_guest *g, uint64_t now_ns,
                                  struct lxe_err *err)
{
    struct aero_sampled *p = calloc(1, sizeof(*p));
    uint64_t seed = now_ns ^ ((uint64_t)g->dom.domid << 40);
    int rc;

    if (!p) {
        lxe_fail(err, -ENOMEM, "out of memory");
        return NULL;
    }
    p->domid = g->dom.domid;
    memcpy(p->uuid, g->dom.uuid, sizeof(p->uuid));
    p->held_kib = g->held_kib;
    p->begin_ns = now_ns;
    p->next_ns = now_ns + AERO_SAMPLE_LOOK_S * LXE_NS_PER_SEC;
    rc = s->host->ops->page_sample_open(s->host, p->domid, AERO_SAMPLE_PAGES,
                                        seed, &p->sample, err);
    if (!rc && p->sample->ops->look(p->sample, err)) {
        end(p);
        return NULL;
    }
    if (rc) {
        free(p);
        return NULL;
    }
    memcpy(p->first, p->sample->hashes, p->sample->count * sizeof(*p->first));
    memcpy(p->there, p->sample->there, p->sample->count * sizeof(*p->there));
    return p;
}

static bool is_sampled(const struct aero_sampler *s,
                       const struct aero_guest *g)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i]->domid == g->dom.domid)
            return true;
    return false;
}

/* Whose turn it is: the one that waited longest. */
static struct aero_guest *whose_turn(const struct aero_sampler *s,
                                     const struct aero_guests *guests,
                                     uint64_t now_ns)
{
    struct aero_guest *best = NULL;

    for (size_t i = 0; i < guests->count; i++) {
        struct aero_guest *g = &guests->items[i];

        if (wanted(g) && now_ns >= g->sample_ns &&
            (!best || g->sample_ns < best->sample_ns) && !is_sampled(s, g))
            best = g;
    }
    return best;
}

void aero_sampler_tick(struct aero_sampler *s, struct aero_guests *guests,
                       uint64_t now_ns)
{
    struct aero_guest *g;

    earn(s, now_ns);
    drop_unwanted(s, guests);
    go_on(s, guests, now_ns);
    while (s->credit_ns > 0 && s->count < AERO_SAMPLES_AT_ONCE &&
           (g = whose_turn(s, guests, now_ns))) {
        uint64_t cpu_ns = s->cpu_ns();
        struct lxe_err err = { 0 };
        struct aero_sampled *p = begin(s, g, now_ns, &err);

        spend(s, cpu_ns);
        g->sample_ns = now_ns;
        if (p)
            s->items[s->count++] = p;
        else
            put_off(g, err.code, &err, now_ns);
    }
}
