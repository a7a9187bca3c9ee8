/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_explain.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli_table.h"

#define VERB "mem-explain"

/* One decision, as mem.explain tells it. */
struct parts {
    const struct lxe_json *all, *in, *out, *facts, *host, *host_facts;
};

static struct parts parts_of(const struct lxe_json *decision)
{
    return (struct parts){
        .all = decision,
        .in = lxe_json_get(decision, "in"),
        .out = lxe_json_get(decision, "out"),
        .facts = lxe_json_get(decision, "facts"),
        .host = lxe_json_get(decision, "host"),
        .host_facts = lxe_json_get(decision, "host_facts"),
    };
}

static const char *size(const struct lxe_json *object, const char *key,
                        char buf[AERO_SIZE_TEXT])
{
    const char *text = aero_cli_size(object, key, buf);

    return text ? text : "-";
}

static const char *number(const struct lxe_json *object, const char *key,
                          char buf[AERO_SIZE_TEXT])
{
    const char *text = aero_cli_number(object, key, buf);

    return text ? text : "-";
}

/* The text of a member; it is freed where its scope ends. */
#define TEXT(name, object, key)                                                \
    _cleanup_free_ char *name = aero_cli_text(object, key)

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* ---- the state of things ---- */

static void print_label(const char *label)
{
    printf("%-9s ", label);
}

static void print_size(const struct parts *d)
{
    char s[3][AERO_SIZE_TEXT];

    print_label("Has");
    printf("%s; its target is %s, to come to %s\n",
           size(d->in, "held_kib", s[0]), size(d->facts, "target_kib", s[1]),
           size(d->out, "goal_kib", s[2]));
}

static void print_report(const struct parts *d)
{
    TEXT(source, d->facts, "source");
    char s[3][AERO_SIZE_TEXT], age[AERO_SIZE_TEXT];
    uint64_t age_ms, psi_x100;

    print_label("It says");
    if (lxe_json_u64(lxe_json_get(d->facts, "age_ms"), &age_ms)) {
        puts("nothing");
        return;
    }
    printf("uses %s, %s available, %s in swap",
           size(d->facts, "used_kib", s[0]),
           size(d->facts, "available_kib", s[1]),
           size(d->facts, "swap_used_kib", s[2]));
    if (!lxe_json_u64(lxe_json_get(d->facts, "psi_some_x100"), &psi_x100))
        printf(", waits for memory %.1f %% of the time",
               (double)psi_x100 / 100);
    printf(" (%s, changed %s ago)\n", or_dash(source),
           aero_text_duration(age, (double)age_ms / 1000));
}

/* Nothing where its pages are not sampled. */
static void print_activity(const struct parts *d)
{
    char s[3][AERO_SIZE_TEXT];
    uint64_t kib;

    if (lxe_json_u64(lxe_json_get(d->facts, "active_kib"), &kib))
        return;
    print_label("It writes");
    printf("%s in 30 s, by a sample of its pages (from %s to %s)\n",
           size(d->facts, "active_kib", s[0]),
           size(d->facts, "active_low_kib", s[1]),
           size(d->facts, "active_high_kib", s[2]));
}

static void print_demand(const struct parts *d)
{
    TEXT(why, d->in, "why");
    char s[2][AERO_SIZE_TEXT];
    bool known = false;

    lxe_json_bool(lxe_json_get(d->in, "demand_known"), &known);
    print_label("Demand");
    if (known)
        printf("%s: it works with %s, and a margin\n",
               size(d->in, "demand_kib", s[0]),
               size(d->facts, "need_kib", s[1]));
    else
        printf("not known (%s); taken for %s\n", or_dash(why),
               size(d->in, "demand_kib", s[0]));
}

static void print_policy(const struct parts *d)
{
    char s[3][AERO_SIZE_TEXT];
    uint64_t idle;
    double price;

    print_label("Policy");
    printf("min %s, max %s, shares %s", size(d->in, "min_kib", s[0]),
           size(d->in, "max_kib", s[1]), number(d->in, "shares", s[2]));
    if (!lxe_json_u64(lxe_json_get(d->out, "idle"), &idle) &&
        !lxe_json_double(lxe_json_get(d->out, "price"), &price))
        printf("; %.0f %% idle, price %.2f of the median",
               (double)idle / 10, price);
    putchar('\n');
}

static void print_host(const struct parts *d)
{
    TEXT(state, d->host_facts, "state");
    char s[4][AERO_SIZE_TEXT];

    print_label("Host");
    printf("%s free of %s, %s to be kept free, %s to spare (%s)\n",
           size(d->host, "free_kib", s[0]),
           size(d->host_facts, "total_kib", s[1]),
           size(d->host, "keep_free_kib", s[2]),
           size(d->host_facts, "spare_kib", s[3]), or_dash(state));
}

static void print_foreign(const struct parts *d)
{
    uint64_t changes;

    if (lxe_json_u64(lxe_json_get(d->facts, "foreign_changes"), &changes) ||
        !changes)
        return;
    print_label("Others");
    printf("changed its target %" PRIu64 " time%s\n", changes,
           changes == 1 ? "" : "s");
}

static void print_now(const struct lxe_json *result, const struct parts *d)
{
    TEXT(name, result, "name");
    TEXT(state, d->facts, "state");
    TEXT(reason, d->all, "reason");
    char domid[AERO_SIZE_TEXT];

    printf("%s (domain %s): %s\n\n", or_dash(name),
           number(result, "domid", domid), or_dash(state));
    print_label("Why");
    puts(or_dash(reason));
    print_size(d);
    print_report(d);
    print_activity(d);
    print_demand(d);
    print_policy(d);
    print_host(d);
    print_foreign(d);
}

/* ---- what was before ---- */

static void add_past(struct aero_table *table, const struct parts *d)
{
    char age[AERO_SIZE_TEXT], s[6][AERO_SIZE_TEXT];
    uint64_t age_ms = 0;
    bool known = !lxe_json_u64(lxe_json_get(d->all, "age_ms"), &age_ms);
    const char *cells[9] = {
        known ? aero_text_duration(age, (double)age_ms / 1000) : NULL,
        lxe_json_str(lxe_json_get(d->facts, "state")),
        aero_cli_size(d->in, "held_kib", s[0]),
        aero_cli_size(d->facts, "used_kib", s[1]),
        aero_cli_size(d->in, "demand_kib", s[2]),
        aero_cli_size(d->host, "free_kib", s[3]),
        aero_cli_size(d->out, "target_kib", s[4]),
        aero_cli_size(d->all, "written_kib", s[5]),
        lxe_json_str(lxe_json_get(d->all, "reason")),
    };

    aero_table_add(table, cells);
}

static int print_past(const struct lxe_json *decisions)
{
    static const struct aero_column columns[9] = {
        { "AGO", AERO_RIGHT },    { "STATE", AERO_LEFT },
        { "HAD", AERO_RIGHT },    { "USED", AERO_RIGHT },
        { "DEMAND", AERO_RIGHT }, { "FREE", AERO_RIGHT },
        { "WANTED", AERO_RIGHT }, { "SET", AERO_RIGHT },
        { "REASON", AERO_LEFT },
    };
    struct aero_table *table;
    int rc;

    if (lxe_json_count(decisions) < 2)
        return AERO_EXIT_OK;
    table = aero_table_new(columns, 9);
    if (!table)
        return aero_cli_fail("out of memory");
    for (size_t i = 1; i < lxe_json_count(decisions); i++) {
        struct parts d = parts_of(lxe_json_at(decisions, i));

        add_past(table, &d);
    }
    puts("\nDecisions, newest first:\n");
    rc = aero_table_print(table, stdout, aero_terminal_width(stdout));
    aero_table_free(table);
    return rc ? aero_cli_fail("cannot print the table: %s", strerror(-rc))
              : AERO_EXIT_OK;
}

static int print_all(const struct lxe_json *result)
{
    const struct lxe_json *decisions = lxe_json_get(result, "decisions");
    struct parts now = parts_of(lxe_json_at(decisions, 0));
    int rc;

    if (lxe_json_type(decisions) != LXE_JSON_ARRAY)
        return aero_cli_fail("aerostatd's answer has no list of decisions; "
                             "does its version fit this program's?");
    if (!now.all)
        return aero_cli_fail("aerostatd has decided nothing for it yet; try"
                             " again in a moment");
    print_now(result, &now);
    rc = print_past(decisions);
    return rc ? rc : aero_cli_finish();
}

/* ---- the verb ---- */

static int parse_args(int argc, char **argv, bool *json)
{
    int rc = aero_cli_json_option(VERB, argc, argv, json);

    if (rc)
        return rc;
    if (argc - optind != 1 || !*argv[optind])
        return aero_cli_usage(VERB, "give one domain, by its name or its "
                                    "number");
    return 0;
}

int aero_cli_mem_explain(const struct aero_cli *cli, int argc, char **argv)
{
    bool json;
    const struct lxe_json *result;
    struct lxe_json *response = NULL;
    struct lxe_jw *params;
    int rc = parse_args(argc, argv, &json);

    if (rc)
        return rc;
    params = lxe_jw_new(false);
    if (!params)
        return aero_cli_fail("out of memory");
    lxe_jw_object(params);
    lxe_jw_str(params, "domain", argv[optind]);
    lxe_jw_end_object(params);
    result = aero_cli_call(cli, "mem.explain", params, &response);
    if (!result)
        return AERO_EXIT_FAILED;
    rc = json ? aero_cli_print_json(result) : print_all(result);
    lxe_json_free(response);
    return rc;
}
