/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hasten.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "water.h"

/* 16 MiB: what one that did not move at all is asked for. */
#define START_PAGES 4096u

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* What can be counted on: a speed that nobody knows is enough. */
static uint64_t expected(const struct aero_donor *d)
{
    return min_u64(less(d->held, d->next), d->speed);
}

/* Where it comes to by giving so much, if it may. */
static uint64_t after(const struct aero_donor *d, uint64_t given)
{
    uint64_t down = less(d->held, given);

    return down > d->least ? down : d->least;
}

/* Asked for all that can be expected, and more: it may have become faster. */
static uint64_t faster(const struct aero_donor *d, uint64_t most)
{
    if (d->speed >= most)
        return after(d, most);
    return after(d, min_u64(most, 2 * d->speed + START_PAGES));
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
        uint64_t low = after(d, min_u64(most, d->speed));

        uint64_t top = min_u64(d->next, d->held);

        missing = less(missing, expected(d));
        if (d->held > d->least && low <= top)
            v[i] = (struct aero_vessel){ low, top, d->base, d->shares, 0 };
        else
            v[i] = (struct aero_vessel){ 0, 0, 0, 1, 0 };
        tops += v[i].hi;
    }
    if (!missing)
        return 0;
    rc = aero_water_fill(v, count, less(tops, missing));
    for (size_t i = 0; i < count && !rc; i++) {
        if (!v[i].hi)
            continue;
        donors[i].next = v[i].x;
        if (v[i].x == v[i].lo)
            donors[i].next = min_u64(v[i].x, faster(&donors[i], most));
    }
    return rc;
}
