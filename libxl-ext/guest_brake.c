/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_brake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "xen_compat.h"

struct xen_brake {
    struct lxe_guest_brake brake; /* first */
    xc_interface *xch;
    uint32_t domid;
};

static struct xen_brake *xen_brake(struct lxe_guest_brake *brake)
{
    return (struct xen_brake *)brake;
}

static int op_failed(const struct xen_brake *x, const char *what, int code,
                     struct lxe_err *err)
{
    return lxe_fail(err, -code, "cannot %s domain %" PRIu32 ": %s", what,
                    x->domid, strerror(code));
}

/*
 * Xen refuses the parameters of another scheduler than the domain's with
 * EINVAL, so each is tried. Weights are given back as they were read.
 */
static int credit2(struct xen_brake *x, unsigned *get, const unsigned *set)
{
    struct xen_domctl_sched_credit2 params;

    if (xc_sched_credit2_domain_get(x->xch, x->domid, &params))
        return -errno;
    if (get)
        *get = params.cap;
    if (!set)
        return 0;
    params.cap = (uint16_t)*set;
    return xc_sched_credit2_domain_set(x->xch, x->domid, &params) ? -errno : 0;
}

static int credit(struct xen_brake *x, unsigned *get, const unsigned *set)
{
    struct xen_domctl_sched_credit params;

    if (xc_sched_credit_domain_get(x->xch, x->domid, &params))
        return -errno;
    if (get)
        *get = params.cap;
    if (!set)
        return 0;
    params.cap = (uint16_t)*set;
    return xc_sched_credit_domain_set(x->xch, x->domid, &params) ? -errno : 0;
}

static int use_cap(struct lxe_guest_brake *brake, unsigned *get,
                   const unsigned *set, struct lxe_err *err)
{
    struct xen_brake *x = xen_brake(brake);
    int rc = credit2(x, get, set);

    if (rc == -EINVAL)
        rc = credit(x, get, set);
    if (rc == -EINVAL)
        return lxe_fail(err, -EOPNOTSUPP, "the scheduler of domain %" PRIu32
                        " has no cap; credit and credit2 have", x->domid);
    return rc ? op_failed(x, get ? "read the cap of" : "cap", -rc, err) : 0;
}

static int cap_get(struct lxe_guest_brake *brake, unsigned *percent,
                   struct lxe_err *err)
{
    return use_cap(brake, percent, NULL, err);
}

static int cap_set(struct lxe_guest_brake *brake, unsigned percent,
                   struct lxe_err *err)
{
    return use_cap(brake, NULL, &percent, err);
}

static int brake_pause(struct lxe_guest_brake *brake, struct lxe_err *err)
{
    struct xen_brake *x = xen_brake(brake);

    return xc_domain_pause(x->xch, x->domid)
               ? op_failed(x, "pause", errno, err)
               : 0;
}

static int brake_unpause(struct lxe_guest_brake *brake, struct lxe_err *err)
{
    struct xen_brake *x = xen_brake(brake);

    return xc_domain_unpause(x->xch, x->domid)
               ? op_failed(x, "unpause", errno, err)
               : 0;
}

static int cpu_ns(struct lxe_guest_brake *brake, uint64_t *ns,
                  struct lxe_err *err)
{
    struct xen_brake *x = xen_brake(brake);
    xc_domaininfo_t info;
    int n = xc_domain_getinfolist(x->xch, x->domid, 1, &info);

    if (n < 0 || !n || info.domain != x->domid)
        return op_failed(x, "ask Xen about", n < 0 ? errno : ESRCH, err);
    *ns = info.cpu_time;
    return 0;
}

static void brake_close(struct lxe_guest_brake *brake)
{
    struct xen_brake *x = xen_brake(brake);

    xc_interface_close(x->xch);
    free(x);
}

static const struct lxe_guest_brake_ops xen_ops = {
    .cap_get = cap_get,
    .cap_set = cap_set,
    .pause = brake_pause,
    .unpause = brake_unpause,
    .cpu_ns = cpu_ns,
    .close = brake_close,
};

int lxe_guest_brake_open(uint32_t domid, struct lxe_guest_brake **out,
                         struct lxe_err *err)
{
    struct xen_brake *x = calloc(1, sizeof(*x));

    *out = NULL;
    if (!x)
        return lxe_fail(err, -ENOMEM, "out of memory");
    x->brake.ops = &xen_ops;
    x->domid = domid;
    /* No logger of ours: it writes to libxl, which is not the guard's to do. */
    x->xch = xc_interface_open(NULL, NULL, 0);
    if (!x->xch) {
        free(x);
        return lxe_fail(err, -EIO, "cannot open libxc: %m; is this dom0?");
    }
    *out = &x->brake;
    return 0;
}
