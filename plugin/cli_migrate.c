/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_migrate.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rpc_client.h"
#include "base/units.h"
#include "cli_table.h"

/* Where our programs are, for one that is not installed yet. */
#define LIBEXEC_ENV "AEROSTAT_LIBEXECDIR"

/*
 * argv of aerostat-migrate, NULL-terminated; NULL without memory.
 * @first  what goes before the user's arguments, or NULL
 */
static char **migrate_argv(const struct aero_cli *cli, char *first,
                           int argc, char **argv)
{
    static char program[] = "aerostat-migrate", verbose[] = "-v";
    char **out = calloc((size_t)argc + (size_t)cli->verbose + 2,
                        sizeof(*out));
    size_t n = 0;

    if (!out)
        return NULL;
    out[n++] = program;
    for (int i = 0; i < cli->verbose; i++)
        out[n++] = verbose;
    if (first)
        out[n++] = first;
    for (int i = 1; i < argc; i++)
        out[n++] = argv[i];
    return out;
}

/* Becomes aerostat-migrate, or returns an exit status. */
static int become_migrate(const struct aero_cli *cli, char *first,
                          int argc, char **argv)
{
    const char *dir = getenv(LIBEXEC_ENV);
    _cleanup_free_ char *path = NULL;
    char **args;

    if (asprintf(&path, "%s/aerostat-migrate",
                 dir && *dir ? dir : AEROSTAT_LIBEXECDIR) < 0) {
        path = NULL;
        return aero_cli_fail("out of memory");
    }
    args = migrate_argv(cli, first, argc, argv);
    if (!args ||
        (cli->socket && setenv(LXE_RPC_SOCKET_ENV, cli->socket, 1))) {
        free(args);
        return aero_cli_fail("out of memory");
    }
    execv(path, args);
    free(args);
    return aero_cli_fail("cannot run %s: %s", path, strerror(errno));
}

int aero_cli_migrate_live(const struct aero_cli *cli, int argc, char **argv)
{
    return become_migrate(cli, NULL, argc, argv);
}

int aero_cli_migrate_cancel(const struct aero_cli *cli, int argc, char **argv)
{
    static char cancel[] = "--cancel";

    return become_migrate(cli, cancel, argc, argv);
}

static const struct aero_column columns[] = {
    { "DOMAIN", AERO_LEFT },    { "ID", AERO_RIGHT },
    { "STAGE", AERO_LEFT },     { "ROUND", AERO_RIGHT },
    { "LEFT", AERO_RIGHT },     { "RATE", AERO_RIGHT },
    { "DIRTIED", AERO_RIGHT },  { "ROUND ENDS IN", AERO_RIGHT },
    { "DOWNTIME", AERO_RIGHT }, { "RUNS FOR", AERO_RIGHT },
    { "TO", AERO_LEFT },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

#define RATE_MAX 1e15 /* bytes/s: nothing sends that fast */

/* Reads a member in units of so many bytes a second. */
static bool get_rate(const struct lxe_json *m, const char *key,
                     double unit_bytes, double *bps)
{
    if (lxe_json_double(lxe_json_get(m, key), bps))
        return false;
    *bps *= unit_bytes;
    return *bps >= 0 && *bps < RATE_MAX;
}

static const char *rate(const struct lxe_json *m, const char *key,
                        double unit_bytes, char buf[LXE_UNIT_TEXT])
{
    double bps;

    return get_rate(m, key, unit_bytes, &bps) ? lxe_format_bps(buf, bps)
                                              : NULL;
}

/* @scale  seconds in the member's unit */
static const char *duration(const struct lxe_json *m, const char *key,
                            double scale, char *buf)
{
    double value;

    if (lxe_json_double(lxe_json_get(m, key), &value))
        return NULL;
    return aero_text_duration(buf, value * scale);
}

static bool get_left_kib(const struct lxe_json *m, uint64_t *kib)
{
    uint64_t pages;

    if (lxe_json_u64(lxe_json_get(m, "remaining_pages"), &pages) ||
        pages > UINT64_MAX / LXE_KIB_PER_PAGE)
        return false;
    *kib = pages * LXE_KIB_PER_PAGE;
    return true;
}

static const char *left(const struct lxe_json *m, char *buf)
{
    uint64_t kib;

    return get_left_kib(m, &kib) ? aero_text_size(buf, kib) : NULL;
}

/* The estimate: what is left of the round, at the rate seen lately. */
static const char *time_left(const struct lxe_json *m, char *buf)
{
    uint64_t kib;
    double bps;

    if (!get_left_kib(m, &kib) || !get_rate(m, "rate_bps", 1, &bps) ||
        bps < 1)
        return NULL;
    return aero_text_duration(buf, (double)kib * 1024 / bps);
}

/* Once its aerostat-migrate is gone, the daemon undoes what it did. */
static const char *stage(const struct lxe_json *m)
{
    bool lost;

    if (!lxe_json_bool(lxe_json_get(m, "lost"), &lost) && lost)
        return "died, being undone";
    return lxe_json_str(lxe_json_get(m, "stage"));
}

static void add_migration(struct aero_table *table, const struct lxe_json *m)
{
    char num[8][AERO_SIZE_TEXT];
    const char *cells[COLUMNS] = {
        lxe_json_str(lxe_json_get(m, "name")),
        aero_cli_number(m, "domid", num[0]),
        stage(m),
        aero_cli_number(m, "round", num[1]),
        left(m, num[2]),
        rate(m, "rate_bps", 1, num[3]),
        rate(m, "dirty_pages_per_s", LXE_PAGE_SIZE, num[4]),
        time_left(m, num[5]),
        duration(m, "predicted_downtime_ms", 1e-3, num[6]),
        duration(m, "started_s_ago", 1, num[7]),
        lxe_json_str(lxe_json_get(m, "to")),
    };

    _Static_assert(LXE_UNIT_TEXT <= AERO_SIZE_TEXT, "a rate fits its cell");
    aero_table_add(table, cells);
}

/* Returns an exit status. */
static int print_migrations(const struct lxe_json *list)
{
    struct aero_table *table;
    int rc;

    if (lxe_json_type(list) != LXE_JSON_ARRAY)
        return aero_cli_fail("aerostatd's answer has no list of migrations; "
                             "does its version fit this program's?");
    if (!lxe_json_count(list)) {
        puts("no migration is running");
        return aero_cli_finish();
    }
    table = aero_table_new(columns, COLUMNS);
    if (!table)
        return aero_cli_fail("out of memory");
    for (size_t i = 0; i < lxe_json_count(list); i++)
        add_migration(table, lxe_json_at(list, i));
    rc = aero_table_print(table, stdout, aero_terminal_width(stdout));
    aero_table_free(table);
    return rc ? aero_cli_fail("cannot print the table: %s", strerror(-rc))
              : aero_cli_finish();
}

int aero_cli_migrate_status(const struct aero_cli *cli, int argc, char **argv)
{
    bool json;
    const struct lxe_json *result;
    struct lxe_json *response = NULL;
    int rc = aero_cli_only_json("migrate-status", argc, argv, &json);

    if (rc)
        return rc;
    result = aero_cli_call(cli, "migration.list", NULL, &response);
    if (!result)
        return AERO_EXIT_FAILED;
    rc = json ? aero_cli_print_json(result)
              : print_migrations(lxe_json_get(result, "migrations"));
    lxe_json_free(response);
    return rc;
}

/* ---- migrate-rate ---- */

/* Returns 0, or an exit status after saying what is wrong. */
static int parse_rate_args(int argc, char **argv, bool *json, bool *change,
                           uint64_t *bps)
{
    struct lxe_err err = { 0 };
    int rc = aero_cli_json_option("migrate-rate", argc, argv, json);

    if (rc)
        return rc;
    if (argc - optind > 1)
        return aero_cli_usage("migrate-rate", "takes one rate");
    *change = argc - optind == 1;
    *bps = 0;
    if (*change && lxe_parse_rate_limit_bps(argv[optind], bps, &err))
        return aero_cli_usage("migrate-rate", "%s", err.text);
    return 0;
}

static int print_rate(const struct lxe_json *result)
{
    const char *note = lxe_json_str(lxe_json_get(result, "note"));
    char text[LXE_UNIT_TEXT], keep[LXE_UNIT_TEXT] = "none";
    uint64_t bps;

    if (lxe_json_u64(lxe_json_get(result, "max_rate_bps"), &bps))
        return aero_cli_fail("aerostatd's answer has no rate; does its "
                             "version fit this program's?");
    if (bps)
        printf("all migrations together: at most %s\n",
               lxe_format_bps(text, (double)bps));
    else
        puts("all migrations together: no limit");
    if (bps)
        snprintf(keep, sizeof(keep), "%" PRIu64 "B", bps);
    if (note)
        printf("(lasts until aerostatd ends; to keep it: migration_max_rate ="
               " \"%s\")\n", keep);
    return aero_cli_finish();
}

int aero_cli_migrate_rate(const struct aero_cli *cli, int argc, char **argv)
{
    bool json = false, change;
    const struct lxe_json *result;
    struct lxe_json *response = NULL;
    struct lxe_jw *params;
    uint64_t bps;
    int rc = parse_rate_args(argc, argv, &json, &change, &bps);

    if (rc)
        return rc;
    params = lxe_jw_new(false);
    if (!params)
        return aero_cli_fail("out of memory");
    lxe_jw_object(params);
    if (change)
        lxe_jw_u64(params, "max_rate_bps", bps);
    lxe_jw_end_object(params);
    result = aero_cli_call(cli, "migration.rate", params, &response);
    if (!result)
        return AERO_EXIT_FAILED;
    rc = json ? aero_cli_print_json(result) : print_rate(result);
    lxe_json_free(response);
    return rc;
}
