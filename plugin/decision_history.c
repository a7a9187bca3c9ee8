/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decision_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FIRST_ROOM 2u

struct aero_history_guest {
    uint32_t domid;
    char uuid[LXE_UUID_TEXT];
    struct aero_past last;  /* the last tick's */
    struct aero_past *ring; /* room of them; grows to AERO_HISTORY_LENGTH */
    size_t room, count;
    size_t next;            /* where the next one goes */
};

static void take(const struct aero_tick *tick, size_t index,
                 struct aero_past *out)
{
    out->tick = tick->number;
    out->time_ms = tick->time_ms;
    out->now_ns = tick->now_ns;
    out->host = *tick->host;
    out->reserve_kib = tick->reserve_kib;
    out->host_facts = tick->host_facts;
    aero_tick_decision(tick, index, &out->decision);
}

/* Whether more than numbers changed, or the target was set. */
static bool matters(const struct aero_decision *was,
                    const struct aero_decision *is)
{
    return is->written_kib != LXE_UNKNOWN ||
           was->facts.state != is->facts.state ||
           was->facts.foreign_changes != is->facts.foreign_changes ||
           was->in.movable != is->in.movable ||
           was->in.min_kib != is->in.min_kib ||
           was->in.max_kib != is->in.max_kib ||
           was->in.shares != is->in.shares ||
           was->in.demand_known != is->in.demand_known;
}

static int grow(struct aero_history_guest *g)
{
    size_t room = g->room ? g->room * 2 : FIRST_ROOM;
    struct aero_past *ring;

    if (g->count < g->room || g->room == AERO_HISTORY_LENGTH)
        return 0;
    ring = reallocarray(g->ring, room, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    g->ring = ring;
    g->room = room;
    return 0;
}

static int keep(struct aero_history_guest *g)
{
    if (grow(g))
        return -ENOMEM;
    g->ring[g->next] = g->last;
    g->next = (g->next + 1) % AERO_HISTORY_LENGTH;
    if (g->count < g->room)
        g->count++;
    return 0;
}

/* Moves what is known of a guest to its new place, and frees who went. */
static void carry_over(struct aero_history *h, size_t *old,
                       const struct lxe_domain *dom,
                       struct aero_history_guest *to)
{
    for (; *old < h->count && h->items[*old].domid <= dom->domid; (*old)++) {
        struct aero_history_guest *from = &h->items[*old];

        if (from->domid == dom->domid && !strcmp(from->uuid, dom->uuid))
            *to = *from;
        else
            free(from->ring);
    }
}

static int note_guest(struct aero_history_guest *g,
                      const struct aero_tick *tick, size_t index)
{
    const struct lxe_domain *dom = &tick->guests[index].dom;
    struct aero_decision was = g->last.decision;
    bool is_new = !g->ring;

    g->domid = dom->domid;
    memcpy(g->uuid, dom->uuid, sizeof(g->uuid));
    take(tick, index, &g->last);
    return is_new || matters(&was, &g->last.decision) ? keep(g) : 0;
}

static bool same_guests(const struct aero_history *h,
                        const struct aero_tick *tick)
{
    if (h->count != tick->count)
        return false;
    for (size_t i = 0; i < h->count; i++)
        if (h->items[i].domid != tick->guests[i].dom.domid ||
            strcmp(h->items[i].uuid, tick->guests[i].dom.uuid))
            return false;
    return true;
}

/* Makes the records those of the tick's guests. */
static int follow_guests(struct aero_history *h, const struct aero_tick *tick)
{
    struct aero_history_guest *items = calloc(tick->count + 1, sizeof(*items));
    size_t old = 0;

    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < tick->count; i++)
        carry_over(h, &old, &tick->guests[i].dom, &items[i]);
    for (; old < h->count; old++)
        free(h->items[old].ring);
    free(h->items);
    h->items = items;
    h->count = tick->count;
    return 0;
}

int aero_history_note(struct aero_history *h, const struct aero_tick *tick)
{
    int rc = same_guests(h, tick) ? 0 : follow_guests(h, tick);

    if (rc)
        return rc;
    for (size_t i = 0; i < tick->count; i++)
        if (note_guest(&h->items[i], tick, i))
            rc = -ENOMEM;
    return rc;
}

static int compare_domid(const void *key, const void *item)
{
    uint32_t domid = *(const uint32_t *)key;
    const struct aero_history_guest *g = item;

    return domid < g->domid ? -1 : domid > g->domid;
}

const struct aero_past *aero_history_get(const struct aero_history *h,
                                         uint32_t domid, size_t number)
{
    const struct aero_history_guest *g = NULL;

    if (h->count)
        g = bsearch(&domid, h->items, h->count, sizeof(*h->items),
                    compare_domid);
    if (!g || number > g->count)
        return NULL;
    if (!number)
        return &g->last;
    return &g->ring[(g->next + AERO_HISTORY_LENGTH - number) %
                    AERO_HISTORY_LENGTH];
}

static void write_past(struct lxe_jw *w, const struct aero_past *p,
                       uint64_t now_ns)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "tick", p->tick);
    lxe_jw_u64(w, "time_ms", p->time_ms);
    lxe_jw_u64(w, "age_ms", (now_ns - p->now_ns) / LXE_NS_PER_MS);
    aero_decision_write_host(w, p->reserve_kib, &p->host, &p->host_facts);
    aero_decision_write(w, &p->decision);
    lxe_jw_end_object(w);
}

void aero_history_write(struct lxe_jw *w, const struct aero_history *h,
                        uint32_t domid, uint64_t now_ns)
{
    const struct aero_past *p;

    lxe_jw_key(w, "decisions");
    lxe_jw_array(w);
    for (size_t i = 0; (p = aero_history_get(h, domid, i)); i++)
        write_past(w, p, now_ns);
    lxe_jw_end_array(w);
}

void aero_history_clear(struct aero_history *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->items[i].ring);
    free(h->items);
    *h = (struct aero_history){ 0 };
}
