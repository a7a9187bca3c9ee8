/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_report.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/units.h"
#include "report_html.h"
#include "report_text.h"

#define VERB       "migrate-report"
#define LAST_RUNS  20
#define MOST_RUNS  100000

struct options {
    const char *dir, *html;
    bool json;
    uint64_t last;
    const char *run; /* NULL: the list */
};

/* ---- arguments ---- */

static int take_last(const char *text, struct options *o)
{
    struct lxe_err err = { 0 };

    if (lxe_parse_u64(text, 1, MOST_RUNS, &o->last, &err))
        return aero_cli_usage(VERB, "--last: %s", err.text);
    return 0;
}

/* Returns 0 or AERO_EXIT_USAGE. */
static int take_option(struct options *o, int opt)
{
    switch (opt) {
    case 'd':
        o->dir = optarg;
        return 0;
    case 'h':
        o->html = optarg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'l':
        return take_last(optarg, o);
    default:
        return aero_cli_see_help(VERB);
    }
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "dir", required_argument, NULL, 'd' },
        { "html", required_argument, NULL, 'h' },
        { "json", no_argument, NULL, 'j' },
        { "last", required_argument, NULL, 'l' },
        { NULL, 0, NULL, 0 },
    };
    int opt, rc = 0;

    *o = (struct options){ .dir = MIG_ARCHIVE_DIR, .last = LAST_RUNS };
    optind = 0;
    while (!rc &&
           (opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        rc = take_option(o, opt);
    if (rc)
        return rc;
    if (argc - optind > 1)
        return aero_cli_usage(VERB, VERB " takes one run");
    o->run = argv[optind];
    if (o->html && !o->run)
        return aero_cli_usage(VERB, "--html: of which run?");
    if (o->html && o->json)
        return aero_cli_usage(VERB, "--html and --json exclude each other");
    return 0;
}

/* ---- the list ---- */

/* Reads a run of the archive; false where it cannot be read. */
static bool read_listed(const char *dir, const char *id, struct mig_run *run)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s.json", dir, id) < 0)
        path = NULL;
    *run = (struct mig_run){ 0 };
    return path && !mig_run_read(path, run, NULL);
}

static int list_table(const struct options *o,
                      const struct mig_archive *archive, size_t first)
{
    struct aero_table *table = aero_report_list();
    int rc;

    if (!table)
        return aero_cli_fail("out of memory");
    for (size_t i = first; i < archive->count; i++) {
        struct mig_run run;
        bool good = read_listed(o->dir, archive->ids[i], &run);

        aero_report_list_add(table, archive->ids[i], good ? &run : NULL);
        mig_run_free(&run);
    }
    rc = aero_table_print(table, stdout, aero_terminal_width(stdout));
    aero_table_free(table);
    return rc ? aero_cli_fail("cannot print the table: %s", strerror(-rc))
              : aero_cli_finish();
}

static void add_json(struct lxe_jw *w, const char *id,
                     const struct mig_run *run)
{
    lxe_jw_object(w);
    lxe_jw_str(w, "id", id);
    lxe_jw_str(w, "outcome", run->outcome);
    lxe_jw_str(w, "domain", run->domain);
    lxe_jw_str(w, "to", run->to);
    lxe_jw_double(w, "started_s", run->started_s);
    lxe_jw_double(w, "total_ms", run->total_ms);
    lxe_jw_double(w, "wire_bytes", run->wire_bytes);
    lxe_jw_u64(w, "rounds", mig_run_live_rounds(run));
    lxe_jw_double(w, "downtime_ms", run->downtime.total);
    lxe_jw_double(w, "engine_downtime_ms", run->downtime.engine);
    lxe_jw_end_object(w);
}

/* A run that cannot be read is left out. */
static int list_json(const struct options *o,
                     const struct mig_archive *archive, size_t first)
{
    struct lxe_jw *w = lxe_jw_new(true);
    int rc;

    if (!w)
        return aero_cli_fail("out of memory");
    lxe_jw_object(w);
    lxe_jw_key(w, "runs");
    lxe_jw_array(w);
    for (size_t i = first; i < archive->count; i++) {
        struct mig_run run;

        if (read_listed(o->dir, archive->ids[i], &run))
            add_json(w, archive->ids[i], &run);
        mig_run_free(&run);
    }
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
    rc = aero_cli_print_writer(w);
    lxe_jw_free(w);
    return rc;
}

static int list(const struct options *o)
{
    struct mig_archive archive;
    struct lxe_err err = { 0 };
    size_t first;
    int rc;

    if (mig_archive_list(o->dir, &archive, &err))
        return aero_cli_fail("%s", err.text);
    first = archive.count > o->last ? archive.count - o->last : 0;
    if (o->json) {
        rc = list_json(o, &archive, first);
    } else if (archive.count) {
        rc = list_table(o, &archive, first);
    } else {
        printf("no migration has left a report yet\n");
        rc = aero_cli_finish();
    }
    mig_archive_free(&archive);
    return rc;
}

/* ---- one run ---- */

static int write_page(FILE *out, const struct mig_run *run)
{
    mig_report_html(out, run, PACKAGE_VERSION);
    return fflush(out) || ferror(out) ? -errno : 0;
}

static int show_html(const char *path, const struct mig_run *run)
{
    FILE *out;
    int rc;

    if (!strcmp(path, "-")) {
        write_page(stdout, run);
        return aero_cli_finish();
    }
    out = fopen(path, "we");
    if (!out)
        return aero_cli_fail("cannot write %s: %s", path, strerror(errno));
    rc = write_page(out, run);
    if (fclose(out) && !rc)
        rc = -errno;
    return rc ? aero_cli_fail("cannot write %s: %s", path, strerror(-rc))
              : AERO_EXIT_OK;
}

static int show_text(const struct mig_run *run)
{
    int rc = aero_report_text(stdout, run, aero_terminal_width(stdout));

    return rc ? aero_cli_fail("cannot print the report: %s", strerror(-rc))
              : aero_cli_finish();
}

static int show(const struct options *o)
{
    _cleanup_free_ char *path = NULL;
    struct mig_run run;
    struct lxe_err err = { 0 };
    int rc;

    if (mig_archive_find(o->dir, o->run, &path, &err))
        return aero_cli_fail("%s", err.text);
    if (mig_run_read(path, &run, &err))
        rc = aero_cli_fail("%s", err.text);
    else if (o->json)
        rc = aero_cli_print_json(run.root);
    else if (o->html)
        rc = show_html(o->html, &run);
    else
        rc = show_text(&run);
    mig_run_free(&run);
    return rc;
}

int aero_cli_migrate_report(const struct aero_cli *cli, int argc, char **argv)
{
    struct options o;
    int rc = parse(argc, argv, &o);

    (void)cli;
    if (rc)
        return rc;
    return o.run ? show(&o) : list(&o);
}
