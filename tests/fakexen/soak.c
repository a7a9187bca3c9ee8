/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Migrations by chance, for as long as one likes:
 *
 *   fakexen-soak [--seconds N] [--from SEED]    many, each with its own seed
 *   fakexen-soak --seed SEED                    one
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fx_program.h"
#include "fx_random.h"
#include "unit.h"

#define SECONDS 600

static void usage(void)
{
    fprintf(stderr, "usage: fakexen-soak [--seconds N] [--from SEED] | "
            "--seed SEED\n");
    exit(2);
}

static int tell(const struct fx_tally *t)
{
    printf("soak: %u runs: %u moved, %u failed, %u killed; %u skipped pages; "
           "%u passed, %u failed\n", t->runs, t->moved, t->failed, t->killed,
           t->skipped, t->runs - t->wrong, t->wrong);
    return t->wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "seconds", required_argument, NULL, 's' },
        { "from", required_argument, NULL, 'f' },
        { "seed", required_argument, NULL, 'o' },
        { NULL, 0, NULL, 0 },
    };
    uint64_t seconds = SECONDS, from = 0, end_ns;
    bool given = false;
    struct fx_tally tally = { 0 };
    int c;

    fx_program_role(argc, argv);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            usage();
        if (c == 's') {
            seconds = strtoull(optarg, NULL, 10);
            continue;
        }
        from = strtoull(optarg, NULL, 10);
        given = true;
        if (c == 'o') {
            fx_random_run(from, &tally);
            return tell(&tally);
        }
    }
    if (!given)
        from = unit_clock_seed();
    printf("soak: %" PRIu64 " s from seed %" PRIu64 "\n", seconds, from);
    fflush(stdout);
    end_ns = fx_now_ns() + seconds * UINT64_C(1000000000);
    for (uint64_t seed = from; fx_now_ns() < end_ns; seed++)
        fx_random_run(seed, &tally);
    return tell(&tally);
}
