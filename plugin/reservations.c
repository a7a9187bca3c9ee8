/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reservations.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].domid == domid)
            all->items[i].taken_kib = current_kib;
}

bool aero_reservations_following(const struct aero_reservations *all,
                                 uint32_t domid)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].domid == domid)
            return true;
    return false;
}

static uint64_t sum_kib(const struct aero_reservations *all, bool held)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < all->count; i++) {
        const struct aero_reservation *r = &all->items[i];

        if (r->held == held && r->kib > r->taken_kib)
            sum += r->kib - r->taken_kib;
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
    return sum_kib(all, true);
}

uint64_t aero_reservations_waiting_kib(const struct aero_reservations *all)
{
    return sum_kib(all, false);
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
    struct aero_reservations *all, uint64_t free_kib, uint64_t now_ns)
{
    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];

        if (r->held)
            continue;
        if (!fits(r, free_kib, now_ns))
            return NULL;
        r->held = true;
        return r;
    }
    return NULL;
}

bool aero_reservations_refuse(struct aero_reservations *all,
                              uint64_t obtainable_kib,
                              struct aero_reservation *out)
{
    uint64_t left = obtainable_kib;

    for (size_t i = 0; i < all->count; i++) {
        struct aero_reservation *r = &all->items[i];

        if (r->held)
            continue;
        if (r->least_kib <= left && r->kib > left)
            r->kib = left;
        if (r->kib <= left) {
            left -= r->kib;
            continue;
        }
        *out = *r;
        take_out(all, i);
        return true;
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
