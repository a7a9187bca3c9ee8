/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether to move a guest, with which limits, or why not: from what is known
 * of the guest, the wire and the target. Pure.
 */
#ifndef MIG_PLAN_H
#define MIG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "predict.h"
#include "probe_ask.h"

enum mig_plan_level {
    MIG_PLAN_FINE,
    MIG_PLAN_UNKNOWN, /* could not be asked */
    MIG_PLAN_WARN,
    MIG_PLAN_REFUSE,
};

#define MIG_PLAN_TEXT     320
#define MIG_PLAN_FINDINGS 10

struct mig_finding {
    const char *what; /* "memory", "downtime"…: static */
    enum mig_plan_level level;
    char text[MIG_PLAN_TEXT]; /* a sentence without its full stop */
};

struct mig_plan_in {
    struct mig_predict_in predict; /* at the limits asked for */
    uint64_t released_pages; /* page cache that is freed before: not in
                                predict.pages */
    enum lxe_dom_type type;
    uint64_t need_kib;            /* that the target must have free */
    struct lxe_cpu_features cpu;  /* that the guest was given; may be empty */
    char xen[LXE_XEN_VERSION];    /* here; "" where not known */
    const struct mig_probe_found *target; /* NULL: was not asked */
    struct mig_packing packing;   /* of a sample; predict.packing where the
                                     limits have a level */
};

struct mig_plan {
    struct mig_prediction asked; /* at the limits asked for */
    struct mig_prediction kept;  /* likewise, its page cache not freed */
    struct mig_limits best_limits; /* what asks for the downtime wanted, or
                                      the least, on the whole wire */
    struct mig_prediction best;
    struct mig_range least_ns; /* downtime to be had at the rates asked for */
    struct mig_range least_best_ns; /* on the whole wire */
    struct mig_finding findings[MIG_PLAN_FINDINGS];
    size_t count;
    bool refused; /* one of them is a refusal */
    char advice[2 * MIG_PLAN_TEXT]; /* what to do */
};

/* Plans. Never fails. */
void mig_plan_make(const struct mig_wws *wws, const struct mig_plan_in *in,
                   struct mig_plan *out);

/* "fine", "unknown", "warning", "refused": as in JSON. */
const char *mig_plan_level_name(enum mig_plan_level level);

/* One object, as `xl migrate-plan --json` prints it (xl-migrate-plan(1)). */
void mig_plan_write(struct lxe_jw *w, const struct mig_plan_in *in,
                    const struct mig_plan *plan);

#define MIG_PLAN_TIME 32

/* "850 ms", "12.3 s", "4 min 10 s". Returns buf. */
char *mig_plan_time(char buf[MIG_PLAN_TIME], double ns);

#endif
