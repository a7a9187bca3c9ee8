/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's end of its keys, with fake_xenstore.c in xenstored's place. */
#include <errno.h>
#include <stdint.h>

#include "agent_xenstore.h"
#include "fake_xenstore.h"
#include "unit.h"

static struct aero_agent_xs *open_keys(void)
{
    struct aero_agent_xs *xs = NULL;

    CU_ASSERT_EQUAL_FATAL(aero_agent_xs_open(&xs, NULL), 0);
    return xs;
}

static void test_requests(void)
{
    struct aero_agent_xs *xs = open_keys();
    uint64_t answered = 0, id = 0;

    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 0);
    fake_xs_set("data/aerostat/request", "");
    fake_xs_set("data/aerostat/done", "");
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 0);
    fake_xs_set("data/aerostat/request", "drop 5");
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 1);
    CU_ASSERT_EQUAL(id, 5);
    fake_xs_set("data/aerostat/done", "4"); /* an earlier one */
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 1);
    answered = 5;
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 0);
    aero_agent_xs_close(xs);
    fake_xs_remove("data");
}

/* Who starts after it was answered does not drop the page cache again. */
static void test_answered_before(void)
{
    struct aero_agent_xs *xs = open_keys();
    uint64_t answered = 0, id = 0;
    unsigned before;

    fake_xs_set("data/aerostat/request", "drop 5");
    fake_xs_set("data/aerostat/done", "5");
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 0);
    CU_ASSERT_EQUAL(answered, 5);
    before = fake_xs_requests;
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 0);
    CU_ASSERT_EQUAL(fake_xs_requests - before, 1);
    fake_xs_set("data/aerostat/request", "drop 6");
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), 1);
    CU_ASSERT_EQUAL(id, 6);
    aero_agent_xs_close(xs);
    fake_xs_remove("data");
}

static void test_xenstored_goes(void)
{
    struct aero_agent_xs *xs = open_keys();
    uint64_t answered = 0, id = 0;
    char text[512];

    fake_xs_restart();
    CU_ASSERT_EQUAL(aero_agent_xs_request(xs, &answered, &id, NULL), -EIO);
    CU_ASSERT_EQUAL(aero_agent_xs_move_answer(xs, 1, text, NULL), -EIO);
    aero_agent_xs_close(xs);
}

static void test_move(void)
{
    struct aero_agent_xs *xs = open_keys();
    char text[512] = "";

    CU_ASSERT_EQUAL(aero_agent_xs_ask_to_move(xs, 3, "host;rm", NULL),
                    -EINVAL);
    CU_ASSERT_EQUAL(aero_agent_xs_ask_to_move(xs, 3, "host2", NULL), 0);
    CU_ASSERT_STRING_EQUAL(fake_xs_get("data/aerostat/move"), "3 host2");
    CU_ASSERT_EQUAL(aero_agent_xs_move_answer(xs, 3, text, NULL), 0);
    fake_xs_set("data/aerostat/moved", "2 begun");
    CU_ASSERT_EQUAL(aero_agent_xs_move_answer(xs, 3, text, NULL), 0);
    fake_xs_set("data/aerostat/moved", "3 refused: no");
    CU_ASSERT_EQUAL(aero_agent_xs_move_answer(xs, 3, text, NULL), 1);
    CU_ASSERT_STRING_EQUAL(text, "refused: no");
    aero_agent_xs_close(xs);
    fake_xs_remove("data");
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "requests", test_requests },
        { "one that an agent before answered", test_answered_before },
        { "xenstored goes away", test_xenstored_goes },
        { "a wish to be moved", test_move },
    };

    return unit_run("agent_xs", tests, sizeof(tests) / sizeof(tests[0]));
}
