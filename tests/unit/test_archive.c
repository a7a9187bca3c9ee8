/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The archive of reports: its names, its bound, and how a run is found. */
#define _GNU_SOURCE
#include "archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define START_S 1795271405 /* 2026-11-21 14:30:05 UTC */

static char folder[] = "/tmp/aerostat-archive-XXXXXX";
static char dir[64];

static void forget_all(void)
{
    struct mig_archive archive;
    char path[256];

    CU_ASSERT_EQUAL(mig_archive_list(dir, &archive, NULL), 0);
    for (size_t i = 0; i < archive.count; i++) {
        snprintf(path, sizeof(path), "%s/%s.json", dir, archive.ids[i]);
        unlink(path);
    }
    mig_archive_free(&archive);
}

/* Keeps a run of a domain that began so many seconds after the first. */
static void keep(const char *domain, int64_t second, size_t most,
                 const char *want_id)
{
    struct mig_report r = { .wall_start_s = START_S + second };
    struct lxe_err err = { 0 };

    snprintf(r.domain, sizeof(r.domain), "%s", domain);
    mig_archive_name(dir, &r);
    CU_ASSERT_STRING_EQUAL(r.id, want_id);
    CU_ASSERT_TRUE(mig_archive_is_id(r.id));
    CU_ASSERT_EQUAL(mig_archive_keep(dir, &r, most, &err), 0);
}

static void check_list(size_t count, const char *first, const char *last)
{
    struct mig_archive archive;

    CU_ASSERT_EQUAL(mig_archive_list(dir, &archive, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(archive.count, count);
    if (count) {
        CU_ASSERT_STRING_EQUAL(archive.ids[0], first);
        CU_ASSERT_STRING_EQUAL(archive.ids[count - 1], last);
    }
    mig_archive_free(&archive);
}

static void test_ids(void)
{
    static const char *const bad[] = {
        "", "web", "20261121-143005", "20261121-143005-", "2026112-143005-w",
        "20261121143005-web", "20261121-143005-a/b", "20261121-143005-a b",
        "20261121-14300x-web", "../../20261121-143005-web",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(mig_archive_is_id(bad[i]));
    CU_ASSERT_TRUE(mig_archive_is_id("20261121-143005-web-2.x"));
}

static void test_names(void)
{
    struct mig_report r = { .wall_start_s = START_S };

    keep("web", 0, 9, "20261121-143005-web");
    keep("web", 0, 9, "20261121-143006-web"); /* taken: the next second */
    keep("../x y\n", 0, 9, "20261121-143005-.._x_y_");
    keep("", 5, 9, "20261121-143010-unknown");
    memset(r.domain, 'x', sizeof(r.domain) - 1);
    mig_archive_name(dir, &r);
    CU_ASSERT_TRUE(mig_archive_is_id(r.id));
    r.wall_start_s = INT64_MAX;
    mig_archive_name(dir, &r);
    CU_ASSERT_TRUE(mig_archive_is_id(r.id));
    forget_all();
}

static void test_bound(void)
{
    char path[128];
    FILE *other;

    check_list(0, NULL, NULL);
    keep("b", 0, 3, "20261121-143005-b");
    keep("a", 1, 3, "20261121-143006-a");
    keep("b", 2, 3, "20261121-143007-b");
    keep("c", 3, 3, "20261121-143008-c");
    snprintf(path, sizeof(path), "%s/notes.json", dir);
    other = fopen(path, "we"); /* not ours: neither listed nor removed */
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    fclose(other);
    check_list(3, "20261121-143006-a", "20261121-143008-c");
    keep("d", 9, 1, "20261121-143014-d");
    check_list(1, "20261121-143014-d", "20261121-143014-d");
    CU_ASSERT_EQUAL(unlink(path), 0);
    forget_all();
}

/* A clock that was set back, or that has no battery: it is kept. */
static void test_clock_set_back(void)
{
    keep("a", 10, 2, "20261121-143015-a");
    keep("b", 11, 2, "20261121-143016-b");
    keep("c", 0, 2, "20261121-143005-c");
    check_list(2, "20261121-143005-c", "20261121-143016-b");
    forget_all();
}

static unsigned mode_of(const char *path)
{
    struct stat st = { 0 };

    CU_ASSERT_EQUAL(stat(path, &st), 0);
    return st.st_mode & 0777;
}

/* The daemon logs to the folder above, and opens it to nobody. */
static void test_closed_to_others(void)
{
    mode_t before = umask(0);
    char above[128], path[128];

    snprintf(above, sizeof(above), "%s/log", folder);
    rmdir(dir);
    rmdir(above);
    keep("web", 0, 9, "20261121-143005-web");
    umask(before);
    snprintf(path, sizeof(path), "%s/20261121-143005-web.json", dir);
    CU_ASSERT_EQUAL(mode_of(above), 0750);
    CU_ASSERT_EQUAL(mode_of(dir), 0750);
    CU_ASSERT_EQUAL(mode_of(path), 0640);
    forget_all();
}

static void check_found(const char *what, const char *want)
{
    struct lxe_err err = { 0 };
    char *path = NULL;

    CU_ASSERT_EQUAL(mig_archive_find(dir, what, &path, &err), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(path);
    CU_ASSERT_PTR_NOT_NULL(strstr(path, want));
    free(path);
}

static void test_find(void)
{
    struct lxe_err err = { 0 };
    char *path = NULL;

    keep("web", 0, 9, "20261121-143005-web");
    keep("db", 1, 9, "20261121-143006-db");
    keep("web", 2, 9, "20261121-143007-web");
    keep("a b", 3, 9, "20261121-143008-a_b");
    check_found("20261121-143005-web", "/20261121-143005-web.json");
    check_found("web", "/20261121-143007-web.json");
    check_found("a b", "/20261121-143008-a_b.json");
    check_found("./there", "./there");
    check_found("there.json", "there.json");
    CU_ASSERT_EQUAL(mig_archive_find(dir, "we", &path, &err), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'we'"));
    CU_ASSERT_EQUAL(mig_archive_find("/nowhere", "web", &path, &err),
                    -ENOENT);
    CU_ASSERT_TRUE(mig_archive_find("/dev/null", "web", &path, &err) < 0);
    forget_all();
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "what is a run's name", test_ids },
        { "names", test_names },
        { "the oldest are removed", test_bound },
        { "after the clock was set back", test_clock_set_back },
        { "closed to others", test_closed_to_others },
        { "a run is found", test_find },
    };
    int rc;

    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    snprintf(dir, sizeof(dir), "%s/log/migrations", folder);
    rc = unit_run("archive", tests, sizeof(tests) / sizeof(tests[0]));
    rmdir(dir);
    snprintf(dir, sizeof(dir), "%s/log", folder);
    rmdir(dir);
    rmdir(folder);
    return rc;
}
