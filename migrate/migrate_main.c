/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aerostat-migrate: moves one guest to another host. Options and wiring. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/shown.h"
#include "base/std_fds.h"
#include "base/units.h"
#include "archive.h"
#include "limit_options.h"
#include "past_runs.h"
#include "progress.h"
#include "repair.h"
#include "report.h"
#include "rescue.h"
#include "session.h"

#define PROGRAM  "aerostat-migrate"
#define WATCH_NS (10 * LXE_NS_PER_SEC)

enum exit_status {
    EXIT_MOVED = 0,
    EXIT_AT_SOURCE = 1,
    EXIT_USAGE = 2,
    EXIT_UNKNOWN_STATE = 3,
    EXIT_SIGNAL_BASE = 128,
};

enum action { MIGRATE, CANCEL, REPAIR, TAKE_BACK };

struct options {
    enum action action;
    const char *whose; /* CANCEL, TAKE_BACK: the domain */
    struct mig_session_config session;
    struct mig_wws wws;      /* of --wws */
    bool costs_given; /* one of them, so none is learnt */
    const char *report_path; /* beside the archive's; or NULL */
    bool json, quiet;
    xentoollog_level level;
};

static void usage(FILE *f)
{
    fputs("Usage: " PROGRAM " [OPTIONS] DOMAIN HOST\n"
          "       " PROGRAM " --cancel [--json] DOMAIN\n"
          "       " PROGRAM " --repair\n"
          "       " PROGRAM " --take-back DOMAIN\n"
          "Moves a running guest to another host; or ends a migration that"
          " runs; or undoes\nwhat killed ones left; or gives up one whose end"
          " nobody saw, after you saw that\nthe guest does not run there.\n\n"
          "  -s, --transport CMD    reach HOST with CMD instead of ssh; ''"
          " takes HOST\n"
          "                         itself as the whole command\n"
          "      --receiver WHICH   auto, aerostat or xl (default auto)\n", f);
    mig_limit_options_help(f);
    fputs("      --weight N         of its part of the host's rate (default"
          " 100)\n"
          "      --stall-timeout D  give up when nothing can be sent for so"
          " long\n"
          "                         (default 60s; 0: never)\n"
          "      --no-page-cache    do not free the guest's page cache first\n"
          "      --margin SIZE      leave the guest so much beyond what it"
          " uses\n"
          "                         (default 32M)\n"
          "      --report FILE      write the JSON report there as well; '-'"
          " is stdout\n"
          "      --json             progress as JSON lines on stdout\n"
          "      --plan             watch the guest first, for 10 s, and"
          " predict;\n"
          "                         the report has both\n"
          "      --wws FILE         likewise, from what xl wws measured\n"
          "      --verify           send all again while suspended, and"
          " compare\n"
          "  -q, --quiet            no progress\n"
          "  -v, --verbose          say more; twice: libxl's debugging\n"
          "  -h, --help, -V, --version\n\n"
          "Exit status: 0 moved; 1 failed, the guest runs here; 2 usage;\n"
          "3 look at both hosts; 128 + signal: cancelled, the guest runs"
          " here.\n", f);
}

enum { OPT_FIRST = 256, OPT_LIMIT = OPT_FIRST, OPT_RECEIVER,
       OPT_NO_PAGE_CACHE, OPT_MARGIN, OPT_REPORT, OPT_JSON, OPT_CANCEL,
       OPT_REPAIR, OPT_TAKE_BACK, OPT_WEIGHT, OPT_STALL, OPT_VERIFY,
       OPT_PLAN, OPT_WWS };

static const struct option own_options[] = {
    { "transport", required_argument, NULL, 's' },
    { "receiver", required_argument, NULL, OPT_RECEIVER },
    { "no-page-cache", no_argument, NULL, OPT_NO_PAGE_CACHE },
    { "margin", required_argument, NULL, OPT_MARGIN },
    { "report", required_argument, NULL, OPT_REPORT },
    { "json", no_argument, NULL, OPT_JSON },
    { "verify", no_argument, NULL, OPT_VERIFY },
    { "plan", no_argument, NULL, OPT_PLAN },
    { "wws", required_argument, NULL, OPT_WWS },
    { "weight", required_argument, NULL, OPT_WEIGHT },
    { "stall-timeout", required_argument, NULL, OPT_STALL },
    { "cancel", no_argument, NULL, OPT_CANCEL },
    { "repair", no_argument, NULL, OPT_REPAIR },
    { "take-back", no_argument, NULL, OPT_TAKE_BACK },
    { "quiet", no_argument, NULL, 'q' },
    { "verbose", no_argument, NULL, 'v' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
};

#define OWN_OPTIONS (sizeof(own_options) / sizeof(own_options[0]))

static int parse_receiver(const char *text, enum mig_receiver *out,
                          struct lxe_err *err)
{
    static const char *const names[] = {
        [MIG_RECEIVER_AUTO] = "auto",
        [MIG_RECEIVER_AEROSTAT] = "aerostat",
        [MIG_RECEIVER_XL] = "xl",
    };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(text, names[i])) {
            *out = (enum mig_receiver)i;
            return 0;
        }
    return lxe_fail(err, -EINVAL,
                    "receiver: '%.40s' is none of auto, aerostat, xl", text);
}

static int parse_margin(const char *text, uint64_t *out_kib,
                        struct lxe_err *err)
{
    int rc = lxe_parse_size_kib(text, out_kib, err);

    if (rc)
        lxe_err_prefix(err, "margin");
    return rc;
}

static int parse_weight(const char *text, unsigned *out, struct lxe_err *err)
{
    uint64_t n;
    int rc = lxe_parse_u64(text, 1, 10000, &n, err);

    if (rc)
        return lxe_err_prefix(err, "weight");
    *out = (unsigned)n;
    return 0;
}

static int parse_stall(const char *text, uint64_t *out_ns,
                       struct lxe_err *err)
{
    uint64_t ms;
    int rc = lxe_parse_duration_ms(text, &ms, err);

    if (!rc && ms && (ms < 1000 || ms > 86400000))
        rc = lxe_fail(err, -ERANGE, "must be 0, or from 1s to 24h");
    if (rc)
        return lxe_err_prefix(err, "stall-timeout");
    *out_ns = ms * LXE_NS_PER_MS;
    return 0;
}

static int take_action(struct options *o, enum action action,
                       struct lxe_err *err)
{
    if (o->action != MIGRATE)
        return lxe_fail(err, -EINVAL, "one of --cancel, --repair and"
                        " --take-back at a time");
    o->action = action;
    return 0;
}

static int load_curve(const char *path, struct options *o,
                      struct lxe_err *err)
{
    int rc = mig_wws_load(path, &o->wws, err);

    if (rc)
        return lxe_err_prefix(err, "wws");
    o->session.wws = &o->wws;
    return 0;
}

/* Returns 0, 1 where the program is to end well, or a negative errno. */
static int take_option(struct options *o, int opt, const char *name,
                       struct lxe_err *err)
{
    switch (opt) {
    case 's':
        o->session.how = optarg;
        return 0;
    case OPT_LIMIT:
        return mig_limit_option_take(&o->session.limits, name, optarg,
                                     &o->costs_given, err);
    case OPT_RECEIVER:
        return parse_receiver(optarg, &o->session.receiver, err);
    case OPT_NO_PAGE_CACHE:
        o->session.page_cache = false;
        return 0;
    case OPT_MARGIN:
        return parse_margin(optarg, &o->session.margin_kib, err);
    case OPT_REPORT:
        o->report_path = optarg;
        return 0;
    case OPT_JSON:
        o->json = true;
        return 0;
    case OPT_VERIFY:
        o->session.verify = true;
        return 0;
    case OPT_WEIGHT:
        return parse_weight(optarg, &o->session.weight, err);
    case OPT_PLAN:
        o->session.watch_ns = WATCH_NS;
        return 0;
    case OPT_WWS:
        return load_curve(optarg, o, err);
    case OPT_STALL:
        return parse_stall(optarg, &o->session.stall_ns, err);
    case OPT_CANCEL:
        return take_action(o, CANCEL, err);
    case OPT_REPAIR:
        return take_action(o, REPAIR, err);
    case OPT_TAKE_BACK:
        return take_action(o, TAKE_BACK, err);
    case 'q':
        o->quiet = true;
        return 0;
    case 'v':
        o->level = o->level == XTL_NOTICE ? XTL_DETAIL : XTL_DEBUG;
        return 0;
    case 'h':
        usage(stdout);
        return 1;
    case 'V':
        puts(PROGRAM " " PACKAGE_VERSION);
        return 1;
    default:
        return lxe_fail(err, -EINVAL, "see " PROGRAM " --help");
    }
}

static int parse_options(int argc, char **argv, struct options *o,
                         struct lxe_err *err)
{
    struct option options[OWN_OPTIONS + MIG_LIMIT_OPTIONS + 1];
    int opt, index = 0, rc = 0;

    mig_limit_options_add(MIG_LIMITS_ALL, own_options, OWN_OPTIONS, OPT_LIMIT,
                          options);
    while (!rc && (opt = getopt_long(argc, argv, "s:qvhV", options,
                                     &index)) != -1)
        rc = take_option(o, opt, options[index].name, err);
    if (rc)
        return rc;
    if (o->action != MIGRATE) {
        if (argc - optind != (o->action != REPAIR))
            return lxe_fail(err, -EINVAL, "want %s; see " PROGRAM " --help",
                            o->action != REPAIR ? "a DOMAIN alone"
                                                : "no DOMAIN");
        o->whose = argv[optind];
        return 0;
    }
    if (argc - optind != 2)
        return lxe_fail(err, -EINVAL, "want a DOMAIN and a HOST;"
                        " see " PROGRAM " --help");
    o->session.domain = argv[optind];
    o->session.to = argv[optind + 1];
    return mig_limits_check(&o->session.limits, err);
}

/* Signals come through a descriptor, so that every wait can end by them. None
 * of us stops at Ctrl-Z, the transport included: the guest may be suspended. */
static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGTSTP, SIG_IGN); /* over exec, too */
}

static enum mig_progress_style progress_style(const struct options *o)
{
    if (o->json)
        return MIG_PROGRESS_JSON;
    if (o->quiet)
        return MIG_PROGRESS_NONE;
    return isatty(STDERR_FILENO) ? MIG_PROGRESS_LINE : MIG_PROGRESS_LINES;
}

/* Keeps the report, and writes it where else it was asked for. Returns
 * whether it was kept. */
static bool keep_report(const struct options *o, struct mig_report *report)
{
    struct lxe_err err = { 0 };
    /* A mistyped name is no run of anything, and would push one out. */
    bool is_run = mig_report_has_guest(report);

    if (is_run)
        mig_archive_name(MIG_ARCHIVE_DIR, report);
    if (o->report_path && mig_report_write(report, o->report_path, &err))
        lxe_error("report: %s", err.text);
    if (!is_run)
        return false;
    if (!mig_archive_keep(MIG_ARCHIVE_DIR, report, MIG_ARCHIVE_KEEP, &err))
        return true;
    lxe_error("report: %s", err.text);
    return false;
}

static int exit_status(enum mig_outcome outcome, int signal)
{
    switch (outcome) {
    case MIG_MOVED:
        return EXIT_MOVED;
    case MIG_UNKNOWN:
        return EXIT_UNKNOWN_STATE;
    case MIG_CANCELLED:
        return signal ? EXIT_SIGNAL_BASE + signal : EXIT_AT_SOURCE;
    case MIG_FAILED:
        break;
    }
    return EXIT_AT_SOURCE;
}

static void say_outcome(const struct options *o,
                        const struct mig_report *report,
                        const struct lxe_err *err)
{
    char stayed[MIG_REPORT_STAYED];

    switch (report->outcome) {
    case MIG_MOVED:
        if (!o->quiet && !o->json)
            mig_progress_summary(report);
        break;
    case MIG_UNKNOWN:
        lxe_error("%s", err->text);
        lxe_error("the target was told to start the guest");
        mig_repair_advise(report->domid);
        break;
    case MIG_CANCELLED:
    case MIG_FAILED:
        lxe_error("%s", err->text);
        mig_report_stayed(report, stayed);
        if (mig_report_has_guest(report))
            lxe_error("%s", stayed);
        break;
    }
}

/* What earlier migrations tell. */
static void learn(struct options *o)
{
    struct mig_session_config *s = &o->session;

    mig_past_runs(MIG_ARCHIVE_DIR, s->to, s->domain, &s->costs, &s->wire_bps);
    if (!o->costs_given)
        mig_costs_apply(&s->costs, &s->limits);
}

static int migrate(struct options *o)
{
    struct mig_progress progress = { .style = progress_style(o) };
    struct mig_report report = { 0 };
    struct lxe_err err = { 0 };
    int signal;
    bool kept;

    learn(o);
    o->session.progress = mig_progress_show;
    o->session.data = &progress;
    mig_session_run(&o->session, &report, &signal, &err);
    mig_progress_end(&progress);
    kept = keep_report(o, &report);
    say_outcome(o, &report, &err);
    if (kept && !o->quiet && !o->json)
        fprintf(stderr, "the report: xl migrate-report %s\n", report.id);
    mig_report_free(&report);
    return exit_status(report.outcome, signal);
}

/* ---- the migrations of others ---- */

static void print_cancel(const struct mig_cancel_result *result, int rc,
                         const struct lxe_err *err)
{
    struct lxe_jw *w = lxe_jw_new(true);
    const char *text = NULL;

    if (w) {
        lxe_jw_object(w);
        lxe_jw_str(w, "domain", result->name);
        lxe_jw_u64(w, "domid", result->domid);
        lxe_jw_i64(w, "pid", result->pid);
        lxe_jw_bool(w, "cancelled", !rc);
        lxe_jw_bool(w, "running", result->running);
        if (rc)
            lxe_jw_str(w, "error", err->text);
        lxe_jw_end_object(w);
        text = lxe_jw_text(w, NULL);
    }
    if (text)
        puts(text);
    lxe_jw_free(w);
}

static int cancel(const struct options *o)
{
    struct mig_cancel_result result;
    struct lxe_err err = { 0 };
    int rc = mig_rescue_cancel(o->whose, &result, &err);

    if (o->json)
        print_cancel(&result, rc, &err);
    lxe_make_shown(result.name);
    if (!o->json && !rc && !o->quiet)
        printf("%s is not migrated, and was seen to run here\n",
               result.name);
    if (rc)
        lxe_error("%s", err.text);
    return rc ? EXIT_AT_SOURCE : EXIT_MOVED;
}

static int repair(const struct options *o)
{
    struct mig_repair_count count = { 0 };
    struct lxe_err err = { 0 };

    if (mig_rescue_repair(&count, &err)) {
        lxe_error("%s", err.text);
        return EXIT_AT_SOURCE;
    }
    if (!o->quiet)
        printf("%u repaired, %u need somebody, %u are running\n",
               count.repaired, count.open, count.running);
    return count.open ? EXIT_UNKNOWN_STATE : EXIT_MOVED;
}

static int take_back(const struct options *o)
{
    struct lxe_err err = { 0 };
    int rc = mig_rescue_take_back(o->whose, &err);

    if (rc)
        lxe_error("%s", err.text);
    else if (!o->quiet)
        printf("%s was seen to run here\n", o->whose);
    return rc ? EXIT_AT_SOURCE : EXIT_MOVED;
}

static int act(struct options *o)
{
    switch (o->action) {
    case CANCEL:
        return cancel(o);
    case REPAIR:
        return repair(o);
    case TAKE_BACK:
        return take_back(o);
    case MIGRATE:
        break;
    }
    block_signals();
    return migrate(o);
}

int main(int argc, char **argv)
{
    const char *helper = getenv("LIBXL_SAVE_HELPER");
    struct options o = {
        .session = {
            .how = "ssh",
            .page_cache = true,
            .margin_kib = 32 * 1024,
            .stall_ns = 60 * LXE_NS_PER_SEC,
            .helper_path = helper ? helper
                                  : AEROSTAT_LIBEXECDIR
                                    "/aerostat-save-helper",
        },
        .level = XTL_NOTICE,
    };
    struct lxe_err err = { 0 };
    int rc, status;

    if (lxe_std_fds_open())
        return EXIT_AT_SOURCE;
    mig_limits_default(&o.session.limits);
    rc = parse_options(argc, argv, &o, &err);
    if (rc > 0)
        return EXIT_MOVED;
    if (rc < 0) {
        fprintf(stderr, PROGRAM ": %s\n", err.text);
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (lxe_log_open(PROGRAM, o.level, false))
        return EXIT_AT_SOURCE;
    status = act(&o);
    lxe_log_close();
    return status;
}
