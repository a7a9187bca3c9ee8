/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>

/* Any will do; that it stays makes a check repeatable. */
#define DEFAULT_SEED UINT64_C(20050502)

int unit_run(const char *suite, const struct unit_test *tests, size_t count)
{
    unsigned failures, ran;
    CU_pSuite s;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    s = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; s && i < count; i++)
        if (!CU_add_test(s, tests[i].name, tests[i].fn))
            s = NULL;
    if (!s) {
        fprintf(stderr, "%s: %s\n", suite, CU_get_error_msg());
        CU_cleanup_registry();
        return EXIT_FAILURE;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_tests_failed();
    ran = CU_get_number_of_tests_run();
    CU_cleanup_registry();
    printf("%s: %u passed, %u failed\n", suite, ran - failures, failures);
    return failures || ran != count ? EXIT_FAILURE : EXIT_SUCCESS;
}

uint64_t unit_clock_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec;
}

uint64_t unit_seed(void)
{
    const char *text = getenv("AEROSTAT_SEED");
    uint64_t seed = DEFAULT_SEED;

    if (text)
        seed = strcmp(text, "random") ? strtoull(text, NULL, 10)
                                      : unit_clock_seed();
    printf("  seed: AEROSTAT_SEED=%" PRIu64 "\n", seed);
    return seed;
}

uint64_t unit_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t unit_below(uint64_t *state, uint64_t below)
{
    return unit_random(state) % below;
}
