/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fx_random.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static uint64_t between(uint64_t *s, uint64_t low, uint64_t high)
{
    return low + unit_below(s, high - low + 1);
}

static bool chance(uint64_t *s, unsigned percent)
{
    return unit_below(s, 100) < percent;
}

static void random_guest(struct fx_migration *m, uint64_t *s)
{
    uint32_t ram = (uint32_t)between(s, 64, 24 * FX_PAGES_PER_MIB);

    m->guest.ram_pages = ram;
    /* Now and then as large an address space as a real one has. */
    m->guest.top_gfn = chance(s, 10) ? 0 : ram + (uint32_t)between(s, 8, 4096);
    m->guest.hole_percent = chance(s, 50) ? 0 : (unsigned)between(s, 1, 60);
    m->writer_count = (unsigned)between(s, 0, FX_WRITERS);
    for (unsigned i = 0; i < m->writer_count; i++) {
        struct fx_writer_config *w = &m->writers[i];

        w->pages_per_s = (double)between(s, 10, chance(s, 50) ? 2000 : 60000);
        w->pages = (uint32_t)between(s, 1, ram);
        w->first = (uint32_t)between(s, 0, ram - w->pages);
        w->sweep = chance(s, 50);
        w->seed = unit_random(s);
    }
}

/* Such that a run ends within a second or two. */
static void random_limits(char *text, size_t size, uint64_t *s)
{
    int n = snprintf(text, size, "max-rounds=%" PRIu64 " timeout=%" PRIu64
                     "ms suspend-cost=%" PRIu64 "ms max-downtime=%" PRIu64
                     "ms suspend-pages=%" PRIu64 " stall-rounds=%" PRIu64,
                     between(s, 1, 20), between(s, 20, 500),
                     between(s, 1, 50), between(s, 1, 300), between(s, 0, 300),
                     between(s, 0, 5));

    if (chance(s, 50))
        n += snprintf(text + n, size - (size_t)n, " max-rate=%" PRIu64
                      "MB min-rate=%" PRIu64 "MB", between(s, 40, 400),
                      between(s, 20, 40));
    if (chance(s, 30))
        n += snprintf(text + n, size - (size_t)n, " rate-policy=fixed");
    if (chance(s, 20))
        n += snprintf(text + n, size - (size_t)n, " skip=no");
    if (chance(s, 20))
        n += snprintf(text + n, size - (size_t)n, " on-timeout=abort");
    if (chance(s, 30))
        n += snprintf(text + n, size - (size_t)n, " throttle=%s",
                      chance(s, 50) ? "cap" : "pause");
    if (chance(s, 20))
        n += snprintf(text + n, size - (size_t)n, " downtime-limit-max=1s");
    if (chance(s, 20))
        n += snprintf(text + n, size - (size_t)n, " compress=%" PRIu64,
                      between(s, 1, 3));
    if (strstr(text, "compress=") && chance(s, 30))
        snprintf(text + n, size - (size_t)n, " compress-window=8M");
}

static void random_wire(struct fx_migration *m, uint64_t *s)
{
    struct fx_wire_config *w = &m->wire;
    uint64_t bytes = (uint64_t)m->guest.ram_pages * FX_PAGE;

    if (chance(s, 30))
        m->socket_bytes = (int)between(s, 2048, 65536);
    if (chance(s, 40))
        return;
    m->wired = true;
    if (chance(s, 40))
        w->rate_bps = between(s, 40, 1000) * 1000000;
    if (chance(s, 30))
        w->piece_bytes = (uint32_t)between(s, 512, 65536);
    if (chance(s, 20)) {
        w->stall_at = between(s, 1, bytes);
        w->stall_us = (uint32_t)between(s, 1, 200000);
    }
    if (chance(s, 15))
        w->break_at = between(s, 1, bytes + bytes / 4);
}

/* Each kind of call with what Xen may say to it. */
static const struct {
    enum fx_call call;
    int errnum;
} errors[] = {
    { FX_CALL_INFO, ESRCH },        { FX_CALL_PAGE_TYPES, ENOMEM },
    { FX_CALL_PAGE_TYPES, EFAULT }, { FX_CALL_GET_POLICY, ESRCH },
    { FX_CALL_GET_TSC, EINVAL },    { FX_CALL_GET_CONTEXT, ENOMEM },
    { FX_CALL_LOG_ON, EINVAL },     { FX_CALL_LOG_ON, ENOMEM },
    { FX_CALL_PEEK, EBUSY },        { FX_CALL_PEEK, ENOMEM },
    { FX_CALL_COUNT, EBUSY },       { FX_CALL_CLEAN, EBUSY },
    { FX_CALL_CLEAN, ENOMEM },      { FX_CALL_FINAL, EBUSY },
    { FX_CALL_MAX_GFN, ESRCH },     { FX_CALL_GET_PARAM, EINVAL },
    { FX_CALL_MAP, ENOMEM },        { FX_CALL_MAP_PAGE, ENOENT },
    { FX_CALL_POPULATE, ENOMEM },   { FX_CALL_SET_PARAM, EINVAL },
    { FX_CALL_SET_CONTEXT, EINVAL }, { FX_CALL_SET_POLICY, EINVAL },
    { FX_CALL_MAP_RESOURCE, ENOMEM },
};

static void random_fault(struct fx_fault *f, uint64_t *s)
{
    unsigned i = (unsigned)unit_below(s, sizeof(errors) / sizeof(errors[0]));

    f->call = errors[i].call;
    f->domid = chance(s, 80) ? FX_SOURCE : FX_TARGET;
    f->nth = (uint32_t)between(s, 1, chance(s, 50) ? 3 : 30);
    f->times = chance(s, 70) ? 1 : (uint32_t)between(s, 2, 20);
    switch (unit_below(s, 4)) {
    case 0:
        f->delay_us = (uint32_t)between(s, 1, 60000);
        break;
    case 1:
        if (f->domid == FX_SOURCE) {
            f->signal = chance(s, 50) ? SIGTERM : SIGKILL;
            f->times = 1;
            break;
        }
        /* fall through */
    default:
        f->errnum = errors[i].errnum;
    }
}

static void random_trouble(struct fx_migration *m, uint64_t *s)
{
    unsigned n = 0;

    m->log_us = chance(s, 30) ? (uint32_t)between(s, 1, 20000) : 0;
    m->suspend_us = chance(s, 50) ? (uint32_t)between(s, 1, 20000) : 0;
    m->frozen_us = chance(s, 30) ? (uint32_t)between(s, 1, 20000) : 0;
    while (n < FX_FAULTS && chance(s, 20))
        random_fault(&m->faults[n++], s);
    if (chance(s, 20)) {
        m->kill.signal = chance(s, 50) ? SIGTERM : SIGKILL;
        m->kill.after_us = (uint32_t)between(s, 0, 200000);
        m->kill.after_start = chance(s, 70);
        m->kill_restorer = chance(s, 20);
    }
    if (chance(s, 10))
        m->storm_us = (uint32_t)between(s, 50, 5000);
    if (chance(s, 15)) {
        random_limits(m->change, sizeof(m->change), s);
        m->change_us = (uint32_t)between(s, 0, 100000);
    }
    m->refuse_suspend = chance(s, 3);
    m->die_at_suspend = chance(s, 3);
    m->die_after_suspend = !m->die_at_suspend && chance(s, 3);
}

void fx_random_migration(struct fx_migration *m, uint64_t seed)
{
    uint64_t s = seed;

    fx_migration_init(m, unit_random(&s));
    random_guest(m, &s);
    random_limits(m->limits, sizeof(m->limits), &s);
    random_wire(m, &s);
    random_trouble(m, &s);
    m->verify = chance(&s, 10);
}

bool fx_random_run(uint64_t seed, struct fx_tally *tally)
{
    static struct fx_outcome o;
    struct fx_migration m;
    const char *wrong;

    fx_random_migration(&m, seed);
    fx_migrate(&m, &o);
    wrong = fx_check(&m, &o);
    tally->runs++;
    tally->moved += o.saved && o.restored;
    tally->failed += !o.saved && !o.killed;
    tally->killed += o.killed;
    for (unsigned i = 0; i < o.save.round_count; i++)
        if (o.save.rounds[i].skipped_pages) {
            tally->skipped++;
            break;
        }
    if (!wrong)
        return true;
    tally->wrong++;
    printf("\n  %s; again by: tests/fakexen-soak --seed %" PRIu64 "\n", wrong,
           seed);
    fx_explain(&m, &o);
    fflush(stdout);
    return false;
}
