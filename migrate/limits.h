/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a migration may take: rates, downtime, rounds, time. Parsed from the
 * command line and handed to the save helper as one line of text in the
 * environment, since libxl passes a helper nothing of ours.
 */
#ifndef MIG_LIMITS_H
#define MIG_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "rate.h"

#define MIG_LIMITS_ENV    "AEROSTAT_MIGRATE"   /* the line of text */
#define MIG_STATUS_FD_ENV "AEROSTAT_STATUS_FD" /* see status.h */
#define MIG_LIMITS_TEXT   512

struct mig_limits {
    struct mig_rate_limits rate;
    enum mig_rate_policy policy; /* only where there is a maximum rate */
    uint64_t max_downtime_ns;
    unsigned max_rounds;
    uint64_t timeout_ns; /* of the whole pre-copy; 0 for none */
    bool skip;           /* leave pages that are dirty again for later */
};

/* The defaults: unlimited rate, 300 ms, 30 rounds, no time-out, skipping. */
void mig_limits_default(struct mig_limits *limits);

/*
 * Sets one limit by its name, as on the command line without the dashes:
 * max-rate, min-rate, rate-policy, max-downtime, max-rounds, timeout, skip
 * (yes or no).
 * Returns 0, or -EINVAL / -ERANGE with a message that names it; -ENOENT where
 * no limit has that name.
 */
int mig_limits_set(struct mig_limits *limits, const char *name,
                   const char *value, struct lxe_err *err);

/* Whether the limits agree with each other. Returns 0 or -EINVAL. */
int mig_limits_check(const struct mig_limits *limits, struct lxe_err *err);

/* "max-rate=12500000B max-downtime=300ms ...": what parse reads. */
void mig_limits_format(const struct mig_limits *limits,
                       char text[MIG_LIMITS_TEXT]);

/* Reads such a line over limits that hold the defaults. Errors as in set. */
int mig_limits_parse(const char *text, struct mig_limits *limits,
                     struct lxe_err *err);

#endif
