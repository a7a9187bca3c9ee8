/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that is to leave where it has come a moment ago: on a simulated
 * host, where something happens right after it was looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "settle.h"
#include "sim_fixture.h"

static char top[64], dir[96];

struct bed {
    struct lxe_host host; /* first: in front of the simulated one */
    struct lxe_host *inner;
    void (*after_look)(struct bed *b);
    struct mig_journal j;
    bool cancelled;
};

static struct lxe_host *inner(struct lxe_host *host)
{
    return ((struct bed *)host)->inner;
}

static int list_domains(struct lxe_host *host, struct lxe_domain_list *out,
                        struct lxe_err *err)
{
    struct bed *b = (struct bed *)host;
    void (*then)(struct bed *b) = b->after_look;
    int rc = b->inner->ops->list_domains(b->inner, out, err);

    b->after_look = NULL;
    if (then)
        then(b);
    return rc;
}

static int get_domain(struct lxe_host *host, uint32_t domid,
                      struct lxe_domain *out, struct lxe_err *err)
{
    return inner(host)->ops->get_domain(inner(host), domid, out, err);
}

static int set_target(struct lxe_host *host, uint32_t domid,
                      uint64_t target_kib, struct lxe_err *err)
{
    return inner(host)->ops->set_target(inner(host), domid, target_kib, err);
}

static const struct lxe_host_ops ops = {
    .name = "test",
    .list_domains = list_domains,
    .get_domain = get_domain,
    .set_target = set_target,
};

/* A guest with half of its memory, which we are to give back. */
static void begin(struct bed *b)
{
    *b = (struct bed){ .host = { &ops }, .inner = sim_open(ONE_GUEST("")) };
    sim_target(b->inner, 1, MIB(512));
    mig_journal_init(&b->j, MIG_JOURNAL_TARGET);
    b->j.domid = 1;
    snprintf(b->j.name, sizeof(b->j.name), "g");
    memcpy(b->j.uuid, sim_dom(b->inner, 1).uuid, sizeof(b->j.uuid));
    b->j.original_target_kib = MIB(1024);
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->j, NULL), 0);
}

static void end(struct bed *b)
{
    mig_journal_remove(dir, &b->j);
    b->inner->ops->close(b->inner);
}

static bool is_cancelled(void *data)
{
    return ((struct bed *)data)->cancelled;
}

static int find(struct bed *b, struct lxe_domain *out, struct lxe_err *err)
{
    const struct mig_repair repair = { .host = &b->host, .dir = dir };

    return mig_settle_find(&repair, "g", is_cancelled, b, out, err);
}

static void check_whole(struct bed *b)
{
    struct mig_journal_list list;
    struct lxe_domain dom = { 0 };

    CU_ASSERT_EQUAL(find(b, &dom, NULL), 0);
    CU_ASSERT_EQUAL(dom.domid, 1);
    CU_ASSERT_EQUAL(dom.target_kib, MIB(1024));
    CU_ASSERT_EQUAL(sim_dom(b->inner, 1).target_kib, MIB(1024));
    CU_ASSERT_EQUAL_FATAL(mig_journal_read_all(dir, &list, NULL), 0);
    CU_ASSERT_EQUAL(list.count, 0);
    mig_journal_list_free(&list);
}

static void settle(struct bed *b)
{
    sim_target(b->inner, 1, MIB(1024));
    mig_journal_remove(dir, &b->j);
}

/* Its old target would be taken for the one that it is to have. */
static void test_settles_meanwhile(void)
{
    struct bed b;

    begin(&b);
    b.after_look = settle;
    check_whole(&b);
    end(&b);
}

/* Who was to give it back. */
static void die(struct bed *b)
{
    mig_journal_remove(dir, &b->j);
    b->j.owner.start_ticks++;
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->j, NULL), 0);
}

static void test_is_left(void)
{
    struct bed b;

    begin(&b);
    b.after_look = die;
    check_whole(&b);
    end(&b);
}

static void test_cancelled(void)
{
    struct lxe_err err = { 0 };
    struct lxe_domain dom;
    struct bed b;

    begin(&b);
    b.cancelled = true;
    CU_ASSERT_EQUAL(find(&b, &dom, &err), -ECANCELED);
    CU_ASSERT_EQUAL(sim_dom(b.inner, 1).target_kib, MIB(512));
    end(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "it settles while it is looked at", test_settles_meanwhile },
        { "who settles it dies", test_is_left },
        { "cancelled", test_cancelled },
    };
    int rc;

    snprintf(top, sizeof(top), "/tmp/settle.XXXXXX");
    if (!mkdtemp(top))
        return 1;
    snprintf(dir, sizeof(dir), "%s/migrations", top);
    rc = unit_run("settle", tests, sizeof(tests) / sizeof(tests[0]));
    snprintf(dir, sizeof(dir), "%s/migrations/repair.lock", top);
    unlink(dir);
    snprintf(dir, sizeof(dir), "%s/migrations", top);
    rmdir(dir);
    rmdir(top);
    return rc;
}
