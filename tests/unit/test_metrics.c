/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metrics' text: names, units, labels of hostile guests, and the file. */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics.h"
#include "unit.h"

static struct aero_config config = { .host_reserve_kib = 64 };

static struct aero_guest guest(uint32_t domid, const char *name)
{
    struct aero_guest g = {
        .dom = { .domid = domid, .current_kib = 3, .target_kib = 5 },
        .min_kib = 1,
        .max_kib = 9,
        .shares = 100,
        .demand = { .kib = 4, .used_kib = LXE_UNKNOWN,
                    .available_kib = LXE_UNKNOWN },
    };

    snprintf(g.dom.name, sizeof(g.dom.name), "%s", name);
    return g;
}

static char *text_of(struct aero_guest *guests, size_t count)
{
    struct aero_balancer b = {
        .config = &config,
        .guests = { guests, count },
        .counters = { .ticks = 3, .ticks_ns = 1500000000, .grow_kib = 7,
                      .migrations = { [AERO_LOST] = 2 } },
        .sampler = { .used_ns = 250000000, .looks = 9 },
    };
    size_t len;
    char *text = aero_metrics_text(&b, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(strlen(text), len);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)); at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    printf("\n  not there: %s\n", line);
    return false;
}

static void values_in_base_units(void)
{
    struct aero_guest g = guest(7, "web");
    char *text = text_of(&g, 1);

    CU_ASSERT(has_line(text, "aerostat_guest_memory_current_bytes"
                             "{domid=\"7\",domain=\"web\"} 3072"));
    CU_ASSERT(has_line(text, "aerostat_host_memory_reserve_bytes 65536"));
    CU_ASSERT(has_line(text, "aerostat_tick_duration_seconds_sum 1.5"));
    CU_ASSERT(has_line(text, "aerostat_tick_duration_seconds_count 3"));
    CU_ASSERT(has_line(text, "aerostat_sampling_cpu_seconds_total 0.25"));
    CU_ASSERT(has_line(text, "aerostat_sampling_looks_total 9"));
    CU_ASSERT(has_line(text, "aerostat_target_change_bytes_total"
                             "{direction=\"grow\"} 7168"));
    CU_ASSERT(has_line(text, "aerostat_migrations_total"
                             "{outcome=\"lost\"} 2"));
    CU_ASSERT(has_line(text, "aerostat_host_state{state=\"high\"} 1"));
    CU_ASSERT(has_line(text, "aerostat_host_state{state=\"low\"} 0"));
    CU_ASSERT(has_line(text, "# TYPE aerostat_ticks_total counter"));
    /* What is not known has no sample. */
    CU_ASSERT_PTR_NULL(strstr(text, "aerostat_guest_memory_used_bytes{"));
    free(text);
}

static void labels_are_escaped(void)
{
    static const struct {
        const char *name, *label;
    } cases[] = {
        { "a\"b\\c\nd", "a\\\"b\\\\c\\nd" },
        { "b\xc3\xa4nke", "b\xc3\xa4nke" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "x\xff\xc3", "x??" },              /* no character, and half of one */
        { "\xc0\xaf", "??" },                /* too long a form */
        { "\xed\xa0\x80", "???" },           /* a surrogate */
        { "\xf4\x90\x80\x80", "????" },      /* beyond the last one */
        { "\"} 1\nowned 1", "\\\"} 1\\nowned 1" },
    };
    char want[200];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aero_guest g = guest(1, cases[i].name);
        char *text = text_of(&g, 1);

        snprintf(want, sizeof(want), "aerostat_guest_shares{domid=\"1\","
                 "domain=\"%s\"} 100", cases[i].label);
        CU_ASSERT(has_line(text, want));
        free(text);
    }
}

/* Each metric's samples stand together, below one HELP and one TYPE. */
static void samples_stand_together(void)
{
    struct aero_guest g[3] = { guest(1, "a"), guest(2, "b"), guest(3, "c") };
    char *text = text_of(g, 3), *rest = text, *line;
    char name[100] = "";
    int types = 0;

    while ((line = strsep(&rest, "\n")) && *line) {
        if (!strncmp(line, "# HELP ", 7)) {
            sscanf(line + 7, "%99s", name);
            CU_ASSERT(rest && !strncmp(rest, "# TYPE ", 7) &&
                      !strncmp(rest + 7, name, strlen(name)));
            types++;
        } else if (*line != '#') {
            CU_ASSERT_EQUAL(strncmp(line, name, strlen(name)), 0);
        }
    }
    CU_ASSERT(types > 20);
    free(text);
}

static void the_file_is_whole_or_not_there(void)
{
    char dir[] = "/tmp/aero-metrics.XXXXXX", path[80];
    struct aero_balancer b = { .config = &config };
    struct lxe_err err = { 0 };
    struct dirent *entry;
    int files = 0;
    DIR *d;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.prom", dir);
    CU_ASSERT_EQUAL(aero_metrics_file(&b, path, &err), 0);
    CU_ASSERT_EQUAL(aero_metrics_file(&b, path, &err), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0); /* which no file replaces */
    CU_ASSERT_EQUAL(aero_metrics_file(&b, path, &err), -EISDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
    CU_ASSERT_PTR_NOT_NULL_FATAL(d = opendir(dir));
    while ((entry = readdir(d)))
        files += entry->d_name[0] != '.';
    closedir(d);
    CU_ASSERT_EQUAL(files, 1);
    rmdir(path);
    rmdir(dir);
    CU_ASSERT_EQUAL(aero_metrics_file(&b, path, &err), -ENOENT);
}

static const struct unit_test tests[] = {
    { "values in base units", values_in_base_units },
    { "labels are escaped", labels_are_escaped },
    { "samples stand together", samples_stand_together },
    { "the file is whole or not there", the_file_is_whole_or_not_there },
};

int main(void)
{
    return unit_run("metrics", tests, sizeof(tests) / sizeof(tests[0]));
}
