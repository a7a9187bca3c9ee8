/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Migrations that the daemon knows by their journals: some that nobody
 * announced, some whose client is gone, some whose process is dead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "migrations.h"
#include "sim_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char top[64], dir[96];

struct bed {
    struct lxe_host *host;
    struct aero_migrations all;
    struct lxe_domain dom;
    struct mig_journal j;
    unsigned repairs;
};

static void on_repair(void *data)
{
    ((struct bed *)data)->repairs++;
}

static void begin(struct bed *b)
{
    *b = (struct bed){ .host = sim_open(ONE_GUEST("")) };
    b->dom = sim_dom(b->host, 1);
    b->all.journals = (struct aero_journals){ .dir = dir,
                                              .repair = on_repair,
                                              .data = b };
    mig_journal_init(&b->j, MIG_JOURNAL_SOURCE);
    b->j.domid = 1;
    memcpy(b->j.name, b->dom.name, sizeof(b->j.name));
    memcpy(b->j.uuid, b->dom.uuid, sizeof(b->j.uuid));
    snprintf(b->j.to, sizeof(b->j.to), "far");
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->j, NULL), 0);
}

/* The same journal, as a process left it that is dead. */
static void die(struct bed *b)
{
    mig_journal_remove(dir, &b->j);
    b->j.owner.start_ticks++;
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b->j, NULL), 0);
}

static int announce(struct bed *b, uint64_t owner)
{
    return aero_migrations_begin(&b->all, owner, &b->dom, "far",
                                 b->dom.target_kib, 0, NULL);
}

static void end(struct bed *b)
{
    mig_journal_remove(dir, &b->j);
    aero_migrations_look(&b->all, SECONDS(99999));
    CU_ASSERT_PTR_NULL(aero_migrations_find(&b->all, 1));
    aero_migrations_clear(&b->all);
    b->host->ops->close(b->host);
}

/* The daemon was started while it ran: its client comes later, or never. */
static void test_unannounced(void)
{
    struct bed b;

    begin(&b);
    aero_migrations_look(&b.all, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(aero_migrations_find(&b.all, 1));
    CU_ASSERT_STRING_EQUAL(aero_migrations_find(&b.all, 1)->to, "far");
    CU_ASSERT_EQUAL(aero_migrations_find(&b.all, 1)->pid, getpid());
    CU_ASSERT_EQUAL(announce(&b, 5), 0);
    CU_ASSERT_EQUAL(announce(&b, 6), -EBUSY);
    CU_ASSERT_EQUAL(b.all.count, 1);
    aero_migrations_look(&b.all, 2);
    CU_ASSERT_EQUAL(b.all.count, 1);
    aero_migrations_end(&b.all, aero_migrations_find(&b.all, 1));
    CU_ASSERT_EQUAL(b.repairs, 0);
    end(&b);
}

/* A connection may break while the migration goes on. */
static void test_client_lost_its_line(void)
{
    struct bed b;

    begin(&b);
    CU_ASSERT_EQUAL(announce(&b, 5), 0);
    aero_migrations_look(&b.all, 1);
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    CU_ASSERT_EQUAL(aero_migrations_lose_owner(&b.all, 5), 1);
    CU_ASSERT_EQUAL(chmod(dir, 0777), 0); /* they are not believed */
    CU_ASSERT_FALSE(aero_migrations_look(&b.all, 2));
    CU_ASSERT_EQUAL(chmod(dir, 0700), 0);
    CU_ASSERT_TRUE(aero_migrations_look(&b.all, 2));
    aero_migrations_undo(&b.all, b.host);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(512));
    CU_ASSERT_EQUAL(b.repairs, 0);
    CU_ASSERT_EQUAL(announce(&b, 6), 0); /* and is made anew */
    aero_migrations_look(&b.all, 3);
    CU_ASSERT_FALSE(aero_migrations_find(&b.all, 1)->lost);
    aero_migrations_end(&b.all, aero_migrations_find(&b.all, 1));
    end(&b);
}

static void test_dead(void)
{
    struct bed b;

    begin(&b);
    CU_ASSERT_EQUAL(announce(&b, 5), 0);
    aero_migrations_look(&b.all, 1);
    b.host->ops->set_target(b.host, 1, MIB(512), NULL);
    die(&b);
    CU_ASSERT_EQUAL(aero_migrations_lose_owner(&b.all, 5), 1);
    aero_migrations_look(&b.all, 2);
    aero_migrations_undo(&b.all, b.host);
    CU_ASSERT_EQUAL(b.repairs, 1); /* at once, and not by us */
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, MIB(512));
    CU_ASSERT_TRUE(aero_migrations_find(&b.all, 1)->lost);
    mig_journal_remove(dir, &b.j); /* it is repaired */
    aero_migrations_look(&b.all, 3);
    aero_migrations_undo(&b.all, b.host);
    CU_ASSERT_EQUAL(sim_dom(b.host, 1).target_kib, b.dom.target_kib);
    end(&b);
}

/* One that only a person can decide does not fill the log for ever. */
static void test_again_and_again(void)
{
    struct bed b;

    begin(&b);
    die(&b);
    for (uint64_t s = 0; s < 7200; s++)
        aero_migrations_look(&b.all, SECONDS(s));
    CU_ASSERT(b.repairs >= 8);
    CU_ASSERT(b.repairs <= 12);
    CU_ASSERT_TRUE(aero_migrations_find(&b.all, 1)->lost);
    die(&b); /* another one: at once */
    aero_migrations_look(&b.all, SECONDS(7200));
    b.repairs = 0;
    aero_migrations_look(&b.all, SECONDS(7210));
    CU_ASSERT_EQUAL(b.repairs, 1);
    end(&b);
}

/* At the target nothing is migrated away, but there is something to repair. */
static void test_target(void)
{
    struct bed b;

    begin(&b);
    mig_journal_remove(dir, &b.j);
    b.j.role = MIG_JOURNAL_TARGET;
    b.j.owner.start_ticks++;
    CU_ASSERT_EQUAL_FATAL(mig_journal_write(dir, &b.j, NULL), 0);
    aero_migrations_look(&b.all, 1);
    CU_ASSERT_EQUAL(b.all.count, 0);
    CU_ASSERT_EQUAL(b.repairs, 1);
    end(&b);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "one that nobody announced", test_unannounced },
        { "a client that lost its connection", test_client_lost_its_line },
        { "a dead one is repaired at once", test_dead },
        { "what cannot be repaired is tried ever less", test_again_and_again },
        { "a dead receiver", test_target },
    };
    int status;

    snprintf(top, sizeof(top), "/tmp/aerostat-migrations.XXXXXX");
    if (!mkdtemp(top))
        return EXIT_FAILURE;
    snprintf(dir, sizeof(dir), "%s/migrations", top);
    status = unit_run("migrations", tests, COUNT(tests));
    rmdir(dir);
    rmdir(top);
    return status;
}
