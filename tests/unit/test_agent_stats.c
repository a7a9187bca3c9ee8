/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent reads the kernel's files, old and new. */
#include "agent_stats.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static const char meminfo[] =
    "MemTotal:         131072 kB\n"
    "MemFree:           10000 kB\n"
    "MemAvailable:      65536 kB\n"
    "SwapCached:            7 kB\n"
    "SwapTotal:         20480 kB\n"
    "SwapFree:          20000 kB\n";

static void reads_meminfo(void)
{
    struct lxe_guest_report r = { 0 };

    CU_ASSERT_EQUAL(aero_stats_meminfo(meminfo, &r), 0);
    CU_ASSERT_EQUAL(r.total_kib, 131072);
    CU_ASSERT_EQUAL(r.available_kib, 65536);
    CU_ASSERT_EQUAL(r.used_kib, 65536);
    CU_ASSERT_EQUAL(r.swap_used_kib, 480);
    CU_ASSERT_EQUAL(r.swap_free_kib, 20000);
}

static void wants_total_and_available(void)
{
    struct lxe_guest_report r = { 0 };

    CU_ASSERT_EQUAL(aero_stats_meminfo("", &r), -EINVAL);
    CU_ASSERT_EQUAL(aero_stats_meminfo("MemTotal: 5 kB\n", &r), -EINVAL);
    CU_ASSERT_EQUAL(aero_stats_meminfo("MemTotal: kB\nMemAvailable: 5 kB", &r),
                    -EINVAL);
    CU_ASSERT_EQUAL(aero_stats_meminfo("XMemTotal: 9\nMemAvailable: 5", &r),
                    -EINVAL);
    CU_ASSERT_EQUAL(aero_stats_meminfo("MemTotal: 9\nMemAvailable: 50", &r),
                    0);
    CU_ASSERT_EQUAL(r.available_kib, 9);
    CU_ASSERT_EQUAL(r.swap_used_kib, LXE_UNKNOWN);
}

static void adds_up_refaults(void)
{
    struct lxe_guest_report r = { 0 };

    aero_stats_vmstat("nr_free_pages 5\nworkingset_refault_anon 30\n"
                      "workingset_refault_file 12\npswpin 7\npswpout 9\n",
                      &r);
    CU_ASSERT_EQUAL(r.refaults, 42);
    CU_ASSERT_EQUAL(r.swapins, 7);
    aero_stats_vmstat("workingset_refault 17\nworkingset_activate 5\n", &r);
    CU_ASSERT_EQUAL(r.refaults, 17);
    CU_ASSERT_EQUAL(r.swapins, LXE_UNKNOWN);
    aero_stats_vmstat("nr_free_pages 5\n", &r);
    CU_ASSERT_EQUAL(r.refaults, LXE_UNKNOWN);
}

static void reads_pressure(void)
{
    struct lxe_guest_report r = { 0 };

    aero_stats_pressure("some avg10=1.05 avg60=2.00 avg300=3.00 total=9\n"
                        "full avg10=9.99 avg60=0.00 avg300=0.00 total=0\n",
                        &r);
    CU_ASSERT_EQUAL(r.psi_some_x100, 105);
    aero_stats_pressure("some avg10=100.00 avg60=2.00\n", &r);
    CU_ASSERT_EQUAL(r.psi_some_x100, 10000);
    aero_stats_pressure("", &r);
    CU_ASSERT_EQUAL(r.psi_some_x100, LXE_UNKNOWN);
    aero_stats_pressure("some avg10=1 avg60=2.00\n", &r);
    CU_ASSERT_EQUAL(r.psi_some_x100, LXE_UNKNOWN);
    aero_stats_pressure("some avg10=1.5 avg60=2.00\n", &r);
    CU_ASSERT_EQUAL(r.psi_some_x100, LXE_UNKNOWN);
    aero_stats_pressure("some avg10=101.00 avg60=2.00\n", &r);
    CU_ASSERT_EQUAL(r.psi_some_x100, LXE_UNKNOWN);
}

static void tells_what_is_worth_a_write(void)
{
    struct lxe_guest_report a = { .total_kib = 100000, .available_kib = 50000,
                                  .psi_some_x100 = 0 };
    struct lxe_guest_report b = a;

    CU_ASSERT_FALSE(aero_stats_differ(&a, &b));
    b.available_kib = a.available_kib - AERO_STATS_MEMORY_STEP_KIB;
    CU_ASSERT_FALSE(aero_stats_differ(&a, &b));
    b.available_kib--;
    CU_ASSERT_TRUE(aero_stats_differ(&a, &b));
    /* Where little is left less counts: a guest may wait for the rest. */
    a.available_kib = 12000;
    b.available_kib = 10400;
    CU_ASSERT_TRUE(aero_stats_differ(&a, &b));
    b.available_kib = 11000;
    CU_ASSERT_FALSE(aero_stats_differ(&a, &b));
    b = a;
    b.psi_some_x100 = AERO_STATS_PSI_STEP_X100 - 1;
    CU_ASSERT_FALSE(aero_stats_differ(&a, &b));
    b.psi_some_x100++;
    CU_ASSERT_TRUE(aero_stats_differ(&a, &b));
    b = a;
    b.psi_some_x100 = LXE_UNKNOWN;
    CU_ASSERT_TRUE(aero_stats_differ(&a, &b));
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "reads meminfo", reads_meminfo },
        { "wants total and available", wants_total_and_available },
        { "adds up refaults", adds_up_refaults },
        { "reads pressure", reads_pressure },
        { "tells what is worth a write", tells_what_is_worth_a_write },
    };

    return unit_run("agent_stats", tests, sizeof(tests) / sizeof(tests[0]));
}
