/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "report_read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define VERSION  1
#define MOST     1e18 /* of any figure */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool mig_known(double value)
{
    return isfinite(value);
}

/* ---- members ---- */

struct text_member {
    const char *key;
    size_t offset; /* of a const char * */
};

struct number_member {
    const char *key;
    size_t offset; /* of a double */
};

static int wrong(const struct lxe_json *node, const char *key,
                 const char *want, struct lxe_err *err)
{
    return lxe_fail(err, -EINVAL, "line %u: %s is %s, not %s",
                    lxe_json_line(node), key,
                    lxe_json_type_name(lxe_json_type(node)), want);
}

static bool is_null(const struct lxe_json *node)
{
    return !node || lxe_json_type(node) == LXE_JSON_NULL;
}

static int get_text(const struct lxe_json *object, const char *key,
                    const char **out, struct lxe_err *err)
{
    const struct lxe_json *node = lxe_json_get(object, key);

    *out = NULL;
    if (is_null(node))
        return 0;
    *out = lxe_json_str(node);
    if (!*out)
        return wrong(node, key, "a string", err);
    if (strlen(*out) > MIG_RUN_MAX_TEXT)
        return lxe_fail(err, -EINVAL, "line %u: %s is longer than %d bytes",
                        lxe_json_line(node), key, MIG_RUN_MAX_TEXT);
    return 0;
}

static int get_texts(const struct lxe_json *object,
                     const struct text_member *members, size_t count,
                     struct mig_run *out, struct lxe_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < count && !rc; i++)
        rc = get_text(object, members[i].key,
                      (const char **)((char *)out + members[i].offset), err);
    return rc;
}

static int get_number(const struct lxe_json *object, const char *key,
                      double *out, struct lxe_err *err)
{
    const struct lxe_json *node = lxe_json_get(object, key);

    *out = (double)NAN;
    if (is_null(node))
        return 0;
    if (lxe_json_double(node, out))
        return wrong(node, key, "a number", err);
    if (!(*out >= 0 && *out <= MOST))
        return lxe_fail(err, -EINVAL, "line %u: %s is out of range",
                        lxe_json_line(node), key);
    return 0;
}

static int get_bool(const struct lxe_json *object, const char *key, bool *out,
                    struct lxe_err *err)
{
    const struct lxe_json *node = lxe_json_get(object, key);

    *out = false;
    if (is_null(node))
        return 0;
    return lxe_json_bool(node, out) ? wrong(node, key, "true or false", err)
                                    : 0;
}

/* A member that is an object or array; NULL where it is missing. */
static int get_part(const struct lxe_json *object, const char *key,
                    enum lxe_json_type type, const struct lxe_json **out,
                    struct lxe_err *err)
{
    const struct lxe_json *node = lxe_json_get(object, key);

    *out = is_null(node) ? NULL : node;
    if (!*out || lxe_json_type(node) == type)
        return 0;
    return wrong(node, key,
                 type == LXE_JSON_OBJECT ? "an object" : "an array", err);
}

static int get_numbers(const struct lxe_json *object,
                       const struct number_member *members, size_t count,
                       void *out, struct lxe_err *err)
{
    int rc = 0;

    for (size_t i = 0; i < count && !rc; i++)
        rc = get_number(object, members[i].key,
                        (double *)((char *)out + members[i].offset), err);
    return rc;
}

/* Numbers of a part of the report: all unknown where it is missing. */
static int get_group(const struct lxe_json *root, const char *group,
                     const struct number_member *members, size_t count,
                     void *out, struct lxe_err *err)
{
    const struct lxe_json *part;
    int rc = get_part(root, group, LXE_JSON_OBJECT, &part, err);

    if (!rc)
        rc = get_numbers(part, members, count, out, err);
    if (rc)
        lxe_err_prefix(err, "%s", group);
    return rc;
}

/* ---- the parts ---- */

#define RUN(key, member)                                                      \
    {                                                                         \
        key, offsetof(struct mig_run, member)                                 \
    }

static const struct text_member texts[] = {
    RUN("id", id),           RUN("outcome", outcome),
    RUN("error", error),     RUN("domain", domain),
    RUN("uuid", uuid),       RUN("to", to),
    RUN("receiver", receiver), RUN("stop_reason", stop_reason),
};

static const struct text_member limit_texts[] = {
    RUN("rate_policy", rate_policy),
    RUN("on_timeout", on_timeout),
    RUN("throttle", throttle),
};

static const struct number_member top[] = {
    RUN("domid", domid),
    RUN("started_s", started_s),
    RUN("total_ms", total_ms),
    RUN("precopy_ms", precopy_ms),
    RUN("wire_bytes", wire_bytes),
    RUN("stream_bytes", stream_bytes),
    RUN("domain_pages", domain_pages),
    RUN("sent_pages", sent_pages),
    RUN("skipped_pages", skipped_pages),
    RUN("slowed_mean_percent", slowed_mean_percent),
};

static const struct number_member limits[] = {
    RUN("max_rate_bps", max_rate_bps),
    RUN("min_rate_bps", min_rate_bps),
    RUN("max_downtime_ms", max_downtime_ms),
    RUN("max_rounds", max_rounds),
    RUN("timeout_ms", timeout_ms),
    RUN("downtime_limit_max_ms", downtime_limit_max_ms),
    RUN("throttle_max_percent", throttle_max_percent),
    RUN("compress_level", compress_level),
    RUN("compress_window_kib", compress_window_kib),
};

static const struct number_member memory[] = {
    RUN("target_kib", target_kib),
    RUN("before_kib", before_kib),
    RUN("moved_kib", moved_kib),
    RUN("reserved_at_target_kib", reserved_kib),
};

static const struct number_member downtime[] = {
    RUN("suspend", downtime.suspend), RUN("last_pass", downtime.last_pass),
    RUN("engine", downtime.engine),   RUN("device", downtime.device),
    RUN("resume", downtime.resume),   RUN("total", downtime.total),
};

static const struct number_member limiter[] = {
    RUN("seconds", limiter_seconds),
    RUN("mean_error", limiter_mean),
    RUN("worst_error", limiter_worst),
};

static const struct number_member waits[] = {
    RUN("for_pages", for_pages_ms),
    RUN("for_rate", for_rate_ms),
    RUN("for_wire", for_wire_ms),
    RUN("packing", packing_ms),
};

static const struct number_member peeks[] = {
    RUN("count", peeks),
    RUN("total_ms", peek_ms),
};

static const struct {
    const char *key;
    const struct number_member *members;
    size_t count;
} groups[] = {
    { "limits", limits, COUNT(limits) },
    { "memory", memory, COUNT(memory) },
    { "downtime_ms", downtime, COUNT(downtime) },
    { "limiter", limiter, COUNT(limiter) },
    { "waits_ms", waits, COUNT(waits) },
    { "peeks", peeks, COUNT(peeks) },
};

#define ROUND(key, member)                                                    \
    {                                                                         \
        key, offsetof(struct mig_run_round, member)                           \
    }

static const struct number_member round_members[] = {
    ROUND("round", index),
    ROUND("dirty_pages", dirty_pages),
    ROUND("sent_pages", sent_pages),
    ROUND("skipped_pages", skipped_pages),
    ROUND("bytes", bytes),
    ROUND("wire_bytes", wire_bytes),
    ROUND("start_ms", start_ms),
    ROUND("duration_ms", duration_ms),
    ROUND("rate_bps", rate_bps),
    ROUND("limit_bps", limit_bps),
    ROUND("dirty_pages_per_s", dirty_pps),
    ROUND("predicted_downtime_ms", predicted_downtime_ms),
    ROUND("downtime_limit_ms", downtime_limit_ms),
    ROUND("slowed_percent", slowed_percent),
};

/* ---- the prediction ---- */

#define RANGE(key, member)                                                    \
    {                                                                         \
        key, offsetof(struct mig_run, member)                                 \
    }

static const struct {
    const char *key;
    size_t offset; /* of a struct mig_run_range */
} ranges[] = {
    RANGE("rounds", predicted_rounds),
    RANGE("bytes", predicted_bytes),
    RANGE("wire_bytes", predicted_wire_bytes),
    RANGE("total_ms", predicted_total_ms),
    RANGE("downtime_ms", predicted_downtime_ms),
};

static const struct number_member range_members[] = {
    { "expected", offsetof(struct mig_run_range, expected) },
    { "low", offsetof(struct mig_run_range, low) },
    { "high", offsetof(struct mig_run_range, high) },
};

/* Bounds that are missing are the figure itself. */
static int get_range(const struct lxe_json *prediction, const char *key,
                     struct mig_run_range *out, struct lxe_err *err)
{
    int rc = get_group(prediction, key, range_members, COUNT(range_members),
                       out, err);

    if (rc)
        return rc;
    out->low = fmin(out->low, out->expected);
    out->high = fmax(out->high, out->expected);
    return 0;
}

static int get_prediction(const struct lxe_json *root, struct mig_run *out,
                          struct lxe_err *err)
{
    const struct lxe_json *part;
    int rc = get_part(root, "prediction", LXE_JSON_OBJECT, &part, err);

    if (!rc)
        rc = get_part(part, "predicted", LXE_JSON_OBJECT, &part, err);
    for (size_t i = 0; i < COUNT(ranges) && !rc; i++)
        rc = get_range(part, ranges[i].key,
                       (struct mig_run_range *)((char *)out +
                                                ranges[i].offset), err);
    return rc;
}

/* ---- arrays ---- */

/* One that has at most so many elements, all of them objects. */
static int get_list(const struct lxe_json *root, const char *key, size_t most,
                    const struct lxe_json **out, struct lxe_err *err)
{
    int rc = get_part(root, key, LXE_JSON_ARRAY, out, err);

    if (rc)
        return rc;
    if (lxe_json_count(*out) > most)
        return lxe_fail(err, -EINVAL, "%s has more than %zu elements", key,
                        most);
    for (size_t i = 0; i < lxe_json_count(*out); i++) {
        const struct lxe_json *node = lxe_json_at(*out, i);

        if (lxe_json_type(node) != LXE_JSON_OBJECT)
            return wrong(node, key, "a list of objects", err);
    }
    return 0;
}

static int get_rounds(const struct lxe_json *root, struct mig_run *out,
                      struct lxe_err *err)
{
    const struct lxe_json *list;
    size_t count;
    int rc = get_list(root, "rounds", MIG_REPORT_ROUNDS, &list, err);

    if (rc)
        return rc;
    count = lxe_json_count(list);
    out->rounds = calloc(count ? count : 1, sizeof(*out->rounds));
    if (!out->rounds)
        return lxe_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !rc; i++) {
        struct mig_run_round *round = &out->rounds[out->round_count++];

        rc = get_numbers(lxe_json_at(list, i), round_members,
                         COUNT(round_members), round, err);
        if (!rc)
            rc = get_bool(lxe_json_at(list, i), "final", &round->final, err);
    }
    return rc;
}

static int get_stages(const struct lxe_json *root, struct mig_run *out,
                      struct lxe_err *err)
{
    static const struct number_member members[] = {
        { "start_ms", offsetof(struct mig_run_stage, start_ms) },
        { "duration_ms", offsetof(struct mig_run_stage, duration_ms) },
    };
    const struct lxe_json *list;
    size_t count;
    int rc = get_list(root, "stages", MIG_REPORT_STAGES, &list, err);

    if (rc)
        return rc;
    count = lxe_json_count(list);
    out->stages = calloc(count ? count : 1, sizeof(*out->stages));
    if (!out->stages)
        return lxe_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !rc; i++) {
        struct mig_run_stage *stage = &out->stages[out->stage_count++];

        rc = get_numbers(lxe_json_at(list, i), members, COUNT(members), stage,
                         err);
        if (!rc)
            rc = get_text(lxe_json_at(list, i), "stage", &stage->name, err);
    }
    return rc;
}

/* ---- the whole ---- */

static int check_version(const struct lxe_json *root, struct lxe_err *err)
{
    const struct lxe_json *node = lxe_json_get(root, "version");
    uint64_t version;

    if (lxe_json_type(root) != LXE_JSON_OBJECT || !node ||
        lxe_json_u64(node, &version))
        return lxe_fail(err, -EINVAL, "this is no report of a migration");
    if (version != VERSION)
        return lxe_fail(err, -EINVAL, "a report of version %llu, and this"
                        " program reads %d",
                        (unsigned long long)version, VERSION);
    return 0;
}

static int get_all(struct lxe_json *root, struct mig_run *out,
                   struct lxe_err *err)
{
    const struct lxe_json *part = lxe_json_get(root, "limits");
    int rc = check_version(root, err);

    if (!rc)
        rc = get_texts(root, texts, COUNT(texts), out, err);
    if (!rc)
        rc = get_numbers(root, top, COUNT(top), out, err);
    for (size_t i = 0; i < COUNT(groups) && !rc; i++)
        rc = get_group(root, groups[i].key, groups[i].members,
                       groups[i].count, out, err);
    if (!rc)
        rc = get_texts(part, limit_texts, COUNT(limit_texts), out, err);
    if (!rc)
        rc = get_bool(part, "skip", &out->skip, err);
    if (!rc)
        rc = get_bool(lxe_json_get(root, "memory"), "page_cache_dropped",
                      &out->dropped, err);
    if (!rc)
        rc = get_prediction(root, out, err);
    if (!rc)
        rc = get_stages(root, out, err);
    if (!rc)
        rc = get_rounds(root, out, err);
    return rc;
}

int mig_run_take(struct lxe_json *root, struct mig_run *out,
                 struct lxe_err *err)
{
    *out = (struct mig_run){ .root = root };
    return get_all(root, out, err);
}

int mig_run_read(const char *path, struct mig_run *out, struct lxe_err *err)
{
    struct lxe_json *root;
    int rc;

    *out = (struct mig_run){ 0 };
    rc = lxe_json_parse_file(path, MIG_RUN_MAX_BYTES, &root, err);
    if (rc)
        return rc;
    rc = mig_run_take(root, out, err);
    if (rc)
        lxe_err_prefix(err, "%s", path);
    return rc;
}

void mig_run_free(struct mig_run *run)
{
    free(run->rounds);
    free(run->stages);
    lxe_json_free(run->root);
    *run = (struct mig_run){ 0 };
}

bool mig_run_slowed(const struct mig_run *run)
{
    bool slowed = run->slowed_mean_percent > 0;

    for (size_t i = 0; i < run->round_count && !slowed; i++)
        slowed = run->rounds[i].slowed_percent > 0;
    return slowed;
}

double mig_run_slowed_ms(const struct mig_run *run)
{
    double ms = 0;

    for (size_t i = 0; i < run->round_count; i++)
        if (run->rounds[i].slowed_percent > 0 &&
            mig_known(run->rounds[i].duration_ms))
            ms += run->rounds[i].duration_ms;
    return ms;
}

double mig_run_slowed_most(const struct mig_run *run)
{
    double most = 0;

    for (size_t i = 0; i < run->round_count; i++)
        most = fmax(most, run->rounds[i].slowed_percent);
    return most;
}

double mig_run_relaxed_ms(const struct mig_run *run)
{
    double most = 0;

    for (size_t i = 0; i < run->round_count; i++)
        most = fmax(most, run->rounds[i].downtime_limit_ms);
    return most > run->max_downtime_ms ? most : 0;
}

double mig_run_round_sent(const struct mig_run_round *round)
{
    /* Reports of before there was packing tell it once. */
    return mig_known(round->wire_bytes) ? round->wire_bytes : round->bytes;
}

double mig_run_packing(const struct mig_run *run)
{
    if (!(run->compress_level > 0) || !(run->wire_bytes > 0))
        return (double)NAN;
    return run->stream_bytes / run->wire_bytes;
}

size_t mig_run_live_rounds(const struct mig_run *run)
{
    size_t n = 0;

    for (size_t i = 0; i < run->round_count; i++)
        n += !run->rounds[i].final;
    return n;
}
