/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What happened in one migration: collected as it goes, written as JSON at
 * its end (docs/report.md). Times are CLOCK_MONOTONIC in ns; 0 is "not yet".
 */
#ifndef MIG_REPORT_H
#define MIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "limits.h"
#include "packing.h"
#include "page_cache.h"
#include "predict.h"
#include "status.h"

#define MIG_REPORT_ROUNDS 10002 /* the most that max-rounds allows, and two */
#define MIG_REPORT_STAGES 8
#define MIG_RUN_ID        96 /* bytes of a run's name; see archive.h */

enum mig_outcome {
    MIG_FAILED,    /* the guest runs at the source */
    MIG_CANCELLED, /* likewise */
    MIG_MOVED,
    MIG_UNKNOWN,   /* committed, but the target did not say how it went */
};

/* When a stage began; it ended when the next one did. */
struct mig_stage_time {
    const char *name; /* static */
    uint64_t start_ns;
};

/*
 *  suspend      from asking the guest to suspend until it stands still
 *  last_pass    from there to the last byte of libxc's stream
 *  device       until the target has its devices and says that it is ready
 *  resume       until it says that the guest runs
 */
struct mig_report {
    char id[MIG_RUN_ID]; /* "" until the run has a name */
    char domain[256], uuid[40], to[256]; /* domain: as typed until found */
    uint32_t domid; /* 0 until a guest is found that may move: dom0 may not */
    int64_t wall_start_s; /* seconds since the epoch */
    struct mig_limits limits;
    const char *receiver; /* "aerostat-receive" or "xl"; NULL: unknown */

    uint64_t begin_ns, precopy_ns, request_ns, suspended_ns, last_byte_ns,
        ready_ns, resumed_ns, end_ns;
    struct mig_stage_time stages[MIG_REPORT_STAGES];
    size_t stage_count;
    uint64_t domain_pages, stream_bytes, wire_bytes;
    uint64_t reserved_kib;
    struct mig_page_cache_result page_cache;
    struct mig_round *rounds;
    size_t round_count;
    struct mig_limiter_error limiter;
    uint64_t peeks, peek_ns, skip_saved_ns;
    uint64_t idle_ns, held_ns, blocked_ns; /* as in pump.h */
    uint64_t pack_ns; /* of idle_ns */
    double slowed_mean_percent;            /* over all of pre-copy */
    struct mig_packing packing; /* of a sample, where the stream is packed */
    char stop_reason[MIG_STATUS_REASON];
    bool has_prediction;
    struct mig_prediction predicted; /* before the first round */
    bool has_wws;
    struct mig_wws wws; /* what the guest was seen to write before that */

    enum mig_outcome outcome;
    char error[LXE_ERR_TEXT]; /* "" where nothing failed */
    bool half_undone; /* the guest is not yet as it was, */
    bool gone;        /* is not here any more, */
    bool stopped;     /* or is as it was, but does not run */
};

#define MIG_REPORT_STAYED 384

/* "moved", "failed", … */
const char *mig_outcome_name(enum mig_outcome outcome);

/* Says, for people, how a guest is left that was not moved. */
void mig_report_stayed(const struct mig_report *report,
                       char text[MIG_REPORT_STAYED]);

/* Notes that a stage begins; one too many is not noted. */
void mig_report_stage(struct mig_report *report, const char *name,
                      uint64_t now_ns);

/* Takes in what the save helper told. -ENOMEM, or -EPROTO for one round too
 * many. */
int mig_report_status(struct mig_report *report,
                      const struct mig_status *status);

/* Whether it found a guest that may move. */
bool mig_report_has_guest(const struct mig_report *report);

/* Sums over all rounds. */
uint64_t mig_report_sent_pages(const struct mig_report *report);
uint64_t mig_report_skipped_pages(const struct mig_report *report);

/* How long the guest stood still, in ns; 0 if it never did. */
uint64_t mig_report_downtime_ns(const struct mig_report *report);

/*
 * Writes it to a file, atomically, making its folder; "-" is stdout. A device
 * or a pipe is written to as it is.
 * Returns 0 or a negative errno.
 */
int mig_report_write(const struct mig_report *report, const char *path,
                     struct lxe_err *err);

/* The same, to a file of that mode, which the umask takes from. */
int mig_report_write_as(const struct mig_report *report, const char *path,
                        mode_t mode, struct lxe_err *err);

/* Frees what it holds. */
void mig_report_free(struct mig_report *report);

#endif
