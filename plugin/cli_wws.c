/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_wws.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "cli_table.h"
#include "host.h"
#include "wws_guard.h"
#include "wws_measure.h"
#include "wws_svg.h"
#include "wws_text.h"

#define VERB         "wws"
#define SAMPLE_PAGES 512
#define SLICE_NS     (100 * LXE_NS_PER_MS) /* of a wait: signals come between */
#define REDRAW_NS    (250 * LXE_NS_PER_MS) /* the progress line */

struct options {
    const char *domain, *host, *svg, *save;
    struct mig_wws_ask ask;
    bool json;
};

/* What a measurement needs in whichever process it runs. */
struct job {
    const struct options *o;
    struct lxe_host *host;
    struct lxe_domain dom;
    char *name; /* escaped */
    struct mig_wws_run run;

    struct mig_wws_progress progress;
    bool draws; /* a progress line */
    uint64_t drawn_ns;
};

static volatile sig_atomic_t stop_signal;

/* ---- arguments ---- */

static int take_percent(const char *option, const char *text, double *share)
{
    char *end;
    double percent = strtod(text, &end);

    if (end == text || *end || !(percent >= 0.01 && percent <= 100))
        return aero_cli_usage(VERB, "%s: '%s' is no percentage from 0.01 to "
                              "100", option, text);
    *share = percent / 100;
    return 0;
}

static int take_seconds(const char *text, uint64_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0.5 && seconds <= 3600))
        return aero_cli_usage(VERB, "--seconds: '%s' is no number from 0.5 to "
                              "3600", text);
    *ns = (uint64_t)(seconds * 1e9);
    return 0;
}

static int take_method(const char *text, enum mig_wws_method *method)
{
    for (int m = MIG_WWS_LOG_DIRTY; m <= MIG_WWS_SAMPLE; m++)
        if (!strcmp(text, mig_wws_method_name((enum mig_wws_method)m))) {
            *method = (enum mig_wws_method)m;
            return 0;
        }
    return aero_cli_usage(VERB, "--method: '%s' is neither sample nor "
                          "log-dirty", text);
}

/* Returns 0 or AERO_EXIT_USAGE. */
static int take_option(struct options *o, int opt)
{
    switch (opt) {
    case 'H':
        o->host = optarg;
        return 0;
    case 'm':
        return take_method(optarg, &o->ask.method);
    case 's':
        return take_seconds(optarg, &o->ask.duration_ns);
    case 'c':
        return take_percent("--max-cpu", optarg, &o->ask.max_cpu);
    case 'p':
        return take_percent("--max-pause", optarg, &o->ask.max_pause);
    case 'j':
        o->json = true;
        return 0;
    case 'g':
        o->svg = optarg;
        return 0;
    case 'w':
        o->save = optarg;
        return 0;
    default:
        return aero_cli_see_help(VERB);
    }
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "host", required_argument, NULL, 'H' },
        { "method", required_argument, NULL, 'm' },
        { "seconds", required_argument, NULL, 's' },
        { "max-cpu", required_argument, NULL, 'c' },
        { "max-pause", required_argument, NULL, 'p' },
        { "json", no_argument, NULL, 'j' },
        { "svg", required_argument, NULL, 'g' },
        { "save", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int opt, rc = 0;

    *o = (struct options){
        .ask = { .method = MIG_WWS_SAMPLE,
                 .duration_ns = 20 * LXE_NS_PER_SEC,
                 .max_cpu = 0.05,
                 .max_pause = 0.01,
                 .sample_pages = SAMPLE_PAGES },
    };
    optind = 0;
    while (!rc &&
           (opt = getopt_long(argc, argv, "", options, NULL)) != -1)
        rc = take_option(o, opt);
    if (rc)
        return rc;
    if (argc - optind != 1 || !*argv[optind])
        return aero_cli_usage(VERB, "give one domain, by its name or its "
                                    "number");
    o->domain = argv[optind];
    return 0;
}

/* ---- effects ---- */

static void on_signal(int signal)
{
    stop_signal = signal;
}

static void catch_signals(void)
{
    const struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void draw_progress(struct job *job)
{
    const struct mig_wws_progress *p = &job->progress;
    double left = ((double)p->duration_ns - (double)p->elapsed_ns) / 1e9;
    uint64_t now = lxe_now_ns();

    if (!job->draws || now - job->drawn_ns < REDRAW_NS)
        return;
    job->drawn_ns = now;
    fprintf(stderr, "\r%s: %zu of %zu windows, %.0f s left", job->name,
            p->windows, p->windows_planned, fmax(left, 0));
    if (p->pages >= 0)
        fprintf(stderr, "; about %.1f MiB written in each",
                p->pages * LXE_PAGE_SIZE / 1048576);
    fprintf(stderr, "\033[K");
}

static void end_progress(const struct job *job)
{
    if (job->draws)
        fprintf(stderr, "\r\033[K");
}

static bool wait_until(void *data, uint64_t until_ns)
{
    struct job *job = data;

    for (;;) {
        uint64_t now = job->host->ops->now_ns(job->host);

        if (stop_signal)
            return false;
        if (now >= until_ns)
            return true;
        draw_progress(job);
        lxe_sleep_ns(until_ns - now < SLICE_NS ? until_ns - now : SLICE_NS);
    }
}

static uint64_t cpu_ns(void *data)
{
    struct timespec t;

    (void)data;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * LXE_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void note_progress(void *data, const struct mig_wws_progress *progress)
{
    struct job *job = data;

    job->progress = *progress;
}

/* ---- results ---- */

static void write_timeline(struct lxe_jw *w, const struct mig_wws_run *run)
{
    lxe_jw_key(w, "windows");
    lxe_jw_array(w);
    for (size_t i = 0; i < run->window_count; i++) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "begin_ns", run->windows[i].begin_ns);
        lxe_jw_u64(w, "length_ns", run->windows[i].length_ns);
        lxe_jw_double(w, "pages", run->windows[i].pages);
        lxe_jw_end_object(w);
    }
    lxe_jw_end_array(w);
}

static void write_heat(struct lxe_jw *w, const struct mig_wws_run *run)
{
    lxe_jw_key(w, "heat");
    lxe_jw_object(w);
    lxe_jw_u64(w, "pages", run->heat_pages);
    lxe_jw_key(w, "cells");
    lxe_jw_array(w);
    for (size_t i = 0; i < MIG_WWS_CELLS; i++)
        if (run->heat[i] < 0)
            lxe_jw_null(w, NULL);
        else
            lxe_jw_double(w, NULL, run->heat[i]);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
}

static void write_cost(struct lxe_jw *w, const struct mig_wws_cost *cost)
{
    lxe_jw_key(w, "cost");
    lxe_jw_object(w);
    lxe_jw_u64(w, "elapsed_ns", cost->elapsed_ns);
    lxe_jw_u64(w, "cpu_ns", cost->cpu_ns);
    lxe_jw_u64(w, "pause_ns", cost->pause_ns);
    lxe_jw_u64(w, "longest_pause_ns", cost->longest_pause_ns);
    lxe_jw_u64(w, "looks", cost->looks);
    lxe_jw_end_object(w);
}

static void write_run(struct lxe_jw *w, const struct job *job)
{
    const struct mig_wws_run *run = &job->run;

    lxe_jw_object(w);
    lxe_jw_u64(w, "domid", job->dom.domid);
    lxe_jw_str(w, "name", job->dom.name);
    lxe_jw_bool(w, "ended_early", run->ended_early);
    mig_wws_write(w, "wws", &run->wws);
    lxe_jw_u64(w, "knee_ns", run->wws.knee_ns);
    lxe_jw_double(w, "knee_pages", run->wws.knee_pages);
    lxe_jw_double(w, "tail_pages_s", mig_wws_tail_rate(&run->wws));
    write_timeline(w, run);
    write_heat(w, run);
    write_cost(w, &run->cost);
    lxe_jw_end_object(w);
}

static int print_json(const struct job *job)
{
    struct lxe_jw *w = lxe_jw_new(true);
    int rc;

    if (!w)
        return aero_cli_fail("out of memory");
    write_run(w, job);
    rc = aero_cli_print_writer(w);
    lxe_jw_free(w);
    return rc;
}

/* Returns 0 or -ENOMEM; what the file says is its own. */
static int write_svg(FILE *f, const struct job *job)
{
    aero_wws_svg(f, job->dom.name, &job->run);
    return 0;
}

static int write_curve(FILE *f, const struct job *job)
{
    struct lxe_jw *w = lxe_jw_new(true);
    const char *text = NULL;

    if (w) {
        mig_wws_write(w, NULL, &job->run.wws);
        text = lxe_jw_text(w, NULL);
    }
    if (text)
        fputs(text, f);
    lxe_jw_free(w);
    return text ? 0 : -ENOMEM;
}

/* @option  for the message. Returns an exit status. */
static int write_file(const char *option, const char *path,
                      int (*write)(FILE *f, const struct job *job),
                      const struct job *job)
{
    FILE *f = path ? fopen(path, "we") : NULL;
    int rc;

    if (!path)
        return AERO_EXIT_OK;
    if (!f)
        return aero_cli_fail("%s: cannot write %s: %s", option, path,
                             strerror(errno));
    rc = write(f, job);
    if (!rc && (fflush(f) || ferror(f)))
        rc = -errno;
    if (fclose(f) && !rc)
        rc = -errno;
    return rc ? aero_cli_fail("%s: cannot write %s: %s", option, path,
                              strerror(-rc))
              : AERO_EXIT_OK;
}

static int print_text(const struct job *job)
{
    int rc = aero_wws_text(stdout, job->name, &job->run,
                           aero_terminal_width(stdout));

    if (rc == -ENOMEM)
        return aero_cli_fail("out of memory");
    return aero_cli_finish();
}

static int show(const struct job *job)
{
    int rc = job->o->json ? print_json(job) : print_text(job);
    int svg = write_file("--svg", job->o->svg, write_svg, job);
    int save = write_file("--save", job->o->save, write_curve, job);

    return rc ? rc : svg ? svg : save;
}

/* ---- measuring ---- */

static int open_job(struct job *job, struct lxe_err *err)
{
    int rc = lxe_host_open(job->o->host, &job->host, err);

    if (rc)
        return rc;
    rc = lxe_host_find(job->host, job->o->domain, &job->dom, err);
    if (rc)
        return rc;
    job->name = aero_text_escape(job->dom.name);
    return job->name ? 0 : lxe_fail(err, -ENOMEM, "out of memory");
}

static void close_job(struct job *job)
{
    if (job->host)
        job->host->ops->close(job->host);
    job->host = NULL;
    free(job->name);
    job->name = NULL;
}

/* Returns an exit status; 128 and more: which signal ended it. */
static int measure(void *data)
{
    struct job *job = data;
    const struct mig_wws_io io = { wait_until, cpu_ns, note_progress, job };
    struct lxe_err err = { 0 };
    int rc, status = AERO_EXIT_FAILED;

    catch_signals();
    rc = open_job(job, &err);
    if (!rc)
        rc = mig_wws_measure(job->host, &job->dom, &job->o->ask, &io,
                             &job->run, &err);
    end_progress(job);
    if (rc)
        aero_cli_fail("%s", err.text);
    else
        status = show(job);
    close_job(job);
    return stop_signal ? 128 + stop_signal : status;
}

/*
 * In a child that is watched, as log-dirty mode must not outlive us. The host
 * is opened anew there: libxl does not survive a fork.
 */
static int measure_guarded(struct job *job)
{
    struct lxe_err err = { 0 };
    int status = AERO_EXIT_FAILED, rc = open_job(job, &err);
    uint32_t domid = job->dom.domid;

    close_job(job);
    if (!rc)
        rc = mig_wws_guard_run(MIG_WWS_GUARD_DIR, domid, mig_wws_off_xen,
                               measure, job, &status, &err);
    return rc ? aero_cli_fail("%s", err.text) : status;
}

static bool is_simulated(const char *host)
{
    return host && !strncmp(host, "sim:", 4);
}

int aero_cli_wws(const struct aero_cli *cli, int argc, char **argv)
{
    struct options o;
    struct job *job;
    int rc = parse(argc, argv, &o);

    if (rc)
        return rc;
    job = calloc(1, sizeof(*job));
    if (!job || lxe_log_open(AERO_CLI_NAME,
                             cli->verbose ? XTL_DEBUG : XTL_WARN, false)) {
        free(job);
        return aero_cli_fail("out of memory");
    }
    o.ask.seed = lxe_now_ns();
    job->o = &o;
    job->draws = isatty(STDERR_FILENO);
    rc = o.ask.method == MIG_WWS_LOG_DIRTY && !is_simulated(o.host)
             ? measure_guarded(job)
             : measure(job);
    lxe_log_close();
    free(job);
    return rc;
}
