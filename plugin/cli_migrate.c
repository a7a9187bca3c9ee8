/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_migrate.h"

#include <errno.h>
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

/* argv of aerostat-migrate, NULL-terminated; NULL without memory. */
static char **migrate_argv(const struct aero_cli *cli, int argc, char **argv)
{
    static char program[] = "aerostat-migrate", verbose[] = "-v";
    char **out = calloc((size_t)argc + (size_t)cli->verbose + 1,
                        sizeof(*out));
    size_t n = 0;

    if (!out)
        return NULL;
    out[n++] = program;
    for (int i = 0; i < cli->verbose; i++)
        out[n++] = verbose;
    for (int i = 1; i < argc; i++)
        out[n++] = argv[i];
    return out;
}

int aero_cli_migrate_live(const struct aero_cli *cli, int argc, char **argv)
{
    const char *dir = getenv(LIBEXEC_ENV);
    _cleanup_free_ char *path = NULL;
    char **args;

    if (asprintf(&path, "%s/aerostat-migrate",
                 dir && *dir ? dir : AEROSTAT_LIBEXECDIR) < 0) {
        path = NULL;
        return aero_cli_fail("out of memory");
    }
    args = migrate_argv(cli, argc, argv);
    if (!args ||
        (cli->socket && setenv(LXE_RPC_SOCKET_ENV, cli->socket, 1))) {
        free(args);
        return aero_cli_fail("out of memory");
    }
    execv(path, args);
    free(args);
    return aero_cli_fail("cannot run %s: %s", path, strerror(errno));
}

static const struct aero_column columns[] = {
    { "DOMAIN", AERO_LEFT },    { "ID", AERO_RIGHT },
    { "STAGE", AERO_LEFT },     { "ROUND", AERO_RIGHT },
    { "SENT", AERO_RIGHT },     { "LEFT", AERO_RIGHT },
    { "RATE", AERO_RIGHT },     { "ROUND ENDS IN", AERO_RIGHT },
    { "DOWNTIME", AERO_RIGHT }, { "RUNS FOR", AERO_RIGHT },
    { "TO", AERO_LEFT },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *rate(const struct lxe_json *m, char buf[LXE_UNIT_TEXT])
{
    double bps;

    if (lxe_json_double(lxe_json_get(m, "rate_bps"), &bps) ||
        !(bps >= 0 && bps < 1e15))
        return NULL;
    return lxe_format_bps(buf, bps);
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

/* What is left of the round, at the rate seen lately. */
static const char *time_left(const struct lxe_json *m, char *buf)
{
    uint64_t kib;
    double bps;

    if (lxe_json_u64(lxe_json_get(m, "remaining_kib"), &kib) ||
        lxe_json_double(lxe_json_get(m, "rate_bps"), &bps) || !(bps >= 1))
        return NULL;
    return aero_text_duration(buf, (double)kib * 1024 / bps);
}

static void add_migration(struct aero_table *table, const struct lxe_json *m)
{
    char num[8][AERO_SIZE_TEXT];
    const char *cells[COLUMNS] = {
        lxe_json_str(lxe_json_get(m, "name")),
        aero_cli_number(m, "domid", num[0]),
        lxe_json_str(lxe_json_get(m, "stage")),
        aero_cli_number(m, "round", num[1]),
        aero_cli_size(m, "sent_kib", num[2]),
        aero_cli_size(m, "remaining_kib", num[3]),
        rate(m, num[4]),
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
