/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "daemon_link.h"
#include "foretell.h"
#include "handshake.h"
#include "hello.h"
#include "host.h"
#include "journal.h"
#include "movable.h"
#include "pack_sample.h"
#include "page_cache.h"
#include "repair.h"
#include "save_procs.h"
#include "save_run.h"
#include "settle.h"
#include "xl_domain.h"
#include "xl_stream.h"

#define READY_MS    120000 /* its hotplug scripts may be slow; or so much
                              as --stall-timeout says, if that is less */
#define REPORT_MS   60000
#define AWAY        "--migratedaway"

struct session {
    const struct mig_session_config *config;
    struct mig_report *report;
    enum mig_stage stage;
    int cancel_fd;
    struct mig_limits limits; /* the configuration's; packing is chosen */

    struct lxe_host *host;
    struct lxe_xl *xl;
    struct lxe_domain dom;
    uint64_t found_ns; /* when that was looked at, by the host */
    char *config_json;
    uint64_t need_kib;
    bool gives_back; /* the target does, so it may come with less */
    struct mig_transport transport;
    struct mig_daemon_link daemon;
    uint64_t frozen_target_kib, frozen_kib; /* when its balloon came to rest */

    struct mig_save_run *save;   /* while it runs */
    uint64_t share_bps;          /* of the host's rate, as the save has it */
    bool asked;   /* the guest may have been asked to suspend, */
    bool refused; /* and did not within libxl's patience */
    struct mig_journal journal;  /* what there is to undo */
    bool journalled;
};

const char *mig_stage_name(enum mig_stage stage)
{
    static const char *const names[] = {
        [MIG_STAGE_PLAN] = "plan",
        [MIG_STAGE_RESERVE] = "reserve",
        [MIG_STAGE_PAGE_CACHE] = "page cache",
        [MIG_STAGE_WATCH] = "watch",
        [MIG_STAGE_PRECOPY] = "pre-copy",
        [MIG_STAGE_STOP_COPY] = "stop and copy",
        [MIG_STAGE_COMMIT] = "commit",
    };

    return names[stage];
}

static void tell(struct session *s, const struct mig_status *status)
{
    if (s->config->progress)
        s->config->progress(s->config->data, s->stage, s->report, status);
}

/* Before anything is changed: whoever finds us dead knows of it. */
static int keep_journal(struct session *s, struct lxe_err *err)
{
    return mig_journal_write(MIG_JOURNAL_DIR, &s->journal, err);
}

/* Where nothing hangs on it. */
static void note_in_journal(struct session *s)
{
    struct lxe_err err = { 0 };

    if (s->journalled && keep_journal(s, &err))
        lxe_warn("%s", err.text);
}

static void enter(struct session *s, enum mig_stage stage)
{
    s->stage = stage;
    s->daemon.hurried = stage >= MIG_STAGE_STOP_COPY;
    mig_report_stage(s->report, mig_stage_name(stage), lxe_now_ns());
    tell(s, NULL);
    snprintf(s->journal.stage, sizeof(s->journal.stage), "%s",
             mig_stage_name(stage));
    note_in_journal(s);
    mig_daemon_update(&s->daemon, mig_stage_name(stage), NULL);
}

static bool is_cancelled(void *data)
{
    struct session *s = data;
    struct pollfd p = { .fd = s->cancel_fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

/* ---- stage 0: plan ---- */

static struct mig_repair repairer(struct session *s)
{
    return (struct mig_repair){
        .host = s->host,
        .ops = &mig_repair_xen,
        .data = s->xl,
        .dir = MIG_JOURNAL_DIR,
    };
}

/* An earlier migration of it may have died, and nobody has looked since. */
static int repair_dead(struct session *s, struct lxe_err *err)
{
    struct mig_repair repair = repairer(s);
    struct mig_repair_count count;

    return mig_repair_all(&repair, &count, err);
}

static int begin_journal(struct session *s, struct lxe_err *err)
{
    struct mig_journal *j = &s->journal;
    int rc;

    mig_journal_init(j, MIG_JOURNAL_SOURCE);
    j->domid = s->dom.domid;
    memcpy(j->uuid, s->dom.uuid, sizeof(j->uuid));
    memcpy(j->name, s->dom.name, sizeof(j->name));
    snprintf(j->to, sizeof(j->to), "%.255s", s->config->to);
    snprintf(j->stage, sizeof(j->stage), "%s", mig_stage_name(s->stage));
    rc = mig_journal_begin(MIG_JOURNAL_DIR, j, err);
    s->journalled = !rc;
    return rc;
}

static int find(struct session *s, struct lxe_err *err)
{
    struct mig_repair repair = repairer(s);

    return mig_settle_find(&repair, s->config->domain, is_cancelled, s,
                           &s->dom, err);
}

static int plan(struct session *s, struct lxe_err *err)
{
    struct mig_report *r = s->report;
    int rc = lxe_host_open("xen", &s->host, err);

    if (!rc)
        rc = lxe_xl_open(&s->xl, err);
    if (!rc)
        rc = repair_dead(s, err);
    if (!rc)
        rc = find(s, err);
    if (!rc)
        s->found_ns = s->host->ops->now_ns(s->host);
    if (!rc)
        rc = mig_movable(s->host, &s->dom, err);
    if (!rc)
        rc = lxe_save_check_none(s->dom.domid, err);
    if (!rc)
        rc = lxe_xl_can_log(s->xl, s->dom.type, err);
    if (rc)
        return rc;
    snprintf(r->domain, sizeof(r->domain), "%s", s->dom.name);
    snprintf(r->uuid, sizeof(r->uuid), "%s", s->dom.uuid);
    r->domid = s->dom.domid;
    r->page_cache.original_target_kib = s->dom.target_kib;
    r->page_cache.before_kib = r->page_cache.after_kib = s->dom.current_kib;
    tell(s, NULL);
    rc = lxe_xl_config(s->xl, s->dom.domid, s->dom.target_kib,
                       &s->config_json, &s->need_kib, err);
    if (!rc)
        rc = begin_journal(s, err);
    if (!rc)
        rc = mig_daemon_open(&s->daemon, s->dom.domid, err);
    return rc;
}

/* The target is told beforehand. One that cannot be sampled is not packed. */
static void choose_packing(struct session *s)
{
    struct mig_packing packing;
    struct lxe_err why = { 0 };
    uint64_t max_bps;

    if (!s->limits.compress_auto)
        return;
    max_bps = mig_rate_lower_bps(s->limits.rate.max_bps,
                                 mig_daemon_host_rate(&s->daemon));
    if (!max_bps && s->limits.compress_window_kib)
        lxe_warn("--compress-window: nothing is packed, as the rate is not"
                 " limited; say --compress as well");
    if (!max_bps)
        return;
    if (mig_pack_choose(s->host, s->dom.domid, max_bps, &s->limits, &packing,
                        &why))
        lxe_info("the stream is not packed: %s", why.text);
    else if (!s->limits.compress_level)
        lxe_info("the stream is not packed, which would not pay: %.1f to 1,"
                 " %.0f MB/s", packing.ratio, packing.bps / 1e6);
}

/* ---- stage 1: reserve ---- */

static int reserve(struct session *s, struct lxe_err *err)
{
    struct mig_hello hello = {
        .need_kib = s->need_kib,
        .target_kib = s->config->page_cache ? s->dom.target_kib : 0,
        .packed = s->limits.compress_level,
    };
    struct mig_greeting greeting;
    char command[8192];
    int rc = mig_transport_command(s->config->how, s->config->to,
                                   s->config->receiver, s->config->verify,
                                   command, sizeof(command), err);

    snprintf(hello.name, sizeof(hello.name), "%s", s->dom.name);
    snprintf(hello.uuid, sizeof(hello.uuid), "%s", s->dom.uuid);
    if (!rc)
        rc = mig_transport_start(&s->transport, command, s->cancel_fd, err);
    if (rc)
        return rc;
    rc = mig_handshake_begin(&s->transport, &hello,
                             !s->limits.compress_auto, &greeting, err);
    if (!rc && hello.packed && !greeting.packed) {
        lxe_info("the stream is not packed: the target cannot unpack");
        s->limits.compress_level = 0;
    }
    s->report->limits = s->limits;
    s->report->receiver = greeting.aerostat ? "aerostat-receive" : "xl";
    s->report->reserved_kib = greeting.reserved_kib;
    s->gives_back = hello.target_kib && greeting.gives_back;
    return rc;
}

/* ---- stage 2: page cache ---- */

static void shrink_progress(void *data, uint64_t current_kib,
                            uint64_t goal_kib)
{
    struct session *s = data;

    (void)goal_kib;
    s->report->page_cache.after_kib = current_kib;
    tell(s, NULL);
}

static int shrink(struct session *s, struct mig_page_cache_plan *how,
                  struct lxe_err *err)
{
    struct mig_page_cache_result result;
    int rc;

    s->journal.original_target_kib = s->dom.target_kib;
    rc = keep_journal(s, err);
    if (rc)
        return rc;
    rc = mig_page_cache_shrink(s->host, s->dom.domid, how, &result, err);
    s->report->page_cache = result;
    if (result.arrived)
        how->goal_kib = result.after_kib;
    return rc;
}

static int freeze(struct session *s, const struct mig_page_cache_plan *how,
                  struct lxe_err *err)
{
    struct lxe_domain dom;
    int rc = mig_page_cache_rest(s->host, s->dom.domid, how, &s->frozen_kib,
                                 err);

    if (!rc)
        rc = s->host->ops->get_domain(s->host, s->dom.domid, &dom, err);
    if (!rc)
        s->frozen_target_kib = dom.target_kib;
    s->report->page_cache.after_kib = s->frozen_kib;
    return rc;
}

static int free_page_cache(struct session *s, struct lxe_err *err)
{
    struct mig_page_cache_plan how = {
        .margin_kib = s->config->margin_kib,
        .seen_kib = s->dom.current_kib,
        .seen_ns = s->found_ns,
        .cancelled = is_cancelled,
        .progress = shrink_progress,
        .data = s,
    };
    int rc;

    s->daemon.weight = s->config->weight;
    s->daemon.max_rate_bps = s->limits.rate.max_bps;
    rc = mig_daemon_begin(&s->daemon, s->config->to, s->dom.target_kib,
                          &how.floor_kib, err);

    if (!rc && s->config->page_cache)
        rc = shrink(s, &how, err);
    return rc ? rc : freeze(s, &how, err);
}

/* ---- what is to be expected ---- */

static void enter_watch(void *data)
{
    enter(data, MIG_STAGE_WATCH);
}

/* How it is to be sent; 0 bytes/s of the wire are not known. */
static struct mig_predict_in predict_in(const struct session *s)
{
    struct mig_predict_in in = {
        .limits = s->limits,
        .packing = s->report->packing,
        .costs = s->config->costs,
        .pages = s->frozen_kib / LXE_KIB_PER_PAGE,
        .wire_bps = s->config->wire_bps,
    };

    in.limits.rate.max_bps = mig_rate_lower_bps(in.limits.rate.max_bps,
                                                s->daemon.share_bps);
    if (in.wire_bps <= 0)
        in.wire_bps = (double)in.limits.rate.max_bps;
    return in;
}

/* Of the memory that it moves with; the report keeps it, to learn from. */
static void sample_packing(struct session *s)
{
    struct lxe_err why = { 0 };

    if (s->limits.compress_level &&
        mig_pack_sample(s->host, s->dom.domid, s->limits.compress_level,
                        s->limits.compress_window_kib, &s->report->packing,
                        &why))
        lxe_info("the guest's pages cannot be packed beforehand: %s",
                 why.text);
}

static int foretell(struct session *s, struct lxe_err *err)
{
    const struct mig_session_config *c = s->config;
    const struct mig_foretell how = {
        .in = predict_in(s),
        .wws = c->wws,
        .host = s->host,
        .domid = s->dom.domid,
        .watch_ns = c->watch_ns,
        .watching = enter_watch,
        .cancelled = is_cancelled,
        .data = s,
    };

    if (!how.in.pages || (!c->wws && !c->watch_ns))
        return 0;
    return mig_foretell(&how, s->report, err);
}

/* ---- stages 3 and 4: pre-copy, stop and copy ---- */

/* Where the helper ends without a word, nobody has seen the guest's answer. */
static void follow_suspend(struct session *s, const struct mig_status *status)
{
    if (status->kind == MIG_STATUS_STOP)
        s->asked = true;
    if (status->kind == MIG_STATUS_SUSPENDED)
        s->refused = !status->ok;
    if (status->kind == MIG_STATUS_SUSPENDED || status->kind == MIG_STATUS_END)
        s->asked = false;
}

/* The daemon's answers say what part of the host's rate is ours now. */
static void follow_share(struct session *s)
{
    if (s->daemon.share_bps == s->share_bps)
        return;
    s->share_bps = s->daemon.share_bps;
    mig_save_run_rate(s->save, s->share_bps);
}

static int on_status(void *data, const struct mig_status *status)
{
    struct session *s = data;
    int rc = mig_report_status(s->report, status);

    if (status->kind == MIG_STATUS_START && status->pid <= INT32_MAX &&
        !mig_process_find((pid_t)status->pid, &s->journal.helper))
        note_in_journal(s);
    follow_suspend(s, status);
    if (status->kind == MIG_STATUS_SUSPENDED && status->ok)
        enter(s, MIG_STAGE_STOP_COPY);
    if (status->kind == MIG_STATUS_PROGRESS)
        mig_daemon_update(&s->daemon, mig_stage_name(s->stage), status);
    follow_share(s);
    tell(s, status);
    return rc;
}

/*
 * Condition 5: had the balloon moved while the save ran, pages could be
 * missing at the target. The guest is suspended now, and can go on here.
 */
static int check_frozen(struct session *s, struct lxe_err *err)
{
    struct lxe_domain dom;
    int rc = s->host->ops->get_domain(s->host, s->dom.domid, &dom, err);

    if (!rc && dom.target_kib != s->frozen_target_kib)
        rc = lxe_fail(err, -ESTALE, "somebody changed the memory target of"
                      " %s during the migration; stop that balancer first",
                      s->dom.name);
    if (!rc && dom.current_kib != s->frozen_kib)
        rc = lxe_fail(err, -ESTALE, "the balloon of %s moved during the"
                      " migration, by itself; try again", s->dom.name);
    return rc;
}

/* Ours has ended. One that we did not know of at the begin has our pages. */
static int check_only_save(struct session *s, struct lxe_err *err)
{
    if (!lxe_save_is_running(s->dom.domid))
        return 0;
    return lxe_fail(err, -EBUSY, "somebody else began to save or migrate %s"
                    " meanwhile, and each took dirty pages from the other; end"
                    " that one as well, since what it has is not whole",
                    s->dom.name);
}

/* What the save may change: log-dirty mode, running, and its cap. */
static int journal_save(struct session *s, struct lxe_err *err)
{
    enum mig_throttle_way way = s->limits.throttle;
    unsigned cap;

    s->journal.saving = true;
    s->journal.may_pause = way == MIG_THROTTLE_PAUSE;
    if (way == MIG_THROTTLE_CAP) {
        int rc = s->host->ops->cap_get(s->host, s->dom.domid, &cap, err);

        if (rc)
            return rc;
        s->journal.original_cap = cap;
    }
    return keep_journal(s, err);
}

/*
 * Where the target gives it back, the guest comes with what it has now: else
 * its balloon would take the rest while its network waits for the processor.
 */
static int configure(struct session *s, struct lxe_err *err)
{
    uint64_t kib = mig_page_cache_arrival_kib(s->dom.target_kib,
                                              s->frozen_target_kib,
                                              s->frozen_kib,
                                              s->dom.videoram_kib);
    uint64_t need_kib; /* more is held already */
    char *json;
    int rc;

    if (!s->gives_back || kib == s->dom.target_kib)
        return 0;
    rc = lxe_xl_config(s->xl, s->dom.domid, kib, &json, &need_kib, err);
    if (rc)
        return rc;
    free(s->config_json);
    s->config_json = json;
    return 0;
}

/* It may be more than a pipe holds, and the peer may hang. */
static int send_config(struct session *s, struct lxe_err *err)
{
    _cleanup_free_ uint8_t *header = NULL;
    size_t len;
    int rc = configure(s, err);

    if (rc)
        return rc;
    header = lxe_xl_make_header(s->config_json, &len);
    if (!header)
        return lxe_fail(err, -ENOMEM, "out of memory");
    return mig_transport_write(&s->transport, header, len,
                               "the configuration",
                               s->config->stall_ns / LXE_NS_PER_MS, err);
}

static int copy(struct session *s, struct lxe_err *err)
{
    struct mig_save_run run = {
        .host = s->host,
        .args = {
            .domid = s->dom.domid,
            .stream_fd = s->transport.send_fd,
            .live = true,
            .verify = s->config->verify,
            .helper_path = s->config->helper_path,
        },
        .limits = &s->limits,
        .transport = &s->transport,
        .first_bps = s->daemon.share_bps,
        .stall_ns = s->config->stall_ns,
        .on_status = on_status,
        .data = s,
    };
    int rc = send_config(s, err);

    if (!rc)
        rc = journal_save(s, err);
    if (rc)
        return rc;
    s->report->precopy_ns = lxe_now_ns();
    s->save = &run;
    s->share_bps = run.first_bps;
    rc = mig_save_run(&run, err);
    s->save = NULL;
    s->report->wire_bytes += strlen(s->config_json) + 1;
    if (!rc)
        rc = check_only_save(s, err);
    return rc ? rc : check_frozen(s, err);
}

/* ---- stage 5: commit ---- */

/* The last moment at which the guest can still stay. */
static int prepare_commit(struct session *s, struct lxe_err *err)
{
    uint64_t stall_ms = s->config->stall_ns / LXE_NS_PER_MS;
    char away[LXE_DOM_NAME + sizeof(AWAY)];
    int rc = mig_handshake_ready(&s->transport,
                                 stall_ms && stall_ms < READY_MS ? stall_ms
                                                                 : READY_MS,
                                 err);

    if (rc)
        return rc;
    s->report->ready_ns = lxe_now_ns();
    enter(s, MIG_STAGE_COMMIT);
    if (is_cancelled(s))
        return lxe_fail(err, -ECANCELED, "cancelled before the commit");
    snprintf(away, sizeof(away), "%s" AWAY, s->dom.name);
    s->journal.renamed = true;
    rc = keep_journal(s, err);
    if (!rc)
        rc = lxe_xl_rename(s->xl, s->dom.domid, s->dom.name, away, err);
    if (!rc)
        rc = mig_daemon_commit(&s->daemon, err);
    if (rc)
        return rc;
    s->journal.state = MIG_JOURNAL_COMMITTED;
    return keep_journal(s, err);
}

static enum mig_outcome commit(struct session *s, struct lxe_err *err)
{
    enum mig_outcome outcome = mig_handshake_commit(&s->transport, REPORT_MS,
                                                    err);

    if (outcome == MIG_MOVED) {
        s->report->resumed_ns = lxe_now_ns();
        lxe_debug("the target says that the guest runs");
    }
    return outcome;
}

/* ---- undo ---- */

static void complain(const char *what, const struct lxe_err *err)
{
    lxe_error("%s: %s", what, err->text);
}

/*
 * Everything back as it was. The journal stays where that failed: the daemon,
 * or the next one to look, tries again.
 */
static void undo(struct session *s)
{
    struct mig_repair repair = repairer(s);
    struct lxe_domain now;
    int rc;

    if (!s->journalled)
        return;
    s->journal.state = MIG_JOURNAL_OPEN;
    note_in_journal(s);
    rc = mig_repair_undo(&repair, &s->journal, NULL);
    if (!rc && (s->asked || s->refused))
        rc = mig_repair_resume_late(&repair, &s->journal, NULL);
    s->report->gone = rc == -ESRCH;
    s->report->half_undone = rc && rc != -ESRCH;
    if (!s->report->half_undone)
        mig_journal_remove(MIG_JOURNAL_DIR, &s->journal);
    s->report->stopped = !s->host->ops->get_domain(s->host, s->dom.domid,
                                                   &now, NULL) &&
                         !now.running;
}

/* The guest runs at the target; what is left of it here is not a guest. */
static void destroy_remains(struct session *s)
{
    struct lxe_err err = { 0 };

    s->journal.state = MIG_JOURNAL_MOVED;
    note_in_journal(s);
    if (lxe_xl_destroy(s->xl, s->dom.domid, &err))
        complain("the guest has moved, but its remains", &err);
    else
        mig_journal_remove(MIG_JOURNAL_DIR, &s->journal);
}

static void clean_up(struct session *s)
{
    mig_transport_stop(&s->transport);
    mig_daemon_close(&s->daemon);
    lxe_xl_close(s->xl);
    if (s->host)
        s->host->ops->close(s->host);
    free(s->config_json);
}

/* ---- the whole ---- */

static int before_commit(struct session *s, struct lxe_err *err)
{
    int rc;

    enter(s, MIG_STAGE_PLAN);
    rc = plan(s, err);
    if (rc)
        return rc;
    choose_packing(s);
    enter(s, MIG_STAGE_RESERVE);
    rc = reserve(s, err);
    if (rc)
        return rc;
    enter(s, MIG_STAGE_PAGE_CACHE);
    rc = free_page_cache(s, err);
    if (rc)
        return rc;
    sample_packing(s);
    rc = foretell(s, err);
    if (rc)
        return rc;
    enter(s, MIG_STAGE_PRECOPY);
    rc = copy(s, err);
    return rc ? rc : prepare_commit(s, err);
}

static enum mig_outcome run(struct session *s, struct lxe_err *err)
{
    enum mig_outcome outcome;
    int rc = before_commit(s, err);

    if (rc)
        outcome = rc == -ECANCELED ? MIG_CANCELLED : MIG_FAILED;
    else
        outcome = commit(s, err);
    if (outcome == MIG_FAILED || outcome == MIG_CANCELLED)
        undo(s);
    if (outcome == MIG_MOVED)
        destroy_remains(s);
    mig_daemon_end(&s->daemon, outcome);
    return outcome;
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int which_signal(int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    return (int)info.ssi_signo;
}

enum mig_outcome mig_session_run(const struct mig_session_config *config,
                                 struct mig_report *report, int *signal,
                                 struct lxe_err *err)
{
    struct session s = {
        .config = config,
        .report = report,
        .limits = config->limits,
        .transport = { 0, -1, -1, -1 },
    };

    *signal = 0;
    report->limits = config->limits;
    report->wall_start_s = (int64_t)time(NULL);
    report->begin_ns = lxe_now_ns();
    snprintf(report->domain, sizeof(report->domain), "%s", config->domain);
    snprintf(report->to, sizeof(report->to), "%s", config->to);
    s.cancel_fd = open_signals();
    if (s.cancel_fd < 0) {
        lxe_fail(err, -errno, "cannot watch for signals: %m");
        return report->outcome = MIG_FAILED;
    }
    report->outcome = run(&s, err);
    report->end_ns = lxe_now_ns();
    if (report->outcome != MIG_MOVED)
        snprintf(report->error, sizeof(report->error), "%s", err->text);
    if (report->outcome == MIG_CANCELLED)
        *signal = which_signal(s.cancel_fd);
    clean_up(&s);
    close(s.cancel_fd);
    return report->outcome;
}
