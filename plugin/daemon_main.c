/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aerostatd: options and wiring; what it decides is decided elsewhere. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "balancer.h"
#include "base/clock.h"
#include "base/journal_log.h"
#include "base/log.h"
#include "base/std_fds.h"
#include "child.h"
#include "control.h"
#include "control_methods.h"
#include "daemon_config.h"
#include "decision_history.h"
#include "decision_log.h"
#include "metrics.h"
#include "metrics_http.h"
#include "pid_lock.h"
#include "reload.h"
#include "watcher.h"
#include "wws_guard.h"
#include "xl_conf.h"

#define PROGRAM         "aerostatd"
#define METRICS_APART_MS 5000
#define TICK_APART_MS   250 /* events make ticks come no closer than this */
#define TICK_LONG_MS    2000 /* a tick takes milliseconds; xenstore may not */
#define TICK_HANGS_S    10 /* to 20: between two looks at it */
#define HANG_TEXT       "a tick does not end; does xenstored answer?\n"
#define EXIT_USAGE      2

struct options {
    const char *config;
    const char *host;
    const char *socket;
    const char *pid_file;
    const char *log_dir; /* NULL: the default, but none of a simulated host */
    xentoollog_level level;
    bool config_given;
    bool check;
};

struct daemon {
    struct options opt;
    struct aero_config config;
    struct lxe_host *host;
    struct aero_balancer balancer;
    struct aero_methods methods;
    struct aero_history history;
    struct aero_decision_log *log;
    struct aero_control *control;
    uv_loop_t loop;
    uv_timer_t timer;
    struct aero_watcher watcher;
    uv_signal_t sigterm, sigint, sighup;
    struct aero_child repair, self_move;
    uint64_t last_tick_ms;
    uint64_t metrics_ms;  /* when the file was last written */
    bool metrics_failed;
    char metrics_written[AERO_PATH_TEXT]; /* the file; empty: none yet */
    struct aero_metrics_http *metrics_http;
    uint64_t reconnects; /* of the balancer, that were seen to */
    bool ready;
};

static void notify(const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#else
    (void)state;
#endif
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

/* A tick soon, however many ask for it. */
static void kick(void *data)
{
    struct daemon *d = data;
    uint64_t next = d->last_tick_ms + TICK_APART_MS, now = uv_now(&d->loop);

    uv_timer_start(&d->timer, on_timer, next > now ? next - now : 0, 0);
}

static void on_event(const struct lxe_event *event, void *data)
{
    (void)event; /* every tick looks at everything */
    kick(data);
}

/* Where the settings name another, or none: nobody would know it for old. */
static void drop_old_metrics(struct daemon *d)
{
    if (!d->metrics_written[0] ||
        !strcmp(d->metrics_written, d->config.metrics_file))
        return;
    if (unlink(d->metrics_written) && errno != ENOENT)
        lxe_warn("cannot remove the old metrics in %s: %s",
                 d->metrics_written, strerror(errno));
    d->metrics_written[0] = '\0';
    d->metrics_ms = 0;
}

/* A scrape sees no more than one in so many. */
static void write_metrics(struct daemon *d)
{
    uint64_t now_ms = uv_now(&d->loop);
    struct lxe_err err = { 0 };

    drop_old_metrics(d);
    if (!d->config.metrics_file[0] ||
        (d->metrics_ms && now_ms - d->metrics_ms < METRICS_APART_MS))
        return;
    d->metrics_ms = now_ms;
    if (!aero_metrics_file(&d->balancer, d->config.metrics_file, &err)) {
        d->metrics_failed = false;
        memcpy(d->metrics_written, d->config.metrics_file,
               sizeof(d->metrics_written));
        return;
    }
    if (!d->metrics_failed)
        lxe_warn("%s; going on without it", err.text);
    d->metrics_failed = true;
}

/* The tick that goes on, by its number; 0 between ticks. */
static volatile sig_atomic_t tick_going_on;

static const char *hang_text; /* for standard error */

/*
 * Says in the middle of a tick that hangs, as in a xenstore that does not
 * answer, what is wrong. Only what may be called in a signal's handler.
 */
static void on_alarm(int sig)
{
    static sig_atomic_t seen, told;
    sig_atomic_t now = tick_going_on;

    (void)sig;
    if (now && now == seen && now != told &&
        write(STDERR_FILENO, hang_text, strlen(hang_text)) > 0)
        told = now;
    seen = now;
}

/* Looks so often at whether a tick hangs: an alarm a tick would cost more. */
static void start_alarms(void)
{
    const struct itimerval often = { { TICK_HANGS_S, 0 },
                                     { TICK_HANGS_S, 0 } };

    hang_text = lxe_journal_is(getenv("JOURNAL_STREAM"), STDERR_FILENO)
                    ? "<4>" HANG_TEXT
                    : PROGRAM ": " HANG_TEXT;
    sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm,
                                            .sa_flags = SA_RESTART }, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

/* Returns whether the tick did what it should. */
static bool tick(struct daemon *d)
{
    uint64_t start_ns = lxe_now_ns(), took_ns;
    int rc;

    tick_going_on = (sig_atomic_t)(d->balancer.counters.ticks % INT32_MAX) + 1;
    rc = aero_balancer_tick(&d->balancer);
    tick_going_on = 0;
    took_ns = lxe_now_ns() - start_ns;
    d->balancer.counters.ticks_ns += took_ns;
    if (took_ns >= TICK_LONG_MS * LXE_NS_PER_MS)
        lxe_warn("a tick took %" PRIu64 " ms", took_ns / LXE_NS_PER_MS);
    aero_watcher_tick(&d->watcher, d->reconnects != d->balancer.reconnects);
    d->reconnects = d->balancer.reconnects;
    return rc == 0;
}

/*
 * systemd's watchdog hears of ticks that succeeded: a daemon that cannot see
 * its host for WatchdogSec, in spite of connecting anew, is started again.
 */
static void tell_systemd(struct daemon *d, bool good)
{
    if (!d->ready)
        notify("READY=1\nSTATUS=balancing");
    else if (good)
        notify("WATCHDOG=1\nSTATUS=balancing");
    else
        notify("STATUS=cannot see the host; see the log");
    d->ready = true;
}

static void on_timer(uv_timer_t *timer)
{
    struct daemon *d = timer->data;

    /* The tick sees what was told by then. */
    aero_watcher_dispatch(&d->watcher);
    d->last_tick_ms = uv_now(&d->loop);
    tell_systemd(d, tick(d));
    write_metrics(d);
    uv_timer_start(&d->timer, on_timer,
                   aero_balancer_awaited(&d->balancer) ? TICK_APART_MS
                                                       : d->config.interval_ms,
                   0);
}

static void on_decided(const struct aero_tick *tick, void *data)
{
    struct daemon *d = data;
    struct aero_tick t = *tick;
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    t.time_ms = (uint64_t)now.tv_sec * 1000 +
                (uint64_t)now.tv_nsec / LXE_NS_PER_MS;
    if (aero_history_note(&d->history, &t))
        lxe_warn("out of memory; mem-explain lacks a decision");
    aero_decision_log_note(d->log, &t);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;

    lxe_info("ending: %s", strsignal(number));
    uv_stop(&d->loop);
}

static void on_line(const struct aero_peer *peer, const char *text, size_t len,
                    void *data)
{
    struct daemon *d = data;

    aero_methods_line(&d->methods, peer, text, len);
}

static void on_full(const struct aero_peer *peer, void *data)
{
    struct daemon *d = data;

    aero_methods_full(&d->methods, peer);
}

static void on_gone(uint64_t client, void *data)
{
    struct daemon *d = data;

    aero_methods_gone(&d->methods, client);
}

static void send_line(uint64_t client, const char *text, size_t len,
                      void *data)
{
    struct daemon *d = data;

    aero_control_send(d->control, client, text, len);
}

/* ---- other programs ---- */

static void after_repair(struct aero_child *child, int status)
{
    struct daemon *d = child->data;

    if (status)
        lxe_warn("the repair of dead migrations ended with status %#x; 'aero"
                 "stat-migrate --repair' says more", (unsigned)status);
    kick(d);
}

/* By a program of its own: it waits, and it may destroy a domain. */
static void start_repair(void *data)
{
    static char name[] = "aerostat-migrate", option[] = "--repair";
    char *const argv[] = { name, option, NULL };
    struct daemon *d = data;
    struct lxe_err err = { 0 };

    d->repair.ended = after_repair;
    d->repair.data = d;
    if (aero_child_start(&d->loop, &d->repair,
                   AEROSTAT_LIBEXECDIR "/aerostat-migrate", argv, &err))
        lxe_warn("dead migrations: %s", err.text);
}

static void after_self_move(struct aero_child *child, int status)
{
    struct daemon *d = child->data;

    aero_self_moves_ended(&d->balancer.self_moves, d->host, !status);
    kick(d);
}

/* The host's name has no byte that ssh would take for an option. */
static int start_self_move(uint32_t domid, const char *to, void *data)
{
    static char name[] = "aerostat-migrate", quiet[] = "--quiet";
    struct daemon *d = data;
    struct lxe_err err = { 0 };
    char domain[16], host[64];
    char *const argv[] = { name, quiet, domain, host, NULL };
    int rc;

    snprintf(domain, sizeof(domain), "%u", domid);
    snprintf(host, sizeof(host), "%s", to);
    d->self_move.ended = after_self_move;
    d->self_move.data = d;
    rc = aero_child_start(&d->loop, &d->self_move,
                          AEROSTAT_LIBEXECDIR "/aerostat-migrate", argv,
                          &err);
    if (rc)
        lxe_warn("a guest's migration: %s", err.text);
    return rc;
}

/* ---- starting and ending ---- */

/* Balancing goes on without a log. */
static void open_log(struct daemon *d)
{
    const char *dir = d->opt.log_dir;
    struct lxe_err err = { 0 };

    if (!dir && !strcmp(d->host->ops->name, "xen"))
        dir = AEROSTAT_LOGDIR;
    if (dir && d->config.decision_log_mib &&
        aero_decision_log_open(dir, d->config.decision_log_mib << 20,
                               PACKAGE_VERSION, &d->log, &err))
        lxe_warn("%s; going on without a log of decisions", err.text);
}

static void log_again(void *data)
{
    struct daemon *d = data;

    aero_decision_log_close(d->log);
    d->log = NULL;
    open_log(d);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    const struct aero_reload again = {
        .loop = &d->loop, .path = d->opt.config,
        .required = d->opt.config_given, .config = &d->config,
        .balancer = &d->balancer, .control = d->control,
        .metrics = &d->metrics_http, .log_again = log_again, .data = d,
    };
    struct lxe_err err = { 0 };

    (void)number;
    if (aero_reload(&again, &err)) {
        lxe_error("%s; the settings of before hold on", err.text);
        return;
    }
    d->metrics_failed = false;
    kick(d);
}

static int start_loop(struct daemon *d, struct lxe_err *err)
{
    struct aero_control_handlers handlers = { on_line, on_full, on_gone, d,
                                              NULL };

    uv_timer_init(&d->loop, &d->timer);
    uv_signal_init(&d->loop, &d->sigterm);
    uv_signal_init(&d->loop, &d->sigint);
    uv_signal_init(&d->loop, &d->sighup);
    d->timer.data = d->sigterm.data = d->sigint.data = d->sighup.data = d;
    uv_timer_start(&d->timer, on_timer, 0, 0);
    uv_signal_start(&d->sigterm, on_signal, SIGTERM);
    uv_signal_start(&d->sigint, on_signal, SIGINT);
    uv_signal_start(&d->sighup, on_hangup, SIGHUP);
    if (aero_watcher_start(&d->watcher, err))
        return err->code;
    if (aero_metrics_http_serve(&d->loop, d->config.metrics_listen,
                                &d->balancer, &d->metrics_http, err))
        return err->code;
    return aero_control_open(&d->loop, d->opt.socket, d->config.socket_group,
                             &handlers, &d->control, err);
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void end_loop(struct daemon *d)
{
    aero_metrics_http_close(d->metrics_http);
    if (d->control)
        aero_control_close(d->control);
    aero_watcher_stop(&d->watcher);
    uv_walk(&d->loop, close_handle, NULL);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
}

static void check_autoballoon(struct daemon *d)
{
    struct lxe_err err = { 0 };
    char *why = d->balancer.autoballoon;
    bool xen = !strcmp(d->host->ops->name, "xen");

    if (!xen)
        return; /* xl has no hand in a simulated host */
    if (lxe_xl_autoballoon(AEROSTAT_SYSCONFDIR "/xen/xl.conf", xen, why,
                           sizeof(d->balancer.autoballoon), &err))
        lxe_warn("cannot tell whether xl's autoballoon is on: %s", err.text);
    else if (*why)
        lxe_warn("%s", why);
}

static void wire(struct daemon *d)
{
    aero_balancer_init(&d->balancer, d->host, &d->config);
    d->methods = (struct aero_methods){
        .balancer = &d->balancer,
        .history = &d->history,
        .start_ns = d->host->ops->now_ns(d->host),
        .send = send_line,
        .kick = kick,
        .data = d,
    };
    d->watcher = (struct aero_watcher){
        .loop = &d->loop, .host = d->host, .event = on_event, .data = d,
    };
    d->balancer.migrations.max_rate_bps = d->config.migration_max_bps;
    if (!strcmp(d->host->ops->name, "xen")) {
        d->balancer.migrations.journals = (struct aero_journals){
            .dir = MIG_JOURNAL_DIR, .wws_dir = MIG_WWS_GUARD_DIR,
            .repair = start_repair, .data = d,
        };
        d->balancer.self_moves = (struct aero_self_moves){
            .start = start_self_move, .data = d,
        };
    }
    d->balancer.reserved = aero_methods_reserved;
    d->balancer.reserved_data = &d->methods;
    d->balancer.decided = on_decided;
    d->balancer.decided_data = d;
}

/* Runs until a signal. Returns 0 or a negative errno. */
static int run(struct daemon *d, struct lxe_err *err)
{
    int rc = lxe_host_open(d->opt.host, &d->host, err);

    if (rc)
        return rc;
    wire(d);
    check_autoballoon(d);
    open_log(d);
    uv_loop_init(&d->loop);
    rc = start_loop(d, err);
    if (!rc) {
        lxe_info("%s balances host %s", PACKAGE_VERSION, d->host->ops->name);
        uv_run(&d->loop, UV_RUN_DEFAULT);
        notify("STOPPING=1");
        aero_balancer_stop(&d->balancer);
    }
    end_loop(d);
    aero_balancer_clear(&d->balancer);
    aero_history_clear(&d->history);
    aero_decision_log_close(d->log);
    d->host->ops->close(d->host);
    return rc;
}

/* ---- options ---- */

static void usage(FILE *to)
{
    fputs("usage: " PROGRAM " [options]\n"
          "  --config FILE    settings (" AERO_CONFIG_PATH ")\n"
          "  --host HOST      xen, or sim:FILE for a simulated one\n"
          "  --socket PATH    control socket (" AEROSTAT_RUNDIR
          "/aerostatd.sock)\n"
          "  --pid-file PATH  lock (" AEROSTAT_RUNDIR "/aerostatd.pid)\n"
          "  --log-dir DIR    log of decisions (" AEROSTAT_LOGDIR ")\n"
          "  --check-config   show the settings in effect, and end; with -q\n"
          "                   show only what is wrong\n"
          "  -f, --foreground as always: it never goes to the background\n"
          "  -v, --verbose    say more\n"
          "  -q, --quiet      say less: warnings and errors only\n"
          "  --help, --version\n",
          to);
}

/* Takes one in. Returns -1 to go on, or an exit status. */
static int take_option(struct options *o, int c)
{
    switch (c) {
    case 'c':
        o->config = optarg;
        o->config_given = true;
        return -1;
    case 'H':
        o->host = optarg;
        return -1;
    case 's':
        o->socket = optarg;
        return -1;
    case 'p':
        o->pid_file = optarg;
        return -1;
    case 'l':
        o->log_dir = optarg;
        return -1;
    case 'C':
        o->check = true;
        return -1;
    case 'f':
        return -1;
    case 'v':
        o->level = XTL_DEBUG;
        return -1;
    case 'q':
        o->level = XTL_WARN;
        return -1;
    case 'h':
        usage(stdout);
        return EXIT_SUCCESS;
    case 'V':
        puts(PROGRAM " " PACKAGE_VERSION);
        return EXIT_SUCCESS;
    default:
        usage(stderr);
        return EXIT_USAGE;
    }
}

/* Returns -1 to go on, or an exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "host", required_argument, NULL, 'H' },
        { "socket", required_argument, NULL, 's' },
        { "pid-file", required_argument, NULL, 'p' },
        { "log-dir", required_argument, NULL, 'l' },
        { "check-config", no_argument, NULL, 'C' },
        { "foreground", no_argument, NULL, 'f' },
        { "verbose", no_argument, NULL, 'v' },
        { "quiet", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    int c, status = -1;

    while (status < 0 &&
           (c = getopt_long(argc, argv, "fvq", options, NULL)) != -1)
        status = take_option(o, c);
    if (status >= 0 || optind == argc)
        return status;
    fprintf(stderr, PROGRAM ": takes no '%s'; see " PROGRAM " --help\n",
            argv[optind]);
    return EXIT_USAGE;
}

static bool in_rundir(const char *path)
{
    return !strncmp(path, AEROSTAT_RUNDIR "/", strlen(AEROSTAT_RUNDIR "/"));
}

static int lock_and_run(struct daemon *d, struct lxe_err *err)
{
    int lock, rc;

    if ((in_rundir(d->opt.pid_file) || in_rundir(d->opt.socket)) &&
        mkdir(AEROSTAT_RUNDIR, 0755) && errno != EEXIST)
        return lxe_fail(err, -errno, "cannot make " AEROSTAT_RUNDIR ": %m");
    lock = aero_pid_lock(d->opt.pid_file, err);
    if (lock < 0)
        return lock;
    rc = run(d, err);
    aero_pid_unlock(lock);
    return rc;
}

int main(int argc, char **argv)
{
    static struct daemon d = {
        .opt = {
            .config = AERO_CONFIG_PATH,
            .host = "xen",
            .socket = AEROSTAT_RUNDIR "/aerostatd.sock",
            .pid_file = AEROSTAT_RUNDIR "/aerostatd.pid",
            .level = XTL_INFO,
        },
    };
    struct lxe_err err = { 0 };
    int rc;

    if (lxe_std_fds_open())
        return EXIT_FAILURE;
    rc = parse_options(argc, argv, &d.opt);
    if (rc >= 0)
        return rc;
    if (lxe_log_open(PROGRAM, d.opt.level, true))
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    start_alarms();
    rc = aero_settings_read(d.opt.config, d.opt.config_given, &d.config, &err);
    if (!rc && !d.opt.check)
        rc = lock_and_run(&d, &err);
    else if (!rc && d.opt.level < XTL_WARN)
        aero_config_print(&d.config, stdout);
    if (rc)
        lxe_error("%s", err.text);
    aero_config_clear(&d.config);
    lxe_log_close();
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
