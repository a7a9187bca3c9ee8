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

#define MIG_LIMITS_ENV    "AEROSTAT_MIGRATE"    /* the line of text */
#define MIG_CONTROL_FD_ENV "AEROSTAT_CONTROL_FD" /* see control_line.h */
#define MIG_STATUS_FD_ENV "AEROSTAT_STATUS_FD" /* see status.h */
#define MIG_LIMITS_TEXT   704
#define MIG_LIMITS_RATE_TEXT 96 /* the same, with its rates only */

enum mig_on_timeout {
    MIG_TIMEOUT_FORCE, /* stop and copy, however long that takes */
    MIG_TIMEOUT_ABORT, /* the guest stays here */
};

/* How a guest that outruns the wire may be slowed. */
enum mig_throttle_way {
    MIG_THROTTLE_NONE,
    MIG_THROTTLE_CAP,   /* by the scheduler's cap */
    MIG_THROTTLE_PAUSE, /* by short pauses */
};

struct mig_limits {
    struct mig_rate_limits rate;
    enum mig_rate_policy policy; /* only where there is a maximum rate */
    uint64_t max_downtime_ns;
    unsigned max_rounds;
    uint64_t downtime_limit_max_ns; /* max_downtime_ns may be relaxed in
                                       steps up to it; 0: it is not */
    uint64_t suspend_cost_ns; /* from asking a guest to suspend until it
                                 stands still, as far as is known */
    unsigned suspend_pages;   /* that its kernel writes meanwhile */
    uint64_t last_cost_ns;    /* of the last pass, beyond its pages */
    unsigned stall_rounds;    /* that may leave no fewer pages than the best
                                 before, until pre-copy ends; 0: any number */
    uint64_t timeout_ns; /* of the whole pre-copy; 0 for none */
    enum mig_on_timeout on_timeout;
    enum mig_throttle_way throttle;
    unsigned throttle_max_percent; /* slowed at most, 1 to 99 */
    bool skip;           /* leave pages that are dirty again for later */
    unsigned compress_level;      /* zstd's, 1 to 19; 0: the stream goes as
                                     it is */
    bool compress_auto;           /* the level is ours to choose (packing.h);
                                     0 until it is chosen */
    uint64_t compress_window_kib; /* how far back it looks for what came
                                     before; 0: as is usual at that level */
};

/*
 * The defaults: unlimited rate, 300 ms, 30 rounds, no time-out, skipping; it
 * is packed where the rate is limited and that pays; the guest is not slowed
 * (if allowed, by 99 % at most). Suspending is taken to
 * cost 50 ms, which is 20 to 60 on real hosts, and 300 pages that the kernel
 * writes in it (220 to 320 were seen of Linux with one processor); the last
 * pass takes 10 ms beyond its pages. Five rounds may bring nothing.
 */
void mig_limits_default(struct mig_limits *limits);

/*
 * Sets one limit by its name, as on the command line without the dashes:
 * max-rate (or none), min-rate (or default), rate-policy (clark, fixed),
 * max-downtime, downtime-limit-max, suspend-cost, suspend-pages, last-cost,
 * stall-rounds, max-rounds, timeout, on-timeout (force, abort),
 * throttle (none, cap, pause), throttle-max (percent), skip (yes, no),
 * compress (auto, or a level), compress-window.
 * Returns 0, or -EINVAL / -ERANGE with a message that names it; -ENOENT where
 * no limit has that name.
 */
int mig_limits_set(struct mig_limits *limits, const char *name,
                   const char *value, struct lxe_err *err);

/* Whether a limit says what the host costs: suspend-cost, suspend-pages,
 * last-cost. */
bool mig_limits_is_cost(const char *name);

/* "force", "abort"; "none", "cap", "pause": as on the command line. */
const char *mig_on_timeout_name(enum mig_on_timeout on_timeout);
const char *mig_throttle_name(enum mig_throttle_way way);

/* Whether the limits agree with each other. Returns 0 or -EINVAL. */
int mig_limits_check(const struct mig_limits *limits, struct lxe_err *err);

/* "max-rate=12500000B min-rate=default": the part of it that has the rates. */
void mig_limits_format_rate(const struct mig_rate_limits *rate,
                            char text[MIG_LIMITS_RATE_TEXT]);

/* "max-rate=12500000B max-downtime=300ms ...": what parse reads. */
void mig_limits_format(const struct mig_limits *limits,
                       char text[MIG_LIMITS_TEXT]);

/* Reads such a line over limits that hold the defaults. Errors as in set. */
int mig_limits_parse(const char *text, struct mig_limits *limits,
                     struct lxe_err *err);

#endif
