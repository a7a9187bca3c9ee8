/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log-dirty mode must end with its measurement, whoever is killed. The
 * measuring process is the child of one that waits for it, and a record says
 * which domain it is about:
 *
 *   the child is killed    the parent turns the mode off
 *   the parent is killed   the child is told by SIGTERM, ends, and turns it off
 *   both are killed        the record is left; whoever finds it turns it off:
 *                          the daemon, the next measurement, the next save
 *
 * A record is a file DIR/DOMID with the child's pid, locked (flock) for as
 * long as one of both lives, so that none is mistaken for a later process.
 */
#ifndef MIG_WWS_GUARD_H
#define MIG_WWS_GUARD_H

#include <stdint.h>

#include "base/err.h"

#define MIG_WWS_GUARD_DIR AEROSTAT_RUNDIR "/wws"

/* Turns a domain's log-dirty mode off. 0 or a negative errno. */
typedef int mig_wws_off_fn(uint32_t domid, struct lxe_err *err);

/* On Xen; leaves the mode to a save that has taken it over. */
int mig_wws_off_xen(uint32_t domid, struct lxe_err *err);

/*
 * Runs the measurement in a child. SIGINT, SIGTERM and SIGHUP go on to it.
 * @dir     of the records: MIG_WWS_GUARD_DIR, or another in tests; is made
 * @work    returns an exit status, with the mode off
 * @status  gets what it returned
 * Returns 0; -EBUSY where the domain is being measured; -EINTR where the child
 * was killed (the mode is off then, or the message says why not); -errno.
 */
int mig_wws_guard_run(const char *dir, uint32_t domid, mig_wws_off_fn *off,
                      int (*work)(void *data), void *data, int *status,
                      struct lxe_err *err);

/*
 * A save of a domain begins: a measurement of it is told to end (SIGTERM), and
 * waited for, five seconds at most; one that was killed is repaired.
 * Returns 0, or -ETIMEDOUT where it still goes on.
 */
int mig_wws_guard_yield(const char *dir, uint32_t domid, mig_wws_off_fn *off);

/*
 * Looks for records of killed measurements, without touching them. Returns 0
 * where there are none, else a number that differs with which there are.
 */
uint64_t mig_wws_guard_dead(const char *dir);

/*
 * Turns off what killed measurements left on, and removes their records.
 * Returns how many there were.
 */
unsigned mig_wws_guard_repair(const char *dir, mig_wws_off_fn *off);

#endif
