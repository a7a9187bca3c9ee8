/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aerostat-save-helper: started by libxl in place of its own save helper
 * ($LIBXL_SAVE_HELPER). Live saves run under our pre-copy policy; all else
 * (restores, Remus, COLO) is the stock helper's, by exec.
 *
 * Nothing but libxl's messages may ever go to stdout.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/std_fds.h"
#include "base/units.h"
#include "brake.h"
#include "control_line.h"
#include "dirty_log.h"
#include "host.h"
#include "keepalive.h"
#include "limits.h"
#include "pump.h"
#include "rounds.h"
#include "save_engine.h"
#include "save_ipc.h"
#include "save_procs.h"
#include "wws_guard.h"
#include "xen_compat.h"

#define PROGRAM          "aerostat-save-helper"
#define STOCK_HELPER_ENV "AEROSTAT_STOCK_HELPER"

static struct lxe_ipc ipc;

/* ---- logging: to libxl, over the IPC ---- */

static void __attribute__((format(printf, 5, 0)))
log_message(struct xentoollog_logger *logger, xentoollog_level level,
            int errnoval, const char *context, const char *format,
            va_list al)
{
    char text[2048];
    struct lxe_ipc_message msg = {
        .number = LXE_IPC_LOG,
        .level = level,
        .errnoval = (uint32_t)errnoval,
        .context = context,
        .text = text,
    };

    (void)logger;
    vsnprintf(text, sizeof(text), format, al);
    lxe_ipc_send(&ipc, &msg);
}

static void log_progress(struct xentoollog_logger *logger, const char *context,
                         const char *doing_what, int percent,
                         unsigned long done, unsigned long total)
{
    struct lxe_ipc_message msg = {
        .number = LXE_IPC_PROGRESS,
        .context = context,
        .text = doing_what,
        .done = done,
        .total = total,
    };

    (void)logger;
    (void)percent;
    lxe_ipc_send(&ipc, &msg);
}

static struct xentoollog_logger logger = { log_message, log_progress, NULL };

/* ---- ending early ---- */

/* Set while a signal may need it. */
static struct mig_pump *volatile running_pump;
static volatile sig_atomic_t save_fd = -1;
static volatile sig_atomic_t told_to_end;
static int unwritable_fd = -1;

/*
 * libxc's save runs straight through, and only its own error path turns
 * log-dirty mode off. So its next write is made to fail: a descriptor that is
 * open for reading takes the place of the one it goes to. A write that waits
 * is ended by the signal itself: all other threads block it.
 */
static void on_sigterm(int signal)
{
    int saved = errno;

    (void)signal;
    told_to_end = 1;
    if (running_pump)
        mig_pump_stop(running_pump);
    if (save_fd >= 0)
        dup2(unwritable_fd, save_fd);
    errno = saved;
}

static int catch_signals(struct lxe_err *err)
{
    struct sigaction term = { .sa_handler = on_sigterm };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t set;

    unwritable_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (unwritable_fd < 0)
        return lxe_fail(err, -errno, "cannot open /dev/null: %m");
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    /* What a terminal sends to each of its processes is the migration's to
     * answer: where it dies of it, SIGTERM comes, as below. */
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGQUIT, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGTSTP, &ignore, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    /* If libxl is killed, nobody else would ask us to end. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return 0;
}

/* A signal that came before there was a stream holds for it as well. */
static void save_to(int fd)
{
    save_fd = fd;
    if (told_to_end)
        on_sigterm(SIGTERM);
}

/* ---- the stock helper ---- */

static const char *stock_helper(void)
{
    static const char *const places[] = {
        "/usr/lib/xen-" LXE_XEN_RELEASE "/bin/libxl-save-helper",
        "/usr/libexec/xen/bin/libxl-save-helper",
        "/usr/lib/xen/bin/libxl-save-helper",
        "/usr/local/lib/xen/bin/libxl-save-helper",
    };
    const char *named = getenv(STOCK_HELPER_ENV);

    if (named)
        return named;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (!access(places[i], X_OK))
            return places[i];
    return places[0];
}

static int exec_stock(char **argv)
{
    const char *helper = stock_helper();

    execv(helper, argv);
    fprintf(stderr, PROGRAM ": cannot run %s: %s; set " STOCK_HELPER_ENV
            " to where libxl-save-helper is\n", helper, strerror(errno));
    return 127;
}

/* ---- a live save ---- */

struct save {
    struct lxe_save_job job;
    struct mig_limits limits;
    int out_fd;
    struct lxe_save_engine *engine;
    xc_interface *peek_xch; /* the engine keeps its own to itself */
    struct mig_hot_pages *hot;
    struct mig_brake *brake; /* NULL: the guest is not to be slowed */
    struct mig_rounds *rounds;
    struct mig_pack *pack; /* NULL: the stream goes as it is */
    struct mig_pump *pump;
    struct mig_control *control;
};

/* A descriptor that the environment names; -1 where there is none. */
static int inherited_fd(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t fd;

    if (!text || lxe_parse_u64(text, 3, 65535, &fd, NULL) ||
        fcntl((int)fd, F_GETFD) < 0)
        return -1;
    return (int)fd;
}

static int open_hot_pages(struct save *s, struct lxe_err *err)
{
    struct lxe_dirty_log *log;
    int rc;

    s->peek_xch = xc_interface_open(lxe_logger(), lxe_logger(), 0);
    if (!s->peek_xch)
        return lxe_fail(err, -EIO, "cannot open libxc: %m");
    rc = lxe_dirty_log_attach(s->peek_xch, s->job.domid, &log, err);
    if (rc)
        return rc;
    rc = mig_hot_open(log, &s->hot, err);
    if (rc)
        log->ops->close(log);
    return rc;
}

/* It forks, so it comes before all threads. */
static int open_brake(struct save *s, struct lxe_err *err)
{
    struct mig_brake_config config = {
        .domid = s->job.domid,
        .way = s->limits.throttle,
        .open_guest = lxe_guest_brake_open,
    };

    return config.way == MIG_THROTTLE_NONE
               ? 0
               : mig_brake_open(&config, &s->brake, err);
}

static int open_rounds(struct save *s, struct lxe_err *err)
{
    struct mig_rounds_config config = {
        .limits = s->limits,
        .hot = s->hot,
        .brake = s->brake,
        .status_fd = inherited_fd(MIG_STATUS_FD_ENV),
    };
    struct lxe_save_domain domain;
    int rc = lxe_save_engine_domain(s->engine, &domain, err);

    if (rc)
        return rc;
    config.domain_pages = domain.pages;
    return mig_rounds_open(&config, &s->rounds, err);
}

static int open_pump(struct save *s, struct lxe_err *err)
{
    const struct mig_limits *l = &s->limits;
    struct mig_pump_config config = {
        .out_fd = s->out_fd,
        .rate_bps = mig_rounds_first_bps(s->rounds),
        .hot = l->skip ? s->hot : NULL,
        .progress = mig_rounds_progress,
        .data = s->rounds,
    };
    int rc = 0;

    if (l->compress_level)
        rc = mig_pack_open(l->compress_level,
                           l->compress_window_kib * 1024, &s->pack, err);
    config.pack = s->pack;
    return rc ? rc : mig_pump_open(&config, &s->pump, err);
}

static void change_limits(void *data, const struct mig_limits *limits)
{
    mig_rounds_set_limits(data, limits);
}

static int start_control(struct save *s, struct lxe_err *err)
{
    struct mig_control_config config = {
        .fd = inherited_fd(MIG_CONTROL_FD_ENV),
        .limits = s->limits,
        .changed = change_limits,
        .data = s->rounds,
    };

    return config.fd < 0 ? 0 : mig_control_start(&config, &s->control, err);
}

static int run_live(struct save *s, struct lxe_err *err)
{
    struct lxe_save_stream stream = { .take = mig_pump_take };
    struct lxe_err pump_err = { 0 };
    int rc = open_brake(s, err);

    if (!rc)
        rc = open_hot_pages(s, err);
    if (!rc)
        rc = open_rounds(s, err);
    if (!rc)
        rc = open_pump(s, err);
    if (rc)
        return rc;
    mig_rounds_attach(s->rounds, s->pump);
    stream.data = running_pump = s->pump;
    save_to(s->out_fd);
    lxe_save_engine_redirect(s->engine, &stream);
    rc = start_control(s, err);
    if (!rc)
        rc = lxe_save_engine_run(s->engine, mig_rounds_policy(s->rounds), err);
    mig_control_stop(s->control);
    save_fd = -1;
    /* The pump knows why: libxc only saw that it could not write. */
    if (mig_pump_finish(s->pump, !rc, &pump_err)) {
        if (!rc || pump_err.code != -ECANCELED)
            *err = pump_err;
        rc = err->code;
    }
    if (rc) {
        lxe_save_engine_log_off(s->engine);
        mig_rounds_gave_up(s->rounds, err);
    }
    running_pump = NULL;
    mig_rounds_finish(s->rounds, rc ? err : NULL);
    return rc;
}

static void close_save(struct save *s)
{
    mig_rounds_close(s->rounds);
    mig_pump_free(s->pump);
    mig_pack_free(s->pack);
    mig_hot_close(s->hot);
    mig_brake_close(s->brake);
    if (s->peek_xch)
        xc_interface_close(s->peek_xch);
    lxe_save_engine_close(s->engine);
}

/*
 * By libxl where it can be had: it also tells QEMU, which stopped, and gave up
 * its disks, when it saved its state, and xenstored, which would tell nobody
 * of the guest's next end. Where it cannot, the guest runs at least.
 */
static void resume_orphan(struct save *s)
{
    struct lxe_host *host = NULL;
    struct lxe_err err = { 0 };
    int rc = lxe_host_open("xen", &host, &err);

    if (!rc)
        rc = host->ops->resume(host, s->job.domid, &err);
    if (host)
        host->ops->close(host);
    if (!rc)
        return;
    lxe_warn("%s", err.text);
    lxe_save_engine_resume_orphan(s->engine);
}

/*
 * Tells libxl how it went. libxl resumes the guest, if it is suspended; if
 * libxl is no longer there, nobody but us can.
 */
static void complete(struct save *s, int rc)
{
    struct lxe_ipc_message msg = {
        .number = LXE_IPC_COMPLETE,
        .retval = rc ? -1 : 0,
        .complete_errno = -rc,
    };
    int answer;

    if (lxe_ipc_call(&ipc, &msg, &answer))
        resume_orphan(s);
}

static int read_limits(struct mig_limits *limits, struct lxe_err *err)
{
    const char *text = getenv(MIG_LIMITS_ENV);

    mig_limits_default(limits);
    return text ? mig_limits_parse(text, limits, err) : 0;
}

/* One that was killed, and its guard, may take a moment to be gone. */
static int check_alone(uint32_t domid, struct lxe_err *err)
{
    int rc;

    for (int i = 0; (rc = lxe_save_check_none(domid, err)) && i < 10; i++)
        lxe_sleep_ns(100 * LXE_NS_PER_MS);
    return rc;
}

static int save_domain(const struct lxe_save_job *job, int out_fd)
{
    struct save s = { .job = *job, .out_fd = out_fd };
    struct lxe_err err = { 0 };
    int rc;

    lxe_ipc_init(&ipc, STDIN_FILENO, STDOUT_FILENO);
    lxe_log_use(PROGRAM, &logger);
    rc = check_alone(job->domid, &err);
    if (rc) {
        lxe_error("%s", err.text);
        return EXIT_FAILURE;
    }
    /* One that does not end in time sees us, and keeps off our log itself. */
    mig_wws_guard_yield(MIG_WWS_GUARD_DIR, job->domid, mig_wws_off_xen);
    mig_keepalive(out_fd);
    rc = catch_signals(&err);
    if (!rc)
        rc = read_limits(&s.limits, &err);
    if (!rc)
        rc = lxe_save_engine_open(job, &ipc, &s.engine, &err);
    if (rc) {
        lxe_error("%s", err.text);
        return EXIT_FAILURE;
    }
    if (job->xc_flags & XCFLAGS_LIVE) {
        rc = run_live(&s, &err);
    } else {
        save_to(job->stream_fd);
        rc = lxe_save_engine_run(s.engine, NULL, &err);
    }
    if (rc)
        lxe_error("%s", err.text);
    complete(&s, rc);
    close_save(&s);
    return EXIT_SUCCESS;
}

/*
 * argv: --save-domain io_fd recv_fd domid xcflags cbflags stream_type, all
 * decimal, as libxl_save_callout.c gives them.
 */
static int parse_save(char **argv, struct lxe_save_job *job, int *out_fd,
                      uint64_t *stream_type)
{
    uint64_t fd, domid, xc_flags, cb_flags;

    if (lxe_parse_u64(argv[2], 0, 65535, &fd, NULL) ||
        lxe_parse_u64(argv[4], 0, UINT16_MAX, &domid, NULL) ||
        lxe_parse_u64(argv[5], 0, UINT32_MAX, &xc_flags, NULL) ||
        lxe_parse_u64(argv[6], 0, UINT32_MAX, &cb_flags, NULL) ||
        lxe_parse_u64(argv[7], 0, UINT32_MAX, stream_type, NULL))
        return -EINVAL;
    *out_fd = (int)fd;
    *job = (struct lxe_save_job){
        .domid = (uint32_t)domid,
        .xc_flags = (uint32_t)xc_flags,
        .callback_bits = (uint32_t)cb_flags,
        .stream_fd = (int)fd,
    };
    return 0;
}

static int usage(void)
{
    fprintf(stderr, PROGRAM ": libxl starts this program; set "
            "LIBXL_SAVE_HELPER to its path and run 'xl migrate'.\n"
            "See " PROGRAM "(8).\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct lxe_save_job job;
    uint64_t stream_type;
    int out_fd;

    if (lxe_std_fds_open())
        return EXIT_FAILURE;
    if (argc >= 2 && !strcmp(argv[1], "--version")) {
        printf(PROGRAM " " PACKAGE_VERSION "\n");
        return EXIT_SUCCESS;
    }
    if (argc >= 2 && !strcmp(argv[1], "--restore-domain"))
        return exec_stock(argv);
    if (argc != 8 || strcmp(argv[1], "--save-domain") ||
        parse_save(argv, &job, &out_fd, &stream_type))
        return usage();
    if (stream_type != XC_STREAM_PLAIN)
        return exec_stock(argv);
    return save_domain(&job, out_fd);
}
