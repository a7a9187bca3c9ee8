/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "held_child.h"
#include "xl_domain.h"

#define GIVE_BACK_MS 1000
#define PATIENCE_NS  (10 * LXE_NS_PER_SEC)
#define POLL_NS      (100 * LXE_NS_PER_MS)

static bool may_lack_memory(const struct mig_settle *s)
{
    return s->journal->original_target_kib != LXE_UNKNOWN;
}

static void complain(const struct mig_settle *s, const struct lxe_err *err)
{
    lxe_warn("%s", err->text);
    syslog(LOG_DAEMON | LOG_WARNING, "%s: %s", s->shown, err->text);
}

/* Returns whether it has all that it had. */
static bool give_back(const struct mig_settle *s)
{
    struct lxe_host *host = NULL;
    struct lxe_err err = { 0 };
    int rc = lxe_host_open("xen", &host, &err);

    if (!rc)
        rc = mig_repair_give_back(host, s->journal, &err);
    if (rc)
        complain(s, &err);
    if (host)
        host->ops->close(host);
    return !rc;
}

/* ---- in its process ---- */

static void announce_silent(const struct mig_settle *s)
{
    struct lxe_xl_nic nics[LXE_XL_NICS];
    struct lxe_err err = { 0 };
    struct lxe_xl *xl = NULL;

    if (lxe_xl_open(&xl, &err))
        complain(s, &err);
    else if (mig_announce_run(s->announce, nics,
                              lxe_xl_nics(xl, s->journal->domid, nics)))
        syslog(LOG_DAEMON | LOG_INFO, "%s was silent after its migration;"
               " announced it on its networks", s->shown);
    lxe_xl_close(xl);
}

static void detach(void)
{
    setsid();
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, fd);
        if (null > STDERR_FILENO)
            close(null);
    }
}

/* libxl is opened anew here: what is open is not a child's to use. What holds
 * the guest's memory is let go once it has it. */
static void settle(const struct mig_settle *s)
{
    lxe_sleep_ns(GIVE_BACK_MS * LXE_NS_PER_MS);
    if (!may_lack_memory(s) || give_back(s))
        mig_journal_remove(s->journal_dir, s->journal);
    mig_daemon_close(s->daemon);
    if (!s->announce->count)
        return;
    lxe_sleep_ns((MIG_ANNOUNCE_MS - GIVE_BACK_MS) * LXE_NS_PER_MS);
    announce_silent(s);
}

static int run(void *data)
{
    detach();
    settle(data);
    return EXIT_SUCCESS;
}

/* ---- in the receiver's ---- */

static int hand_over(void *data, const struct mig_process *child,
                     struct lxe_err *err)
{
    const struct mig_settle *s = data;

    s->journal->helper = *child;
    snprintf(s->journal->stage, sizeof(s->journal->stage), "settling");
    return mig_journal_write(s->journal_dir, s->journal, err);
}

/* Returns 0 once its process goes on by itself, or a negative errno. */
static int start(struct mig_settle s, struct lxe_err *err)
{
    const struct mig_held_child child = { hand_over, run, &s };
    pid_t pid;

    return mig_held_child_start(&child, &pid, err);
}

bool mig_settle_begin(const struct mig_settle *s)
{
    struct lxe_err err = { 0 };

    if (!may_lack_memory(s) && !s->announce->count)
        return true;
    if (!start(*s, &err))
        return false;
    complain(s, &err);
    return !may_lack_memory(s) || give_back(s);
}

bool mig_settle_pending(const char *journal_dir, const char *uuid)
{
    struct mig_journal_list list;
    bool pending = false;

    if (mig_journal_read_all(journal_dir, &list, NULL))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        const struct mig_journal *j = &list.items[i];

        if (j->role == MIG_JOURNAL_TARGET && !strcmp(j->uuid, uuid) &&
            mig_journal_alive(j))
            pending = true;
    }
    mig_journal_list_free(&list);
    return pending;
}

static int find_settled(const struct mig_repair *r, const char *what,
                        bool (*cancelled)(void *data), void *data,
                        struct lxe_domain *out, struct lxe_err *err)
{
    uint64_t end_ns = lxe_now_ns() + PATIENCE_NS;

    for (;;) {
        int rc = lxe_host_find(r->host, what, out, err);

        if (rc || !mig_settle_pending(r->dir, out->uuid))
            return rc;
        if (cancelled(data))
            return lxe_fail(err, -ECANCELED, "cancelled while the guest"
                            " settled here");
        if (lxe_now_ns() > end_ns)
            return lxe_fail(err, -EBUSY, "%s is only just arriving here; try"
                            " again once it has its memory", out->name);
        lxe_sleep_ns(POLL_NS);
    }
}

/*
 * Between the look and its journal's end the guest may have got its memory
 * back, or who was to give it back may have died: so that is made up for, and
 * the guest is looked at again.
 */
int mig_settle_find(const struct mig_repair *r, const char *what,
                    bool (*cancelled)(void *data), void *data,
                    struct lxe_domain *out, struct lxe_err *err)
{
    struct mig_repair_count count;
    int rc = find_settled(r, what, cancelled, data, out, err);

    if (!rc)
        rc = mig_repair_all(r, &count, err);
    return rc ? rc : r->host->ops->get_domain(r->host, out->domid, out, err);
}
