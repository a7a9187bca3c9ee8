/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shortage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "host_state.h"
#include "reservations.h"

int aero_shortage_find_mover(const struct aero_guests *guests,
                             const struct aero_policy_guest *in,
                             uint64_t lack_kib, uint32_t *domid)
{
    _cleanup_free_ struct aero_mover *movers =
        calloc(guests->count + 1, sizeof(*movers));
    const struct aero_mover *best;
    size_t n = 0;

    *domid = AERO_NO_DOMID;
    if (!movers)
        return -ENOMEM;
    for (size_t i = 0; i < guests->count; i++)
        if (in[i].movable && guests->items[i].demand.told)
            movers[n++] = (struct aero_mover){ guests->items[i].dom.domid,
                                               in[i].need_kib };
    best = aero_host_should_move(movers, n, lack_kib);
    if (best)
        *domid = best->domid;
    return 0;
}

void aero_shortage_text(const struct aero_guest *mover, uint64_t spare_kib,
                        char *text, size_t room)
{
    char spare[LXE_UNIT_TEXT], need[LXE_UNIT_TEXT];

    snprintf(text, room, "memory is low: %s to spare; migrating %.64s away"
             " would free the %s that it needs",
             lxe_format_kib(spare, spare_kib), mover->dom.name,
             lxe_format_kib(need, mover->demand.need_kib));
}
