/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

void mig_limits_default(struct mig_limits *limits)
{
    *limits = (struct mig_limits){
        .policy = MIG_RATE_ADAPTIVE,
        .max_downtime_ns = 300 * LXE_NS_PER_MS,
        .max_rounds = 30,
        .skip = true,
    };
}

static int set_policy(struct mig_limits *limits, const char *value,
                      struct lxe_err *err)
{
    if (!strcmp(value, "clark"))
        limits->policy = MIG_RATE_ADAPTIVE;
    else if (!strcmp(value, "fixed"))
        limits->policy = MIG_RATE_FIXED;
    else
        return lxe_fail(err, -EINVAL, "'%.40s' is neither clark nor fixed",
                        value);
    return 0;
}

static int set_yes_no(bool *out, const char *value, struct lxe_err *err)
{
    if (strcmp(value, "yes") && strcmp(value, "no"))
        return lxe_fail(err, -EINVAL, "'%.40s' is neither yes nor no", value);
    *out = !strcmp(value, "yes");
    return 0;
}

static int set_duration(uint64_t *out_ns, const char *value,
                        struct lxe_err *err)
{
    uint64_t ms;
    int rc = lxe_parse_duration_ms(value, &ms, err);

    if (!rc && ms > UINT64_MAX / LXE_NS_PER_MS)
        rc = lxe_fail(err, -ERANGE, "'%.40s' is too long", value);
    if (!rc)
        *out_ns = ms * LXE_NS_PER_MS;
    return rc;
}

static int set_named(struct mig_limits *limits, const char *name,
                     const char *value, struct lxe_err *err)
{
    uint64_t n;
    int rc;

    if (!strcmp(name, "max-rate"))
        return lxe_parse_rate_bps(value, &limits->rate.max_bps, err);
    if (!strcmp(name, "min-rate"))
        return lxe_parse_rate_bps(value, &limits->rate.min_bps, err);
    if (!strcmp(name, "rate-policy"))
        return set_policy(limits, value, err);
    if (!strcmp(name, "max-downtime"))
        return set_duration(&limits->max_downtime_ns, value, err);
    if (!strcmp(name, "timeout"))
        return set_duration(&limits->timeout_ns, value, err);
    if (!strcmp(name, "skip"))
        return set_yes_no(&limits->skip, value, err);
    if (strcmp(name, "max-rounds"))
        return lxe_fail(err, -ENOENT, "no limit has that name");
    rc = lxe_parse_u64(value, 1, 10000, &n, err);
    if (!rc)
        limits->max_rounds = (unsigned)n;
    return rc;
}

int mig_limits_set(struct mig_limits *limits, const char *name,
                   const char *value, struct lxe_err *err)
{
    int rc = set_named(limits, name, value, err);

    if (rc)
        lxe_err_prefix(err, "%.40s", name);
    return rc;
}

int mig_limits_check(const struct mig_limits *limits, struct lxe_err *err)
{
    const struct mig_rate_limits *r = &limits->rate;

    if (r->max_bps && r->max_bps < 100000)
        return lxe_fail(err, -EINVAL,
                        "max-rate: less than 100KB a second never ends");
    if (r->max_bps && r->min_bps > r->max_bps)
        return lxe_fail(err, -EINVAL, "min-rate is above max-rate");
    return 0;
}

void mig_limits_format(const struct mig_limits *limits,
                       char text[MIG_LIMITS_TEXT])
{
    snprintf(text, MIG_LIMITS_TEXT,
             "max-rate=%" PRIu64 "B min-rate=%" PRIu64 "B rate-policy=%s"
             " max-downtime=%" PRIu64 "ms max-rounds=%u timeout=%" PRIu64
             "ms skip=%s",
             limits->rate.max_bps, limits->rate.min_bps,
             limits->policy == MIG_RATE_FIXED ? "fixed" : "clark",
             limits->max_downtime_ns / LXE_NS_PER_MS, limits->max_rounds,
             limits->timeout_ns / LXE_NS_PER_MS, limits->skip ? "yes" : "no");
}

int mig_limits_parse(const char *text, struct mig_limits *limits,
                     struct lxe_err *err)
{
    char copy[MIG_LIMITS_TEXT], *rest = copy, *word;

    if (strlen(text) >= sizeof(copy))
        return lxe_fail(err, -EINVAL, MIG_LIMITS_ENV " is too long");
    memcpy(copy, text, strlen(text) + 1);
    while ((word = strsep(&rest, " "))) {
        char *value = strchr(word, '=');
        int rc;

        if (!*word)
            continue;
        if (!value)
            return lxe_fail(err, -EINVAL,
                            MIG_LIMITS_ENV ": '%.40s' is not NAME=VALUE",
                            word);
        *value++ = '\0';
        rc = mig_limits_set(limits, word, value, err);
        if (rc)
            return lxe_err_prefix(err, MIG_LIMITS_ENV);
    }
    return mig_limits_check(limits, err);
}
