/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The writable working set as a curve (docs/wws.md): D(t) is how many
 * distinct pages a guest writes in a window of t, whenever the window begins.
 *
 * D(0) = 0, and D rises and is concave: the longer the window, the more of
 * what is written in it was written in it before. Between points it is a
 * straight line, as its bounds are. Pure.
 */
#ifndef MIG_WWS_H
#define MIG_WWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

#define MIG_WWS_POINTS    32
#define MIG_WWS_MAX_NS    (UINT64_C(86400) * 1000000000) /* longest window */
#define MIG_WWS_MAX_PAGES (UINT64_C(1) << 32)            /* Xen's: 16 TiB */
#define MIG_WWS_MAX_BYTES (1u << 20)                     /* of a file */

enum mig_wws_method {
    MIG_WWS_LOG_DIRTY, /* Xen's log: every page */
    MIG_WWS_SAMPLE,    /* hashes of a random sample of pages */
};

/* What is written in a window of this length: mean, and 95 % bounds of it. */
struct mig_wws_point {
    uint64_t window_ns;
    double pages, low, high;
};

struct mig_wws {
    struct mig_wws_point points[MIG_WWS_POINTS]; /* by rising window */
    size_t count;                                /* 1 at least */
    uint64_t domain_pages; /* that the guest has: no curve goes beyond */
    enum mig_wws_method method;
    uint64_t windows;  /* observed; the bounds come from their spread */
    double spread;     /* standard deviation between windows, at the longest,
                        * as a share of its pages; 0 where it is not known */
    double hot_pages;  /* written in nearly every window */
    uint64_t knee_ns;  /* where the curve bends; 0 where it does not */
    double knee_pages;
};

/*
 * Distinct pages written in a window: expected, and its 95 % bounds. Beyond
 * the last point the curve goes on at the rate of its last stretch, which a
 * concave curve cannot exceed; nothing goes beyond domain_pages.
 */
double mig_wws_pages(const struct mig_wws *wws, uint64_t window_ns);
double mig_wws_pages_low(const struct mig_wws *wws, uint64_t window_ns);
double mig_wws_pages_high(const struct mig_wws *wws, uint64_t window_ns);

/* The dirty rate over a window, D(t) / t in pages a second. @window_ns > 0. */
double mig_wws_rate(const struct mig_wws *wws, uint64_t window_ns);

/* The slope of the last stretch: pages a second that are newly written. */
double mig_wws_tail_rate(const struct mig_wws *wws);

/*
 * Finds where the curve bends: the point farthest above the straight line
 * from its begin to its end, both axes scaled to 1 (Satopaa et al., "Finding
 * a kneedle in a haystack", 2011). Sets knee_ns and knee_pages; both are 0
 * where no point is a tenth above the line.
 */
void mig_wws_find_knee(struct mig_wws *wws);

/* "log-dirty", "sample": as in JSON and on the command line. */
const char *mig_wws_method_name(enum mig_wws_method method);

/* Writes it as one object; docs/wws.md lists the members. */
void mig_wws_write(struct lxe_jw *w, const char *key,
                   const struct mig_wws *wws);

/*
 * Reads what mig_wws_write() wrote, or an object that holds it as "wws".
 * All is checked: bounds in order, windows rising, the curves rising and
 * concave. Returns 0, or -EINVAL with the line and what is wrong there.
 */
int mig_wws_parse(const struct lxe_json *node, struct mig_wws *out,
                  struct lxe_err *err);

/* Reads a file. Returns as above, or open's and read's errors. */
int mig_wws_load(const char *path, struct mig_wws *out, struct lxe_err *err);

#endif
