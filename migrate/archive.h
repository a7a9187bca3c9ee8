/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reports of the last migrations, a file each in one folder. A run is
 * named by when it began (UTC) and what moved: 20261121-143005-web, so that
 * names in order are runs in order.
 */
#ifndef MIG_ARCHIVE_H
#define MIG_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "report.h"

#define MIG_ARCHIVE_DIR  AEROSTAT_LOGDIR "/migrations"
#define MIG_ARCHIVE_KEEP 200 /* a report takes about 10 KiB */

/* Runs, the oldest first. */
struct mig_archive {
    char (*ids)[MIG_RUN_ID];
    size_t count;
};

/* Whether a text has the form of a run's name. */
bool mig_archive_is_id(const char *text);

/*
 * Names the run of a report: fills in report->id. A name that the folder has
 * already becomes one of the next second. Bytes of the domain's name other
 * than letters, digits and "._+-" become '_'.
 */
void mig_archive_name(const char *dir, struct mig_report *report);

/*
 * Writes a named report into the folder, which is made where it is missing,
 * as is the one above, and removes the oldest ones beyond @keep. What it makes
 * is closed to others: 0750, and 0640 for a report. Returns 0 or a negative
 * errno; what cannot be removed is left.
 */
int mig_archive_keep(const char *dir, const struct mig_report *report,
                     size_t keep, struct lxe_err *err);

/*
 * Lists the folder; other files in it are passed over, and a folder that is
 * not there holds nothing. Returns 0 or a negative errno.
 */
int mig_archive_list(const char *dir, struct mig_archive *out,
                     struct lxe_err *err);
void mig_archive_free(struct mig_archive *archive);

/*
 * Finds what a person named: a file (a path with a '/' or that ends in
 * .json), a run, or a domain, of which it is the last run.
 * @path  gets the file's path; freed by the caller
 * Returns 0, -ENOENT, -ENOMEM or what reading the folder gave.
 */
int mig_archive_find(const char *dir, const char *what, char **path,
                     struct lxe_err *err);

#endif
