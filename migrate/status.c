/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "status.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd_io.h"
#include "base/json.h"

static const char *const kinds[] = {
    [MIG_STATUS_START] = "start",         [MIG_STATUS_PROGRESS] = "progress",
    [MIG_STATUS_ROUND] = "round",         [MIG_STATUS_STOP] = "stop",
    [MIG_STATUS_SUSPENDED] = "suspended", [MIG_STATUS_END] = "end",
};

/*
 * The members of a status, once for both directions: name, where it is, and
 * which kinds have it.
 */
#define IN(kind) (1u << MIG_STATUS_##kind)
#define AT(member) offsetof(struct mig_status, member)

enum member_type { U64, UNSIGNED, DOUBLE, BOOL };

static const struct member {
    const char *name;
    enum member_type type;
    size_t at;
    unsigned kinds;
} members[] = {
    { "at_ns", U64, AT(at_ns), ~0u },
    { "pid", U64, AT(pid), IN(START) },
    { "domain_pages", U64, AT(domain_pages), IN(START) },
    { "round", UNSIGNED, AT(round.index), IN(PROGRESS) | IN(ROUND) },
    { "final", BOOL, AT(round.final), IN(PROGRESS) | IN(ROUND) },
    { "dirty_pages", U64, AT(round.dirty_pages), IN(PROGRESS) | IN(ROUND) },
    { "sent_pages", U64, AT(round.sent_pages), IN(PROGRESS) | IN(ROUND) },
    { "skipped_pages", U64, AT(round.skipped_pages),
      IN(PROGRESS) | IN(ROUND) },
    { "bytes", U64, AT(round.bytes), IN(PROGRESS) | IN(ROUND) },
    { "wire_bytes", U64, AT(round.wire_bytes), IN(PROGRESS) | IN(ROUND) },
    { "start_ns", U64, AT(round.start_ns), IN(PROGRESS) | IN(ROUND) },
    { "end_ns", U64, AT(round.end_ns), IN(PROGRESS) | IN(ROUND) },
    { "limit_bps", U64, AT(round.limit_bps), IN(PROGRESS) | IN(ROUND) },
    { "dirty_pps", DOUBLE, AT(round.dirty_pps), IN(PROGRESS) | IN(ROUND) },
    { "predicted_downtime_ns", U64, AT(round.predicted_downtime_ns),
      IN(PROGRESS) | IN(ROUND) },
    { "left_pages", U64, AT(round.left_pages), IN(ROUND) },
    { "downtime_limit_ns", U64, AT(round.downtime_limit_ns),
      IN(PROGRESS) | IN(ROUND) },
    { "slowed_percent", DOUBLE, AT(round.slowed_percent),
      IN(PROGRESS) | IN(ROUND) },
    { "wire_bps", DOUBLE, AT(round.wire_bps), IN(ROUND) },
    { "remaining_pages", U64, AT(remaining_pages), IN(PROGRESS) },
    { "rate_bps", DOUBLE, AT(rate_bps), IN(PROGRESS) },
    { "stream_bps", DOUBLE, AT(stream_bps), IN(PROGRESS) },
    { "request_ns", U64, AT(request_ns), IN(SUSPENDED) },
    { "ok", BOOL, AT(ok), IN(SUSPENDED) | IN(END) },
    { "stream_bytes", U64, AT(bytes), IN(END) },
    { "all_wire_bytes", U64, AT(wire_bytes), IN(END) },
    { "pack_ns", U64, AT(pack_ns), IN(END) },
    { "limited_seconds", UNSIGNED, AT(limiter.seconds), IN(END) },
    { "limiter_mean_error", DOUBLE, AT(limiter.mean), IN(END) },
    { "limiter_worst_error", DOUBLE, AT(limiter.worst), IN(END) },
    { "peeks", U64, AT(peeks), IN(END) },
    { "peek_ns", U64, AT(peek_ns), IN(END) },
    { "skip_saved_ns", U64, AT(skip_saved_ns), IN(END) },
    { "idle_ns", U64, AT(idle_ns), IN(END) },
    { "held_ns", U64, AT(held_ns), IN(END) },
    { "blocked_ns", U64, AT(blocked_ns), IN(END) },
    { "slowed_mean_percent", DOUBLE, AT(slowed_mean_percent), IN(END) },
};

#define MEMBER_COUNT (sizeof(members) / sizeof(members[0]))

/* JSON has no other numbers, and a line without one is no status. */
static double finite_or_0(double value)
{
    return isfinite(value) ? value : 0;
}

static void write_member(struct lxe_jw *w, const struct member *m,
                         const struct mig_status *s)
{
    const void *at = (const char *)s + m->at;

    switch (m->type) {
    case U64:
        lxe_jw_u64(w, m->name, *(const uint64_t *)at);
        break;
    case UNSIGNED:
        lxe_jw_u64(w, m->name, *(const unsigned *)at);
        break;
    case DOUBLE:
        lxe_jw_double(w, m->name, finite_or_0(*(const double *)at));
        break;
    case BOOL:
        lxe_jw_bool(w, m->name, *(const bool *)at);
        break;
    }
}

int mig_status_send(int fd, const struct mig_status *status)
{
    struct lxe_jw *w = lxe_jw_new(false);
    char line[MIG_STATUS_MAX_LINE];
    const char *text;
    size_t len;
    int rc = -ENOMEM;

    if (!w)
        return rc;
    lxe_jw_object(w);
    lxe_jw_str(w, "event", kinds[status->kind]);
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        if (members[i].kinds & 1u << status->kind)
            write_member(w, &members[i], status);
    if ((IN(STOP) | IN(END)) & 1u << status->kind)
        lxe_jw_str(w, "reason", status->reason);
    lxe_jw_end_object(w);
    text = lxe_jw_text(w, &len);
    if (text && len < sizeof(line)) {
        memcpy(line, text, len);
        line[len] = '\n';
        rc = lxe_write_all(fd, line, len + 1);
    }
    lxe_jw_free(w);
    return rc;
}

static int read_member(const struct lxe_json *root, const struct member *m,
                       struct mig_status *s)
{
    const struct lxe_json *node = lxe_json_get(root, m->name);
    void *at = (char *)s + m->at;
    uint64_t u;
    int rc;

    switch (m->type) {
    case U64:
        return lxe_json_u64(node, at);
    case UNSIGNED:
        rc = lxe_json_u64(node, &u);
        if (!rc && u > UINT32_MAX)
            rc = -ERANGE;
        if (!rc)
            *(unsigned *)at = (unsigned)u;
        return rc;
    case DOUBLE:
        return lxe_json_double(node, at);
    case BOOL:
        return lxe_json_bool(node, at);
    }
    return -EINVAL;
}

static int read_kind(const struct lxe_json *root, enum mig_status_kind *out)
{
    const char *event = lxe_json_str(lxe_json_get(root, "event"));

    for (unsigned i = 0; event && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strcmp(event, kinds[i])) {
            *out = (enum mig_status_kind)i;
            return 0;
        }
    return -EPROTO;
}

/* It is to be signalled: 0 and what a pid_t takes for -1 mean a group, or
 * everybody. */
static bool is_pid(uint64_t pid)
{
    return pid > 1 && pid <= INT32_MAX;
}

int mig_status_parse(const char *line, size_t len, struct mig_status *out,
                     struct lxe_err *err)
{
    struct lxe_json *root;
    const char *reason;
    int rc;

    if (len >= MIG_STATUS_MAX_LINE)
        return lxe_fail(err, -EPROTO, "the save helper's status is too long");
    if (lxe_json_parse(line, len, &root, err))
        return lxe_fail(err, -EPROTO, "the save helper's status is not JSON");
    *out = (struct mig_status){ 0 };
    rc = read_kind(root, &out->kind);
    if (rc)
        lxe_fail(err, rc, "the save helper's status has an unknown event");
    for (size_t i = 0; !rc && i < MEMBER_COUNT; i++)
        if (members[i].kinds & 1u << out->kind &&
            read_member(root, &members[i], out))
            rc = lxe_fail(err, -EPROTO, "the save helper's status '%s': "
                          "member '%s' is missing or wrong",
                          kinds[out->kind], members[i].name);
    if (!rc && out->kind == MIG_STATUS_START && !is_pid(out->pid))
        rc = lxe_fail(err, -EPROTO, "the save helper's status 'start': %llu"
                      " is no pid", (unsigned long long)out->pid);
    reason = lxe_json_str(lxe_json_get(root, "reason"));
    if (reason)
        snprintf(out->reason, sizeof(out->reason), "%s", reason);
    lxe_json_free(root);
    return rc;
}

void mig_status_put_progress(struct lxe_jw *w, const struct mig_status *s)
{
    lxe_jw_u64(w, "round", s->round.index);
    lxe_jw_u64(w, "remaining_pages", s->remaining_pages);
    lxe_jw_double(w, "rate_bps", s->rate_bps);
    if (s->round.dirty_pps >= 0)
        lxe_jw_double(w, "dirty_pages_per_s", s->round.dirty_pps);
    else
        lxe_jw_null(w, "dirty_pages_per_s");
    lxe_jw_double(w, "predicted_downtime_ms",
                  (double)s->round.predicted_downtime_ns / 1e6);
    lxe_jw_double(w, "slowed_percent", s->round.slowed_percent);
}
