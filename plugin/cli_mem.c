/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli_mem.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "cli_table.h"
#include "policy.h"

/* What xl allows in names, and aerostat.conf's syntax leaves alone. */
#define PLAIN_CHARACTERS                                                       \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._"

static const struct aero_column status_columns[] = {
    { "DOMAIN", AERO_LEFT },   { "ID", AERO_RIGHT },
    { "STATE", AERO_LEFT },    { "CURRENT", AERO_RIGHT },
    { "TARGET", AERO_RIGHT },  { "MIN", AERO_RIGHT },
    { "MAX", AERO_RIGHT },     { "SHARES", AERO_RIGHT },
    { "USED", AERO_RIGHT },    { "DEMAND", AERO_RIGHT },
    { "REASON", AERO_LEFT },
};
#define STATUS_COLUMNS (sizeof(status_columns) / sizeof(status_columns[0]))

static void add_domain(struct aero_table *table, const struct lxe_json *d)
{
    char num[8][AERO_SIZE_TEXT];
    const char *cells[STATUS_COLUMNS] = {
        lxe_json_str(lxe_json_get(d, "name")),
        aero_cli_number(d, "domid", num[0]),
        lxe_json_str(lxe_json_get(d, "state")),
        aero_cli_size(d, "current_kib", num[1]),
        aero_cli_size(d, "target_kib", num[2]),
        aero_cli_size(d, "min_kib", num[3]),
        aero_cli_size(d, "max_kib", num[4]),
        aero_cli_number(d, "shares", num[5]),
        aero_cli_size(d, "used_kib", num[6]),
        aero_cli_size(d, "demand_kib", num[7]),
        lxe_json_str(lxe_json_get(d, "reason")),
    };

    aero_table_add(table, cells);
}

static int print_domains(const struct lxe_json *domains)
{
    struct aero_table *table = aero_table_new(status_columns, STATUS_COLUMNS);
    int rc;

    if (!table)
        return aero_cli_fail("out of memory");
    for (size_t i = 0; i < lxe_json_count(domains); i++)
        add_domain(table, lxe_json_at(domains, i));
    rc = aero_table_print(table, stdout, aero_terminal_width(stdout));
    aero_table_free(table);
    return rc ? aero_cli_fail("cannot print the table: %s", strerror(-rc))
              : AERO_EXIT_OK;
}

static const char *host_size(const struct lxe_json *host, const char *key,
                             char buf[LXE_UNIT_TEXT])
{
    uint64_t kib;

    if (lxe_json_u64(lxe_json_get(host, key), &kib))
        return "-";
    return lxe_format_kib(buf, kib);
}

static void print_host(const struct lxe_json *host)
{
    const char *raw = lxe_json_str(lxe_json_get(host, "state"));
    _cleanup_free_ char *state = aero_text_escape(raw ? raw : "-");
    char num[6][LXE_UNIT_TEXT];

    printf("\nHost: %s in all, %s free, %s claimed by domains being built, "
           "%s kept in reserve, %s reserved for clients\n"
           "State: %s, %s to spare\n",
           host_size(host, "total_kib", num[0]),
           host_size(host, "free_kib", num[1]),
           host_size(host, "claimed_kib", num[2]),
           host_size(host, "reserve_kib", num[3]),
           host_size(host, "reserved_kib", num[4]), state ? state : "-",
           host_size(host, "spare_kib", num[5]));
}

static void print_warnings(const struct lxe_json *warnings)
{
    for (size_t i = 0; i < lxe_json_count(warnings); i++) {
        const char *raw = lxe_json_str(lxe_json_at(warnings, i));
        _cleanup_free_ char *text = raw ? aero_text_escape(raw) : NULL;

        if (text)
            printf("Warning: %s\n", text);
    }
}

/* Returns an exit status. */
static int print_status(const struct lxe_json *result)
{
    const struct lxe_json *domains = lxe_json_get(result, "domains");
    int rc;

    if (lxe_json_type(domains) != LXE_JSON_ARRAY)
        return aero_cli_fail("aerostatd's answer has no list of domains; "
                             "does its version fit this program's?");
    rc = print_domains(domains);
    if (rc)
        return rc;
    print_host(lxe_json_get(result, "host"));
    print_warnings(lxe_json_get(result, "warnings"));
    return aero_cli_finish();
}

int aero_cli_mem_status(const struct aero_cli *cli, int argc, char **argv)
{
    bool json;
    const struct lxe_json *result;
    struct lxe_json *response = NULL;
    int rc = aero_cli_only_json("mem-status", argc, argv, &json);

    if (rc)
        return rc;
    result = aero_cli_call(cli, "mem.status", NULL, &response);
    if (!result)
        return AERO_EXIT_FAILED;
    rc = json ? aero_cli_print_json(result) : print_status(result);
    lxe_json_free(response);
    return rc;
}

/* What mem-policy was asked for. */
struct policy_args {
    const char *domain;
    uint64_t min_kib, max_kib, shares;
    bool has_min, has_max, has_shares, take_back, json;
};

static int parse_size(const char *option, const char *text, uint64_t *kib,
                      bool *given)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_size_kib(text, kib, &err))
        return aero_cli_usage("mem-policy", "%s: %s", option, err.text);
    *given = true;
    return 0;
}

static int parse_shares(const char *text, struct policy_args *args)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_u64(text, AERO_SHARES_MIN, AERO_SHARES_MAX, &args->shares,
                      &err))
        return aero_cli_usage("mem-policy", "--shares: %s", err.text);
    args->has_shares = true;
    return 0;
}

static int check_policy_args(int argc, char **argv, struct policy_args *args)
{
    if (argc - optind != 1 || !*argv[optind])
        return aero_cli_usage("mem-policy", "give one domain, by its name or "
                                            "its number");
    args->domain = argv[optind];
    if (args->has_min && args->has_max && args->min_kib > args->max_kib)
        return aero_cli_usage("mem-policy", "--min is above --max");
    return 0;
}

static int parse_policy_args(int argc, char **argv, struct policy_args *args)
{
    static const struct option options[] = {
        { "min", required_argument, NULL, 'm' },
        { "max", required_argument, NULL, 'M' },
        { "shares", required_argument, NULL, 's' },
        { "take-back", no_argument, NULL, 't' },
        { "json", no_argument, NULL, 'j' },
        { NULL, 0, NULL, 0 },
    };
    int opt, rc = 0;

    optind = 0;
    while (!rc && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'm')
            rc = parse_size("--min", optarg, &args->min_kib, &args->has_min);
        else if (opt == 'M')
            rc = parse_size("--max", optarg, &args->max_kib, &args->has_max);
        else if (opt == 's')
            rc = parse_shares(optarg, args);
        else if (opt == 't')
            args->take_back = true;
        else if (opt == 'j')
            args->json = true;
        else
            rc = aero_cli_see_help("mem-policy");
    }
    return rc ? rc : check_policy_args(argc, argv, args);
}

static bool changes(const struct policy_args *args)
{
    return args->has_min || args->has_max || args->has_shares;
}

/* Returns NULL without memory, which the call then tells. */
static struct lxe_jw *policy_params(const struct policy_args *args)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return NULL;
    lxe_jw_object(w);
    lxe_jw_str(w, "domain", args->domain);
    if (args->has_min)
        lxe_jw_u64(w, "min_kib", args->min_kib);
    if (args->has_max)
        lxe_jw_u64(w, "max_kib", args->max_kib);
    if (args->has_shares)
        lxe_jw_u64(w, "shares", args->shares);
    if (args->take_back)
        lxe_jw_bool(w, "take_back", true);
    lxe_jw_end_object(w);
    return w;
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* A name that can stand in aerostat.conf between the quotes and commas. */
static bool name_is_plain(const char *name)
{
    return name && *name && strlen(name) == strspn(name, PLAIN_CHARACTERS);
}

static void print_word(const char *word, const struct lxe_json *policy,
                       const char *key)
{
    uint64_t kib;

    if (lxe_json_u64(lxe_json_get(policy, key), &kib))
        return;
    if (kib % 1024)
        printf(",%s=%" PRIu64 "K", word, kib);
    else
        printf(",%s=%" PRIu64 "M", word, kib / 1024);
}

/* What to write down, with the whole policy that is in effect now. */
static void print_config_line(const struct lxe_json *policy)
{
    const char *name = lxe_json_str(lxe_json_get(policy, "name"));
    uint64_t shares;

    printf("This lasts until aerostatd or the domain ends.");
    if (!name_is_plain(name)) {
        printf(" The domain's name cannot stand in aerostat.conf.\n");
        return;
    }
    printf(" To keep it, add this to the list 'domains' in\n"
           AEROSTAT_SYSCONFDIR "/xen/aerostat.conf:\n"
           "  \"name=%s", name);
    print_word("min", policy, "min_kib");
    print_word("max", policy, "max_kib");
    if (!lxe_json_u64(lxe_json_get(policy, "shares"), &shares))
        printf(",shares=%" PRIu64, shares);
    printf("\",\n");
}

static void print_policy(const struct lxe_json *policy)
{
    _cleanup_free_ char *name = aero_cli_text(policy, "name");
    char num[4][AERO_SIZE_TEXT];

    printf("%s (domain %s): min %s, max %s, shares %s\n", or_dash(name),
           or_dash(aero_cli_number(policy, "domid", num[0])),
           or_dash(aero_cli_size(policy, "min_kib", num[1])),
           or_dash(aero_cli_size(policy, "max_kib", num[2])),
           or_dash(aero_cli_number(policy, "shares", num[3])));
}

int aero_cli_mem_policy(const struct aero_cli *cli, int argc, char **argv)
{
    struct policy_args args = { 0 };
    const struct lxe_json *result;
    struct lxe_json *response = NULL;
    struct lxe_jw *params;
    int rc = parse_policy_args(argc, argv, &args);

    if (rc)
        return rc;
    params = policy_params(&args);
    if (!params)
        return aero_cli_fail("out of memory");
    result = aero_cli_call(cli, "mem.policy", params, &response);
    if (!result)
        return AERO_EXIT_FAILED;
    if (args.json) {
        rc = aero_cli_print_json(result);
    } else {
        print_policy(result);
        if (changes(&args))
            print_config_line(result);
        rc = aero_cli_finish();
    }
    lxe_json_free(response);
    return rc;
}
