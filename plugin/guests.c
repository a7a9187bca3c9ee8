/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/u64.h"
#include "base/units.h"

/* Beyond this the difference is movement, not the guest's fixed overhead. */
#define OFFSET_MAX_KIB (16 << 10)
#define REST_NS        (10 * LXE_NS_PER_SEC)

#define DEFAULT_MIN_KIB (64u << 10)

/*
 * What "current" counts and "target" does not. One that moves by nothing for
 * a while has come to rest, unless it is far off: that one stopped short.
 */
static void find_offset(struct aero_guest *g, uint64_t now_ns)
{
    const struct lxe_domain *d = &g->dom;
    int64_t video = (int64_t)d->videoram_kib;
    int64_t diff = (int64_t)d->current_kib - (int64_t)d->target_kib;

    if (g->offset_known)
        return;
    g->offset_kib = video;
    g->offset_known = d->running && d->target_kib != LXE_UNKNOWN &&
                      now_ns - g->still_ns >= REST_NS &&
                      llabs(diff - video) <= OFFSET_MAX_KIB;
    if (g->offset_known)
        g->offset_kib = diff;
}

static uint64_t held(const struct aero_guest *g)
{
    int64_t kib = (int64_t)g->dom.current_kib - g->offset_kib;

    return kib > 0 ? (uint64_t)kib : 0;
}

static bool same_report(const struct lxe_guest_report *a,
                        const struct lxe_guest_report *b)
{
    return a->source == b->source && a->seq == b->seq &&
           a->total_kib == b->total_kib &&
           a->available_kib == b->available_kib &&
           a->used_kib == b->used_kib &&
           a->swap_used_kib == b->swap_used_kib &&
           a->swap_free_kib == b->swap_free_kib;
}

static void note_report(struct aero_guest *g, uint64_t now_ns)
{
    if (g->dom.report.source == LXE_REPORT_NONE)
        return;
    g->report_ns = now_ns;
    if (!g->first_report_ns)
        g->first_report_ns = now_ns ? now_ns : 1;
}

static void begin(struct aero_guest *g, const struct lxe_domain *d,
                  uint64_t now_ns)
{
    *g = (struct aero_guest){
        .dom = *d,
        .seen_ns = now_ns,
        .still_ns = now_ns,
        .resting_kib = d->target_kib,
        .set_kib = LXE_UNKNOWN,
        .written_kib = LXE_UNKNOWN,
        .asked = { .min_kib = LXE_UNKNOWN, .max_kib = LXE_UNKNOWN },
    };
    find_offset(g, now_ns);
    g->held_kib = held(g);
    note_report(g, now_ns);
    lxe_info("domain %" PRIu32 " (%s): found", d->domid, d->name);
}

static void note_target(struct aero_guest *g, uint64_t was_kib)
{
    uint64_t is = g->dom.target_kib;
    char text[LXE_UNIT_TEXT];

    if (is == was_kib || is == g->set_kib || is == LXE_UNKNOWN)
        return;
    if (g->moving) { /* found in the middle of it, it had less */
        g->resting_kib = lxe_max(g->resting_kib, is);
        return;
    }
    g->resting_kib = is;
    g->retargeted = was_kib != LXE_UNKNOWN;
    if (g->retargeted)
        lxe_info("domain %" PRIu32 " (%s): somebody else set its target to %s",
                 g->dom.domid, g->dom.name, lxe_format_kib(text, is));
}

/* What is news at each tick is the part before the name. */
static void take(struct lxe_domain *to, const struct lxe_domain *from)
{
    memcpy(to, from, offsetof(struct lxe_domain, name));
    strcpy(to->name, from->name);
}

static void go_on(struct aero_guest *g, const struct lxe_domain *d,
                  uint64_t now_ns)
{
    bool news = !same_report(&g->dom.report, &d->report);
    uint64_t was_kib = g->dom.target_kib;

    if (d->current_kib != g->dom.current_kib || d->target_kib != was_kib)
        g->still_ns = now_ns;
    g->retargeted = false;
    g->written_kib = LXE_UNKNOWN;
    take(&g->dom, d);
    note_target(g, was_kib);
    find_offset(g, now_ns);
    g->held_kib = held(g);
    if (news)
        note_report(g, now_ns);
}

static bool same_domain(const struct lxe_domain *a, const struct lxe_domain *b)
{
    return a->domid == b->domid && !strcmp(a->uuid, b->uuid);
}

/* Whether nobody came or went. */
static bool all_stayed(const struct aero_guests *guests,
                       const struct lxe_domain_list *list)
{
    if (guests->count != list->count)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (!same_domain(&guests->items[i].dom, &list->doms[i]))
            return false;
    return true;
}

int aero_guests_update(struct aero_guests *guests,
                       const struct lxe_domain_list *list, uint64_t now_ns)
{
    struct aero_guest *items;
    size_t old = 0;

    if (all_stayed(guests, list)) {
        for (size_t i = 0; i < list->count; i++)
            go_on(&guests->items[i], &list->doms[i], now_ns);
        return 0;
    }
    items = calloc(list->count + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++) {
        const struct lxe_domain *d = &list->doms[i];

        while (old < guests->count &&
               guests->items[old].dom.domid < d->domid)
            old++;
        if (old < guests->count && same_domain(&guests->items[old].dom, d)) {
            items[i] = guests->items[old];
            go_on(&items[i], d, now_ns);
        } else {
            begin(&items[i], d, now_ns);
        }
    }
    free(guests->items);
    guests->items = items;
    guests->count = list->count;
    return 0;
}

void aero_guests_clear(struct aero_guests *guests)
{
    free(guests->items);
    guests->items = NULL;
    guests->count = 0;
}

static int compare_domid(const void *key, const void *item)
{
    uint32_t domid = *(const uint32_t *)key;
    const struct aero_guest *g = item;

    return domid < g->dom.domid ? -1 : domid > g->dom.domid;
}

struct aero_guest *aero_guests_find(const struct aero_guests *guests,
                                    uint32_t domid)
{
    if (!guests->count)
        return NULL;
    return bsearch(&domid, guests->items, guests->count,
                   sizeof(*guests->items), compare_domid);
}

struct aero_guest *aero_guests_find_text(const struct aero_guests *guests,
                                         const char *what)
{
    struct aero_guest *g = NULL;
    uint64_t domid;

    if (!lxe_parse_u64(what, 0, UINT32_MAX, &domid, NULL))
        g = aero_guests_find(guests, (uint32_t)domid);
    for (size_t i = 0; !g && i < guests->count; i++)
        if (!strcmp(guests->items[i].dom.name, what) ||
            !strcasecmp(guests->items[i].dom.uuid, what))
            g = &guests->items[i];
    return g;
}

static uint64_t first_known(uint64_t a, uint64_t b, uint64_t c)
{
    if (a != LXE_UNKNOWN)
        return a;
    return b != LXE_UNKNOWN ? b : c;
}

static uint64_t default_min(const struct aero_config *c, uint64_t static_max)
{
    uint64_t quarter = static_max / 4;

    if (c->default_min_kib != LXE_UNKNOWN)
        return c->default_min_kib;
    return quarter > DEFAULT_MIN_KIB ? quarter : DEFAULT_MIN_KIB;
}

void aero_guest_apply_policy(struct aero_guest *guest,
                             const struct aero_config *config)
{
    static const struct aero_domain_policy none = { LXE_UNKNOWN, LXE_UNKNOWN,
                                                    0 };
    const struct aero_domain_policy *file =
        aero_config_policy(config, guest->dom.name);
    const struct lxe_domain *d = &guest->dom;
    uint64_t top = aero_guest_top_kib(guest), set;

    top = top != LXE_UNKNOWN ? top : guest->held_kib;
    file = file ? file : &none;
    set = first_known(guest->asked.min_kib, file->min_kib, d->dynamic_min_kib);
    guest->min_is_set = set != LXE_UNKNOWN;
    guest->min_kib = guest->min_is_set ? set : default_min(config, top);
    guest->max_kib = first_known(guest->asked.max_kib, file->max_kib,
                                 first_known(d->dynamic_max_kib, top, 0));
    if (guest->max_kib > top)
        guest->max_kib = top;
    if (guest->min_kib > guest->max_kib)
        guest->min_kib = guest->max_kib;
    guest->shares = guest->asked.shares ? guest->asked.shares : file->shares;
    if (!guest->shares)
        guest->shares = config->default_shares;
}

const char *aero_guest_source_name(enum lxe_report_source source)
{
    static const char *const names[] = { [LXE_REPORT_NONE] = "none",
                                         [LXE_REPORT_AGENT] = "agent",
                                         [LXE_REPORT_QUBES] = "qubes",
                                         [LXE_REPORT_XENSERVER] =
                                             "xenserver" };

    return names[source];
}
