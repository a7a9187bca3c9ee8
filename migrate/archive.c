/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "archive.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/folders.h"

#define SUFFIX      ".json"
#define STAMP_FORM  "dddddddd-dddddd-" /* d: a digit */
#define STAMP_LEN   (sizeof(STAMP_FORM) - 1)
#define FOLDER_MODE 0750 /* as the daemon's log beside it */
#define FILE_MODE   0640
#define SAME_SECOND 100 /* names tried */
#define NAME_CHARS                                                            \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"

/* ---- names ---- */

bool mig_archive_is_id(const char *text)
{
    for (size_t i = 0; i < STAMP_LEN; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';

        if (STAMP_FORM[i] == 'd' ? !digit : text[i] != STAMP_FORM[i])
            return false;
    }
    text += STAMP_LEN;
    return *text && strlen(text) < MIG_RUN_ID - STAMP_LEN &&
           !text[strspn(text, NAME_CHARS)];
}

/* A domain's name as it stands in a run's. */
static void domain_part(const char *domain, char out[MIG_RUN_ID - STAMP_LEN])
{
    snprintf(out, MIG_RUN_ID - STAMP_LEN, "%s", *domain ? domain : "unknown");
    for (; *out; out++)
        if (!strchr(NAME_CHARS, *out))
            *out = '_';
}

static void make_id(time_t at, const char *domain, char id[MIG_RUN_ID])
{
    char part[MIG_RUN_ID - STAMP_LEN], stamp[STAMP_LEN + 1];
    struct tm tm;

    if (!gmtime_r(&at, &tm) ||
        strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S-", &tm) != STAMP_LEN)
        strcpy(stamp, "00000000-000000-"); /* no year of four digits */
    domain_part(domain, part);
    snprintf(id, MIG_RUN_ID, "%s%s", stamp, part);
}

static char *path_of(const char *dir, const char *id)
{
    char *path;

    return asprintf(&path, "%s/%s" SUFFIX, dir, id) < 0 ? NULL : path;
}

void mig_archive_name(const char *dir, struct mig_report *report)
{
    for (time_t more = 0; more < SAME_SECOND; more++) {
        _cleanup_free_ char *path = NULL;

        make_id((time_t)report->wall_start_s + more, report->domain,
                report->id);
        path = path_of(dir, report->id);
        if (!path || access(path, F_OK))
            return;
    }
}

/* ---- the folder ---- */

static int is_report(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name), suffix = strlen(SUFFIX);
    char id[MIG_RUN_ID];

    if (len < suffix || len - suffix >= sizeof(id) ||
        strcmp(entry->d_name + len - suffix, SUFFIX))
        return 0;
    memcpy(id, entry->d_name, len - suffix);
    id[len - suffix] = '\0';
    return mig_archive_is_id(id);
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Moves the names of a listing, freeing it; an empty list for no memory. */
static void take_names(struct dirent **entries, size_t count,
                       struct mig_archive *out)
{
    out->ids = calloc(count ? count : 1, sizeof(*out->ids));
    out->count = out->ids ? count : 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (out->ids)
            memcpy(out->ids[i], name, strlen(name) - strlen(SUFFIX));
        free(entries[i]);
    }
    free(entries);
}

int mig_archive_list(const char *dir, struct mig_archive *out,
                     struct lxe_err *err)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_report, by_name);

    *out = (struct mig_archive){ 0 };
    if (n < 0 && errno == ENOENT)
        return 0;
    if (n < 0)
        return lxe_fail(err, -errno, "cannot read %s: %m", dir);
    take_names(entries, (size_t)n, out);
    return out->ids ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
}

void mig_archive_free(struct mig_archive *archive)
{
    free(archive->ids);
    *archive = (struct mig_archive){ 0 };
}

/* The oldest by their names: but for the one that was just written, whatever
 * the clock says since the others were. */
static void remove_oldest(const char *dir, size_t keep, const char *newest)
{
    struct mig_archive archive;
    size_t count;

    if (mig_archive_list(dir, &archive, NULL))
        return;
    count = archive.count;
    for (size_t i = 0; i < archive.count && count > keep; i++) {
        _cleanup_free_ char *path = path_of(dir, archive.ids[i]);

        if (!strcmp(archive.ids[i], newest))
            continue;
        if (path)
            unlink(path);
        count--;
    }
    mig_archive_free(&archive);
}

/* The daemon logs to the folder above: whoever is first makes it, and neither
 * may open it to others. What lies above that is not ours. */
static void make_folder(const char *dir)
{
    _cleanup_free_ char *above = strdup(dir);
    char *slash = above ? strrchr(above, '/') : NULL;

    if (slash) {
        *slash = '\0';
        lxe_make_folders(above, 0755);
        mkdir(above, FOLDER_MODE);
    }
    mkdir(dir, FOLDER_MODE);
}

int mig_archive_keep(const char *dir, const struct mig_report *report,
                     size_t keep, struct lxe_err *err)
{
    _cleanup_free_ char *path = path_of(dir, report->id);
    int rc;

    if (!path)
        return lxe_fail(err, -ENOMEM, "out of memory");
    make_folder(dir);
    rc = mig_report_write_as(report, path, FILE_MODE, err);
    if (!rc)
        remove_oldest(dir, keep, report->id);
    return rc;
}

/* ---- finding ---- */

static bool is_path(const char *what)
{
    size_t len = strlen(what), suffix = strlen(SUFFIX);

    return strchr(what, '/') ||
           (len > suffix && !strcmp(what + len - suffix, SUFFIX));
}

/* The run itself, or the last one of a domain; NULL for neither. */
static const char *match(const struct mig_archive *archive, const char *what)
{
    char part[MIG_RUN_ID - STAMP_LEN];

    domain_part(what, part);
    for (size_t i = archive->count; i-- > 0;)
        if (!strcmp(archive->ids[i], what) ||
            !strcmp(archive->ids[i] + STAMP_LEN, part))
            return archive->ids[i];
    return NULL;
}

int mig_archive_find(const char *dir, const char *what, char **path,
                     struct lxe_err *err)
{
    struct mig_archive archive = { 0 };
    const char *id;
    int rc = 0;

    if (is_path(what)) {
        *path = strdup(what);
        return *path ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
    }
    rc = mig_archive_list(dir, &archive, err);
    if (rc)
        return rc;
    id = match(&archive, what);
    *path = id ? path_of(dir, id) : NULL;
    if (!id)
        rc = lxe_fail(err, -ENOENT, "%s has no run '%s' and none of a domain"
                      " of that name; 'xl migrate-report' lists them", dir,
                      what);
    else if (!*path)
        rc = lxe_fail(err, -ENOMEM, "out of memory");
    mig_archive_free(&archive);
    return rc;
}
