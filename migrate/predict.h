/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a migration will cost, before it is made: from the guest's writable
 * working set D(t) (wws.h) and the wire. Pure; docs/prediction.md derives it.
 *
 *   round 0 sends all pages         takes W0 = bytes / rate
 *   round i sends D(W[i-1]) pages   takes Wi = bytes / rate
 *   ...                             until mig_precopy_decide() says stop
 *   the last pass sends D(Wn + what is written while suspending)
 *
 * The rates are those of rate.h and the decision is the engine's own, so that
 * the two agree where the curve is right. Where the stream is packed, the wire
 * carries as much more of it as it packs, up to what a processor packs.
 */
#ifndef MIG_PREDICT_H
#define MIG_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "costs.h"
#include "limits.h"
#include "packing.h"
#include "precopy.h"
#include "wws.h"

struct mig_predict_in {
    struct mig_limits limits;
    struct mig_cost_range costs;
    struct mig_packing packing; /* all zero: the stream goes as it is */
    uint64_t pages;      /* that round 0 sends: what the guest has then */
    double wire_bps;     /* bytes/s that the wire carries; > 0 */
    double wire_spread;  /* its bounds are this share off, from 0 below 1 */
    uint64_t latency_ns; /* from here to the target */
};

/* Expected, and bounds. Each bound is of one figure, not of all at once. */
struct mig_range {
    double expected, low, high;
};

struct mig_prediction {
    struct mig_range rounds;      /* sent live */
    struct mig_range bytes;       /* of the stream, */
    struct mig_range wire_bytes;  /* and as it is sent: less where packed */
    struct mig_range total_ns;    /* from the first round to the last byte */
    struct mig_range downtime_ns; /* from asking the guest to suspend to the
                                     last byte restored: the engine's */
    struct mig_range last_pages;  /* sent while the guest stands still */
    struct mig_range pace;        /* of the guest, as learnt (pace.h) */
    bool gives_up; /* the time-out ends it and the guest stays; then there is
                      no downtime, and the total is the time until that */
    char reason[MIG_PRECOPY_REASON]; /* why pre-copy will end, expected */
};

/* Predicts. Never fails; in.wire_bps and in.pages must be above 0. */
void mig_predict(const struct mig_wws *wws, const struct mig_predict_in *in,
                 struct mig_prediction *out);

/* About how long the first round takes, in ns, nothing being skipped. */
uint64_t mig_predict_first_ns(const struct mig_predict_in *in);

/*
 * The least downtime to be had at the limits' rates, however many rounds it
 * takes (of MIG_PREDICT_MOST_ROUNDS); of max_downtime_ns, max_rounds and
 * timeout_ns nothing is kept.
 * @rounds  gets the rounds after which it is had first, or within 1 %
 */
#define MIG_PREDICT_MOST_ROUNDS 100
void mig_predict_least(const struct mig_wws *wws,
                       const struct mig_predict_in *in,
                       struct mig_range *downtime_ns, unsigned *rounds);

/*
 * As JSON: an object with "expected", "low" and "high", and one of those
 * (docs/report.md has its members).
 * @unit  by which the figures are divided
 */
void mig_range_write(struct lxe_jw *w, const char *key,
                     const struct mig_range *range, double unit);
void mig_prediction_write(struct lxe_jw *w, const char *key,
                          const struct mig_prediction *p);

#endif
