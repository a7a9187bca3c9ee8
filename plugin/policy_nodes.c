/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policy_nodes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"

/* One of a short node gives up to 1/n of its right in an equal's place. */
#define NODE_PART 6u

/* A guest where nodes matter. */
struct place {
    struct aero_slot *slot;
    uint64_t rank; /* by which guests are equals */
    uint64_t room; /* it could give this in an equal's place */
    uint64_t give; /* an equal could give this in its place */
};

/*
 * What a guest of a short node may give beyond its right: nothing of its
 * demand, and so little that it is not given back at once (band() of
 * policy_stay.c).
 */
static struct place find_place(const struct aero_plan *p, struct aero_slot *s)
{
    uint64_t short_nodes = p->host->short_nodes, coarse = 0;
    uint64_t nodes = p->guests[s->index].nodes;
    uint64_t least = lxe_max(s->demand, s->lo);
    struct place to = { .slot = s };

    while (s->want >> coarse >= 8)
        coarse++;
    to.rank = s->want >> coarse << coarse;
    least = lxe_max(least, s->want - s->want / NODE_PART);
    if (nodes && !(nodes & ~short_nodes))
        to.room = aero_whole_steps(lxe_less(s->want, least));
    else
        to.give = lxe_less(lxe_min(s->target, s->hi), s->want);
    return to;
}

static int compare_ranks(const void *pa, const void *pb)
{
    const struct place *a = pa, *b = pb;

    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static uint64_t part(uint64_t of, uint64_t n, uint64_t sum)
{
    return (uint64_t)((unsigned __int128)of * n / sum);
}

/* Among equals, those with room give in the place of the others. */
static void change_places(const struct place *equals, size_t count)
{
    uint64_t room = 0, give = 0, given = 0, most;

    for (size_t i = 0; i < count; i++) {
        room += equals[i].room;
        give += equals[i].give;
    }
    most = lxe_min(room, give);
    for (size_t i = 0; most && i < count; i++) {
        const struct place *e = &equals[i];
        uint64_t more = lxe_min(aero_whole_steps_up(part(most, e->room, room)),
                                e->room);

        e->slot->want -= more;
        e->slot->near_gave = more > 0;
        given += more;
    }
    given = lxe_min(given, give);
    for (size_t i = 0; given && i < count; i++) {
        uint64_t less_now = part(given, equals[i].give, give);

        equals[i].slot->want += given == give ? less_now
                                              : aero_whole_steps(less_now);
    }
}

int aero_plan_prefer_nodes(struct aero_plan *p)
{
    _cleanup_free_ struct place *all = NULL;

    if (!p->host->short_nodes)
        return 0;
    all = malloc((p->n + 1) * sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < p->n; i++)
        all[i] = find_place(p, &p->slots[i]);
    qsort(all, p->n, sizeof(*all), compare_ranks);
    for (size_t i = 0, end; i < p->n; i = end) {
        for (end = i + 1; end < p->n && all[end].rank == all[i].rank; end++)
            ;
        change_places(all + i, end - i);
    }
    return 0;
}
