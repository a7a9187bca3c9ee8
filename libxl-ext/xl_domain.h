/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a migration asks of libxl about its domain, beyond what host.h has:
 * its configuration, its name, its end. Real Xen only.
 */
#ifndef LXE_XL_DOMAIN_H
#define LXE_XL_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"

struct lxe_xl;

/* Opens libxl, which logs through lxe_logger(). Returns 0 or -EIO. */
int lxe_xl_open(struct lxe_xl **out, struct lxe_err *err);
void lxe_xl_close(struct lxe_xl *xl);

/*
 * The domain's configuration as it would have to be created elsewhere.
 * @target_kib   memory that it is to come to there, as in xenstore
 * @json         gets the text, which the caller frees
 * @need_kib     gets what a host must have free for it, overhead included
 * Returns 0 or -EIO.
 */
int lxe_xl_config(struct lxe_xl *xl, uint32_t domid, uint64_t target_kib,
                  char **json, uint64_t *need_kib, struct lxe_err *err);

/*
 * What a host must have free for a domain that is not there yet, overhead
 * included.
 * @json  its configuration, as 'xl create --dryrun' prints it
 * Returns 0, -EINVAL where libxl does not understand it, or -EIO.
 */
int lxe_xl_need_kib(struct lxe_xl *xl, const char *json, uint64_t *need_kib,
                    struct lxe_err *err);

/*
 * Whether Xen logs here what guests of a type write, without which they
 * cannot be moved live: those of PV guests it logs by shadow paging, which it
 * may have been built without. Returns 0, -EOPNOTSUPP or -EIO.
 */
int lxe_xl_can_log(struct lxe_xl *xl, enum lxe_dom_type type,
                   struct lxe_err *err);

/* Renames it; @from must be its name. Returns 0 or -EIO. */
int lxe_xl_rename(struct lxe_xl *xl, uint32_t domid, const char *from,
                  const char *to, struct lxe_err *err);

/*
 * Turns log-dirty mode off, after a save helper that was killed before it
 * could. Does nothing where it is off, or the domain gone. Returns 0 or
 * -EIO.
 */
int lxe_xl_log_dirty_off(uint32_t domid, struct lxe_err *err);

/*
 * Takes back a request to suspend that the guest has not yet acknowledged.
 * @was_pending  whether there was one
 * Returns 0 or -EIO.
 */
int lxe_xl_cancel_suspend(uint32_t domid, bool *was_pending,
                          struct lxe_err *err);

/*
 * Finds a domain by its UUID, one that is dying apart. Asks Xen alone, so it
 * may be asked often where there are many domains.
 * Returns 0, -ESRCH or -EIO.
 */
int lxe_xl_find(struct lxe_xl *xl, const char *uuid, uint32_t *domid,
                struct lxe_err *err);

/* The processor time that it has had, in ns: it grows while the guest runs.
 * Returns 0 or -EIO. */
int lxe_xl_cpu_time_ns(struct lxe_xl *xl, uint32_t domid, uint64_t *ns,
                       struct lxe_err *err);

/* A network card of a domain. */
struct lxe_xl_nic {
    unsigned devid; /* its vif is vifDOMID.DEVID */
    uint8_t mac[6];
};

#define LXE_XL_NICS 16 /* that are looked at */

/* Its network cards. Returns how many. */
size_t lxe_xl_nics(struct lxe_xl *xl, uint32_t domid,
                   struct lxe_xl_nic nics[LXE_XL_NICS]);

/* Destroys it at once. Returns 0 or -EIO. */
int lxe_xl_destroy(struct lxe_xl *xl, uint32_t domid, struct lxe_err *err);

#endif
