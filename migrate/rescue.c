/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rescue.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rpc_client.h"
#include "wws_guard.h"
#include "xl_domain.h"

#define POLL_NS   (200 * LXE_NS_PER_MS)
#define CANCEL_NS (150 * LXE_NS_PER_SEC) /* its own waits end before that */
#define RUNS_NS   (30 * LXE_NS_PER_SEC)
#define CALL_MS   5000

struct rescue {
    struct lxe_host *host;
    struct lxe_xl *xl;
    struct mig_repair repair;
};

static void rescue_close(struct rescue *r)
{
    lxe_xl_close(r->xl);
    if (r->host)
        r->host->ops->close(r->host);
}

static int rescue_open(struct rescue *r, struct lxe_err *err)
{
    int rc;

    *r = (struct rescue){ 0 };
    rc = lxe_host_open("xen", &r->host, err);
    if (!rc)
        rc = lxe_xl_open(&r->xl, err);
    r->repair = (struct mig_repair){
        .host = r->host,
        .ops = &mig_repair_xen,
        .data = r->xl,
        .dir = MIG_JOURNAL_DIR,
    };
    return rc;
}

int mig_rescue_repair(struct mig_repair_count *count, struct lxe_err *err)
{
    struct rescue r;
    int rc = rescue_open(&r, err);

    if (!rc)
        rc = mig_repair_all(&r.repair, count, err);
    if (!rc)
        count->repaired += mig_wws_guard_repair(MIG_WWS_GUARD_DIR,
                                                mig_wws_off_xen);
    rescue_close(&r);
    return rc;
}

/* ---- the proof that a guest runs ---- */

static bool is_up(struct rescue *r, const struct mig_journal *j,
                  uint64_t *cpu_ns)
{
    struct lxe_domain now;

    return !r->host->ops->get_domain(r->host, j->domid, &now, NULL) &&
           now.running && !strcmp(now.uuid, j->uuid) &&
           !strcmp(now.name, j->name) &&
           !lxe_xl_cpu_time_ns(r->xl, j->domid, cpu_ns, NULL);
}

static int see_it_run(struct rescue *r, const struct mig_journal *j,
                      struct lxe_err *err)
{
    uint64_t end_ns = lxe_now_ns() + RUNS_NS, first_ns = 0, cpu_ns;
    bool seen = false;

    while (lxe_now_ns() < end_ns) {
        if (!is_up(r, j, &cpu_ns)) {
            seen = false;
        } else if (!seen) {
            seen = true;
            first_ns = cpu_ns;
        } else if (cpu_ns > first_ns) {
            return 0;
        }
        lxe_sleep_ns(POLL_NS);
    }
    return lxe_fail(err, -ETIMEDOUT, "%s was not seen to run here within %d"
                    " s; see 'xl list'", j->name,
                    (int)(RUNS_NS / LXE_NS_PER_SEC));
}

int mig_rescue_take_back(const char *what, struct lxe_err *err)
{
    struct rescue r;
    struct mig_journal j;
    int rc = rescue_open(&r, err);

    if (!rc)
        rc = mig_repair_take_back(&r.repair, what, &j, err);
    if (!rc)
        rc = see_it_run(&r, &j, err);
    rescue_close(&r);
    return rc;
}

/* ---- cancelling ---- */

/* Returns 0 or -ESRCH. */
static int find_journal(const char *what, struct mig_journal *out,
                        struct lxe_err *err)
{
    const struct mig_journal *found;
    struct mig_journal_list list;
    int rc = mig_journal_read_all(MIG_JOURNAL_DIR, &list, err);

    if (rc)
        return rc;
    found = mig_journal_find(&list, what);
    if (found)
        *out = *found;
    else
        rc = lxe_fail(err, -ESRCH, "no migration of %s runs here", what);
    mig_journal_list_free(&list);
    return rc;
}

/* The same migration's journal as it stands now. -ESRCH: it is gone. */
static int read_again(struct mig_journal *j)
{
    struct mig_journal_list list;
    int rc = mig_journal_read_all(MIG_JOURNAL_DIR, &list, NULL);

    if (rc)
        return rc;
    rc = -ESRCH;
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].owner.pid == j->owner.pid &&
            list.items[i].owner.start_ticks == j->owner.start_ticks) {
            *j = list.items[i];
            rc = 0;
        }
    mig_journal_list_free(&list);
    return rc;
}

/* Returns 0; -EREMOTEIO where the daemon refuses; else it is not there. */
static int ask_daemon(uint32_t domid, struct lxe_err *err)
{
    struct lxe_json *answer = NULL;
    struct lxe_jw *w;
    struct lxe_rpc *rpc;
    int rc = lxe_rpc_open(NULL, &rpc, err);

    if (rc)
        return rc;
    w = lxe_jw_new(false);
    if (w) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "domid", domid);
        lxe_jw_end_object(w);
    }
    rc = lxe_rpc_call(rpc, "migration.cancel", w, CALL_MS, &answer, err);
    lxe_json_free(answer);
    lxe_jw_free(w);
    lxe_rpc_close(rpc);
    return rc;
}

static int committed(const struct mig_journal *j, struct lxe_err *err)
{
    return lxe_fail(err, -EBUSY, "too late: %s was told to start %s, which"
                    " may run there already", j->to, j->name);
}

/* A daemon that has not heard of it yet does not know better than we. */
static int ask_to_end(const struct mig_journal *j, struct lxe_err *err)
{
    struct lxe_err why = { 0 };

    if (j->state != MIG_JOURNAL_OPEN)
        return committed(j, err);
    if (!ask_daemon(j->domid, &why))
        return 0;
    lxe_debug("%s; asking process %d itself", why.text, (int)j->owner.pid);
    if (kill(j->owner.pid, SIGTERM) && errno != ESRCH)
        return lxe_fail(err, -errno, "cannot signal process %d: %m",
                        (int)j->owner.pid);
    return 0;
}

static int wait_for_end(struct mig_journal *j, struct lxe_err *err)
{
    uint64_t end_ns = lxe_now_ns() + CANCEL_NS;

    while (!read_again(j) && mig_journal_alive(j)) {
        if (lxe_now_ns() > end_ns)
            return lxe_fail(err, -ETIMEDOUT, "process %d, which migrates %s,"
                            " does not end", (int)j->owner.pid, j->name);
        lxe_sleep_ns(POLL_NS);
    }
    return 0;
}

/* It has ended. Where the guest is gone, it was faster than we. */
static int see_it_stayed(struct rescue *r, const struct mig_journal *j,
                         struct lxe_err *err)
{
    struct mig_repair_count count;
    struct lxe_domain now;
    int rc = mig_repair_all(&r->repair, &count, err);

    if (rc)
        return rc;
    rc = r->host->ops->get_domain(r->host, j->domid, &now, err);
    if (rc == -ESRCH || (!rc && strcmp(now.uuid, j->uuid)))
        return lxe_fail(err, -EBUSY, "too late: %s has moved to %s", j->name,
                        j->to);
    return rc ? rc : see_it_run(r, j, err);
}

static int cancel(struct rescue *r, const char *what,
                  struct mig_cancel_result *result, struct lxe_err *err)
{
    struct mig_journal j;
    int rc = find_journal(what, &j, err);

    if (rc)
        return rc;
    result->domid = j.domid;
    memcpy(result->name, j.name, sizeof(result->name));
    result->pid = (int)j.owner.pid;
    if (mig_journal_alive(&j))
        rc = ask_to_end(&j, err);
    if (!rc)
        rc = wait_for_end(&j, err);
    if (!rc && j.state != MIG_JOURNAL_OPEN)
        rc = committed(&j, err);
    if (!rc)
        rc = see_it_stayed(r, &j, err);
    result->running = !rc;
    return rc;
}

int mig_rescue_cancel(const char *what, struct mig_cancel_result *result,
                      struct lxe_err *err)
{
    struct rescue r;
    int rc = rescue_open(&r, err);

    *result = (struct mig_cancel_result){ 0 };
    if (!rc)
        rc = cancel(&r, what, result, err);
    rescue_close(&r);
    return rc;
}
