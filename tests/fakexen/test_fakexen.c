/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Migrations of fake guests by the real libxenguest; see README.md. */
#include <stdio.h>

#include "fx_migration.h"
#include "fx_program.h"
#include "unit.h"

static struct fx_outcome outcome;

/* Runs it and checks what has to hold; says what did not. */
static const struct fx_outcome *run(const struct fx_migration *m)
{
    const char *wrong;

    fx_migrate(m, &outcome);
    wrong = fx_check(m, &outcome);
    if (wrong)
        printf("\n  %s\n", wrong);
    CU_ASSERT_PTR_NULL(wrong);
    return &outcome;
}

static void add_writer(struct fx_migration *m, double pages_per_s,
                       uint32_t first, uint32_t pages)
{
    m->writers[m->writer_count++] = (struct fx_writer_config){
        .pages_per_s = pages_per_s,
        .first = first,
        .pages = pages,
        .seed = first + 1,
    };
}

/* Moves, and arrives whole. */
static const struct fx_outcome *moves(const struct fx_migration *m)
{
    const struct fx_outcome *o = run(m);

    CU_ASSERT_TRUE(o->saved);
    CU_ASSERT_TRUE(o->restored);
    if (!o->saved || !o->restored)
        fx_explain(m, o);
    return o;
}

/* ---- the fake itself ---- */

static void plain_save_and_restore(void)
{
    struct fx_migration m;

    fx_migration_init(&m, 1);
    m.saver = FX_SAVER_PLAIN;
    add_writer(&m, 20000, 0, 1024);
    moves(&m);
}

static void stock_helpers(void)
{
    struct fx_migration m;

    if (!fx_have_stock())
        return;
    fx_migration_init(&m, 2);
    m.saver = FX_SAVER_STOCK;
    m.stock_restore = true;
    add_writer(&m, 20000, 0, 1024);
    moves(&m);
}

/* ---- ours ---- */

static void idle_guest(void)
{
    struct fx_migration m;

    fx_migration_init(&m, 3);
    moves(&m);
}

/* As large as Xen's own, so that round 0 walks a million frames. */
static void whole_address_space(void)
{
    struct fx_migration m;

    fx_migration_init(&m, 4);
    m.guest.ram_pages = 32 * FX_PAGES_PER_MIB;
    m.guest.top_gfn = 0;
    add_writer(&m, 20000, 0, 16 * FX_PAGES_PER_MIB);
    moves(&m);
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        { "xc_domain_save() to xc_domain_restore()", plain_save_and_restore },
        { "Xen's own helpers at both ends", stock_helpers },
        { "an idle guest", idle_guest },
        { "a whole address space, with a writer", whole_address_space },
    };

    fx_program_role(argc, argv);
    return unit_run("fakexen", tests, sizeof(tests) / sizeof(tests[0]));
}
