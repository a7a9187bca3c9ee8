/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reservations.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/u64.h"

int aero_reservation_node(const struct aero_reservation *r)
{
    for (int n = 0; n < LXE_NODES_MAX; n++)
        if (r->nodes == UINT64_C(1) << n)
            return n;
    return -1;
}

struct aero_reservation *aero_reservations_add(
    struct aero_reservations *all, const struct aero_reservation *wanted,
    struct lxe_err *err)
{
    struct aero_reservation *r;

    if (all->count == AERO_RESERVATIONS_MAX) {
        lxe_fail(err, -EBUSY, "all %d reservations are in use; release one",
                 AERO_RESERVATIONS_MAX);
        return NULL;
    }
    r = &all->items[all->count++];
    *r = *wanted;
    r->id = ++all->last_id;
    r->held = false;
    r->domid = AERO_NO_DOMID;
    r->taken_kib = 0;
    if (!r->least_kib || r->least_kib > r->kib)
        r->least_kib = r->kib;
    return r;
}

static void take_out(struct aero_reservations *all, size_t i)
{
    all->count--;
    memmove(&all->items[i], &all->items[i + 1],
            (all->count - i) * sizeof(all->items[0]));
}

static struct aero_reservation *find(struct aero_reservations *all,
                                     uint64_t owner, uint64_t id,
                                     struct lxe_err *err)
{
    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];

        if (r->owner == owner && r->id == id && r->held)
            return r;
    }
    lxe_fail(err, -ENOENT,
             "this connection holds no reservation %" PRIu64, id);
    return NULL;
}

int aero_reservations_release(struct aero_reservations *all, uint64_t owner,
                              uint64_t id, struct lxe_err *err)
{
    struct aero_reservation *r = find(all, owner, id, err);

    if (!r)
        return -ENOENT;
    take_out(all, (size_t)(r - all->items));
    return 0;
}

size_t aero_reservations_drop_owner(struct aero_reservations *all,
                                    uint64_t owner)
{
    size_t dropped = 0;

    for (size_t i = all->count; i-- > 0;) {
        if (all->items[i].owner != owner)
            continue;
        take_out(all, i);
        dropped++;
    }
    return dropped;
}

int aero_reservations_transfer(struct aero_reservations *all, uint64_t owner,
                               uint64_t id, uint32_t domid,
                               struct lxe_err *err)
{
    struct aero_reservation *r = find(all, owner, id, err);

    if (!r)
        return -ENOENT;
    r->domid = domid;
    r->taken_kib = 0;
    return 0;
}

void aero_reservations_follow(struct aero_reservations *all, uint32_t domid,
                              uint64_t current_kib)
{
    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];

        if (r->domid != domid)
            continue;
        r->taken_kib = lxe_min(current_kib, r->kib);
        current_kib -= r->taken_kib;
    }
}

void aero_reservations_lost(struct aero_reservations *all, uint32_t domid)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].domid != domid)
            continue;
        all->items[i].taken_kib = 0;
        if (all->items[i].follow)
            all->items[i].domid = AERO_NO_DOMID;
    }
}

bool aero_reservations_following(const struct aero_reservations *all,
                                 uint32_t domid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].domid == domid)
            return true;
    return false;
}

/* Of all, or of those of some node. */
static uint64_t sum_kib(const struct aero_reservations *all, bool held,
                        uint64_t nodes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < all->count; i++) {
        const struct aero_reservation *r = &all->items[i];

        if (r->held == held && (!nodes || r->nodes == nodes))
            sum += lxe_less(r->kib, r->taken_kib);
    }
    return sum;
}

void aero_reservations_meet(struct aero_reservations *all, const char *name,
                            uint32_t domid, uint64_t seen_ns)
{
    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];

        if (r->held && r->follow && r->domid == AERO_NO_DOMID &&
            seen_ns >= r->asked_ns && !strcmp(r->label, name))
            r->domid = domid;
    }
}

size_t aero_reservations_arrived(struct aero_reservations *all,
                                 uint32_t domid)
{
    size_t freed = 0;

    for (size_t i = all->count; i-- > 0;) {
        if (!all->items[i].follow || all->items[i].domid != domid)
            continue;
        take_out(all, i);
        freed++;
    }
    return freed;
}

bool aero_reservations_expecting(const struct aero_reservations *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].held && all->items[i].follow &&
            all->items[i].domid == AERO_NO_DOMID)
            return true;
    return false;
}

uint64_t aero_reservations_held_kib(const struct aero_reservations *all)
{
    return sum_kib(all, true, 0);
}

uint64_t aero_reservations_waiting_kib(const struct aero_reservations *all)
{
    return sum_kib(all, false, 0);
}

uint64_t aero_reservations_node_held_kib(const struct aero_reservations *all,
                                         unsigned node)
{
    return sum_kib(all, true, UINT64_C(1) << node);
}

uint64_t aero_reservations_node_waiting_kib(
    const struct aero_reservations *all, unsigned node)
{
    return sum_kib(all, false, UINT64_C(1) << node);
}

static uint64_t room_for(const struct aero_reservation *r,
                         const struct aero_room *room)
{
    int node = aero_reservation_node(r);

    return node < 0 ? room->kib : lxe_min(room->kib, room->node_kib[node]);
}

static bool fits(struct aero_reservation *r, uint64_t free_kib,
                 uint64_t now_ns)
{
    if (r->kib <= free_kib)
        return true;
    if (r->least_kib > free_kib || now_ns < r->deadline_ns)
        return false;
    r->kib = free_kib;
    return true;
}

const struct aero_reservation *aero_reservations_grant(
    struct aero_reservations *all, const struct aero_room *unpromised,
    uint64_t now_ns)
{
    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];

        if (r->held)
            continue;
        if (!fits(r, room_for(r, unpromised), now_ns))
            return NULL;
        r->held = true;
        return r;
    }
    return NULL;
}

/* Takes it out of the room. */
static void use_up(const struct aero_reservation *r, struct aero_room *left)
{
    int node = aero_reservation_node(r);

    left->kib -= r->kib;
    if (node >= 0)
        left->node_kib[node] -= r->kib;
}

bool aero_reservations_refuse(struct aero_reservations *all,
                              const struct aero_room *obtainable,
                              struct aero_reservation *out)
{
    struct aero_room left = *obtainable;

    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];
        uint64_t room = room_for(r, &left);

        if (r->held)
            continue;
        if (r->least_kib > room) {
            *out = *r;
            take_out(all, i);
            return true;
        }
        r->kib = lxe_min(r->kib, room);
        use_up(r, &left);
    }
    return false;
}

bool aero_reservations_expire(struct aero_reservations *all, uint64_t now_ns,
                              struct aero_reservation *out)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].held || now_ns < all->items[i].deadline_ns)
            continue;
        *out = all->items[i];
        take_out(all, i);
        return true;
    }
    return false;
}
