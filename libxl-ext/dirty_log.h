/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A log-dirty session: which of a guest's pages were written.
 *
 *   open ──> { peek_count | peek | clean }* ──> close
 *    ON                                          OFF, always
 *
 * clean hands out the bits and clears them; peek hands out a copy and leaves
 * them; peek_count only counts. Xen refuses (-EBUSY) one while another is
 * preempted, so nobody may have two running on one domain.
 *
 * A save logs in the same mode, and the bits are its own: where one runs, a
 * session is not opened, does not clean (-EBUSY), and leaves OFF to it.
 */
#ifndef LXE_DIRTY_LOG_H
#define LXE_DIRTY_LOG_H

#include <stdint.h>

#include "base/err.h"

struct lxe_dirty_log;

struct lxe_dirty_log_ops {
    int (*peek_count)(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                      struct lxe_err *err);
    int (*peek)(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                struct lxe_err *err);
    int (*clean)(struct lxe_dirty_log *log, uint64_t *dirty_pages,
                 struct lxe_err *err);
    void (*close)(struct lxe_dirty_log *log);
};

struct lxe_dirty_log {
    const struct lxe_dirty_log_ops *ops;
    uint64_t *bitmap; /* of the last peek or clean; owned by the session */
    uint64_t pages;   /* bits in it: highest gfn + 1 */
};

/*
 * Attaches to a domain whose log-dirty mode somebody else turned on and will
 * turn off: a save helper within xc_domain_save(). Only the two peeks may be
 * used; close leaves the mode alone.
 * @xch  the caller's xc_interface, which outlives the session
 */
int lxe_dirty_log_attach(void *xch, uint32_t domid,
                         struct lxe_dirty_log **out, struct lxe_err *err);

/* Turns log-dirty mode on. @xch as above. Errors as in host.h. */
int lxe_dirty_log_open_xen(void *xch, uint32_t domid,
                           struct lxe_dirty_log **out, struct lxe_err *err);

/* Closes what lxe_dirty_log_open_xen() opened with this handle. */
void lxe_dirty_log_end_all(void *xch);

#endif
