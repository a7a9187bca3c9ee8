/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which guests can be moved at all, and what is said of the others. */
#include "movable.h"
#include "sim_fixture.h"

/* What is said of a domain, and why, if it cannot be moved. */
static int ask(struct lxe_host *host, const struct lxe_domain *dom,
               const char *why)
{
    struct lxe_err err = { 0 };
    int rc = mig_movable(host, dom, &err);

    CU_ASSERT(!rc || strstr(err.text, why));
    return rc;
}

static void test_states(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(""));
    struct lxe_domain dom = sim_dom(host, 0);

    CU_ASSERT_EQUAL(ask(host, &dom, "dom0"), -EINVAL);
    dom = sim_dom(host, 1);
    CU_ASSERT_EQUAL(ask(host, &dom, ""), 0);
    dom.building = true;
    CU_ASSERT_EQUAL(ask(host, &dom, "g is being built"), -EBUSY);
    dom.building = false;
    dom.dying = true;
    CU_ASSERT_EQUAL(ask(host, &dom, "destroyed"), -EBUSY);
    dom.dying = false;
    dom.migrating = true;
    CU_ASSERT_EQUAL(ask(host, &dom, "migrated"), -EBUSY);
    dom.migrating = false;
    dom.shutdown = true;
    CU_ASSERT_EQUAL(ask(host, &dom, "g is not running"), -EINVAL);
    CU_ASSERT_EQUAL(host->ops->pause(host, 1, NULL), 0);
    dom = sim_dom(host, 1);
    CU_ASSERT_EQUAL(ask(host, &dom, "g is not running"), -EINVAL);
    host->ops->close(host);
}

static void test_devices(void)
{
    struct lxe_host *host = sim_open(ONE_GUEST(", 'passthrough': true"));
    struct lxe_domain dom = sim_dom(host, 1);

    CU_ASSERT_EQUAL(ask(host, &dom, "PCI"), -EINVAL);
    dom.domid = 7;
    CU_ASSERT_EQUAL(ask(host, &dom, ""), -ESRCH);
    host->ops->close(host);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "by what it is doing", test_states },
        { "by its devices", test_devices },
    };

    return unit_run("movable", tests, sizeof(tests) / sizeof(tests[0]));
}
