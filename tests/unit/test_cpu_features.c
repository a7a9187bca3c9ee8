/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "cpu_features.h"
#include "unit.h"

static unsigned missing(const struct lxe_cpu_features *guest,
                        const struct lxe_cpu_features *host, char *text)
{
    memset(text, 'x', 128);
    return lxe_cpu_missing(guest, host, text, 128);
}

static void test_missing(void)
{
    struct lxe_cpu_features guest = { .words = { 0x3, 1u << 28, 0, 0, 0,
                                                 1u << 5 }, .count = 6 };
    struct lxe_cpu_features host = guest;
    char text[128];

    CU_ASSERT_EQUAL(missing(&guest, &host, text), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    host.words[0] = ~0u; /* more than the guest wants is no matter */
    CU_ASSERT_EQUAL(missing(&guest, &host, text), 0);
    host.words[1] = 0;
    host.words[5] = 0;
    CU_ASSERT_EQUAL(missing(&guest, &host, text), 2);
    CU_ASSERT_STRING_EQUAL(text, "avx avx2");
    host.count = 2; /* an older Xen does not know the others */
    CU_ASSERT_EQUAL(missing(&guest, &host, text), 1);
    host.count = 0;
    CU_ASSERT_EQUAL(missing(&guest, &host, text), 0);
}

static void test_own_bits(void)
{
    /* OSXSAVE, HYPERVISOR; APIC, HTT; CMP_LEGACY; OSPKE. */
    struct lxe_cpu_features guest = {
        .words = { 1u << 9 | 1u << 28, 1u << 27 | 1u << 31, 0, 1u << 1, 0, 0,
                   1u << 4 },
        .count = 7,
    };
    struct lxe_cpu_features host = { .count = 7 };
    char text[128];

    CU_ASSERT_EQUAL(missing(&guest, &host, text), 0);
    guest.words[2] = 0x0183f3ff | 1u << 20; /* AMD's copies, and NX */
    CU_ASSERT_EQUAL(missing(&guest, &host, text), 1);
    CU_ASSERT_STRING_EQUAL(text, "nx");
}

static void test_many(void)
{
    struct lxe_cpu_features guest = { .words = { 0, 0, 0, 0, 0, ~0u },
                                      .count = LXE_CPU_WORDS };
    struct lxe_cpu_features host = { .count = LXE_CPU_WORDS };
    char text[128], small[12];

    CU_ASSERT_EQUAL(missing(&guest, &host, text), 32);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "fsgsbase tsc_adjust sgx bmi1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " +24 more"));
    CU_ASSERT_EQUAL(lxe_cpu_missing(&guest, &host, small, sizeof(small)), 32);
    CU_ASSERT_EQUAL(strlen(small), sizeof(small) - 1);
    guest.words[5] = 0;
    guest.words[LXE_CPU_WORDS - 1] = 1u << 31; /* none has that name */
    CU_ASSERT_EQUAL(missing(&guest, &host, text), 1);
    CU_ASSERT_STRING_EQUAL(text, "word 31 bit 31");
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "what a host lacks", test_missing },
        { "bits that are the guest's own", test_own_bits },
        { "many, and unknown ones", test_many },
    };

    return unit_run("cpu features", tests, sizeof(tests) / sizeof(tests[0]));
}
