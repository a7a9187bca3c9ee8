/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-native [--json FILE] [--only throughput|memory|limiter|sweep]
 *              [--quick] [--pairs N] [--repeats N] [--throttle none,pause,cap]
 */
#include "native.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "fx_program.h"

static int usage(void)
{
    fprintf(stderr, "usage: bench-native [--json FILE] "
            "[--only throughput|memory|limiter|sweep]\n"
            "                    [--quick] [--pairs N] [--repeats N] "
            "[--throttle none,pause,cap]\n");
    return 2;
}

void bench_idle_guest(struct fx_migration *m, unsigned mib)
{
    fx_migration_init(m, mib);
    m->guest.ram_pages = mib * FX_PAGES_PER_MIB;
    m->guest.top_gfn = 0;
    m->guest.hole_percent = 0;
}

bool bench_run(const struct fx_migration *m, struct fx_outcome *o)
{
    const char *wrong;

    fx_migrate(m, o);
    wrong = fx_check(m, o);
    if (!wrong && !o->saved)
        wrong = "not saved";
    if (!wrong && !m->sink && !o->restored)
        wrong = "not moved";
    if (!wrong)
        return true;
    printf("  a run failed: %s\n", wrong);
    fx_explain(m, o);
    return false;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t count, double share)
{
    size_t i = (size_t)((double)count * share);

    if (!count)
        return 0;
    qsort(values, count, sizeof(*values), by_value);
    return values[i < count ? i : count - 1];
}

static void write_machine(struct lxe_jw *w)
{
    char date[32], line[256], model[256] = "";
    time_t now = time(NULL);
    struct utsname u;
    FILE *f = fopen("/proc/cpuinfo", "r");

    while (f && !*model && fgets(line, sizeof(line), f))
        if (!strncmp(line, "model name", 10) && strchr(line, ':'))
            snprintf(model, sizeof(model), "%.*s",
                     (int)strcspn(strchr(line, ':') + 2, "\n"),
                     strchr(line, ':') + 2);
    if (f)
        fclose(f);
    uname(&u);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    lxe_jw_str(w, "date", date);
    lxe_jw_str(w, "cpu", model);
    lxe_jw_u64(w, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
    lxe_jw_str(w, "kernel", u.release);
}

static int save_json(struct lxe_jw *w, const char *path)
{
    size_t len;
    const char *text = lxe_jw_text(w, &len);
    FILE *f = text ? fopen(path, "w") : NULL;

    if (!f || fwrite(text, 1, len, f) != len || fclose(f)) {
        fprintf(stderr, "bench-native: cannot write %s: %s\n", path,
                strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static bool count_option(const char *text, unsigned *out)
{
    uint64_t n;

    if (lxe_parse_u64(text, 1, 1000, &n, NULL))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool ways_option(char *text, struct bench_options *o)
{
    unsigned n = 0;

    for (char *word; n < 3 && (word = strsep(&text, ",")); n++) {
        if (strcmp(word, "none") && strcmp(word, "pause") &&
            strcmp(word, "cap"))
            return false;
        o->ways[n] = word;
    }
    o->ways[n] = NULL;
    return true;
}

static bool run(const struct bench_options *o, const char *only,
                struct lxe_jw *w)
{
    bool good = true;

    lxe_jw_object(w);
    write_machine(w);
    if (!only || !strcmp(only, "throughput"))
        good = bench_throughput(o, w);
    if (!only || !strcmp(only, "memory"))
        good = bench_memory(o, w) && good;
    if (!only || !strcmp(only, "limiter"))
        good = bench_limiter(o, w) && good;
    if (!only || !strcmp(only, "sweep"))
        good = bench_sweep(o, w) && good;
    lxe_jw_end_object(w);
    return good;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", required_argument, NULL, 'j' },
        { "only", required_argument, NULL, 'o' },
        { "pairs", required_argument, NULL, 'p' },
        { "repeats", required_argument, NULL, 'r' },
        { "throttle", required_argument, NULL, 't' },
        { "quick", no_argument, NULL, 'q' },
        { NULL, 0, NULL, 0 },
    };
    struct bench_options o = {
        .pairs = 9, .repeats = 1, .ways = { "none", "pause" },
    };
    const char *json = NULL, *only = NULL;
    struct lxe_jw *w;
    bool good = true;
    int c, rc = EXIT_SUCCESS;

    fx_program_role(argc, argv);
    while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'j')
            json = optarg;
        else if (c == 'o')
            only = optarg;
        else if (c == 'q')
            o.quick = true;
        else if (c == 'p')
            good = count_option(optarg, &o.pairs);
        else if (c == 'r')
            good = count_option(optarg, &o.repeats);
        else
            good = c == 't' && ways_option(optarg, &o);
    }
    if (!good || optind < argc)
        return usage();
    setvbuf(stdout, NULL, _IOLBF, 0);
    w = lxe_jw_new(true);
    good = run(&o, only, w);
    if (json)
        rc = save_json(w, json);
    lxe_jw_free(w);
    return good ? rc : EXIT_FAILURE;
}
