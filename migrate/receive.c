/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receive.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_io.h"
#include "base/log.h"
#include "base/shown.h"
#include "base/units.h"
#include "announce.h"
#include "daemon_link.h"
#include "held_child.h"
#include "hello.h"
#include "host.h"
#include "idle.h"
#include "journal.h"
#include "keepalive.h"
#include "repair.h"
#include "line_io.h"
#include "probe_serve.h"
#include "settle.h"
#include "supersede.h"
#include "unpacker.h"
#include "xl_domain.h"

#define HELLO_NS   (60 * LXE_NS_PER_SEC)
#define RESERVE_MS 60000

struct receive {
    const struct mig_receive_config *config;
    struct lxe_host *host;
    struct mig_hello hello;
    char shown[LXE_DOM_NAME]; /* its name, for the log */
    struct mig_daemon_link daemon;
    uint64_t reservation_id;
    bool reserved;
    struct lxe_xl *xl;
    struct mig_journal journal;
    struct mig_announce announce;
    struct mig_unpacker unpacker;
};

/* ---- whether it may come ---- */

static int check_free_name(struct receive *r, struct lxe_err *err)
{
    struct lxe_domain_list list;
    int rc = r->host->ops->list_domains(r->host, &list, err);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < list.count; i++)
        if (lxe_domain_claims(&list.doms[i], r->hello.name, r->hello.uuid))
            rc = lxe_fail(err, -EEXIST, "domain %u here already has its name"
                          " or UUID", list.doms[i].domid);
    lxe_domain_list_free(&list);
    return rc;
}

static int check_free_memory(struct receive *r, struct lxe_err *err)
{
    struct lxe_host_memory memory;
    int rc = r->host->ops->memory(r->host, &memory, err);

    if (!rc && memory.free_kib < r->hello.need_kib)
        rc = lxe_fail(err, -ENOMEM, "%" PRIu64 " MiB are free, and it needs"
                      " %" PRIu64 " MiB; with aerostatd running, guests here"
                      " would make room", memory.free_kib / 1024,
                      r->hello.need_kib / 1024);
    return rc;
}

/* By the daemon, which can make room and holds it; else only a look. */
static int reserve(struct receive *r, struct lxe_err *err)
{
    int rc = mig_daemon_open(&r->daemon, 0, err);

    if (rc)
        return rc;
    if (!r->daemon.rpc)
        return check_free_memory(r, err);
    rc = mig_daemon_reserve(&r->daemon, r->hello.need_kib, r->hello.name,
                            RESERVE_MS, &r->reservation_id, err);
    r->reserved = !rc;
    return rc;
}

/* What an earlier one left that was killed would be in this one's way. */
static int repair_dead(struct receive *r, struct lxe_err *err)
{
    struct mig_repair repair = {
        .host = r->host,
        .ops = &mig_repair_xen,
        .data = r->xl,
        .dir = r->config->journal_dir,
    };
    struct mig_repair_count count;

    return mig_repair_all(&repair, &count, err);
}

/* The user tries again, and the try before has not heard of it. */
static int end_earlier(struct receive *r, struct lxe_err *err)
{
    int ended = mig_supersede(r->config->journal_dir, r->hello.uuid, err);

    return ended > 0 ? repair_dead(r, err) : ended;
}

/* From here on another that offers the guest knows of us. */
static int begin_journal(struct receive *r, struct lxe_err *err)
{
    struct mig_journal *j = &r->journal;

    mig_journal_init(j, MIG_JOURNAL_TARGET);
    snprintf(j->name, sizeof(j->name), "%s", r->hello.name);
    snprintf(j->uuid, sizeof(j->uuid), "%.36s", r->hello.uuid);
    snprintf(j->stage, sizeof(j->stage), "receiving");
    if (r->hello.target_kib)
        j->original_target_kib = r->hello.target_kib;
    return mig_journal_begin(r->config->journal_dir, j, err);
}

static int admit(struct receive *r, struct lxe_err *err)
{
    int rc = lxe_host_open("xen", &r->host, err);

    if (!rc)
        rc = lxe_xl_open(&r->xl, err);
    if (!rc)
        rc = repair_dead(r, err);
    if (!rc)
        rc = check_free_name(r, err);
    if (!rc)
        rc = end_earlier(r, err);
    if (!rc)
        rc = begin_journal(r, err);
    if (!rc)
        rc = reserve(r, err);
    return rc;
}

static int answer(struct receive *r, int refused, const struct lxe_err *why)
{
    struct mig_hello_answer a = { 0 };
    char line[MIG_HELLO_MAX_LINE];

    if (refused)
        snprintf(a.refusal, sizeof(a.refusal), "%s", why->text);
    else if (r->reserved)
        a.reserved_kib = r->hello.need_kib;
    a.gives_back = true;
    a.packed = r->hello.packed;
    if (mig_hello_write_answer(&a, line))
        return -ENOMEM;
    return lxe_write_all(r->config->out_fd, line, strlen(line));
}

/* ---- taking it in ---- */

static int run_xl(void *data)
{
    const struct receive *r = data;
    const struct mig_receive_config *config = r->config;

    setpgid(0, 0); /* so that all of it can be ended */
    if (r->hello.packed && dup2(r->unpacker.fd, STDIN_FILENO) < 0)
        return 126;
    signal(SIGPIPE, SIG_DFL);
    execlp(config->xl, config->xl, "migrate-receive",
           config->debug ? "-d" : NULL, (char *)NULL);
    fprintf(stderr, "aerostat-receive: cannot run %s: %m\n", config->xl);
    return 127;
}

static int journal_xl(void *data, const struct mig_process *xl,
                      struct lxe_err *err)
{
    struct receive *r = data;

    r->journal.helper = *xl;
    return mig_journal_write(r->config->journal_dir, &r->journal, err);
}

/* Held until it is in the journal: it goes on when we are killed, and must be
 * left alone then. */
static int start_xl(struct receive *r, pid_t *pid, struct lxe_err *err)
{
    const struct mig_held_child xl = { journal_xl, run_xl, r };
    int rc = 0;

    if (r->hello.packed)
        rc = mig_unpacker_start(r->config->in_fd, MIG_UNPACK_XL, &r->unpacker,
                                err);
    if (!rc)
        rc = mig_held_child_start(&xl, pid, err);
    mig_unpacker_hand_over(&r->unpacker);
    return rc;
}

/* From when the guest is there, what it takes counts against what is held.
 * Looked for ten times a second, maybe for minutes: xenstored is not asked. */
static void meet(struct receive *r)
{
    struct lxe_err err = { 0 };
    uint32_t domid;

    if (r->journal.domid || lxe_xl_find(r->xl, r->hello.uuid, &domid, &err))
        return;
    r->journal.domid = domid;
    if (mig_journal_write(r->config->journal_dir, &r->journal, &err))
        lxe_warn("%s", err.text);
    if (r->reserved)
        mig_daemon_transfer(&r->daemon, r->reservation_id, domid);
}

static void follow(void *data)
{
    struct receive *r = data;

    meet(r);
    if (r->journal.domid)
        mig_announce_listen(&r->announce, r->journal.domid);
}

static int wait_for_xl(struct receive *r, pid_t pid)
{
    struct mig_idle_wait wait = {
        .pid = pid,
        .fd = r->config->in_fd,
        .limit_ns = r->config->idle_ns,
        .meanwhile = follow,
        .data = r,
    };
    bool gave_up = false;
    int status = mig_idle_wait(&wait, &gave_up);

    if (gave_up) {
        lxe_error("nothing came from the source for %" PRIu64 " s; gave up",
                  r->config->idle_ns / LXE_NS_PER_SEC);
        syslog(LOG_DAEMON | LOG_ERR, "%s: nothing came from the source for %"
               PRIu64 " s; removed what had come of it", r->shown,
               r->config->idle_ns / LXE_NS_PER_SEC);
    }
    return status;
}

/* It runs. Returns whether the journal is needed no more. */
static bool settle(struct receive *r)
{
    struct mig_settle settle = {
        .journal_dir = r->config->journal_dir,
        .journal = &r->journal,
        .announce = &r->announce,
        .daemon = &r->daemon,
        .shown = r->shown,
    };

    return mig_settle_begin(&settle);
}

/* Such a domain has never run here. xl names it right after it made it. */
static bool is_half(const struct lxe_domain *dom)
{
    return dom->paused && (dom->migrating || !dom->name[0]);
}

/*
 * xl destroys its copy when it fails, but not when it is killed. A guest that
 * is half there is not lost with its remains; another may run. Returns whether
 * the journal is needed no more.
 */
static bool remove_remains(struct receive *r)
{
    struct lxe_domain dom;
    struct lxe_err err = { 0 };
    int rc = lxe_host_find_uuid(r->host, r->hello.uuid, &dom, &err);

    if (rc == -ESRCH)
        return true;
    if (!rc && !is_half(&dom))
        return settle(r);
    if (!rc) {
        lxe_warn("xl died; removing the half-received domain %u", dom.domid);
        rc = lxe_xl_destroy(r->xl, dom.domid, &err);
    }
    if (rc)
        lxe_error("%s: what came of it may still be here: %s; try"
                  " 'aerostat-migrate --repair'", r->shown, err.text);
    return !rc;
}

static int exit_status(int status)
{
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status)
                                            : EXIT_FAILURE;
}

static void forget(struct receive *r)
{
    if (r->journal.owner.pid)
        mig_journal_remove(r->config->journal_dir, &r->journal);
}

static int take_in(struct receive *r)
{
    struct lxe_err err = { 0 };
    int status = EXIT_FAILURE;
    bool clean = true;
    pid_t pid;

    if (start_xl(r, &pid, &err)) {
        lxe_error("cannot start xl: %s", err.text);
    } else {
        status = exit_status(wait_for_xl(r, pid));
        clean = status ? remove_remains(r) : settle(r);
    }
    mig_unpacker_stop(&r->unpacker);
    if (clean)
        forget(r);
    return status;
}

/* The source only asks. */
static int probe(const struct mig_receive_config *config, const char *line)
{
    struct lxe_err err = { 0 };

    if (!mig_probe_serve(config->in_fd, config->out_fd, line, &err))
        return EXIT_SUCCESS;
    lxe_error("%s", err.text);
    return EXIT_FAILURE;
}

int mig_receive_run(const struct mig_receive_config *config)
{
    struct receive r = { .config = config };
    char line[MIG_HELLO_MAX_LINE];
    struct lxe_err err = { 0 };
    int status = EXIT_FAILURE, rc;

    mig_keepalive(config->in_fd);
    mig_keepalive(config->out_fd);
    rc = lxe_write_all(config->out_fd, MIG_HELLO_GREETING "\n",
                       sizeof(MIG_HELLO_GREETING));
    if (rc)
        lxe_fail(&err, rc, "cannot greet the source: %s", strerror(-rc));
    else
        rc = mig_read_line(config->in_fd, line, sizeof(line), HELLO_NS,
                           "the source's hello", &err);
    if (!rc && mig_probe_is_request(line))
        return probe(config, line);
    if (!rc)
        rc = mig_hello_parse(line, &r.hello, &err);
    if (!rc) {
        snprintf(r.shown, sizeof(r.shown), "%s", r.hello.name);
        lxe_make_shown(r.shown);
        rc = admit(&r, &err);
        if (answer(&r, rc, &err))
            rc = lxe_fail(&err, -EPIPE, "the source went away");
    }
    if (!rc) {
        status = take_in(&r);
    } else {
        lxe_error("%s", err.text);
        forget(&r);
    }
    mig_announce_close(&r.announce);
    mig_daemon_close(&r.daemon);
    lxe_xl_close(r.xl);
    if (r.host)
        r.host->ops->close(r.host);
    return status;
}
