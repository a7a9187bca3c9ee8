/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "pack.h"

#define WINDOW_KIB(log) (UINT64_C(1) << ((log) - 10))

#define COMPRESS_AUTO "auto"
#define RATE_DEFAULT  "default"

#define MOST_PAGES 10000000 /* that a kernel writes to suspend itself */

void mig_limits_default(struct mig_limits *limits)
{
    *limits = (struct mig_limits){
        .policy = MIG_RATE_ADAPTIVE,
        .max_downtime_ns = 300 * LXE_NS_PER_MS,
        .suspend_cost_ns = 50 * LXE_NS_PER_MS,
        .suspend_pages = 300,
        .last_cost_ns = 10 * LXE_NS_PER_MS,
        .stall_rounds = 5,
        .max_rounds = 30,
        .throttle_max_percent = 99,
        .skip = true,
        .compress_auto = true,
    };
}

/* The words that a limit may have, in the order of its enum. */
struct words {
    const char *name;
    const char *word[4]; /* NULL ends them */
};

static const struct words yes_no = { "skip", { "no", "yes" } };
static const struct words policies = { "rate-policy", { "clark", "fixed" } };
static const struct words timeouts = { "on-timeout", { "force", "abort" } };
static const struct words throttles = { "throttle",
                                        { "none", "cap", "pause" } };

const char *mig_on_timeout_name(enum mig_on_timeout on_timeout)
{
    return timeouts.word[on_timeout];
}

const char *mig_throttle_name(enum mig_throttle_way way)
{
    return throttles.word[way];
}

static int set_word(const struct words *words, const char *value,
                    unsigned *out, struct lxe_err *err)
{
    char all[64] = "";

    for (unsigned i = 0; words->word[i]; i++) {
        if (!strcmp(value, words->word[i])) {
            *out = i;
            return 0;
        }
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
                 i ? ", " : "", words->word[i]);
    }
    return lxe_fail(err, -EINVAL, "'%.40s' is none of %s", value, all);
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

static int set_number(unsigned *out, uint64_t min, uint64_t max,
                      const char *value, struct lxe_err *err)
{
    uint64_t n;
    int rc = lxe_parse_u64(value, min, max, &n, err);

    if (!rc)
        *out = (unsigned)n;
    return rc;
}

static int set_compress(struct mig_limits *l, const char *value,
                        struct lxe_err *err)
{
    unsigned level = 0;
    bool is_auto = !strcmp(value, COMPRESS_AUTO);
    int rc = is_auto ? 0
                     : set_number(&level, 0, MIG_PACK_LEVEL_MAX, value, err);

    if (rc)
        return lxe_fail(err, rc, "'%.40s' is neither " COMPRESS_AUTO " nor a"
                        " number from 0 to %d", value, MIG_PACK_LEVEL_MAX);
    l->compress_auto = is_auto;
    l->compress_level = level;
    return 0;
}

/* One that is a word. -ENOENT where none has that name. */
static int set_choice(struct mig_limits *l, const char *name,
                      const char *value, struct lxe_err *err)
{
    unsigned policy = l->policy, skip = l->skip, way = l->throttle,
             on_timeout = l->on_timeout;
    const struct {
        const struct words *words;
        unsigned *out;
    } choices[] = {
        { &policies, &policy },
        { &yes_no, &skip },
        { &throttles, &way },
        { &timeouts, &on_timeout },
    };
    int rc = -ENOENT;

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
        if (!strcmp(name, choices[i].words->name))
            rc = set_word(choices[i].words, value, choices[i].out, err);
    l->policy = (enum mig_rate_policy)policy;
    l->skip = skip;
    l->throttle = (enum mig_throttle_way)way;
    l->on_timeout = (enum mig_on_timeout)on_timeout;
    if (rc == -ENOENT)
        lxe_fail(err, rc, "no limit has that name");
    return rc;
}

/* 0 is the default, which 1bit must not be. */
static int set_min_rate(uint64_t *bps, const char *value, struct lxe_err *err)
{
    if (strcmp(value, RATE_DEFAULT))
        return lxe_parse_rate_bps(value, bps, err);
    *bps = 0;
    return 0;
}

static int set_named(struct mig_limits *l, const char *name,
                     const char *value, struct lxe_err *err)
{
    if (!strcmp(name, "max-rate"))
        return lxe_parse_rate_limit_bps(value, &l->rate.max_bps, err);
    if (!strcmp(name, "min-rate"))
        return set_min_rate(&l->rate.min_bps, value, err);
    if (!strcmp(name, "max-downtime"))
        return set_duration(&l->max_downtime_ns, value, err);
    if (!strcmp(name, "downtime-limit-max"))
        return set_duration(&l->downtime_limit_max_ns, value, err);
    if (!strcmp(name, "suspend-cost"))
        return set_duration(&l->suspend_cost_ns, value, err);
    if (!strcmp(name, "last-cost"))
        return set_duration(&l->last_cost_ns, value, err);
    if (!strcmp(name, "timeout"))
        return set_duration(&l->timeout_ns, value, err);
    if (!strcmp(name, "suspend-pages"))
        return set_number(&l->suspend_pages, 0, MOST_PAGES, value, err);
    if (!strcmp(name, "stall-rounds"))
        return set_number(&l->stall_rounds, 0, 10000, value, err);
    if (!strcmp(name, "max-rounds"))
        return set_number(&l->max_rounds, 1, 10000, value, err);
    if (!strcmp(name, "throttle-max"))
        return set_number(&l->throttle_max_percent, 1, 99, value, err);
    if (!strcmp(name, "compress"))
        return set_compress(l, value, err);
    if (!strcmp(name, "compress-window"))
        return lxe_parse_size_kib(value, &l->compress_window_kib, err);
    return set_choice(l, name, value, err);
}

bool mig_limits_is_cost(const char *name)
{
    return !strcmp(name, "suspend-cost") || !strcmp(name, "suspend-pages") ||
           !strcmp(name, "last-cost");
}

int mig_limits_set(struct mig_limits *limits, const char *name,
                   const char *value, struct lxe_err *err)
{
    int rc = set_named(limits, name, value, err);

    if (rc)
        lxe_err_prefix(err, "%.40s", name);
    return rc;
}

static int check_window(const struct mig_limits *limits, struct lxe_err *err)
{
    uint64_t kib = limits->compress_window_kib;

    if (!kib)
        return 0;
    if (!limits->compress_level && !limits->compress_auto)
        return lxe_fail(err, -EINVAL, "compress-window: nothing is"
                        " compressed; say --compress as well");
    if (kib < WINDOW_KIB(MIG_PACK_WINDOW_MIN_LOG) ||
        kib > WINDOW_KIB(MIG_PACK_WINDOW_MAX_LOG))
        return lxe_fail(err, -ERANGE, "compress-window: must be from %" PRIu64
                        " KiB to %" PRIu64 " MiB",
                        WINDOW_KIB(MIG_PACK_WINDOW_MIN_LOG),
                        WINDOW_KIB(MIG_PACK_WINDOW_MAX_LOG) / 1024);
    return 0;
}

int mig_limits_check(const struct mig_limits *limits, struct lxe_err *err)
{
    const struct mig_rate_limits *r = &limits->rate;

    if (r->max_bps && r->max_bps < 100000)
        return lxe_fail(err, -EINVAL,
                        "max-rate: less than 100KB a second never ends");
    if (r->max_bps && r->min_bps > r->max_bps)
        return lxe_fail(err, -EINVAL, "min-rate is above max-rate");
    if (limits->downtime_limit_max_ns &&
        limits->downtime_limit_max_ns < limits->max_downtime_ns)
        return lxe_fail(err, -EINVAL,
                        "downtime-limit-max is below max-downtime");
    return check_window(limits, err);
}

void mig_limits_format_rate(const struct mig_rate_limits *rate,
                            char text[MIG_LIMITS_RATE_TEXT])
{
    char max[LXE_UNIT_TEXT] = "none", min[LXE_UNIT_TEXT] = RATE_DEFAULT;

    if (rate->max_bps)
        snprintf(max, sizeof(max), "%" PRIu64 "B", rate->max_bps);
    if (rate->min_bps)
        snprintf(min, sizeof(min), "%" PRIu64 "B", rate->min_bps);
    snprintf(text, MIG_LIMITS_RATE_TEXT, "max-rate=%s min-rate=%s", max, min);
}

void mig_limits_format(const struct mig_limits *limits,
                       char text[MIG_LIMITS_TEXT])
{
    const struct mig_limits *l = limits;
    char compress[16] = COMPRESS_AUTO, rate[MIG_LIMITS_RATE_TEXT];

    if (l->compress_level || !l->compress_auto)
        snprintf(compress, sizeof(compress), "%u", l->compress_level);
    mig_limits_format_rate(&l->rate, rate);
    snprintf(text, MIG_LIMITS_TEXT,
             "%s rate-policy=%s"
             " max-downtime=%" PRIu64 "ms downtime-limit-max=%" PRIu64 "ms"
             " suspend-cost=%" PRIu64 "ms suspend-pages=%u last-cost=%" PRIu64
             "ms stall-rounds=%u max-rounds=%u timeout=%" PRIu64 "ms"
             " on-timeout=%s throttle=%s throttle-max=%u skip=%s compress=%s"
             " compress-window=%" PRIu64 "K",
             rate, policies.word[l->policy],
             l->max_downtime_ns / LXE_NS_PER_MS,
             l->downtime_limit_max_ns / LXE_NS_PER_MS,
             l->suspend_cost_ns / LXE_NS_PER_MS, l->suspend_pages,
             l->last_cost_ns / LXE_NS_PER_MS, l->stall_rounds, l->max_rounds,
             l->timeout_ns / LXE_NS_PER_MS, timeouts.word[l->on_timeout],
             throttles.word[l->throttle], l->throttle_max_percent,
             yes_no.word[l->skip], compress, l->compress_window_kib);
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
