/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "plan_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "cli_table.h"
#include "cli_text.h"

#define CELL 128

static const struct aero_column columns[] = {
    { "", AERO_LEFT },
    { "AS ASKED", AERO_LEFT },
    { "AT BEST", AERO_LEFT },
    { "PAGE CACHE KEPT", AERO_LEFT },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* How a figure is written. */
typedef void writer_fn(char out[LXE_UNIT_TEXT], double x);

static void write_time(char out[LXE_UNIT_TEXT], double x)
{
    _Static_assert(LXE_UNIT_TEXT >= MIG_PLAN_TIME, "a time fits");
    mig_plan_time(out, x);
}

static void write_bytes(char out[LXE_UNIT_TEXT], double x)
{
    lxe_format_kib(out, (uint64_t)(x / 1024));
}

static void write_count(char out[LXE_UNIT_TEXT], double x)
{
    snprintf(out, LXE_UNIT_TEXT, "%.0f", x);
}

/* "expected (low to high)", or the one figure where all are the same. */
static void write_range(char out[CELL], const struct mig_range *r,
                        writer_fn *write)
{
    char text[3][LXE_UNIT_TEXT];

    write(text[0], r->expected);
    write(text[1], r->low);
    write(text[2], r->high);
    if (r->low < r->high)
        snprintf(out, CELL, "%s (%s to %s)", text[0], text[1], text[2]);
    else
        snprintf(out, CELL, "%s", text[0]);
}

static void add_row(struct aero_table *table, const char *what,
                    const struct mig_range *const of[3], writer_fn *write)
{
    char text[3][CELL];
    const char *cells[COLUMNS] = { what, text[0], text[1], text[2] };

    for (size_t i = 0; i < 3; i++)
        write_range(text[i], of[i], write);
    aero_table_add(table, cells);
}

static bool is_packed(const struct mig_prediction *p)
{
    return p->wire_bytes.expected < p->bytes.expected;
}

/* @released  whether keeping the page cache would make a difference */
static int print_table(const struct mig_plan *p, bool released)
{
    struct aero_table *table = aero_table_new(columns,
                                              COLUMNS - (released ? 0 : 1));
    int rc;

    if (!table)
        return -ENOMEM;
    add_row(table, "rounds",
            (const struct mig_range *const[]){
                &p->asked.rounds, &p->best.rounds, &p->kept.rounds },
            write_count);
    add_row(table, "sent",
            (const struct mig_range *const[]){
                &p->asked.bytes, &p->best.bytes, &p->kept.bytes },
            write_bytes);
    if (is_packed(&p->asked) || is_packed(&p->best))
        add_row(table, "packed to",
                (const struct mig_range *const[]){
                    &p->asked.wire_bytes, &p->best.wire_bytes,
                    &p->kept.wire_bytes },
                write_bytes);
    add_row(table, "time",
            (const struct mig_range *const[]){
                &p->asked.total_ns, &p->best.total_ns, &p->kept.total_ns },
            write_time);
    add_row(table, "downtime",
            (const struct mig_range *const[]){
                &p->asked.downtime_ns, &p->best.downtime_ns,
                &p->kept.downtime_ns },
            write_time);
    rc = aero_table_print(table, stdout, 0);
    aero_table_free(table);
    return rc;
}

static int print_escaped(const char *raw)
{
    _cleanup_free_ char *text = aero_text_escape(raw);

    return text && fputs(text, stdout) >= 0 ? 0 : -ENOMEM;
}

static void print_facts(const struct aero_plan_facts *f,
                        const struct mig_plan_in *in)
{
    char size[2][LXE_UNIT_TEXT], rate[2][LXE_UNIT_TEXT];
    uint64_t pages = in->predict.pages;
    double written = mig_wws_pages(f->wws, LXE_NS_PER_SEC);

    print_escaped(f->dom->name);
    printf(" (domain %u): %s to send, writes %s in a second, %s of it hot\n",
           f->dom->domid, lxe_format_kib(size[0], pages * LXE_KIB_PER_PAGE),
           lxe_format_bps(rate[0], written * LXE_PAGE_SIZE),
           lxe_format_kib(size[1],
                          (uint64_t)f->wws->hot_pages * LXE_KIB_PER_PAGE));
    printf("wire: %s, %s\n", lxe_format_bps(rate[1], in->predict.wire_bps),
           f->wire_from);
    if (f->host_rate)
        printf("rate: %s, which is for all migrations of this host\n",
               lxe_format_bps(rate[1],
                              (double)in->predict.limits.rate.max_bps));
    if (in->predict.costs.learnt_from)
        printf("costs of this host: from %u earlier migrations; a suspend "
               "takes %.0f ms\n", in->predict.costs.learnt_from,
               in->predict.costs.usual.suspend_ns / LXE_NS_PER_MS);
    else
        printf("costs of this host: assumed, until it has migrated a guest\n");
    if (in->predict.costs.usual.pace != 1)
        printf("pace: it writes %.0f %% as fast while it is sent, going by"
               " earlier migrations\n", in->predict.costs.usual.pace * 100);
    if (f->cache)
        printf("page cache: %s\n", f->cache);
    else
        printf("page cache: %s need not be sent\n",
               lxe_format_kib(size[0],
                              in->released_pages * LXE_KIB_PER_PAGE));
}

static int print_findings(const struct mig_plan *plan)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < plan->count; i++) {
        const struct mig_finding *f = &plan->findings[i];

        printf("%-9s %-8s ", f->what, mig_plan_level_name(f->level));
        rc = print_escaped(f->text);
        putchar('\n');
    }
    return rc;
}

static void print_best(const struct mig_plan *plan)
{
    const struct mig_limits *l = &plan->best_limits;

    printf("at best: the whole wire, --rate-policy fixed --max-downtime "
           "%" PRIu64 "ms --max-rounds %u\n",
           l->max_downtime_ns / LXE_NS_PER_MS, l->max_rounds);
}

int aero_plan_print(const struct aero_plan_facts *facts,
                    const struct mig_plan_in *in, const struct mig_plan *plan)
{
    int rc;

    print_facts(facts, in);
    putchar('\n');
    rc = print_table(plan, in->released_pages);
    if (rc)
        return rc;
    print_best(plan);
    putchar('\n');
    rc = print_findings(plan);
    if (rc)
        return rc;
    putchar('\n');
    rc = print_escaped(plan->advice);
    putchar('\n');
    return rc;
}
