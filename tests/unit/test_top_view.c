/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What mem-top shows: reading, order, bars. */
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "host.h"
#include "top_view.h"
#include "unit.h"

static int read_text(const char *text, struct aero_top *top)
{
    struct lxe_json *tree;
    int rc;

    CU_ASSERT_EQUAL_FATAL(lxe_json_parse(text, strlen(text), &tree, NULL), 0);
    rc = aero_top_read(tree, top);
    lxe_json_free(tree);
    return rc;
}

static void reads_what_is_there(void)
{
    struct aero_top t;

    CU_ASSERT_EQUAL(read_text(
        "{\"host\":{\"total_kib\":100,\"state\":\"soft\"},"
        "\"warnings\":[\"w\\u001b\",7],\"domains\":["
        "{\"name\":\"a\\u001b[2J\",\"domid\":3,\"current_kib\":5},7,"
        "{\"name\":[],\"domid\":-1,\"current_kib\":1.5}]}", &t), 0);
    CU_ASSERT_EQUAL(t.count, 3);
    CU_ASSERT_EQUAL(t.total_kib, 100);
    CU_ASSERT_EQUAL(t.free_kib, LXE_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(t.state, "soft");
    CU_ASSERT_EQUAL(t.warning_count, 1);
    CU_ASSERT_STRING_EQUAL(t.warnings[0], "w\\x1b");
    CU_ASSERT_STRING_EQUAL(t.guests[0].name, "a\\x1b[2J");
    CU_ASSERT_EQUAL(t.guests[0].current_kib, 5);
    CU_ASSERT_STRING_EQUAL(t.guests[2].name, "-");
    CU_ASSERT_EQUAL(t.guests[2].domid, LXE_UNKNOWN);
    aero_top_free(&t);
    CU_ASSERT_EQUAL(read_text("{\"domains\":5}", &t), -EINVAL);
    CU_ASSERT_EQUAL(read_text("[]", &t), -EINVAL);
    t = (struct aero_top){ 0 }; /* before the first answer */
    aero_top_sort(&t, AERO_TOP_NAME, false);
    CU_ASSERT_EQUAL(read_text("{\"domains\":[]}", &t), 0);
    aero_top_sort(&t, AERO_TOP_HAS, true);
    aero_top_free(&t);
}

static struct aero_top_guest three[] = {
    { .name = (char *)"b", .state = (char *)"stuck", .domid = 1,
      .current_kib = 10, .target_kib = 3, .demand_kib = LXE_UNKNOWN,
      .used_kib = 2 },
    { .name = (char *)"a", .state = (char *)"active", .domid = 2,
      .current_kib = 30, .target_kib = 3, .demand_kib = 0, .used_kib = 1 },
    { .name = (char *)"c", .state = (char *)"active", .domid = 3,
      .current_kib = 20, .target_kib = 4, .demand_kib = 5,
      .used_kib = LXE_UNKNOWN },
};

static bool is_order(enum aero_top_order by, bool reversed, const char *want)
{
    struct aero_top t = { .guests = three, .count = 3 };
    char is[4] = "";

    aero_top_sort(&t, by, reversed);
    for (int i = 0; i < 3; i++)
        is[i] = three[i].name[0];
    return !strcmp(is, want);
}

static void sorts(void)
{
    CU_ASSERT(is_order(AERO_TOP_NAME, false, "abc"));
    CU_ASSERT(is_order(AERO_TOP_ID, false, "bac"));
    CU_ASSERT(is_order(AERO_TOP_STATE, false, "acb"));
    CU_ASSERT(is_order(AERO_TOP_HAS, false, "acb"));
    CU_ASSERT(is_order(AERO_TOP_TARGET, false, "cba")); /* then by number */
    CU_ASSERT(is_order(AERO_TOP_DEMAND, false, "cab")); /* unknown is last */
    CU_ASSERT(is_order(AERO_TOP_USED, false, "bac"));
    CU_ASSERT(is_order(AERO_TOP_HAS, true, "bca"));
    CU_ASSERT(is_order(AERO_TOP_ID, true, "cab"));
}

static void is_bar(uint64_t has, uint64_t used, uint64_t min, uint64_t target,
                   uint64_t max, const char *want)
{
    struct aero_top_guest g = { .current_kib = has, .used_kib = used,
                                .min_kib = min, .target_kib = target,
                                .max_kib = max };
    char bar[32];

    memset(bar, 'x', sizeof(bar));
    aero_top_bar(&g, strlen(want), bar);
    CU_ASSERT_STRING_EQUAL(bar, want);
}

static void draws_bars(void)
{
    const uint64_t no = LXE_UNKNOWN;

    is_bar(50, 20, no, no, 100, "##===.....");
    is_bar(50, no, no, no, 100, "=====.....");
    is_bar(50, 20, 30, 70, 100, "##=[=..|..");
    is_bar(50, 20, 50, 50, 100, "##===|....");
    is_bar(100, 100, 0, 100, 100, "[########|");
    is_bar(200, 100, no, 100, 100, "#####|====");
    is_bar(50, 999, no, no, 100, "##########");
    is_bar(no, no, no, no, no, "          ");
    is_bar(0, 0, 0, 0, 0, "    ");
    is_bar(5, 5, 5, 5, 5, "|");
    is_bar(5, 5, 5, 5, 5, "");
    is_bar(no - 1, 1, 1, no - 1, 4, "[========|");
}

static void draws_the_host(void)
{
    struct aero_top t = { .total_kib = 100, .free_kib = 40,
                          .reserve_kib = 10, .reserved_kib = 10 };
    char bar[16];

    aero_top_host_bar(&t, 10, bar);
    CU_ASSERT_STRING_EQUAL(bar, "######rr..");
    t.reserved_kib = 900; /* more than there is */
    aero_top_host_bar(&t, 10, bar);
    CU_ASSERT_STRING_EQUAL(bar, "######rrrr");
    t.free_kib = 900;
    aero_top_host_bar(&t, 10, bar);
    CU_ASSERT_STRING_EQUAL(bar, "rrrrrrrrrr");
    t.total_kib = LXE_UNKNOWN;
    aero_top_host_bar(&t, 10, bar);
    CU_ASSERT_STRING_EQUAL(bar, "          ");
}

static const struct unit_test tests[] = {
    { "reads what is there", reads_what_is_there },
    { "sorts", sorts },
    { "draws bars", draws_bars },
    { "draws the host", draws_the_host },
};

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    return unit_run("top_view", tests, sizeof(tests) / sizeof(tests[0]));
}
