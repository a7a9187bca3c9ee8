/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a migration may take, as people and the environment say it. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "limit_options.h"
#include "limits.h"
#include "unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct mig_limits defaults(void)
{
    struct mig_limits limits;

    mig_limits_default(&limits);
    return limits;
}

static void set(struct mig_limits *limits, const char *name,
                const char *value)
{
    struct lxe_err err = { 0 };

    if (mig_limits_set(limits, name, value, &err))
        printf("  %s\n", err.text);
    CU_ASSERT_EQUAL(err.code, 0);
}

static void test_defaults(void)
{
    struct mig_limits l = defaults();

    CU_ASSERT_EQUAL(l.rate.max_bps, 0);
    CU_ASSERT_EQUAL(l.max_downtime_ns, 300 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(l.max_rounds, 30);
    CU_ASSERT_EQUAL(l.timeout_ns, 0);
    CU_ASSERT_EQUAL(l.policy, MIG_RATE_ADAPTIVE);
    CU_ASSERT_TRUE(l.skip);
    CU_ASSERT_EQUAL(l.throttle, MIG_THROTTLE_NONE);
    CU_ASSERT_EQUAL(l.on_timeout, MIG_TIMEOUT_FORCE);
    CU_ASSERT_EQUAL(l.downtime_limit_max_ns, 0);
    CU_ASSERT_EQUAL(mig_limits_check(&l, NULL), 0);
}

static void test_set(void)
{
    struct mig_limits l = defaults();

    set(&l, "max-rate", "500Mbit");
    set(&l, "min-rate", "10MB");
    set(&l, "rate-policy", "fixed");
    set(&l, "max-downtime", "1.5s");
    set(&l, "max-rounds", "7");
    set(&l, "timeout", "2m");
    set(&l, "skip", "no");
    CU_ASSERT_EQUAL(l.rate.max_bps, 62500000);
    CU_ASSERT_EQUAL(l.rate.min_bps, 10000000);
    CU_ASSERT_EQUAL(l.policy, MIG_RATE_FIXED);
    CU_ASSERT_EQUAL(l.max_downtime_ns, 1500 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(l.max_rounds, 7);
    CU_ASSERT_EQUAL(l.timeout_ns, 120 * LXE_NS_PER_SEC);
    CU_ASSERT_FALSE(l.skip);
    set(&l, "downtime-limit-max", "2s");
    set(&l, "suspend-cost", "7ms");
    set(&l, "suspend-pages", "0");
    set(&l, "last-cost", "9ms");
    set(&l, "stall-rounds", "0");
    CU_ASSERT_EQUAL(l.suspend_pages, 0);
    CU_ASSERT_EQUAL(l.last_cost_ns, 9 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(l.stall_rounds, 0);
    set(&l, "on-timeout", "abort");
    set(&l, "throttle", "cap");
    set(&l, "throttle-max", "80");
    CU_ASSERT_EQUAL(l.downtime_limit_max_ns, 2 * LXE_NS_PER_SEC);
    CU_ASSERT_EQUAL(l.suspend_cost_ns, 7 * LXE_NS_PER_MS);
    CU_ASSERT_EQUAL(l.on_timeout, MIG_TIMEOUT_ABORT);
    CU_ASSERT_EQUAL(l.throttle, MIG_THROTTLE_CAP);
    CU_ASSERT_EQUAL(l.throttle_max_percent, 80);
    set(&l, "throttle", "pause");
    set(&l, "on-timeout", "force");
    CU_ASSERT_EQUAL(l.throttle, MIG_THROTTLE_PAUSE);
    CU_ASSERT_EQUAL(l.on_timeout, MIG_TIMEOUT_FORCE);
    set(&l, "rate-policy", "clark");
    set(&l, "skip", "yes");
    CU_ASSERT_EQUAL(l.policy, MIG_RATE_ADAPTIVE);
    CU_ASSERT_TRUE(l.skip);
}

struct bad {
    const char *name, *value;
    int code;
    const char *part; /* of the message */
};

static const struct bad bad_values[] = {
    { "max-rate", "", -EINVAL, "max-rate: '' is not a rate" },
    { "max-rate", "fast", -EINVAL, "max-rate: 'fast' is not a rate" },
    { "max-rate", "-5MB", -EINVAL, "'-5MB' is not a rate" },
    { "max-rate", "5", -EINVAL, "500Mbit" }, /* bits or bytes? */
    { "max-rate", "9999999999GB", -ERANGE, "max-rate: rate '9999999999GB'" },
    { "max-rate", "0Mbit", -ERANGE, "for no limit write none" },
    { "max-rate", "0", -EINVAL, "or none for no limit" },
    { "min-rate", "1bit", -ERANGE, "min-rate: rate '1bit' is less" },
    { "min-rate", "none", -EINVAL, "min-rate: 'none' is not a rate" },
    { "min-rate", "5M", -EINVAL, "min-rate: '5M' is not a rate" },
    { "rate-policy", "Clark", -EINVAL, "'Clark' is none of clark, fixed" },
    { "max-downtime", "soon", -EINVAL, "max-downtime: 'soon' is not a" },
    { "max-downtime", "-1", -EINVAL, "max-downtime" },
    { "max-downtime", "99999999999h", -ERANGE, "max-downtime" },
    { "timeout", "900000000000000ms", -ERANGE, "timeout: '9000" },
    { "max-rounds", "0", -ERANGE, "max-rounds: 0 is not within 1 to 10000" },
    { "max-rounds", "10001", -ERANGE, "max-rounds: 10001" },
    { "max-rounds", "99999999999999999999", -ERANGE, "too large" },
    { "max-rounds", "ten", -EINVAL, "max-rounds: 'ten' is not a whole" },
    { "max-rounds", "+3", -EINVAL, "max-rounds" },
    { "skip", "true", -EINVAL, "skip: 'true' is none of no, yes" },
    { "compress", "20", -ERANGE, "compress: '20' is neither auto nor a" },
    { "compress", "zstd", -EINVAL, "compress: 'zstd'" },
    { "compress-window", "much", -EINVAL, "compress-window: 'much'" },
    { "on-timeout", "stop", -EINVAL, "on-timeout: 'stop' is none of force" },
    { "throttle", "yes", -EINVAL, "is none of none, cap, pause" },
    { "throttle", "", -EINVAL, "throttle: '' is none of" },
    { "throttle-max", "100", -ERANGE, "throttle-max: 100 is not within 1" },
    { "throttle-max", "0", -ERANGE, "throttle-max" },
    { "throttle-max", "50%", -EINVAL, "throttle-max" },
    { "downtime-limit-max", "-", -EINVAL, "downtime-limit-max" },
    { "suspend-cost", "x", -EINVAL, "suspend-cost: 'x'" },
    { "speed", "5", -ENOENT, "speed: no limit has that name" },
    { "", "5", -ENOENT, "no limit has that name" },
};

static void test_bad_values(void)
{
    for (size_t i = 0; i < COUNT(bad_values); i++) {
        const struct bad *b = &bad_values[i];
        struct mig_limits l = defaults(), before = l;
        struct lxe_err err = { 0 };

        CU_ASSERT_EQUAL(mig_limits_set(&l, b->name, b->value, &err), b->code);
        if (!strstr(err.text, b->part))
            printf("  %s=%s: %s\n", b->name, b->value, err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, b->part));
        CU_ASSERT_EQUAL(memcmp(&l, &before, sizeof(l)), 0);
    }
}

static void test_do_not_agree(void)
{
    struct mig_limits l = defaults();
    struct lxe_err err = { 0 };

    set(&l, "max-rate", "10MB");
    set(&l, "min-rate", "20MB");
    CU_ASSERT_EQUAL(mig_limits_check(&l, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "min-rate is above max-rate"));
    set(&l, "max-rate", "none"); /* then any minimum will do */
    CU_ASSERT_EQUAL(mig_limits_check(&l, &err), 0);
    set(&l, "min-rate", "default");
    set(&l, "max-rate", "99KB");
    CU_ASSERT_EQUAL(mig_limits_check(&l, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "100KB"));
    set(&l, "max-rate", "100KB");
    CU_ASSERT_EQUAL(mig_limits_check(&l, &err), 0);
    set(&l, "downtime-limit-max", "299ms");
    CU_ASSERT_EQUAL(mig_limits_check(&l, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is below max-downtime"));
    set(&l, "downtime-limit-max", "300ms");
    CU_ASSERT_EQUAL(mig_limits_check(&l, &err), 0);
}

static void check_round_trip(const struct mig_limits *l)
{
    struct mig_limits back = defaults();
    struct lxe_err err = { 0 };
    char text[MIG_LIMITS_TEXT];

    mig_limits_format(l, text);
    CU_ASSERT_TRUE(strlen(text) < sizeof(text) - 1);
    if (mig_limits_parse(text, &back, &err))
        printf("  '%s': %s\n", text, err.text);
    CU_ASSERT_EQUAL(back.rate.max_bps, l->rate.max_bps);
    CU_ASSERT_EQUAL(back.rate.min_bps, l->rate.min_bps);
    CU_ASSERT_EQUAL(back.policy, l->policy);
    CU_ASSERT_EQUAL(back.max_downtime_ns, l->max_downtime_ns);
    CU_ASSERT_EQUAL(back.max_rounds, l->max_rounds);
    CU_ASSERT_EQUAL(back.timeout_ns, l->timeout_ns);
    CU_ASSERT_EQUAL(back.downtime_limit_max_ns, l->downtime_limit_max_ns);
    CU_ASSERT_EQUAL(back.suspend_cost_ns, l->suspend_cost_ns);
    CU_ASSERT_EQUAL(back.suspend_pages, l->suspend_pages);
    CU_ASSERT_EQUAL(back.last_cost_ns, l->last_cost_ns);
    CU_ASSERT_EQUAL(back.stall_rounds, l->stall_rounds);
    CU_ASSERT_EQUAL(back.on_timeout, l->on_timeout);
    CU_ASSERT_EQUAL(back.throttle, l->throttle);
    CU_ASSERT_EQUAL(back.throttle_max_percent, l->throttle_max_percent);
    CU_ASSERT_EQUAL(back.skip, l->skip);
    CU_ASSERT_EQUAL(back.compress_level, l->compress_level);
    CU_ASSERT_EQUAL(back.compress_auto,
                    l->compress_auto && !l->compress_level);
    CU_ASSERT_EQUAL(back.compress_window_kib, l->compress_window_kib);
}

static void test_round_trip(void)
{
    struct mig_limits l = defaults();
    uint64_t seed = unit_seed();

    check_round_trip(&l);
    for (int i = 0; i < 2000; i++) {
        l.rate.max_bps = 100000 + unit_below(&seed, UINT64_C(1) << 40);
        l.rate.min_bps = unit_below(&seed, l.rate.max_bps);
        l.policy = unit_below(&seed, 2) ? MIG_RATE_FIXED : MIG_RATE_ADAPTIVE;
        l.max_downtime_ns = unit_below(&seed, 1u << 30) * LXE_NS_PER_MS;
        l.max_rounds = 1 + (unsigned)unit_below(&seed, 10000);
        l.timeout_ns = unit_below(&seed, 1u << 30) * LXE_NS_PER_MS;
        l.downtime_limit_max_ns =
            l.max_downtime_ns + unit_below(&seed, 1000) * LXE_NS_PER_MS;
        l.suspend_cost_ns = unit_below(&seed, 1000) * LXE_NS_PER_MS;
        l.suspend_pages = (unsigned)unit_below(&seed, 10000001);
        l.last_cost_ns = unit_below(&seed, 1u << 30) * LXE_NS_PER_MS;
        l.stall_rounds = (unsigned)unit_below(&seed, 10001);
        l.on_timeout = unit_below(&seed, 2);
        l.throttle = unit_below(&seed, 3);
        l.throttle_max_percent = 1 + (unsigned)unit_below(&seed, 99);
        l.skip = unit_below(&seed, 2);
        l.compress_level = (unsigned)unit_below(&seed, 20);
        l.compress_auto = unit_below(&seed, 2);
        l.compress_window_kib =
            l.compress_level || l.compress_auto
                ? 128 + unit_below(&seed, 130945) : 0;
        check_round_trip(&l);
    }
}

static const struct bad bad_lines[] = {
    { NULL, "max-rate", -EINVAL, "'max-rate' is not NAME=VALUE" },
    { NULL, "max-rate=5MB fast", -EINVAL, "'fast' is not NAME=VALUE" },
    { NULL, "max-rounds=x", -EINVAL, MIG_LIMITS_ENV ": max-rounds: 'x'" },
    { NULL, "a=b", -ENOENT, MIG_LIMITS_ENV ": a: no limit" },
    { NULL, "=b", -ENOENT, "no limit" },
    { NULL, "max-rate=1MB min-rate=2MB", -EINVAL, "min-rate is above" },
    { NULL, "compress=0 compress-window=8M", -EINVAL, "say --compress as" },
    { NULL, "compress=1 compress-window=64K", -ERANGE, "from 128 KiB to 128" },
    { NULL, "compress=1 compress-window=129M", -ERANGE, "from 128 KiB" },
};

static void test_bad_lines(void)
{
    char many[2 * MIG_LIMITS_TEXT];
    struct mig_limits l = defaults();
    struct lxe_err err = { 0 };

    for (size_t i = 0; i < COUNT(bad_lines); i++) {
        const struct bad *b = &bad_lines[i];

        l = defaults();
        CU_ASSERT_EQUAL(mig_limits_parse(b->value, &l, &err), b->code);
        if (!strstr(err.text, b->part))
            printf("  %s: %s\n", b->value, err.text);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, b->part));
    }
    memset(many, ' ', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    CU_ASSERT_EQUAL(mig_limits_parse(many, &l, &err), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "too long"));
}

static void test_loose_lines(void)
{
    struct mig_limits l = defaults();

    CU_ASSERT_EQUAL(mig_limits_parse("", &l, NULL), 0);
    CU_ASSERT_EQUAL(l.max_rounds, 30);
    CU_ASSERT_EQUAL(mig_limits_parse("  max-rounds=4   skip=no ", &l, NULL),
                    0);
    CU_ASSERT_EQUAL(l.max_rounds, 4);
    CU_ASSERT_FALSE(l.skip);
}

/* A value that is taken for each. */
static const char *value_of(const char *name)
{
    static const struct {
        const char *part, *value;
    } values[] = {
        { "rate-policy", "fixed" }, { "rate", "1GB" },
        { "on-timeout", "abort" }, { "throttle-max", "7" },
        { "throttle", "cap" }, { "rounds", "7" }, { "pages", "7" },
        { "window", "8M" }, { "compress", "7" },
        { "", "7s" },
    };

    for (size_t i = 0;; i++)
        if (strstr(name, values[i].part))
            return values[i].value;
}

static void test_options(void)
{
    static const struct option own[] = { { "own", no_argument, NULL, 'o' } };
    struct option table[COUNT(own) + MIG_LIMIT_OPTIONS + 1];
    char before[MIG_LIMITS_TEXT], after[MIG_LIMITS_TEXT];
    struct mig_limits l = defaults();
    size_t costs = 0;

    mig_limits_format(&l, before);
    mig_limit_options_add(MIG_LIMITS_ALL, own, 1, 'l', table);
    CU_ASSERT_STRING_EQUAL(table[0].name, "own");
    for (size_t i = 1; i <= MIG_LIMIT_OPTIONS; i++) {
        const char *value = table[i].has_arg ? value_of(table[i].name) : NULL;
        bool cost = false;

        l = defaults();
        CU_ASSERT_EQUAL(table[i].val, 'l');
        CU_ASSERT_EQUAL(mig_limit_option_take(&l, table[i].name, value, &cost,
                                              NULL), 0);
        mig_limits_format(&l, after);
        CU_ASSERT_STRING_NOT_EQUAL(before, after);
        costs += cost;
    }
    CU_ASSERT_EQUAL(costs, 3);
    CU_ASSERT_PTR_NULL(table[MIG_LIMIT_OPTIONS + 1].name);
    mig_limit_options_add(MIG_LIMITS_FORETOLD, own, 1, 'l', table);
    for (size_t i = 0; table[i].name; i++) {
        CU_ASSERT_PTR_NULL(strstr(table[i].name, "throttle"));
    }
}

static void test_options_help(void)
{
    char text[4096] = "";
    FILE *f = fmemopen(text, sizeof(text), "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    mig_limit_options_help(f);
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text, "      --max-rounds N     stop after N rounds (default 30)\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "      --no-skip          send"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text, "      --downtime-limit-max D  relax it so far, in steps, for a"
              " guest that\n                         does not get there\n"));
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        CU_ASSERT(strlen(line) <= 79);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "the defaults", test_defaults },
        { "each limit by its name", test_set },
        { "bad values are named and change nothing", test_bad_values },
        { "limits that do not agree", test_do_not_agree },
        { "they survive the environment", test_round_trip },
        { "bad lines are refused", test_bad_lines },
        { "spaces do not matter", test_loose_lines },
        { "each option of the command line", test_options },
        { "what help says of them", test_options_help },
    };

    return unit_run("limits", tests, COUNT(tests));
}
