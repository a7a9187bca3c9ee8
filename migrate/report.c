/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/folders.h"
#include "base/json.h"

const char *mig_outcome_name(enum mig_outcome outcome)
{
    static const char *const names[] = {
        [MIG_FAILED] = "failed",
        [MIG_CANCELLED] = "cancelled",
        [MIG_MOVED] = "moved",
        [MIG_UNKNOWN] = "unknown",
    };

    return names[outcome];
}

void mig_report_stayed(const struct mig_report *report,
                       char text[MIG_REPORT_STAYED])
{
    const char *how = " runs on this host, as before";

    if (report->half_undone)
        how = " is NOT as it was on this host; see 'xl list', and try"
              " 'aerostat-migrate --repair'";
    else if (report->gone)
        how = " was destroyed here, or started anew, during the migration;"
              " see 'xl list'";
    else if (report->stopped)
        how = " stays on this host and does not run: it was paused, or ended,"
              " during the migration; see 'xl list'";
    snprintf(text, MIG_REPORT_STAYED, "%s%s", report->domain, how);
}

bool mig_report_has_guest(const struct mig_report *report)
{
    return report->domid;
}

/* ---- collecting ---- */

void mig_report_stage(struct mig_report *report, const char *name,
                      uint64_t now_ns)
{
    if (report->stage_count < MIG_REPORT_STAGES)
        report->stages[report->stage_count++] =
            (struct mig_stage_time){ name, now_ns };
}

static int add_round(struct mig_report *report, const struct mig_round *round)
{
    size_t count = report->round_count;

    if (count == MIG_REPORT_ROUNDS)
        return -EPROTO;
    if (!(count & (count - 1))) { /* full: it holds a power of two */
        struct mig_round *rounds = reallocarray(
            report->rounds, count ? 2 * count : 1, sizeof(*rounds));

        if (!rounds)
            return -ENOMEM;
        report->rounds = rounds;
    }
    report->rounds[report->round_count++] = *round;
    return 0;
}

static void end_stream(struct mig_report *report, const struct mig_status *s)
{
    report->stream_bytes = s->bytes;
    report->wire_bytes = s->wire_bytes;
    report->pack_ns = s->pack_ns;
    report->limiter = s->limiter;
    report->peeks = s->peeks;
    report->peek_ns = s->peek_ns;
    report->skip_saved_ns = s->skip_saved_ns;
    report->idle_ns = s->idle_ns;
    report->held_ns = s->held_ns;
    report->blocked_ns = s->blocked_ns;
    report->slowed_mean_percent = s->slowed_mean_percent;
    if (s->ok)
        report->last_byte_ns = s->at_ns;
}

int mig_report_status(struct mig_report *report, const struct mig_status *s)
{
    switch (s->kind) {
    case MIG_STATUS_START:
        report->precopy_ns = s->at_ns;
        report->domain_pages = s->domain_pages;
        break;
    case MIG_STATUS_PROGRESS:
        break;
    case MIG_STATUS_ROUND:
        return add_round(report, &s->round);
    case MIG_STATUS_STOP:
        memcpy(report->stop_reason, s->reason, sizeof(report->stop_reason));
        break;
    case MIG_STATUS_SUSPENDED:
        if (s->ok) {
            report->request_ns = s->request_ns;
            report->suspended_ns = s->at_ns;
        }
        break;
    case MIG_STATUS_END:
        end_stream(report, s);
        break;
    }
    return 0;
}

uint64_t mig_report_sent_pages(const struct mig_report *report)
{
    uint64_t n = 0;

    for (size_t i = 0; i < report->round_count; i++)
        n += report->rounds[i].sent_pages;
    return n;
}

uint64_t mig_report_skipped_pages(const struct mig_report *report)
{
    uint64_t n = 0;

    for (size_t i = 0; i < report->round_count; i++)
        n += report->rounds[i].skipped_pages;
    return n;
}

uint64_t mig_report_downtime_ns(const struct mig_report *report)
{
    if (!report->request_ns || report->resumed_ns < report->request_ns)
        return 0;
    return report->resumed_ns - report->request_ns;
}

void mig_report_free(struct mig_report *report)
{
    free(report->rounds);
    report->rounds = NULL;
    report->round_count = 0;
}

/* ---- writing ---- */

/* Milliseconds from one time to another; null where one is not known. */
static void put_span(struct lxe_jw *w, const char *key, uint64_t from_ns,
                     uint64_t to_ns)
{
    if (from_ns && to_ns >= from_ns)
        lxe_jw_double(w, key, (double)(to_ns - from_ns) / 1e6);
    else
        lxe_jw_null(w, key);
}

static void put_round(struct lxe_jw *w, const struct mig_report *report,
                      const struct mig_round *r)
{
    uint64_t ns = r->end_ns - r->start_ns;

    lxe_jw_object(w);
    lxe_jw_u64(w, "round", r->index);
    lxe_jw_bool(w, "final", r->final);
    lxe_jw_u64(w, "dirty_pages", r->dirty_pages);
    lxe_jw_u64(w, "sent_pages", r->sent_pages);
    lxe_jw_u64(w, "skipped_pages", r->skipped_pages);
    lxe_jw_u64(w, "left_pages", r->left_pages);
    lxe_jw_u64(w, "bytes", r->bytes);
    lxe_jw_u64(w, "wire_bytes", r->wire_bytes);
    put_span(w, "start_ms", report->begin_ns, r->start_ns);
    put_span(w, "duration_ms", r->start_ns, r->end_ns);
    lxe_jw_double(w, "rate_bps",
                  ns ? (double)r->wire_bytes * 1e9 / (double)ns : 0);
    lxe_jw_u64(w, "limit_bps", r->limit_bps);
    if (r->dirty_pps >= 0)
        lxe_jw_double(w, "dirty_pages_per_s", r->dirty_pps);
    else
        lxe_jw_null(w, "dirty_pages_per_s");
    lxe_jw_double(w, "predicted_downtime_ms",
                  (double)r->predicted_downtime_ns / 1e6);
    lxe_jw_double(w, "downtime_limit_ms", (double)r->downtime_limit_ns / 1e6);
    lxe_jw_double(w, "slowed_percent", r->slowed_percent);
    lxe_jw_double(w, "wire_bps", r->wire_bps);
    lxe_jw_end_object(w);
}

static void put_limits(struct lxe_jw *w, const struct mig_limits *l)
{
    lxe_jw_key(w, "limits");
    lxe_jw_object(w);
    lxe_jw_u64(w, "max_rate_bps", l->rate.max_bps);
    lxe_jw_u64(w, "min_rate_bps", l->rate.min_bps);
    lxe_jw_str(w, "rate_policy",
               l->policy == MIG_RATE_FIXED ? "fixed" : "clark");
    lxe_jw_double(w, "max_downtime_ms", (double)l->max_downtime_ns / 1e6);
    lxe_jw_double(w, "downtime_limit_max_ms",
                  (double)l->downtime_limit_max_ns / 1e6);
    lxe_jw_double(w, "suspend_cost_ms", (double)l->suspend_cost_ns / 1e6);
    lxe_jw_u64(w, "suspend_pages", l->suspend_pages);
    lxe_jw_double(w, "last_cost_ms", (double)l->last_cost_ns / 1e6);
    lxe_jw_u64(w, "stall_rounds", l->stall_rounds);
    lxe_jw_u64(w, "max_rounds", l->max_rounds);
    lxe_jw_double(w, "timeout_ms", (double)l->timeout_ns / 1e6);
    lxe_jw_str(w, "on_timeout", mig_on_timeout_name(l->on_timeout));
    lxe_jw_str(w, "throttle", mig_throttle_name(l->throttle));
    lxe_jw_u64(w, "throttle_max_percent", l->throttle_max_percent);
    lxe_jw_bool(w, "skip", l->skip);
    lxe_jw_u64(w, "compress_level", l->compress_level);
    lxe_jw_bool(w, "compress_auto", l->compress_auto);
    lxe_jw_u64(w, "compress_window_kib", l->compress_window_kib);
    lxe_jw_end_object(w);
}

static void put_page_cache(struct lxe_jw *w, const struct mig_report *r)
{
    lxe_jw_key(w, "memory");
    lxe_jw_object(w);
    lxe_jw_u64(w, "target_kib", r->page_cache.original_target_kib);
    lxe_jw_u64(w, "before_kib", r->page_cache.before_kib);
    lxe_jw_u64(w, "moved_kib", r->page_cache.after_kib);
    lxe_jw_bool(w, "page_cache_dropped", r->page_cache.dropped);
    lxe_jw_u64(w, "reserved_at_target_kib", r->reserved_kib);
    lxe_jw_end_object(w);
}

static void put_times(struct lxe_jw *w, const struct mig_report *r)
{
    put_span(w, "total_ms", r->begin_ns, r->end_ns);
    put_span(w, "precopy_ms", r->precopy_ns, r->request_ns);
    lxe_jw_key(w, "downtime_ms");
    lxe_jw_object(w);
    put_span(w, "suspend", r->request_ns, r->suspended_ns);
    put_span(w, "last_pass", r->suspended_ns, r->last_byte_ns);
    put_span(w, "engine", r->request_ns, r->last_byte_ns);
    put_span(w, "device", r->last_byte_ns, r->ready_ns);
    put_span(w, "resume", r->ready_ns, r->resumed_ns);
    put_span(w, "total", r->request_ns, r->resumed_ns);
    lxe_jw_end_object(w);
}

static void put_stages(struct lxe_jw *w, const struct mig_report *r)
{
    lxe_jw_key(w, "stages");
    lxe_jw_array(w);
    for (size_t i = 0; i < r->stage_count; i++) {
        uint64_t from = r->stages[i].start_ns;
        uint64_t to = i + 1 < r->stage_count ? r->stages[i + 1].start_ns
                                             : r->end_ns;

        lxe_jw_object(w);
        lxe_jw_str(w, "stage", r->stages[i].name);
        put_span(w, "start_ms", r->begin_ns, from);
        put_span(w, "duration_ms", from, to);
        lxe_jw_end_object(w);
    }
    lxe_jw_end_array(w);
}

static void put_sums(struct lxe_jw *w, const struct mig_report *r)
{
    lxe_jw_u64(w, "wire_bytes", r->wire_bytes);
    lxe_jw_u64(w, "stream_bytes", r->stream_bytes);
    lxe_jw_u64(w, "domain_pages", r->domain_pages);
    lxe_jw_u64(w, "sent_pages", mig_report_sent_pages(r));
    lxe_jw_u64(w, "skipped_pages", mig_report_skipped_pages(r));
    lxe_jw_key(w, "limiter");
    lxe_jw_object(w);
    lxe_jw_u64(w, "seconds", r->limiter.seconds);
    lxe_jw_double(w, "mean_error", r->limiter.mean);
    lxe_jw_double(w, "worst_error", r->limiter.worst);
    lxe_jw_end_object(w);
    lxe_jw_key(w, "waits_ms");
    lxe_jw_object(w);
    lxe_jw_double(w, "for_pages", (double)r->idle_ns / 1e6);
    lxe_jw_double(w, "for_rate", (double)r->held_ns / 1e6);
    lxe_jw_double(w, "for_wire", (double)r->blocked_ns / 1e6);
    lxe_jw_double(w, "packing", (double)r->pack_ns / 1e6);
    lxe_jw_end_object(w);
    lxe_jw_key(w, "peeks");
    lxe_jw_object(w);
    lxe_jw_u64(w, "count", r->peeks);
    lxe_jw_double(w, "total_ms", (double)r->peek_ns / 1e6);
    lxe_jw_double(w, "saved_ms", (double)r->skip_saved_ns / 1e6);
    lxe_jw_end_object(w);
}

/* By how much more was predicted than came, as a share; null: not known. */
static void put_error(struct lxe_jw *w, const char *key, double predicted_ns,
                      uint64_t from_ns, uint64_t to_ns)
{
    if (from_ns && to_ns > from_ns)
        lxe_jw_double(w, key, predicted_ns / (double)(to_ns - from_ns) - 1);
    else
        lxe_jw_null(w, key);
}

/* Beside what came, by the engine's clock: to the last byte of the stream. */
static void put_prediction(struct lxe_jw *w, const struct mig_report *r)
{
    if (!r->has_prediction) {
        lxe_jw_null(w, "prediction");
        return;
    }
    lxe_jw_key(w, "prediction");
    lxe_jw_object(w);
    mig_prediction_write(w, "predicted", &r->predicted);
    lxe_jw_key(w, "actual");
    lxe_jw_object(w);
    lxe_jw_u64(w, "rounds", r->round_count - (r->request_ns != 0 &&
                                              r->round_count != 0));
    lxe_jw_u64(w, "bytes", r->stream_bytes);
    lxe_jw_u64(w, "wire_bytes", r->wire_bytes);
    put_span(w, "total_ms", r->precopy_ns, r->last_byte_ns);
    put_span(w, "downtime_ms", r->request_ns, r->last_byte_ns);
    lxe_jw_end_object(w);
    lxe_jw_key(w, "error");
    lxe_jw_object(w);
    put_error(w, "total", r->predicted.total_ns.expected, r->precopy_ns,
              r->last_byte_ns);
    put_error(w, "downtime", r->predicted.downtime_ns.expected, r->request_ns,
              r->last_byte_ns);
    lxe_jw_end_object(w);
    lxe_jw_end_object(w);
}

/* In sum, what the rounds tell one by one. */
static void put_slowing(struct lxe_jw *w, const struct mig_report *r)
{
    uint64_t slowed_ns = 0, limit_ns = r->limits.max_downtime_ns;
    double most = 0;

    for (size_t i = 0; i < r->round_count; i++) {
        const struct mig_round *round = &r->rounds[i];

        if (round->slowed_percent > 0)
            slowed_ns += round->end_ns - round->start_ns;
        if (round->slowed_percent > most)
            most = round->slowed_percent;
        if (round->downtime_limit_ns > limit_ns)
            limit_ns = round->downtime_limit_ns;
    }
    lxe_jw_double(w, "slowed_mean_percent", r->slowed_mean_percent);
    lxe_jw_double(w, "slowed_most_percent", most);
    lxe_jw_double(w, "slowed_ms", (double)slowed_ns / 1e6);
    lxe_jw_double(w, "downtime_limit_ms", (double)limit_ns / 1e6);
}

static void put_guest(struct lxe_jw *w, const struct mig_report *r)
{
    lxe_jw_str(w, "domain", r->domain);
    if (mig_report_has_guest(r))
        lxe_jw_u64(w, "domid", r->domid);
    else
        lxe_jw_null(w, "domid");
    lxe_jw_str(w, "uuid", *r->uuid ? r->uuid : NULL);
}

static void put_report(struct lxe_jw *w, const struct mig_report *r)
{
    lxe_jw_object(w);
    lxe_jw_u64(w, "version", 1);
    lxe_jw_str(w, "id", *r->id ? r->id : NULL);
    lxe_jw_str(w, "outcome", mig_outcome_name(r->outcome));
    lxe_jw_str(w, "error", *r->error ? r->error : NULL);
    put_guest(w, r);
    lxe_jw_str(w, "to", r->to);
    lxe_jw_str(w, "receiver", r->receiver);
    lxe_jw_i64(w, "started_s", r->wall_start_s);
    put_limits(w, &r->limits);
    put_slowing(w, r);
    put_page_cache(w, r);
    mig_packing_write(w, "packing", &r->packing);
    put_times(w, r);
    put_stages(w, r);
    put_sums(w, r);
    lxe_jw_str(w, "stop_reason", *r->stop_reason ? r->stop_reason : NULL);
    put_prediction(w, r);
    if (r->has_wws)
        mig_wws_write(w, "wws", &r->wws);
    else
        lxe_jw_null(w, "wws");
    lxe_jw_key(w, "rounds");
    lxe_jw_array(w);
    for (size_t i = 0; i < r->round_count; i++)
        put_round(w, r, &r->rounds[i]);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
}

/* A device, a pipe, /dev/stdout: nothing may be put in their place. */
static bool is_no_file(const char *path)
{
    struct stat st;

    return !strncmp(path, "/dev/", 5) ||
           (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

/* A file that was not there; what is left of an earlier one goes. */
static FILE *create(const char *path, mode_t mode)
{
    int fd;
    FILE *f;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    f = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && !f)
        close(fd);
    return f;
}

/* Closes it, too; NULL is one that could not be opened. */
static int put_text(FILE *f, const char *path, const char *text,
                    struct lxe_err *err)
{
    int rc = 0;

    if (!f)
        return lxe_fail(err, -errno, "cannot write %s: %m", path);
    if (fputs(text, f) < 0)
        rc = lxe_fail(err, -errno, "cannot write %s: %m", path);
    if (fclose(f) && !rc)
        rc = lxe_fail(err, -errno, "cannot write %s: %m", path);
    return rc;
}

static int write_file(const char *path, mode_t mode, const char *text,
                      struct lxe_err *err)
{
    _cleanup_free_ char *temp = NULL;
    int rc;

    if (is_no_file(path))
        return put_text(fopen(path, "we"), path, text, err);
    if (asprintf(&temp, "%s.part", path) < 0) {
        temp = NULL;
        return lxe_fail(err, -ENOMEM, "out of memory");
    }
    lxe_make_folders(path, 0755);
    rc = put_text(create(temp, mode), temp, text, err);
    if (!rc && rename(temp, path))
        rc = lxe_fail(err, -errno, "cannot write %s: %m", path);
    if (rc)
        unlink(temp);
    return rc;
}

int mig_report_write_as(const struct mig_report *report, const char *path,
                        mode_t mode, struct lxe_err *err)
{
    struct lxe_jw *w = lxe_jw_new(true);
    const char *text = NULL;
    int rc;

    if (w) {
        put_report(w, report);
        text = lxe_jw_text(w, NULL);
    }
    if (!text)
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    else if (!strcmp(path, "-"))
        rc = fputs(text, stdout) < 0 ? lxe_fail(err, -EIO, "stdout: %m") : 0;
    else
        rc = write_file(path, mode, text, err);
    lxe_jw_free(w);
    return rc;
}

int mig_report_write(const struct mig_report *report, const char *path,
                     struct lxe_err *err)
{
    return mig_report_write_as(report, path, 0666, err);
}
