/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "deadlines.h"

#include "base/clock.h"

void aero_deadlines_add(struct aero_deadlines *all, int fd, uint64_t end_ns)
{
    if (all->count < AERO_DEADLINES_MAX)
        all->items[all->count++] = (struct aero_deadline){ fd, end_ns };
}

void aero_deadlines_drop(struct aero_deadlines *all, int fd)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].fd == fd) {
            all->items[i] = all->items[--all->count];
            return;
        }
}

int aero_deadlines_take(struct aero_deadlines *all, uint64_t now_ns)
{
    for (size_t i = 0; i < all->count; i++)
        if (now_ns >= all->items[i].end_ns) {
            int fd = all->items[i].fd;

            aero_deadlines_drop(all, fd);
            return fd;
        }
    return -1;
}

uint64_t aero_deadlines_wait_ms(const struct aero_deadlines *all,
                                uint64_t now_ns)
{
    uint64_t end_ns = UINT64_MAX;

    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].end_ns < end_ns)
            end_ns = all->items[i].end_ns;
    if (end_ns == UINT64_MAX)
        return UINT64_MAX;
    if (end_ns <= now_ns)
        return 0;
    return (end_ns - now_ns - 1) / LXE_NS_PER_MS + 1;
}
