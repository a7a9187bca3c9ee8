/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_log.h"

#include <stddef.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/err.h"

static struct fake_log *fake_of(struct lxe_dirty_log *log)
{
    return (struct fake_log *)((char *)log - offsetof(struct fake_log, log));
}

static void enter(struct fake_log *fake)
{
    if (atomic_exchange(&fake->in_use, true))
        atomic_fetch_add(&fake->overlaps, 1);
}

static void leave(struct fake_log *fake)
{
    atomic_store(&fake->in_use, false);
}

static int peek_count(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                      struct lxe_err *err)
{
    struct fake_log *fake = fake_of(log);

    enter(fake);
    atomic_fetch_add(&fake->counts, 1);
    *dirty_pages = fake->count;
    leave(fake);
    return fake->count_code ? lxe_fail(err, fake->count_code, "fake") : 0;
}

static int peek(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                struct lxe_err *err)
{
    struct fake_log *fake = fake_of(log);

    enter(fake);
    atomic_fetch_add(&fake->peeks, 1);
    if (fake->took_ns)
        lxe_sleep_ns(fake->took_ns);
    memcpy(fake->seen, fake->dirty, sizeof(fake->seen));
    *dirty_pages = lxe_bitmap_count(fake->seen, FAKE_LOG_PAGES);
    leave(fake);
    return fake->peek_code ? lxe_fail(err, fake->peek_code, "fake") : 0;
}

static void close_log(struct lxe_dirty_log *log)
{
    struct fake_log *fake = fake_of(log);

    if (fake->closed)
        *fake->closed = true;
}

static const struct lxe_dirty_log_ops ops = {
    .peek_count = peek_count,
    .peek = peek,
    .close = close_log,
};

void fake_log_init(struct fake_log *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->log.ops = &ops;
    fake->log.bitmap = fake->seen;
    fake->log.pages = FAKE_LOG_PAGES;
}

void fake_log_clean_begins(struct fake_log *fake)
{
    enter(fake);
}

void fake_log_clean_ends(struct fake_log *fake)
{
    leave(fake);
}
