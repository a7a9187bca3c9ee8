/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a guest writes while it is sent, beside how fast it wrote while it
 * was watched before: sending takes processor time that it had, and each
 * first write to a page after a CLEAN is a fault. A pace c means that
 * in a window of t it writes D(c t) pages. Pure; docs/prediction.md.
 */
#ifndef MIG_PACE_H
#define MIG_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "wws.h"

#define MIG_PACE_LEAST 0.01
#define MIG_PACE_MOST  1.2 /* beyond, a guest does something else by now */

/* Between two CLEANs, or from one to the end of a round. */
struct mig_pace_window {
    uint64_t ns;
    double pages; /* that were written in it */
};

/*
 * The pace at which the curve says best what was written in these windows;
 * where the curve is so flat that several do, the one nearest to 1. NaN where
 * nothing was written.
 */
double mig_pace_fit(const struct mig_wws *wws,
                    const struct mig_pace_window *windows, size_t count);

#endif
