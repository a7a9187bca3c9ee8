/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory promised to clients. */
#include <errno.h>

#include "reservations.h"
#include "unit.h"

static struct aero_reservation *add(struct aero_reservations *all,
                                    uint64_t owner, uint64_t kib,
                                    uint64_t deadline_ns)
{
    struct aero_reservation r = { .owner = owner, .kib = kib,
                                  .deadline_ns = deadline_ns };

    return aero_reservations_add(all, &r, NULL);
}

static const struct aero_reservation *grant(struct aero_reservations *all,
                                            uint64_t kib, uint64_t now_ns)
{
    struct aero_room room = { .kib = kib };

    return aero_reservations_grant(all, &room, now_ns);
}

static bool refuse(struct aero_reservations *all, uint64_t kib,
                   struct aero_reservation *out)
{
    struct aero_room room = { .kib = kib };

    return aero_reservations_refuse(all, &room, out);
}

static void waits_then_holds(void)
{
    struct aero_reservations all = { 0 };
    uint64_t id = add(&all, 1, 1000, 50)->id;

    CU_ASSERT_EQUAL(aero_reservations_waiting_kib(&all), 1000);
    CU_ASSERT_PTR_NULL(grant(&all, 999, 0));
    CU_ASSERT_EQUAL(grant(&all, 1000, 0)->id, id);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 1000);
    CU_ASSERT_EQUAL(aero_reservations_waiting_kib(&all), 0);
    CU_ASSERT_EQUAL(aero_reservations_release(&all, 2, id, NULL), -ENOENT);
    CU_ASSERT_EQUAL(aero_reservations_release(&all, 1, id, NULL), 0);
    CU_ASSERT_EQUAL(all.count, 0);
}

static void oldest_first(void)
{
    struct aero_reservations all = { 0 };
    uint64_t old = add(&all, 1, 1000, 50)->id;

    add(&all, 2, 10, 50);
    CU_ASSERT_PTR_NULL(grant(&all, 500, 0));
    CU_ASSERT_EQUAL(grant(&all, 1005, 0)->id, old);
    CU_ASSERT_PTR_NULL(grant(&all, 5, 0));
    CU_ASSERT_PTR_NOT_NULL(grant(&all, 10, 0));
}

static void follows_a_domain(void)
{
    struct aero_reservations all = { 0 };
    uint64_t id = add(&all, 1, 1000, 50)->id;

    CU_ASSERT_EQUAL(aero_reservations_transfer(&all, 1, id, 7, NULL), -ENOENT);
    grant(&all, 1000, 0);
    CU_ASSERT_EQUAL(aero_reservations_transfer(&all, 1, id, 7, NULL), 0);
    aero_reservations_follow(&all, 7, 300);
    aero_reservations_follow(&all, 8, 900);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 700);
    aero_reservations_follow(&all, 7, 1200);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 0);
    aero_reservations_follow(&all, 7, 0);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 1000);
}

/* What a domain has is not counted twice. */
static void two_follow_a_domain(void)
{
    struct aero_reservations all = { 0 };

    for (uint64_t owner = 1; owner <= 2; owner++) {
        uint64_t id = add(&all, owner, 1000, 50)->id;

        grant(&all, 1000, 0);
        CU_ASSERT_EQUAL(aero_reservations_transfer(&all, owner, id, 7, NULL),
                        0);
    }
    aero_reservations_follow(&all, 7, 1200);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 800);
    aero_reservations_follow(&all, 7, 3000);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 0);
}

static void ends_with_its_owner_or_time(void)
{
    struct aero_reservations all = { 0 };
    struct aero_reservation r;

    add(&all, 1, 10, 50);
    add(&all, 2, 20, 40);
    add(&all, 1, 30, 60);
    CU_ASSERT_FALSE(aero_reservations_expire(&all, 39, &r));
    CU_ASSERT_TRUE(aero_reservations_expire(&all, 40, &r));
    CU_ASSERT_EQUAL(r.owner, 2);
    CU_ASSERT_EQUAL(grant(&all, 10, 0)->kib, 10);
    CU_ASSERT_TRUE(aero_reservations_expire(&all, 99, &r));
    CU_ASSERT_FALSE(aero_reservations_expire(&all, 99, &r)); /* it is held */
    CU_ASSERT_EQUAL(aero_reservations_drop_owner(&all, 1), 1);
    CU_ASSERT_EQUAL(all.count, 0);
}

static void a_range_takes_what_there_is(void)
{
    struct aero_reservations all = { 0 };
    struct aero_reservation r = { .owner = 1, .kib = 1000, .least_kib = 400,
                                  .deadline_ns = 50 };

    aero_reservations_add(&all, &r, NULL);
    CU_ASSERT_PTR_NULL(grant(&all, 700, 49));
    CU_ASSERT_PTR_NULL(grant(&all, 399, 50));
    CU_ASSERT_EQUAL(grant(&all, 700, 50)->kib, 700);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 700);
    /* Where that is all there can be, it waits for no more. */
    aero_reservations_add(&all, &r, NULL);
    CU_ASSERT_FALSE(refuse(&all, 500, &r));
    CU_ASSERT_EQUAL(grant(&all, 500, 0)->kib, 500);
    r.least_kib = 400;
    aero_reservations_add(&all, &r, NULL);
    CU_ASSERT_TRUE(refuse(&all, 399, &r));
}

static void meets_a_domain_by_its_name(void)
{
    struct aero_reservations all = { 0 };
    struct aero_reservation r = { .owner = 1, .kib = 1000, .label = "web",
                                  .follow = true, .asked_ns = 100 };

    aero_reservations_add(&all, &r, NULL);
    aero_reservations_meet(&all, "web", 7, 200); /* not held yet */
    grant(&all, 1000, 0);
    CU_ASSERT_TRUE(aero_reservations_expecting(&all));
    aero_reservations_meet(&all, "web", 5, 99); /* an older one */
    aero_reservations_meet(&all, "db", 6, 200);
    CU_ASSERT_TRUE(aero_reservations_expecting(&all));
    aero_reservations_meet(&all, "web", 8, 200);
    CU_ASSERT_FALSE(aero_reservations_expecting(&all));
    CU_ASSERT_TRUE(aero_reservations_following(&all, 8));
    CU_ASSERT_EQUAL(aero_reservations_arrived(&all, 9), 0);
    aero_reservations_follow(&all, 8, 700);
    aero_reservations_lost(&all, 8); /* it failed, and is tried once more */
    CU_ASSERT_TRUE(aero_reservations_expecting(&all));
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 1000);
    aero_reservations_meet(&all, "web", 8, 200);
    CU_ASSERT_EQUAL(aero_reservations_arrived(&all, 8), 1);
    CU_ASSERT_EQUAL(all.count, 0);
}

static void the_hopeless_are_refused(void)
{
    struct aero_reservations all = { 0 };
    struct aero_reservation r;

    add(&all, 1, 1000, 50);
    grant(&all, 1000, 0); /* held: does not count */
    add(&all, 1, 500, 50);
    add(&all, 1, 400, 50);
    add(&all, 1, 100, 50);
    CU_ASSERT_FALSE(refuse(&all, 1000, &r));
    CU_ASSERT_TRUE(refuse(&all, 600, &r));
    CU_ASSERT_EQUAL(r.kib, 400);
    CU_ASSERT_FALSE(refuse(&all, 600, &r));
    CU_ASSERT_EQUAL(all.count, 3);
}

/* One of 1000 KiB of node 1, that makes do with 400. */
static uint64_t add_of_node(struct aero_reservations *all)
{
    struct aero_reservation r = { .owner = 1, .kib = 1000, .least_kib = 400,
                                  .deadline_ns = 50, .nodes = 2 };

    return aero_reservations_add(all, &r, NULL)->id;
}

static void is_of_one_node_or_of_none(void)
{
    struct aero_reservation r = { .kib = 1 };

    CU_ASSERT_EQUAL(aero_reservation_node(&r), -1);
    for (int n = 0; n < LXE_NODES_MAX; n++) {
        r.nodes = UINT64_C(1) << n;
        CU_ASSERT_EQUAL(aero_reservation_node(&r), n);
    }
    r.nodes = 3;
    CU_ASSERT_EQUAL(aero_reservation_node(&r), -1);
}

static void both_host_and_node_must_have_it(void)
{
    struct aero_reservations all = { 0 };
    struct aero_room room = { 5000, { 5000, 999 } };
    uint64_t id = add_of_node(&all);

    CU_ASSERT_PTR_NULL(aero_reservations_grant(&all, &room, 49));
    room = (struct aero_room){ 999, { 0, 5000 } };
    CU_ASSERT_PTR_NULL(aero_reservations_grant(&all, &room, 49));
    add(&all, 2, 10, 50); /* of any node; does not overtake */
    CU_ASSERT_PTR_NULL(aero_reservations_grant(&all, &room, 49));
    room = (struct aero_room){ 1000, { 0, 1000 } };
    CU_ASSERT_EQUAL(aero_reservations_grant(&all, &room, 49)->id, id);
    CU_ASSERT_EQUAL(aero_reservations_node_held_kib(&all, 1), 1000);
    CU_ASSERT_EQUAL(aero_reservations_node_held_kib(&all, 0), 0);
    CU_ASSERT_EQUAL(aero_reservations_held_kib(&all), 1000);
    aero_reservations_transfer(&all, 1, id, 7, NULL);
    aero_reservations_follow(&all, 7, 300);
    CU_ASSERT_EQUAL(aero_reservations_node_held_kib(&all, 1), 700);
    /* A range, when its time is over: what its node has. */
    add_of_node(&all);
    CU_ASSERT_EQUAL(aero_reservations_node_waiting_kib(&all, 1), 1000);
    room = (struct aero_room){ 5000, { 5000, 500 } };
    CU_ASSERT_EQUAL(aero_reservations_grant(&all, &room, 50)->kib, 10);
    CU_ASSERT_EQUAL(aero_reservations_grant(&all, &room, 50)->kib, 500);
}

static void a_node_is_promised_once(void)
{
    struct aero_reservations all = { 0 };
    struct aero_room room = { 5000, { 5000, 1300 } };
    struct aero_reservation r;

    add_of_node(&all);
    add_of_node(&all);
    add(&all, 1, 3000, 50);
    CU_ASSERT_TRUE(aero_reservations_refuse(&all, &room, &r));
    CU_ASSERT_EQUAL(r.id, 2);
    add_of_node(&all);
    room.node_kib[1] = 1500;
    CU_ASSERT_FALSE(aero_reservations_refuse(&all, &room, &r));
    CU_ASSERT_EQUAL(all.items[2].kib, 500); /* what is left */
}

static void is_bounded(void)
{
    struct aero_reservations all = { 0 };
    struct lxe_err err = { 0 };
    struct aero_reservation r = { .owner = 1, .kib = 1 };

    for (int i = 0; i < AERO_RESERVATIONS_MAX; i++)
        CU_ASSERT_PTR_NOT_NULL(aero_reservations_add(&all, &r, &err));
    CU_ASSERT_PTR_NULL(aero_reservations_add(&all, &r, &err));
    CU_ASSERT_EQUAL(err.code, -EBUSY);
}

static const struct unit_test tests[] = {
    { "waits, then holds", waits_then_holds },
    { "oldest first", oldest_first },
    { "follows a domain", follows_a_domain },
    { "two follow a domain", two_follow_a_domain },
    { "ends with its owner or its time", ends_with_its_owner_or_time },
    { "a range takes what there is", a_range_takes_what_there_is },
    { "meets a domain by its name", meets_a_domain_by_its_name },
    { "the hopeless are refused", the_hopeless_are_refused },
    { "is of one node, or of none", is_of_one_node_or_of_none },
    { "both host and node must have it", both_host_and_node_must_have_it },
    { "a node is promised once", a_node_is_promised_once },
    { "is bounded", is_bounded },
};

int main(void)
{
    return unit_run("reservations", tests, sizeof(tests) / sizeof(tests[0]));
}
