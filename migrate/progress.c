/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/shown.h"
#include "base/units.h"
#include "precopy.h"

#define TEXT_MAX 400

/* ---- one line of text ---- */

static int put_time_left(char *out, size_t size, const struct mig_status *s)
{
    double seconds = (double)s->remaining_pages * MIG_PAGE_WIRE_BYTES /
                     (s->stream_bps > 1 ? s->stream_bps : 1);

    if (s->stream_bps < 1 || seconds > 86400)
        return 0;
    return snprintf(out, size, " (%.0f s)", seconds);
}

static void round_text(char out[TEXT_MAX], const struct mig_status *s)
{
    const struct mig_round *r = &s->round;
    char rate[LXE_UNIT_TEXT], left[LXE_UNIT_TEXT], dirty[LXE_UNIT_TEXT];
    int n;

    lxe_format_bps(rate, s->rate_bps);
    lxe_format_kib(left, s->remaining_pages * LXE_KIB_PER_PAGE);
    n = snprintf(out, TEXT_MAX, "round %u: %s, %s left", r->index, rate, left);
    n += put_time_left(out + n, TEXT_MAX - (size_t)n, s);
    if (r->skipped_pages)
        n += snprintf(out + n, TEXT_MAX - (size_t)n, ", %" PRIu64 " skipped",
                      r->skipped_pages);
    if (r->dirty_pps >= 0)
        n += snprintf(out + n, TEXT_MAX - (size_t)n, ", dirtying %s",
                      lxe_format_bps(dirty, r->dirty_pps * LXE_PAGE_SIZE));
    if (r->slowed_percent > 0)
        n += snprintf(out + n, TEXT_MAX - (size_t)n, ", guest slowed %.0f %%",
                      r->slowed_percent);
    if (r->predicted_downtime_ns)
        snprintf(out + n, TEXT_MAX - (size_t)n, ", downtime now ~%.0f ms",
                 (double)r->predicted_downtime_ns / 1e6);
}

static void sent_text(char out[TEXT_MAX], const struct mig_status *s)
{
    const struct mig_round *r = &s->round;
    char rate[LXE_UNIT_TEXT];
    double seconds = (double)(r->end_ns - r->start_ns) / 1e9;

    int n;

    n = snprintf(out, TEXT_MAX, "%s %u: %" PRIu64 " pages sent, %" PRIu64
                 " skipped, %.2f s, %s", r->final ? "final pass" : "round",
                 r->index, r->sent_pages, r->skipped_pages, seconds,
                 lxe_format_bps(rate, seconds > 0 ? (double)r->wire_bytes / seconds
                                                  : 0));
    if (r->slowed_percent > 0)
        snprintf(out + n, TEXT_MAX - (size_t)n, ", guest slowed %.0f %%",
                 r->slowed_percent);
}

static void stage_text(char out[TEXT_MAX], enum mig_stage stage,
                       const struct mig_report *report)
{
    uint64_t before = report->page_cache.before_kib;
    uint64_t after = report->page_cache.after_kib;
    char now[LXE_UNIT_TEXT], less[LXE_UNIT_TEXT];

    *out = '\0';
    if (stage == MIG_STAGE_PLAN && mig_report_has_guest(report))
        snprintf(out, TEXT_MAX, "%s has %s", report->domain,
                 lxe_format_kib(now, before));
    else if (stage == MIG_STAGE_RESERVE)
        snprintf(out, TEXT_MAX, "asking the target");
    else if (stage == MIG_STAGE_PAGE_CACHE)
        snprintf(out, TEXT_MAX, "the guest has %s",
                 lxe_format_kib(now, after));
    else if (stage == MIG_STAGE_WATCH)
        snprintf(out, TEXT_MAX, "how fast it writes, to predict the rest");
    else if (stage == MIG_STAGE_PRECOPY && after < before)
        snprintf(out, TEXT_MAX, "%s to move; %s of page cache stay behind",
                 lxe_format_kib(now, after),
                 lxe_format_kib(less, before - after));
    else if (stage == MIG_STAGE_PRECOPY)
        snprintf(out, TEXT_MAX, "%s to move", lxe_format_kib(now, after));
    else if (stage == MIG_STAGE_COMMIT)
        snprintf(out, TEXT_MAX, "the target starts the guest");
}

/* Returns false where there is nothing to show. */
static bool make_text(char out[TEXT_MAX], enum mig_stage stage,
                      const struct mig_report *report,
                      const struct mig_status *status)
{
    if (!status) {
        stage_text(out, stage, report);
        return true;
    }
    switch (status->kind) {
    case MIG_STATUS_PROGRESS:
        round_text(out, status);
        return true;
    case MIG_STATUS_ROUND:
        sent_text(out, status);
        return true;
    case MIG_STATUS_STOP:
        snprintf(out, TEXT_MAX, "%s", status->reason);
        return true;
    case MIG_STATUS_START:
    case MIG_STATUS_SUSPENDED:
    case MIG_STATUS_END:
        break;
    }
    return false;
}

/* ---- where it goes ---- */

static void show_json(enum mig_stage stage, const struct mig_status *s)
{
    struct lxe_jw *w = lxe_jw_new(false);
    const char *text;

    if (!w)
        return;
    lxe_jw_object(w);
    lxe_jw_str(w, "stage", mig_stage_name(stage));
    if (s && s->kind == MIG_STATUS_PROGRESS) {
        mig_status_put_progress(w, s);
        lxe_jw_u64(w, "skipped_pages", s->round.skipped_pages);
    }
    lxe_jw_end_object(w);
    text = lxe_jw_text(w, NULL);
    if (text) {
        puts(text);
        fflush(stdout);
    }
    lxe_jw_free(w);
}

/* By one write, before which there was room. */
static void show_in_place(struct mig_progress *p, enum mig_stage stage,
                          const char *text, bool lasting)
{
    fprintf(stderr, "\r\033[K%-13s %.*s%s", mig_stage_name(stage), 100, text,
            lasting ? "\n" : "");
    fflush(stderr);
    p->line_open = !lasting;
}

/* Whether a line goes out without a wait: a pipe has room for PIPE_BUF bytes
 * then, and a terminal was not stopped. */
static bool has_room(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) > 0;
}

void mig_progress_end(struct mig_progress *progress)
{
    if (progress->line_open)
        fputc('\n', stderr);
    progress->line_open = false;
}

/* In a file a new stage, a whole round and a reason are worth a line. */
static bool worth_a_line(const struct mig_progress *p, enum mig_stage stage,
                         const struct mig_status *status)
{
    if (status)
        return status->kind != MIG_STATUS_PROGRESS;
    return !p->begun || stage != p->stage;
}

void mig_progress_show(void *data, enum mig_stage stage,
                       const struct mig_report *report,
                       const struct mig_status *status)
{
    struct mig_progress *p = data;
    char text[TEXT_MAX];
    bool lasting = worth_a_line(p, stage, status);

    if (p->style == MIG_PROGRESS_NONE || !make_text(text, stage, report,
                                                    status))
        return;
    if (p->style == MIG_PROGRESS_LINES && !*text)
        return;
    if (!has_room(p->style == MIG_PROGRESS_JSON ? STDOUT_FILENO
                                                : STDERR_FILENO))
        return;
    lxe_make_shown(text);
    p->stage = stage;
    p->begun = true;
    if (p->style == MIG_PROGRESS_JSON) {
        show_json(stage, status);
    } else if (p->style == MIG_PROGRESS_LINE) {
        show_in_place(p, stage, text, lasting && status);
    } else if (lasting) {
        fprintf(stderr, "%-13s %s\n", mig_stage_name(stage), text);
    }
}

void mig_progress_summary(const struct mig_report *report)
{
    char wire[LXE_UNIT_TEXT];
    char name[sizeof(report->domain)];
    double total_s = (double)(report->end_ns - report->begin_ns) / 1e9;

    memcpy(name, report->domain, sizeof(name));
    lxe_make_shown(name);
    fprintf(stderr,
            "%s has moved: %s sent in %.1f s, %" PRIu64 " pages skipped, "
            "downtime %.0f ms (%.0f ms of it ours)\n",
            name, lxe_format_kib(wire, report->wire_bytes / 1024),
            total_s, mig_report_skipped_pages(report),
            (double)mig_report_downtime_ns(report) / 1e6,
            (double)(report->last_byte_ns - report->request_ns) / 1e6);
    if (report->slowed_mean_percent > 0)
        fprintf(stderr, "the guest was slowed by %.0f %% in the mean, to get"
                " there\n", report->slowed_mean_percent);
    if (report->limiter.seconds)
        fprintf(stderr, "rate limit kept within %.2f %% (mean %.2f %%) over "
                "%u seconds\n", report->limiter.worst * 100,
                report->limiter.mean * 100, report->limiter.seconds);
}
