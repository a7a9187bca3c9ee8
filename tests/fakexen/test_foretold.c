/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that writes a fiftieth as fast while it is sent: what is foretold of
 * its first migration is far off, and of the second near, since the report of
 * the first one tells its pace.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fx_migration.h"
#include "fx_program.h"
#include "predict.h"
#include "report.h"
#include "unit.h"

#define SET_PAGES    4096u
#define PAGES        (3 * SET_PAGES)
#define WRITES_S     40000.0
#define SENT_PERCENT 2
#define WIRE_BPS     UINT64_C(24000000)

static struct fx_outcome outcome;

/* Written at random so fast: it has a closed form. */
static struct mig_wws watched(void)
{
    struct mig_wws wws = { .domain_pages = PAGES, .windows = 4 };
    double t = 0.001;

    for (; wws.count < MIG_WWS_POINTS; t *= 1.4) {
        double d = SET_PAGES * -expm1(-WRITES_S * t / SET_PAGES);

        wws.points[wws.count++] =
            (struct mig_wws_point){ (uint64_t)(t * 1e9), d, d, d };
    }
    return wws;
}

static void migrate(uint64_t seed)
{
    struct fx_migration m;
    const char *wrong;

    fx_migration_init(&m, seed);
    m.guest.ram_pages = PAGES;
    m.guest.top_gfn = 0;
    m.guest.hole_percent = 0;
    m.guest.sent_percent = SENT_PERCENT;
    m.writers[0] = (struct fx_writer_config){
        .pages_per_s = WRITES_S, .pages = SET_PAGES, .first = SET_PAGES,
        .seed = seed,
    };
    m.writer_count = 1;
    m.wired = true;
    m.wire.rate_bps = WIRE_BPS;
    fx_migrate(&m, &outcome);
    wrong = fx_check(&m, &outcome);
    if (wrong || !outcome.restored)
        fx_explain(&m, &outcome);
    CU_ASSERT_PTR_NULL(wrong);
    CU_ASSERT_FATAL(outcome.restored && outcome.save.round_count >= 2);
}

/* What its report would tell. */
static void learn(const struct mig_wws *wws, struct mig_cost_range *out,
                  double *wire_bps)
{
    const struct fx_helper *h = &outcome.save;
    char path[] = "/tmp/aerostat-foretold-XXXXXX";
    struct lxe_json *root;
    struct mig_costs costs;
    struct mig_report r = {
        .outcome = MIG_MOVED,
        .has_wws = true,
        .wws = *wws,
        .begin_ns = h->rounds[0].start_ns,
        .request_ns = h->suspend_ns,
        .suspended_ns = h->rounds[h->round_count - 1].start_ns,
        .rounds = outcome.save.rounds,
        .round_count = h->round_count,
    };
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    CU_ASSERT_EQUAL_FATAL(mig_report_write(&r, path, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(lxe_json_parse_file(path, 1 << 20, &root, NULL), 0);
    unlink(path);
    CU_ASSERT_EQUAL_FATAL(mig_costs_of_report(root, &costs, wire_bps), 0);
    lxe_json_free(root);
    mig_costs_learn(&costs, 1, out);
}

static struct mig_prediction foretell(const struct mig_wws *wws,
                                      const struct mig_cost_range *costs,
                                      double wire_bps)
{
    struct mig_predict_in in = {
        .pages = PAGES,
        .wire_bps = wire_bps,
        .costs = *costs,
    };
    struct mig_prediction p;

    mig_limits_default(&in.limits);
    mig_predict(wws, &in, &p);
    return p;
}

static double bytes_off(const struct mig_prediction *p)
{
    double bytes = 0;

    for (unsigned i = 0; i < outcome.save.round_count; i++)
        bytes += (double)outcome.save.rounds[i].bytes;
    return fabs(p->bytes.expected / bytes - 1);
}

/* In pages. */
static double last_off(const struct mig_prediction *p)
{
    unsigned last = outcome.save.round_count - 1;

    return fabs(p->last_pages.expected -
                (double)outcome.save.rounds[last].sent_pages);
}

static void second_is_foretold(void)
{
    const struct mig_wws wws = watched();
    struct mig_cost_range costs;
    struct mig_prediction first, second;
    double wire_bps, first_bytes, first_last;

    mig_costs_assume(&costs);
    first = foretell(&wws, &costs, WIRE_BPS);
    migrate(1);
    first_bytes = bytes_off(&first);
    first_last = last_off(&first);
    learn(&wws, &costs, &wire_bps);
    second = foretell(&wws, &costs, wire_bps);
    migrate(2);
    printf("  pace %.3f; bytes off by %.0f %%, then %.1f %%; last pass by %.0f"
           " pages, then %.0f\n", costs.usual.pace, 100 * first_bytes,
           100 * bytes_off(&second), first_last, last_off(&second));
    CU_ASSERT(costs.usual.pace < 0.1);
    CU_ASSERT(first_bytes > 0.1);
    CU_ASSERT(first_last > 1000);
    /* Within a tenth, but for a machine that is busy in one of them only. */
    CU_ASSERT(bytes_off(&second) <= 0.13);
    CU_ASSERT(last_off(&second) < first_last / 4);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        { "a guest that writes more slowly while sent", second_is_foretold },
    };

    fx_program_role(argc, argv);
    return unit_run("foretold", tests, sizeof(tests) / sizeof(tests[0]));
}
