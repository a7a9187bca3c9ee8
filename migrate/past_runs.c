/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "past_runs.h"

#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "base/cleanup.h"
#include "base/log.h"

#define LOOKED_AT  32 /* reports; those of failures tell nothing */
#define MAX_REPORT (UINT32_C(8) << 20)

struct past {
    const char *dir, *to, *domain;
    struct mig_costs runs[MIG_COSTS_MAX_RUNS]; /* of any guest */
    struct mig_costs own[MIG_COSTS_MAX_RUNS];  /* of this one */
    size_t count, own_count;
    double wire_bps[MIG_COSTS_MAX_RUNS]; /* to that target; the newest first */
    size_t wires;
};

static bool is(const struct lxe_json *report, const char *key,
               const char *value)
{
    const char *text = lxe_json_str(lxe_json_get(report, key));

    return text && value && !strcmp(text, value);
}

static bool of_guest(const struct past *p, const struct lxe_json *report)
{
    return is(report, "domain", p->domain) || is(report, "uuid", p->domain);
}

static void take_in(struct past *p, const struct lxe_json *report)
{
    struct mig_costs costs;
    double bps;

    if (mig_costs_of_report(report, &costs, &bps))
        return;
    if (p->count < MIG_COSTS_MAX_RUNS)
        p->runs[p->count++] = costs;
    if (p->own_count < MIG_COSTS_MAX_RUNS && of_guest(p, report))
        p->own[p->own_count++] = costs;
    if (is(report, "to", p->to) && bps > 0 && p->wires < MIG_COSTS_MAX_RUNS)
        p->wire_bps[p->wires++] = bps;
}

static void read_one(struct past *p, const char *id)
{
    _cleanup_free_ char *path = NULL;
    struct lxe_json *report;
    struct lxe_err err = { 0 };

    if (asprintf(&path, "%s/%s.json", p->dir, id) < 0) {
        path = NULL;
        return;
    }
    if (lxe_json_parse_file(path, MAX_REPORT, &report, &err)) {
        lxe_debug("%s", err.text);
        return;
    }
    take_in(p, report);
    lxe_json_free(report);
}

void mig_past_runs(const char *dir, const char *to, const char *domain,
                   struct mig_cost_range *costs, double *wire_bps)
{
    struct past p = { .dir = dir, .to = to, .domain = domain };
    struct mig_archive archive = { 0 };
    struct lxe_err err = { 0 };

    if (mig_archive_list(dir, &archive, &err))
        lxe_debug("%s", err.text);
    for (size_t i = 0; i < archive.count && i < LOOKED_AT; i++)
        read_one(&p, archive.ids[archive.count - 1 - i]);
    mig_archive_free(&archive);
    mig_costs_assume(costs);
    mig_costs_learn(p.runs, p.count, costs);
    if (p.own_count)
        mig_costs_learn(p.own, p.own_count, costs);
    if (wire_bps)
        *wire_bps = p.wires ? mig_costs_median(p.wire_bps, p.wires) : 0;
}
