/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "cli_plan.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rpc_client.h"
#include "base/units.h"
#include "limit_options.h"
#include "movable.h"
#include "pack_sample.h"
#include "page_cache.h"
#include "past_runs.h"
#include "plan.h"
#include "plan_text.h"
#include "wws_guard.h"
#include "wws_watch.h"
#include "xl_domain.h"

#define VERB        "migrate-plan"
#define LEAST_NS    (10 * LXE_NS_PER_SEC) /* to watch the guest */
#define MOST_NS     (32 * LXE_NS_PER_SEC)
#define CALL_MS     5000

/* How far off the wire may be, by where its rate is from. */
#define SPREAD_MEASURED 0.1
#define SPREAD_PAST     0.2

struct options {
    const struct aero_cli *cli;
    const char *domain, *to, *how, *host;
    struct mig_limits limits;
    bool page_cache, json, measure_wire, ask_target;
    bool costs_given; /* one of them, so none is learnt */
    uint64_t margin_kib, wire_bps;
    uint64_t duration_ns; /* 0: as long as seems good */
    const char *wws_file; /* NULL: measure */
    enum mig_wws_method method;
};

/* One run of the verb. */
struct job {
    const struct options *o;
    struct lxe_host *host;
    struct lxe_domain dom;
    struct mig_wws wws;
    struct mig_probe_found found;
    struct mig_plan_in in;
    const char *wire_from, *cache;
    bool on_tty;
    bool host_rate; /* is less than what was asked for */
    bool unmovable; /* whatever the limits, so nothing is planned */
};

/* ---- arguments ---- */

enum { OPT_LIMIT = 256, OPT_NO_CACHE, OPT_MARGIN, OPT_WWS, OPT_METHOD,
       OPT_DURATION, OPT_WIRE_RATE, OPT_MEASURE, OPT_NO_TARGET,
       OPT_HOST, OPT_JSON };

static const struct option own_options[] = {
    { "transport", required_argument, NULL, 's' },
    { "no-page-cache", no_argument, NULL, OPT_NO_CACHE },
    { "margin", required_argument, NULL, OPT_MARGIN },
    { "wws", required_argument, NULL, OPT_WWS },
    { "method", required_argument, NULL, OPT_METHOD },
    { "duration", required_argument, NULL, OPT_DURATION },
    { "wire-rate", required_argument, NULL, OPT_WIRE_RATE },
    { "measure-wire", no_argument, NULL, OPT_MEASURE },
    { "no-target", no_argument, NULL, OPT_NO_TARGET },
    { "host", required_argument, NULL, OPT_HOST },
    { "json", no_argument, NULL, OPT_JSON },
};

#define OWN_OPTIONS (sizeof(own_options) / sizeof(own_options[0]))

static int take_method(const char *text, struct options *o,
                       struct lxe_err *err)
{
    for (enum mig_wws_method m = MIG_WWS_LOG_DIRTY; m <= MIG_WWS_SAMPLE; m++)
        if (!strcmp(text, mig_wws_method_name(m))) {
            o->method = m;
            return 0;
        }
    return lxe_fail(err, -EINVAL, "'%.40s' is neither sample nor log-dirty",
                    text);
}

static int take_duration(const char *text, struct options *o,
                         struct lxe_err *err)
{
    uint64_t ms;
    int rc = lxe_parse_duration_ms(text, &ms, err);

    if (!rc && (ms < 1000 || ms > 3600 * 1000))
        rc = lxe_fail(err, -ERANGE, "must be from 1s to 60m, not '%.40s'",
                      text);
    if (!rc)
        o->duration_ns = ms * LXE_NS_PER_MS;
    return rc;
}

static int take_rate(const char *text, struct options *o, struct lxe_err *err)
{
    return lxe_parse_rate_bps(text, &o->wire_bps, err);
}

/* One that takes a value. Returns 0 or a negative errno. */
static int take_value(struct options *o, int opt, const char *name,
                      struct lxe_err *err)
{
    switch (opt) {
    case 's':
        o->how = optarg;
        return 0;
    case OPT_LIMIT:
        return mig_limit_option_take(&o->limits, name, optarg,
                                     &o->costs_given, err);
    case OPT_MARGIN:
        return lxe_parse_size_kib(optarg, &o->margin_kib, err);
    case OPT_WWS:
        o->wws_file = optarg;
        return 0;
    case OPT_METHOD:
        return take_method(optarg, o, err);
    case OPT_DURATION:
        return take_duration(optarg, o, err);
    case OPT_WIRE_RATE:
        return take_rate(optarg, o, err);
    case OPT_HOST:
        o->host = optarg;
        return 0;
    default:
        return -ENOENT;
    }
}

static int take_option(struct options *o, int opt, const char *name)
{
    struct lxe_err err = { 0 };

    switch (opt) {
    case OPT_NO_CACHE:
        o->page_cache = false;
        return 0;
    case OPT_MEASURE:
        o->measure_wire = true;
        return 0;
    case OPT_NO_TARGET:
        o->ask_target = false;
        return 0;
    case OPT_JSON:
        o->json = true;
        return 0;
    case '?':
        return aero_cli_see_help(VERB);
    default:
        if (!take_value(o, opt, name, &err))
            return 0;
        /* A limit's own words name it. */
        return opt == OPT_LIMIT
                   ? aero_cli_usage(VERB, "%s", err.text)
                   : aero_cli_usage(VERB, "--%s: %s", name, err.text);
    }
}

static int check(const struct options *o)
{
    struct lxe_err err = { 0 };

    if (mig_limits_check(&o->limits, &err))
        return aero_cli_usage(VERB, "%s", err.text);
    if (o->measure_wire && !o->ask_target)
        return aero_cli_usage(VERB, "--measure-wire needs the target");
    if (o->measure_wire && o->wire_bps)
        return aero_cli_usage(VERB, "--measure-wire and --wire-rate exclude"
                                    " each other");
    return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
    struct option options[OWN_OPTIONS + MIG_LIMIT_OPTIONS + 1];
    int opt, index = 0, rc = 0;

    mig_limits_default(&o->limits);
    mig_limit_options_add(MIG_LIMITS_FORETOLD, own_options, OWN_OPTIONS,
                          OPT_LIMIT, options);
    optind = 0;
    while (!rc && (opt = getopt_long(argc, argv, "s:", options, &index)) != -1)
        rc = take_option(o, opt, options[index].name);
    if (rc)
        return rc;
    if (argc - optind != 2)
        return aero_cli_usage(VERB, VERB " takes a DOMAIN and a HOST");
    o->domain = argv[optind];
    o->to = argv[optind + 1];
    return check(o);
}

/* ---- measuring ---- */

static void show_progress(void *data, const struct mig_wws_progress *p)
{
    struct job *j = data;

    if (j->on_tty)
        fprintf(stderr, "\rmeasuring: %.0f of %.0f s ",
                (double)p->elapsed_ns / LXE_NS_PER_SEC,
                (double)p->duration_ns / LXE_NS_PER_SEC);
}

/* Long enough for three windows as long as the first round, within reason. */
static uint64_t duration_ns(const struct job *j)
{
    uint64_t round_ns = mig_predict_first_ns(&j->in.predict);
    uint64_t ns = round_ns < MOST_NS / 4 ? round_ns / 9 * 32 : MOST_NS;

    if (j->o->duration_ns)
        return j->o->duration_ns;
    if (ns < LEAST_NS)
        return LEAST_NS;
    return ns < MOST_NS ? ns : MOST_NS;
}

static int measure(struct job *j, struct lxe_err *err)
{
    const struct mig_wws_watch how = {
        .method = j->o->method,
        .duration_ns = duration_ns(j),
        .round_ns = mig_predict_first_ns(&j->in.predict),
        .progress = show_progress,
        .data = j,
    };
    int rc;

    if (!j->on_tty)
        fprintf(stderr, "measuring for %.0f s\n",
                (double)how.duration_ns / LXE_NS_PER_SEC);
    rc = mig_wws_watch(j->host, &j->dom, &how, &j->wws, err);
    if (j->on_tty)
        fputs("\r\033[K", stderr);
    return rc;
}

static int get_curve(struct job *j, struct lxe_err *err)
{
    return j->o->wws_file ? mig_wws_load(j->o->wws_file, &j->wws, err)
                          : measure(j, err);
}

/* ---- the guest ---- */

/* A number of the daemon's; 0 without one. @domain: "" for the host's. */
static uint64_t ask_daemon(const struct job *j, const char *method,
                           const char *domain, const char *key)
{
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *answer = NULL;
    struct lxe_rpc *rpc = NULL;
    struct lxe_err err = { 0 };
    uint64_t n = 0;

    if (!w)
        return 0;
    lxe_jw_object(w);
    if (*domain)
        lxe_jw_str(w, "domain", domain);
    lxe_jw_end_object(w);
    if (!lxe_rpc_open(j->o->cli->socket, &rpc, &err) &&
        !lxe_rpc_call(rpc, method, w, CALL_MS, &answer, &err) &&
        lxe_json_u64(lxe_json_get(lxe_json_get(answer, "result"), key), &n))
        n = 0;
    lxe_json_free(answer);
    lxe_rpc_close(rpc);
    lxe_jw_free(w);
    return n;
}

/* The least that the daemon lets it have. */
static uint64_t floor_kib(const struct job *j)
{
    return ask_daemon(j, "mem.policy", j->dom.uuid, "min_kib");
}

/* What all migrations of the host may send is the most for this one, too. */
static void limit_rate(struct job *j)
{
    uint64_t host_bps = ask_daemon(j, "migration.rate", "", "max_rate_bps");
    uint64_t own_bps = j->o->limits.rate.max_bps;
    uint64_t max_bps = mig_rate_lower_bps(own_bps, host_bps);

    j->host_rate = max_bps != own_bps;
    j->in.predict.limits.rate.max_bps = max_bps;
}

/* What migrate-live would send: as session.c frees the page cache. */
static void find_pages(struct job *j)
{
    uint64_t kib = j->dom.current_kib, target, released = 0;

    if (!j->o->page_cache) {
        j->cache = "kept, as asked";
    } else if (j->dom.target_kib == LXE_UNKNOWN ||
               j->dom.report.source == LXE_REPORT_NONE) {
        j->cache = "what can be freed is not known, since no agent reports";
    } else {
        target = mig_page_cache_target_kib(&j->dom, j->o->margin_kib,
                                           floor_kib(j));
        released = target < kib ? kib - target : 0;
        if (target == j->dom.target_kib)
            released = 0;
    }
    j->in.released_pages = released / LXE_KIB_PER_PAGE;
    j->in.predict.pages = (kib - released) / LXE_KIB_PER_PAGE;
}

/* What no limits can help. */
static int check_movable(struct job *j, struct lxe_err *err)
{
    int rc = mig_movable(j->host, &j->dom, err);

    j->unmovable = rc == -EINVAL || rc == -EBUSY;
    return rc;
}

/* What only Xen knows; a simulated host needs what the guest has. */
static int find_facts(struct job *j, struct lxe_err *err)
{
    _cleanup_free_ char *config = NULL;
    struct lxe_err why = { 0 };
    struct lxe_xl *xl;
    int rc;

    j->in.type = j->dom.type;
    j->in.need_kib = j->dom.current_kib;
    if (strcmp(j->host->ops->name, "xen"))
        return 0;
    rc = lxe_xl_open(&xl, err);
    if (rc)
        return rc;
    rc = lxe_xl_can_log(xl, j->dom.type, err);
    j->unmovable = rc == -EOPNOTSUPP;
    if (!rc)
        rc = lxe_xl_config(xl, j->dom.domid, j->dom.target_kib, &config,
                           &j->in.need_kib, err);
    lxe_xl_close(xl);
    if (lxe_cpu_guest(j->dom.domid, &j->in.cpu, &why) ||
        lxe_xen_version(j->in.xen, &why))
        lxe_warn("%s", why.text);
    return rc;
}

/* ---- the target and the wire ---- */

static int ask_target(struct job *j, struct lxe_err *err)
{
    struct mig_probe_ask ask = {
        .to = j->o->to,
        .how = j->o->how,
        .measure = j->o->measure_wire,
    };
    int rc;

    if (!j->o->ask_target)
        return 0;
    snprintf(ask.request.name, sizeof(ask.request.name), "%.255s",
             j->dom.name);
    snprintf(ask.request.uuid, sizeof(ask.request.uuid), "%s", j->dom.uuid);
    rc = mig_probe_run(&ask, &j->found, err);
    if (rc)
        return lxe_err_prefix(err, "%s", j->o->to);
    j->in.target = &j->found;
    j->in.predict.latency_ns = j->found.round_trip_ns / 2;
    return 0;
}

/* A target that is known not to unpack is sent what is not packed, unless the
 * user insists; then the plan says so. */
static void find_packing(struct job *j)
{
    struct mig_predict_in *in = &j->in.predict;
    struct lxe_err why = { 0 };

    if (mig_pack_choose(j->host, j->dom.domid, in->limits.rate.max_bps,
                        &in->limits, &j->in.packing, &why))
        lxe_info("%s", why.text);
    if (in->limits.compress_auto && j->in.target &&
        j->in.target->peer != MIG_PEER_AEROSTAT)
        in->limits.compress_level = 0;
    if (in->limits.compress_level)
        in->packing = j->in.packing;
}

/* What was said, measured, seen before, or else what is allowed. */
static int find_wire(struct job *j, double past_bps, struct lxe_err *err)
{
    struct mig_predict_in *in = &j->in.predict;

    if (j->o->wire_bps) {
        in->wire_bps = (double)j->o->wire_bps;
        j->wire_from = "as given";
    } else if (j->found.wire_bps > 0) {
        in->wire_bps = j->found.wire_bps;
        in->wire_spread = SPREAD_MEASURED;
        j->wire_from = "as measured";
    } else if (past_bps > 0) {
        in->wire_bps = past_bps;
        in->wire_spread = SPREAD_PAST;
        j->wire_from = "as in the last migrations there";
    } else if (in->limits.rate.max_bps) {
        in->wire_bps = (double)in->limits.rate.max_bps;
        j->wire_from = j->host_rate ? "if it carries the host's rate"
                                    : "if it carries the --max-rate";
    } else {
        return lxe_fail(err, -EINVAL, "it is not known how fast the wire to"
                        " %s is; add --measure-wire or --wire-rate RATE",
                        j->o->to);
    }
    return 0;
}

/* ---- the whole ---- */

static int collect(struct job *j, struct lxe_err *err)
{
    double past_bps;
    int rc = check_movable(j, err);

    if (rc)
        return rc;
    j->in.predict.limits = j->o->limits;
    limit_rate(j);
    mig_past_runs(MIG_ARCHIVE_DIR, j->o->to, j->o->domain,
                  &j->in.predict.costs, &past_bps);
    if (!j->o->costs_given)
        mig_costs_apply(&j->in.predict.costs, &j->in.predict.limits);
    rc = find_facts(j, err);
    if (!rc)
        rc = ask_target(j, err);
    if (!rc)
        rc = find_wire(j, past_bps, err);
    if (rc)
        return rc;
    find_packing(j);
    find_pages(j);
    return get_curve(j, err);
}

static int print_json(const struct job *j, const struct mig_plan *plan)
{
    struct lxe_jw *w = lxe_jw_new(true);
    int rc;

    if (!w)
        return aero_cli_fail("out of memory");
    lxe_jw_object(w);
    lxe_jw_str(w, "domain", j->dom.name);
    lxe_jw_u64(w, "domid", j->dom.domid);
    lxe_jw_str(w, "to", j->o->to);
    lxe_jw_str(w, "wire_from", j->wire_from);
    mig_plan_write(w, &j->in, plan);
    mig_wws_write(w, "wws", &j->wws);
    lxe_jw_end_object(w);
    rc = aero_cli_print_writer(w);
    lxe_jw_free(w);
    return rc;
}

static int show(const struct job *j, const struct mig_plan *plan)
{
    const struct aero_plan_facts facts = { &j->dom, &j->wws, j->wire_from,
                                           j->cache, j->host_rate };
    int rc = j->o->json ? print_json(j, plan)
                        : aero_plan_print(&facts, &j->in, plan);

    if (!j->o->json)
        rc = rc ? aero_cli_fail("cannot print the plan: %s", strerror(-rc))
                : aero_cli_finish();
    return rc ? rc : plan->refused ? AERO_EXIT_REFUSED : AERO_EXIT_OK;
}

static int plan(struct job *j)
{
    struct lxe_err err = { 0 };
    struct mig_plan plan;
    int rc = collect(j, &err);

    if (rc) {
        aero_cli_fail("%s", err.text);
        return j->unmovable ? AERO_EXIT_REFUSED : AERO_EXIT_FAILED;
    }
    mig_plan_make(&j->wws, &j->in, &plan);
    return show(j, &plan);
}

static int open_and_find(struct job *j, struct lxe_err *err)
{
    int rc = lxe_host_open(j->o->host, &j->host, err);

    return rc ? rc : lxe_host_find(j->host, j->o->domain, &j->dom, err);
}

static int run(void *data)
{
    const struct options *o = data;
    struct job j = { .o = o, .on_tty = isatty(STDERR_FILENO) };
    struct lxe_err err = { 0 };
    int rc = open_and_find(&j, &err);

    rc = rc ? aero_cli_fail("%s", err.text) : plan(&j);
    if (j.host)
        j.host->ops->close(j.host);
    return rc;
}

/* In a child of a process that ends log-dirty mode, however the child ends. */
static int run_guarded(struct options *o)
{
    struct job j = { .o = o };
    struct lxe_err err = { 0 };
    int status, rc = open_and_find(&j, &err);

    if (j.host)
        j.host->ops->close(j.host);
    if (!rc)
        rc = mig_wws_guard_run(MIG_WWS_GUARD_DIR, j.dom.domid,
                               mig_wws_off_xen, run, o, &status, &err);
    return rc ? aero_cli_fail("%s", err.text) : status;
}

int aero_cli_migrate_plan(const struct aero_cli *cli, int argc, char **argv)
{
    struct options o = {
        .cli = cli,
        .how = "ssh",
        .host = "xen",
        .page_cache = true,
        .ask_target = true,
        .margin_kib = 32 * 1024,
        .method = MIG_WWS_SAMPLE,
    };
    int rc = parse(argc, argv, &o);

    if (rc)
        return rc;
    signal(SIGPIPE, SIG_IGN);
    if (lxe_log_open(AERO_CLI_NAME, cli->verbose ? XTL_DEBUG : XTL_NOTICE,
                     false))
        return aero_cli_fail("out of memory");
    if (!o.wws_file && o.method == MIG_WWS_LOG_DIRTY &&
        !strcmp(o.host, "xen"))
        rc = run_guarded(&o);
    else
        rc = run(&o);
    lxe_log_close();
    return rc;
}
