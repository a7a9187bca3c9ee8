/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a dead migration left behind, undone on a simulated host. Its name,
 * log-dirty mode and end, which that host has not, are kept here.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "repair.h"
#include "sim_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char top[64], dir[96];

struct bed {
    struct lxe_host *host;
    struct mig_repair repair;
    struct mig_journal j;
    bool log_dirty, pending, suspends_late;
    unsigned renames, destroys;
    bool helper_alive; /* when log-dirty mode was turned off */
    int fail; /* what the extra ops fail with; 0: nothing */
    int saved;                         /* by somebody, for so many looks */
    struct mig_journal other;          /* of a migration that goes on, */
    void (*meanwhile)(struct bed *b);  /* called at each wait */
};

static int bed_rename(void *data, uint32_t domid, const char *from,
                      const char *to, struct lxe_err *err)
{
    struct bed *b = data;

    (void)err;
    CU_ASSERT_EQUAL(domid, 1);
    CU_ASSERT_STRING_EQUAL(from, "g--migratedaway");
    CU_ASSERT_STRING_EQUAL(to, "g");
    b->renames++;
    return 0;
}

static int bed_destroy(void *data, uint32_t domid, struct lxe_err *err)
{
    struct bed *b = data;

    b->destroys++;
    return lxe_sim_destroy(b->host, domid, err);
}

static int bed_log_dirty_off(void *data, uint32_t domid, struct lxe_err *err)
{
    struct bed *b = data;

    (void)domid;
    if (b->fail)
        return lxe_fail(err, b->fail, "no way");
    b->helper_alive = mig_process_alive(&b->j.helper);
    b->log_dirty = false;
    return 0;
}

static int bed_cancel_suspend(void *data, uint32_t domid, bool *was_pending,
                              struct lxe_err *err)
{
    struct bed *b = data;

    (void)domid;
    (void)err;
    *was_pending = b->pending;
    b->pending = false;
    return 0;
}

static bool bed_is_saved(void *data, uint32_t domid)
{
    struct bed *b = data;

    CU_ASSERT_EQUAL(domid, 1);
    return b->saved > 0 && b->saved--;
}

static void suspend_domain(struct bed *b, uint32_t domid)
{
    struct lxe_save_args args = { .domid = domid, .stream_fd = -1 };
    int pipe_fd[2];

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fd), 0);
    close(pipe_fd[0]);
    args.stream_fd = pipe_fd[1];
    CU_ASSERT_EQUAL(b->host->ops->save(b->host, &args, NULL), 0);
    close(pipe_fd[1]);
    CU_ASSERT_TRUE(sim_dom(b->host, domid).suspended);
}

static void suspend(struct bed *b)
{
    suspend_domain(b, 1);
}

/* A guest that had acknowledged the request suspends three seconds later. */
static void bed_wait(void *data, uint64_t ns)
{
    struct bed *b = data;

    lxe_sim_advance(b->host, ns);
    if (b->meanwhile)
        b->meanwhile(b);
    /* The helper, which was killed by then, dies in real time. */
    if (mig_process_alive(&b->j.helper) &&
        b->host->ops->now_ns(b->host) > SECONDS(10))
        lxe_sleep_ns(100 * LXE_NS_PER_MS);
    if (b->suspends_late && b->host->ops->now_ns(b->host) > SECONDS(3)) {
        b->suspends_late = false;
        suspend(b);
    }
}

static void begin(struct bed *b)
{
    static const struct mig_repair_ops ops = {
        bed_rename, bed_destroy, bed_log_dirty_off, bed_cancel_suspend,
        bed_is_saved,
    };
    struct lxe_domain dom;

    *b = (struct bed){ .host = sim_open(ONE_GUEST("")), .log_dirty = true };
    b->repair = (struct mig_repair){ b->host, &ops, b, dir, bed_wait };
    dom = sim_dom(b->host, 1);
    mig_journal_init(&b->j, MIG_JOURNAL_SOURCE);
    b->j.owner.start_ticks++; /* so it is dead */
    b->j.domid = 1;
    snprintf(b->j.name, sizeof(b->j.name), "%s", dom.name);
    snprintf(b->j.uuid, sizeof(b->j.uuid), "%s", dom.uuid);
    b->j.original_target_kib = dom.target_kib;
    b->j.saving = true;
}

/* Repairs all, and expects so many repaired and open. */
static void repair(struct bed *b, unsigned repaired, unsigned open)
{
    struct mig_repair_count count;
    struct mig_journal_list list;

    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->j, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(mig_repair_all(&b->repair, &count, NULL), 0);
    CU_ASSERT_EQUAL(count.repaired, repaired);
    CU_ASSERT_EQUAL(count.open, open);
    CU_ASSERT_EQUAL_FATAL(mig_journal_read_all(dir, &list, NULL), 0);
    CU_ASSERT_EQUAL(list.count, 1 - repaired);
    mig_journal_list_free(&list);
}

static void end(struct bed *b)
{
    mig_journal_remove(dir, &b->j);
    b->host->ops->close(b->host);
}

/* ---- judging ---- */

static void test_judge_source(void)
{
    struct mig_journal j = { .domid = 1, .name = "g", .uuid = "u" };
    struct lxe_domain dom = { .domid = 1, .name = "g", .uuid = "u" };

    CU_ASSERT_EQUAL(mig_repair_judge(&j, NULL), MIG_REPAIR_NOTHING);
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_UNDO);
    j.state = MIG_JOURNAL_COMMITTED;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.suspended = true;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_ADVISE);
    j.state = MIG_JOURNAL_MOVED;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_ADVISE);
    snprintf(dom.name, sizeof(dom.name), "g--migratedaway");
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_DESTROY);
    j.state = MIG_JOURNAL_OPEN;
    dom.domid = 2; /* the same guest, started again */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.domid = 1;
    dom.dying = true;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
}

static void test_judge_target(void)
{
    struct mig_journal j = { .role = MIG_JOURNAL_TARGET, .name = "g",
                             .uuid = "u" };
    struct lxe_domain dom = { .domid = 3, .name = "g--incoming", .uuid = "u",
                              .paused = true };

    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_DESTROY);
    dom.paused = false;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.paused = true;
    snprintf(dom.name, sizeof(dom.name), "g"); /* xl has committed */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.name[0] = '\0'; /* being made: by whom? */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    j.domid = 3;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_DESTROY);
    snprintf(dom.name, sizeof(dom.name), "g--incoming");
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_DESTROY);
    dom.domid = 4; /* it comes once more, by another receiver */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.domid = 3;
    snprintf(dom.uuid, sizeof(dom.uuid), "v");
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
}

/* It runs, with less than it had, and nobody is left to give it that. */
static void test_judge_small(void)
{
    struct mig_journal j = { .role = MIG_JOURNAL_TARGET, .name = "g",
                             .uuid = "u", .domid = 3,
                             .original_target_kib = 4096 };
    struct lxe_domain dom = { .domid = 3, .name = "g", .uuid = "u",
                              .target_kib = 2048, .static_max_kib = 8192 };

    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_GIVE_BACK);
    snprintf(dom.name, sizeof(dom.name), "h"); /* somebody renamed it */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_GIVE_BACK);
    snprintf(dom.name, sizeof(dom.name), "g--incoming"); /* not yet */
    dom.migrating = true;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    snprintf(dom.name, sizeof(dom.name), "g--migratedaway"); /* not any more */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.name[0] = '\0'; /* it is being made */
    dom.migrating = false;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    snprintf(dom.name, sizeof(dom.name), "g");
    dom.static_max_kib = 2048; /* it cannot have more */
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.static_max_kib = LXE_UNKNOWN;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_GIVE_BACK);
    dom.target_kib = 4096;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.target_kib = LXE_UNKNOWN;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
    dom.target_kib = 2048;
    j.original_target_kib = LXE_UNKNOWN;
    CU_ASSERT_EQUAL(mig_repair_judge(&j, &dom), MIG_REPAIR_NOTHING);
}

/* ---- undoing ---- */

static void test_all_of_it(void)
{
    struct lxe_domain dom;
    unsigned cap = 0;
    struct bed b;

    begin(&b);
    b.j.original_cap = 80;
    b.j.may_pause = true;
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    b.host->ops->cap_set(b.host, 1, 10, NULL);
    suspend(&b);
    b.host->ops->pause(b.host, 1, NULL);
    repair(&b, 1, 0);
    dom = sim_dom(b.host, 1);
    CU_ASSERT_TRUE(dom.running);
    CU_ASSERT_EQUAL(dom.target_kib, b.j.original_target_kib);
    b.host->ops->cap_get(b.host, 1, &cap, NULL);
    CU_ASSERT_EQUAL(cap, 80);
    CU_ASSERT_FALSE(b.log_dirty);
    end(&b);
}

/* What the journal does not name is somebody else's. */
static void test_no_more_than_that(void)
{
    unsigned cap = 0;
    struct bed b;

    begin(&b);
    b.j.saving = false;
    b.j.original_target_kib = LXE_UNKNOWN;
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    b.host->ops->cap_set(b.host, 1, 10, NULL);
    b.host->ops->pause(b.host, 1, NULL);
    repair(&b, 1, 0);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).paused);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(512));
    b.host->ops->cap_get(b.host, 1, &cap, NULL);
    CU_ASSERT_EQUAL(cap, 10);
    CU_ASSERT_TRUE(b.log_dirty);
    CU_ASSERT_EQUAL(b.renames, 0);
    end(&b);
}

static void test_gives_back(void)
{
    struct bed b;

    begin(&b);
    b.j.role = MIG_JOURNAL_TARGET;
    b.j.domid = 0; /* it was never seen */
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_SET_TARGET, -EIO, 1);
    repair(&b, 0, 1);
    repair(&b, 1, 0);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(1024));
    b.j.original_target_kib = MIB(4096); /* it can have 2048 */
    repair(&b, 1, 0);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(2048));
    b.j.original_target_kib = MIB(512); /* somebody gave it more since */
    repair(&b, 1, 0);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(2048));
    CU_ASSERT_TRUE(b.log_dirty);
    end(&b);
}

static void test_late_suspend(void)
{
    struct bed b;

    begin(&b);
    b.suspends_late = true;
    repair(&b, 1, 0);
    CU_ASSERT_FALSE(b.suspends_late);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).running);
    end(&b);
    begin(&b); /* likewise where who failed undoes it himself */
    b.suspends_late = true;
    CU_ASSERT_EQUAL(mig_repair_undo(&b.repair, &b.j, NULL), 0);
    CU_ASSERT_EQUAL(mig_repair_resume_late(&b.repair, &b.j, NULL), 0);
    CU_ASSERT_FALSE(b.suspends_late);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).running);
    b.j.uuid[0] = b.j.uuid[0] == '0' ? '1' : '0'; /* it is another by now */
    suspend(&b);
    CU_ASSERT_EQUAL(mig_repair_resume_late(&b.repair, &b.j, NULL), 0);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    end(&b);
}

/* An xl save has it suspended: it may not run while it is written out. */
static void test_saved_by_others(void)
{
    struct bed b;

    begin(&b);
    b.saved = 100; /* looks */
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    suspend(&b);
    repair(&b, 0, 1);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    CU_ASSERT_TRUE(b.log_dirty);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(512));
    CU_ASSERT_EQUAL(mig_repair_resume_late(&b.repair, &b.j, NULL), -EBUSY);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    b.saved = 2; /* it is about to end */
    repair(&b, 1, 0);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).running);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(1024));
    end(&b);
}

/* ---- what changes meanwhile ---- */

#define GUEST(name)                                                           \
    "{'name': '" name "', 'memory_kib': 1048576,"                             \
    " 'static_max_kib': 2097152, 'demand': [[0, 262144]]}"
#define TWO_GUESTS                                                            \
    "{'host': {'total_kib': 8388608},"                                        \
    " 'guests': [" GUEST("g") ", " GUEST("h") "]}"

/* While the other is repaired it tells the target to start its guest, and is
 * killed. */
static void go_on_and_die(struct bed *b)
{
    if (b->other.state == MIG_JOURNAL_COMMITTED)
        return;
    b->other.state = MIG_JOURNAL_COMMITTED;
    CU_ASSERT_EQUAL(mig_journal_write(dir, &b->other, NULL), 0);
    kill(b->other.owner.pid, SIGKILL);
    waitpid(b->other.owner.pid, NULL, 0);
}

/* A migration of domain 2 by a living process. */
static void begin_other(struct bed *b)
{
    struct lxe_domain dom = sim_dom(b->host, 2);
    pid_t pid = fork();

    if (!pid)
        for (;;)
            pause();
    b->other = b->j;
    b->other.domid = 2;
    snprintf(b->other.name, sizeof(b->other.name), "%s", dom.name);
    snprintf(b->other.uuid, sizeof(b->other.uuid), "%s", dom.uuid);
    CU_ASSERT_EQUAL(mig_process_find(pid, &b->other.owner), 0);
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->other, NULL), 0);
}

/* Writes the dead one, under such a name that it is found first. */
static void write_before_other(struct bed *b)
{
    struct mig_journal_list list;
    bool first = false;

    while (!first) {
        mig_journal_remove(dir, &b->j);
        b->j.owner.start_ticks++;
        CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->j, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(mig_journal_read_all(dir, &list, NULL), 0);
        first = list.items[0].domid == b->j.domid;
        mig_journal_list_free(&list);
    }
}

static void test_changed_meanwhile(void)
{
    struct mig_repair_count count;
    struct bed b;

    begin(&b);
    b.host->ops->close(b.host);
    b.host = b.repair.host = sim_open(TWO_GUESTS);
    begin_other(&b);
    write_before_other(&b);
    b.meanwhile = go_on_and_die;
    suspend_domain(&b, 2);
    CU_ASSERT_EQUAL(mig_repair_all(&b.repair, &count, NULL), 0);
    CU_ASSERT_EQUAL(b.other.state, MIG_JOURNAL_COMMITTED);
    CU_ASSERT_EQUAL(count.repaired, 1);
    CU_ASSERT_EQUAL(count.open, 1); /* it may run at the target */
    CU_ASSERT_TRUE(sim_dom(b.host, 2).suspended);
    mig_journal_remove(dir, &b.other);
    end(&b);
}

/* A request that was taken back needs no waiting for what may follow it. */
static void test_pending_suspend(void)
{
    struct bed b;

    begin(&b);
    b.pending = true;
    repair(&b, 1, 0);
    CU_ASSERT_FALSE(b.pending);
    CU_ASSERT_EQUAL(b.host->ops->now_ns(b.host), 0);
    end(&b);
}

static void test_one_step_fails(void)
{
    struct bed b;

    begin(&b);
    b.fail = -EIO;
    suspend(&b);
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    repair(&b, 0, 1);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).running); /* the others were made */
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, b.j.original_target_kib);
    b.fail = 0;
    repair(&b, 1, 0);
    CU_ASSERT_FALSE(b.log_dirty);
    end(&b);
}

static void test_committed(void)
{
    struct mig_journal j;
    struct bed b;

    begin(&b);
    b.j.state = MIG_JOURNAL_COMMITTED;
    suspend(&b);
    repair(&b, 0, 1);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    CU_ASSERT_EQUAL(b.destroys, 0);
    CU_ASSERT_EQUAL(mig_repair_take_back(&b.repair, "h", &j, NULL), -ESRCH);
    CU_ASSERT_EQUAL(mig_repair_take_back(&b.repair, "g", &j, NULL), 0);
    CU_ASSERT_EQUAL(j.domid, 1);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).running);
    CU_ASSERT_EQUAL(mig_repair_take_back(&b.repair, "g", &j, NULL), -ESRCH);
    end(&b);
}

/* The target said that it runs there: resumed here, there would be two. */
static void test_moved_is_not_taken_back(void)
{
    struct mig_journal j;
    struct lxe_err err = { 0 };
    struct bed b;

    begin(&b);
    b.j.state = MIG_JOURNAL_MOVED;
    suspend(&b);
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b.j, NULL), 0);
    CU_ASSERT_EQUAL(mig_repair_take_back(&b.repair, "g", &j, &err),
                    -EALREADY);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--repair"));
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    end(&b);
}

/* The guest went, and another one has its number. */
static void test_another_is_not_taken_back(void)
{
    struct mig_journal j;
    struct bed b;

    begin(&b);
    b.j.state = MIG_JOURNAL_COMMITTED;
    b.j.uuid[0] = b.j.uuid[0] == '0' ? '1' : '0';
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    suspend(&b);
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b.j, NULL), 0);
    CU_ASSERT_EQUAL(mig_repair_take_back(&b.repair, "g", &j, NULL), -ESRCH);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(512));
    end(&b);
}

/* Undone by who failed: it was destroyed, or shut down and started anew. */
static void test_undo_gone(void)
{
    struct bed b;

    begin(&b);
    b.j.uuid[0] = b.j.uuid[0] == '0' ? '1' : '0';
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    CU_ASSERT_EQUAL(mig_repair_undo(&b.repair, &b.j, NULL), -ESRCH);
    CU_ASSERT_TRUE(b.log_dirty); /* it is not ours to end */
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(512));
    lxe_sim_destroy(b.host, 1, NULL);
    CU_ASSERT_EQUAL(mig_repair_undo(&b.repair, &b.j, NULL), -ESRCH);
    CU_ASSERT_TRUE(b.log_dirty);
    end(&b);
}

static void test_living(void)
{
    struct mig_repair_count count;
    struct mig_journal j;
    struct bed b;

    begin(&b);
    b.j.owner.start_ticks--; /* ours: alive */
    suspend(&b);
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b.j, NULL), 0);
    CU_ASSERT_EQUAL(mig_repair_all(&b.repair, &count, NULL), 0);
    CU_ASSERT_EQUAL(count.running, 1);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    CU_ASSERT_EQUAL(mig_repair_take_back(&b.repair, "g", &j, NULL), -EBUSY);
    CU_ASSERT_TRUE(sim_dom(b.host, 1).suspended);
    end(&b);
}

static void test_helper_stays(void)
{
    struct bed b;
    pid_t helper = fork();
    int status;

    if (!helper)
        for (;;)
            pause();
    begin(&b);
    mig_process_find(helper, &b.j.helper);
    CU_ASSERT_TRUE(mig_process_alive(&b.j.helper));
    repair(&b, 1, 0);
    CU_ASSERT_FALSE(b.log_dirty);
    CU_ASSERT_FALSE(b.helper_alive);
    CU_ASSERT_EQUAL(waitpid(helper, &status, 0), helper);
    CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    end(&b);
}

static void test_gone(void)
{
    struct bed b;

    begin(&b);
    lxe_sim_destroy(b.host, 1, NULL);
    repair(&b, 1, 0);
    end(&b);
}

static void test_host_fails(void)
{
    struct bed b;

    begin(&b);
    lxe_sim_fail_next(b.host, LXE_SIM_OP_GET_DOMAIN, -EIO, 1);
    repair(&b, 0, 1);
    repair(&b, 1, 0);
    b.j.role = MIG_JOURNAL_TARGET;
    lxe_sim_fail_next(b.host, LXE_SIM_OP_LIST_DOMAINS, -EIO, 1);
    repair(&b, 0, 1);
    repair(&b, 1, 0);
    end(&b);
}

/* ---- two domains with one UUID ---- */

static struct {
    struct lxe_host_ops ops;
    const struct lxe_host_ops *sim;
    bool dying;
} twin;

/* With another that has the guest's UUID, before the guest. */
static int list_twins(struct lxe_host *host, struct lxe_domain_list *out,
                      struct lxe_err *err)
{
    struct lxe_domain guest = sim_dom(host, 1), *doms;
    int rc = twin.sim->list_domains(host, out, err);

    doms = rc ? NULL : realloc(out->doms, (out->count + 1) * sizeof(*doms));
    CU_ASSERT_PTR_NOT_NULL_FATAL(doms);
    memmove(doms + 1, doms, out->count * sizeof(*doms));
    doms[0] = guest;
    doms[0].domid = 9;
    doms[0].dying = twin.dying;
    doms[0].target_kib = LXE_UNKNOWN;
    *out = (struct lxe_domain_list){ doms, out->count + 1 };
    return 0;
}

static void begin_twins(struct bed *b, bool dying)
{
    begin(b);
    twin.sim = b->host->ops;
    twin.ops = *twin.sim;
    twin.ops.list_domains = list_twins;
    twin.dying = dying;
    b->host->ops = &twin.ops;
}

/* What is left of an earlier life, or the guest received from itself. */
static void test_twins(void)
{
    struct bed b;

    for (int dying = 0; dying < 2; dying++) {
        begin_twins(&b, dying);
        suspend(&b);
        repair(&b, 1, 0);
        CU_ASSERT_FALSE(b.log_dirty);
        CU_ASSERT_TRUE(sim_dom(b.host, 1).running);
        end(&b);
    }
    begin_twins(&b, true);
    b.j.role = MIG_JOURNAL_TARGET;
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    repair(&b, 1, 0);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(1024));
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    CU_ASSERT_EQUAL(mig_repair_give_back(b.host, &b.j, NULL), 0);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(1024));
    end(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "what is to be done at the source", test_judge_source },
        { "what is to be done at the target", test_judge_target },
        { "what a guest lacks at the target", test_judge_small },
        { "suspended, paused, capped, squeezed: all undone", test_all_of_it },
        { "no more than the journal names", test_no_more_than_that },
        { "a guest gets back what it came without", test_gives_back },
        { "a guest that suspends late", test_late_suspend },
        { "a request to suspend is taken back", test_pending_suspend },
        { "one that somebody else saves", test_saved_by_others },
        { "another goes on meanwhile, and dies", test_changed_meanwhile },
        { "one step fails: the others are made", test_one_step_fails },
        { "committed: left to a person, who takes it back", test_committed },
        { "what moved is not taken back", test_moved_is_not_taken_back },
        { "another guest is not taken back", test_another_is_not_taken_back },
        { "a guest that is gone has nothing to undo", test_undo_gone },
        { "a living migration is left alone", test_living },
        { "a save helper that does not end is dead first",
          test_helper_stays },
        { "a domain that is gone", test_gone },
        { "a host that does not answer", test_host_fails },
        { "another domain with its UUID", test_twins },
    };
    int status;

    snprintf(top, sizeof(top), "/tmp/aerostat-repair.XXXXXX");
    if (!mkdtemp(top))
        return EXIT_FAILURE;
    snprintf(dir, sizeof(dir), "%s/migrations", top);
    status = unit_run("repair", tests, COUNT(tests));
    snprintf(dir, sizeof(dir), "%s/migrations/repair.lock", top);
    unlink(dir);
    snprintf(dir, sizeof(dir), "%s/migrations", top);
    rmdir(dir);
    rmdir(top);
    return status;
}
