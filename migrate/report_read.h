/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a report (docs/report.md) back. A report is a file that anybody may
 * have written: types, ranges and lengths are checked, and what is missing or
 * null is unknown: NaN for a number, NULL for a text.
 */
#ifndef MIG_REPORT_READ_H
#define MIG_REPORT_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

#define MIG_RUN_MAX_BYTES ((size_t)16 << 20) /* of a file */
#define MIG_RUN_MAX_TEXT  1024               /* of a member */

struct mig_run_round {
    bool final;
    double index, dirty_pages, sent_pages, skipped_pages, bytes, wire_bytes,
        start_ms, duration_ms, rate_bps, limit_bps, dirty_pps, predicted_downtime_ms,
        downtime_limit_ms, slowed_percent;
};

struct mig_run_stage {
    const char *name;
    double start_ms, duration_ms;
};

struct mig_run_range {
    double expected, low, high; /* unknown together with expected */
};

struct mig_run_downtime {
    double suspend, last_pass, engine, device, resume, total; /* ms */
};

struct mig_run {
    struct lxe_json *root; /* holds all texts */
    const char *id, *outcome, *error, *domain, *uuid, *to, *receiver,
        *stop_reason, *rate_policy, *on_timeout, *throttle;
    double domid, started_s;
    double max_rate_bps, min_rate_bps, max_downtime_ms, max_rounds,
        timeout_ms, downtime_limit_max_ms, throttle_max_percent,
        compress_level, compress_window_kib;
    double target_kib, before_kib, moved_kib, reserved_kib;
    bool skip, dropped; /* false where unknown */
    double total_ms, precopy_ms;
    struct mig_run_downtime downtime;
    double wire_bytes, stream_bytes, domain_pages, sent_pages, skipped_pages;
    double limiter_seconds, limiter_mean, limiter_worst;
    double for_pages_ms, for_rate_ms, for_wire_ms, packing_ms;
    double peeks, peek_ms, slowed_mean_percent;
    struct mig_run_range predicted_rounds, predicted_bytes,
        predicted_wire_bytes, predicted_total_ms,
        predicted_downtime_ms; /* before it began */
    struct mig_run_stage *stages;
    size_t stage_count;
    struct mig_run_round *rounds;
    size_t round_count;
};

/*
 * Takes a parsed report in. @root is the run's from here on, also where this
 * fails. Returns 0, -EINVAL with what is wrong and its line, or -ENOMEM; the
 * run may be freed in any case.
 */
int mig_run_take(struct lxe_json *root, struct mig_run *out,
                 struct lxe_err *err);

/* The same for a file; messages name it. */
int mig_run_read(const char *path, struct mig_run *out, struct lxe_err *err);

/* Frees what a run holds; it holds nothing then. */
void mig_run_free(struct mig_run *run);

/* Whether a figure is known. */
bool mig_known(double value);

/* Whether the guest was slowed at all. */
bool mig_run_slowed(const struct mig_run *run);

/*
 * How long the rounds took in which it was slowed, in ms, and the most that
 * was taken of its speed during one, in percent.
 */
double mig_run_slowed_ms(const struct mig_run *run);
double mig_run_slowed_most(const struct mig_run *run);

/* The downtime that was allowed in the end, in ms; 0: it was not relaxed. */
double mig_run_relaxed_ms(const struct mig_run *run);

/* Bytes of a round on the wire, packed where the run was. */
double mig_run_round_sent(const struct mig_run_round *round);

/* Bytes of the stream for one on the wire; unknown where it was not packed. */
double mig_run_packing(const struct mig_run *run);

/* Rounds that were sent while the guest ran. */
size_t mig_run_live_rounds(const struct mig_run *run);

#endif
