/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A dirty log for tests, which sees whether two operations ever overlap: Xen
 * would refuse the second one.
 */
#ifndef AEROSTAT_TESTS_FAKE_LOG_H
#define AEROSTAT_TESTS_FAKE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dirty_log.h"

#define FAKE_LOG_PAGES 4096u

struct fake_log {
    struct lxe_dirty_log log;
    uint64_t seen[FAKE_LOG_PAGES / 64];  /* what a peek copied */
    uint64_t dirty[FAKE_LOG_PAGES / 64]; /* to be changed while none runs */
    uint64_t took_ns;                    /* how long a peek sleeps */
    _Atomic uint64_t count;              /* what peek_count answers */
    atomic_int peek_code, count_code;    /* 0, or what they fail with */
    atomic_uint peeks, counts, overlaps;
    atomic_bool in_use; /* an operation runs, or libxc's CLEAN does */
    bool *closed;       /* set by close; may be NULL */
};

void fake_log_init(struct fake_log *fake);

/* A CLEAN of libxc's begins and ends. */
void fake_log_clean_begins(struct fake_log *fake);
void fake_log_clean_ends(struct fake_log *fake);

#endif
