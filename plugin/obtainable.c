/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "obtainable.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "base/units.h"
#include "guest_state.h"
#include "host_state.h"
#include "node_pools.h"
#include "policy.h"

/*
 * Those that boot are taken to give as if they had settled and said that they
 * need nothing, which is a matter of seconds: after the daemon's own start they
 * are all of them.
 */
static struct aero_policy_guest *settled_guests(const struct aero_known *k)
{
    struct aero_policy_guest *in = aero_policy_input_guests(k);

    for (size_t i = 0; in && i < k->guests->count; i++) {
        const struct aero_guest *g = &k->guests->items[i];

        if (g->condition.state != AERO_GUEST_BOOTING ||
            aero_reservations_following(k->reservations, g->dom.domid))
            continue;
        in[i].movable = true;
        in[i].min_is_set = true; /* or it would keep what it has */
    }
    return in;
}

/*
 * What a NUMA node could have free at most beyond what is kept of it, from all
 * guests that may have memory there; and what of that no guest needs.
 */
static int judge_node(const struct aero_known *k, unsigned node,
                      uint64_t keep_kib, uint64_t *most_kib,
                      uint64_t *spare_kib)
{
    const struct lxe_numa_node *is = &k->numa->nodes[node];
    struct aero_policy_host host = { .free_kib = is->free_kib,
                                     .keep_free_kib = keep_kib };
    _cleanup_free_ struct aero_policy_guest *in = settled_guests(k);
    size_t n;

    if (!in)
        return -ENOMEM;
    n = aero_node_guests(in, k->guests->count, node);
    *most_kib = lxe_min(aero_policy_obtainable_kib(&host, in, n),
                        lxe_less(is->size_kib, keep_kib));
    *spare_kib = lxe_min(aero_policy_spare_kib(&host, in, n), *most_kib);
    return 0;
}

/* The host without what is kept for those that wait. */
static struct aero_policy_host host_as_it_stands(const struct aero_known *k)
{
    struct aero_policy_host host = aero_policy_input_host(k);

    host.keep_free_kib -= aero_reservations_waiting_kib(k->reservations);
    return host;
}

uint64_t aero_obtainable_spare_kib(const struct aero_known *k,
                                   const struct aero_policy_guest *guests)
{
    struct aero_policy_host host = host_as_it_stands(k);

    return aero_policy_spare_kib(&host, guests, k->guests->count);
}

uint64_t aero_obtainable_kib(const struct aero_known *k)
{
    struct aero_policy_host host = aero_policy_input_host(k);
    _cleanup_free_ struct aero_policy_guest *in = settled_guests(k);

    if (!in)
        return LXE_UNKNOWN;
    return aero_policy_obtainable_kib(&host, in, k->guests->count);
}

/* A node that does not tell what it has refuses nobody. */
int aero_obtainable_room(const struct aero_known *k, struct aero_room *room)
{
    const struct aero_reservations *all = k->reservations;
    _cleanup_free_ struct aero_policy_guest *in = settled_guests(k);
    struct aero_policy_host host = host_as_it_stands(k);
    uint64_t spare;
    int rc = in ? 0 : -ENOMEM;

    if (rc)
        return rc;
    memset(room, 0xff, sizeof(*room));
    room->kib = aero_policy_obtainable_kib(&host, in, k->guests->count);
    for (unsigned n = 0; !rc && n < k->numa->count; n++)
        if (aero_reservations_node_waiting_kib(all, n))
            rc = judge_node(k, n, aero_reservations_node_held_kib(all, n),
                            &room->node_kib[n], &spare);
    return rc;
}

/* A node that is named must be able to have it; what it has to spare. */
static int fit_to_node(const struct aero_known *k,
                       const struct aero_reservation *r, uint64_t *spare_kib,
                       struct lxe_err *err)
{
    int of = aero_reservation_node(r);
    unsigned node = (unsigned)of;
    char text[2][LXE_UNIT_TEXT];
    uint64_t most, keep;

    if (of < 0 || node >= k->numa->count)
        return 0;
    keep = aero_reservations_node_held_kib(k->reservations, node) +
           aero_reservations_node_waiting_kib(k->reservations, node);
    if (judge_node(k, node, keep, &most, spare_kib))
        return lxe_fail(err, -ENOMEM, "out of memory");
    if (r->least_kib > most)
        return lxe_fail(err, -ENOSPC, "%s cannot be had on NUMA node %u: at"
                        " most %s could be freed there with all its guests at"
                        " their minima; name another node, or none",
                        lxe_format_kib(text[0], r->least_kib), node,
                        lxe_format_kib(text[1], most));
    return 0;
}

static int fit_to_host(const struct aero_known *k,
                       const struct aero_reservation *r, uint64_t *spare_kib,
                       struct lxe_err *err)
{
    _cleanup_free_ struct aero_policy_guest *in = settled_guests(k);
    struct aero_policy_host host = aero_policy_input_host(k);
    char text[2][LXE_UNIT_TEXT];
    uint64_t most;

    if (!in)
        return lxe_fail(err, -ENOMEM, "out of memory");
    most = aero_policy_obtainable_kib(&host, in, k->guests->count);
    *spare_kib = aero_policy_spare_kib(&host, in, k->guests->count);
    if (r->least_kib > most)
        return lxe_fail(err, -ENOSPC, "%s cannot be had: at most %s could be"
                        " freed with all guests at their minima",
                        lxe_format_kib(text[0], r->least_kib),
                        lxe_format_kib(text[1], most));
    return 0;
}

int aero_obtainable_fit(const struct aero_known *k, struct aero_reservation *r,
                        struct lxe_err *err)
{
    uint64_t spare = 0, there = UINT64_MAX;
    char text[2][LXE_UNIT_TEXT];
    int rc;

    if (!r->least_kib)
        r->least_kib = r->kib;
    if (k->numa->count == 1)
        r->nodes = 0;
    rc = fit_to_host(k, r, &spare, err);
    if (!rc)
        rc = fit_to_node(k, r, &there, err);
    if (rc)
        return rc;
    spare = lxe_min(spare, there);
    if (k->state == AERO_HOST_LOW && r->least_kib > spare)
        return lxe_fail(err, -ENOSPC, "%s cannot be had: memory is low, and"
                        " %s of it to spare",
                        lxe_format_kib(text[0], r->least_kib),
                        lxe_format_kib(text[1], spare));
    r->kib = lxe_min(r->kib, lxe_max(spare, r->least_kib));
    return 0;
}
