/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstore watches on domains that come and go, and on the keys of theirs that
 * we read: so what was read of them can be kept until it changes.
 *
 *   drain ──> domains came or went? ──> follow(list) ──> drain again …
 *     └─────> take(): the domains whose keys changed, each once
 *
 * A watch fires once when it is set, so a new domain is reported of itself.
 */
#ifndef LXE_XEN_WATCH_H
#define LXE_XEN_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "xen_domains.h"

struct lxe_watch;

/* Connects to xenstore for itself and watches domains. 0, -ENOMEM, -EIO. */
int lxe_watch_open(struct lxe_watch **out, struct lxe_err *err);
void lxe_watch_close(struct lxe_watch *watch);

/* Readable while events wait. */
int lxe_watch_fd(struct lxe_watch *watch);

/*
 * Takes in all events that wait. @domains is set to true where a domain came,
 * went or changed its state; it is never set to false.
 * Returns 0, or -ENOTCONN where xenstored went away.
 */
int lxe_watch_drain(struct lxe_watch *watch, bool *domains,
                    struct lxe_err *err);

/*
 * Watches the keys of these domains and of no others.
 * @domids  rising. Returns 0, -ENOMEM, -EIO; then some are not watched.
 */
int lxe_watch_follow(struct lxe_watch *watch, const uint32_t *domids,
                     size_t count, struct lxe_err *err);

/* Takes one domain whose keys changed. False: there is none left. */
bool lxe_watch_take(struct lxe_watch *watch, uint32_t *domid);

/*
 * What is kept of a domain's keys: in it, what a drained event has told to be
 * out of date counts as not read. Valid until follow(). NULL where it is not
 * watched.
 */
struct lxe_xen_keys *lxe_watch_keys(struct lxe_watch *watch, uint32_t domid);

#endif
