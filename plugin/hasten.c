/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hasten.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/u64.h"
#include "water.h"

/* 16 MiB: what one that did not move at all is asked for. */
#define START_PAGES 4096u

/* What can be counted on: a speed that nobody knows is enough. */
static uint64_t expected(const struct aero_donor *d)
{
    return lxe_min(lxe_less(d->held, d->next), d->speed);
}

/* Where it comes to by giving so much, if it may. */
static uint64_t after(const struct aero_donor *d, uint64_t given)
{
    uint64_t down = lxe_less(d->held, given);

    return down > d->least ? down : d->least;
}

/* Asked for all that can be expected, and more: it may have become faster. */
static uint64_t faster(const struct aero_donor *d, uint64_t most)
{
    if (d->speed >= most)
        return after(d, most);
    return after(d, lxe_min(most, 2 * d->speed + START_PAGES));
}

int aero_hasten(struct aero_donor *donors, size_t count, uint64_t missing,
                uint64_t most)
{
    _cleanup_free_ struct aero_vessel *v = calloc(count + 1, sizeof(*v));
    uint64_t tops = 0;
    int rc;

    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct aero_donor *d = &donors[i];
        uint64_t low = after(d, lxe_min(most, d->speed));

        uint64_t top = lxe_min(d->next, d->held);

        missing = lxe_less(missing, expected(d));
        if (d->held > d->least && low <= top)
            v[i] = (struct aero_vessel){ low, top, d->base, d->shares, 0 };
        else
            v[i] = (struct aero_vessel){ 0, 0, 0, 1, 0 };
        tops += v[i].hi;
    }
    if (!missing)
        return 0;
    rc = aero_water_fill(v, count, lxe_less(tops, missing));
    for (size_t i = 0; i < count && !rc; i++) {
        if (!v[i].hi)
            continue;
        donors[i].next = v[i].x;
        if (v[i].x == v[i].lo)
            donors[i].next = lxe_min(v[i].x, faster(&donors[i], most));
    }
    return rc;
}
