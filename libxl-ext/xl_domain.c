/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_domain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "base/log.h"
#include "xen_compat.h"
#include "xen_store.h"

#define HVM_EXTRA_KIB 1024 /* LIBXL_MAXMEM_CONSTANT */

#define STORE_TRIES 20 /* a guest could write all the time */

struct lxe_xl {
    libxl_ctx *ctx;
};

int lxe_xl_open(struct lxe_xl **out, struct lxe_err *err)
{
    /* We have children of our own (the transport); libxl reaps only its. */
    static const libxl_childproc_hooks hooks = {
        .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    };
    struct lxe_xl *xl = calloc(1, sizeof(*xl));

    *out = NULL;
    if (!xl)
        return lxe_fail(err, -ENOMEM, "out of memory");
    if (libxl_ctx_alloc(&xl->ctx, LIBXL_VERSION, 0, lxe_logger())) {
        free(xl);
        return lxe_fail(err, -EIO, "cannot open libxl; is this dom0,"
                                   " and is xenstored running?");
    }
    libxl_childproc_setmode(xl->ctx, &hooks, NULL);
    *out = xl;
    return 0;
}

void lxe_xl_close(struct lxe_xl *xl)
{
    if (!xl)
        return;
    libxl_ctx_free(xl->ctx);
    free(xl);
}

/*
 * In the configuration the target includes video memory and, for an HVM guest
 * that may grow, a MiB more: libxl takes both off again when it writes
 * xenstore (libxl_internal.h: libxl__get_targetmem_fudge()). Nothing gives the
 * very target of one that is within that MiB of its maximum.
 */
static void set_target(libxl_domain_build_info *b, uint64_t target_kib)
{
    if (b->video_memkb != LIBXL_MEMKB_DEFAULT)
        target_kib += b->video_memkb;
    if (b->type == LIBXL_DOMAIN_TYPE_HVM &&
        b->max_memkb > target_kib + HVM_EXTRA_KIB)
        target_kib += HVM_EXTRA_KIB;
    b->target_memkb = target_kib;
}

int lxe_xl_can_log(struct lxe_xl *xl, enum lxe_dom_type type,
                   struct lxe_err *err)
{
    libxl_physinfo info;
    int rc = 0;

    if (type != LXE_DOM_PV)
        return 0;
    libxl_physinfo_init(&info);
    if (libxl_get_physinfo(xl->ctx, &info))
        rc = lxe_fail(err, -EIO, "libxl does not tell what Xen can do");
    else if (!info.cap_shadow)
        rc = lxe_fail(err, -EOPNOTSUPP, "the Xen of this host was built "
                      "without shadow paging, so what a PV guest writes cannot "
                      "be logged, and it cannot be moved live; move it with "
                      "'xl save' and 'xl restore', or make it a PVH guest");
    libxl_physinfo_dispose(&info);
    return rc;
}

int lxe_xl_config(struct lxe_xl *xl, uint32_t domid, uint64_t target_kib,
                  char **json, uint64_t *need_kib, struct lxe_err *err)
{
    libxl_domain_config config, scratch;
    int rc;

    *json = NULL;
    libxl_domain_config_init(&config);
    libxl_domain_config_init(&scratch);
    rc = libxl_retrieve_domain_configuration(xl->ctx, domid, &config, NULL);
    if (!rc) {
        set_target(&config.b_info, target_kib);
        config.c_info.domid = 0; /* the target chooses its own */
        *json = libxl_domain_config_to_json(xl->ctx, &config);
    }
    if (rc || !*json) {
        rc = lxe_fail(err, -EIO, "libxl cannot tell the configuration of"
                                 " domain %u", domid);
        goto out;
    }
    /* Works on a copy: it fills in defaults, which must not be sent. */
    libxl_domain_config_copy(xl->ctx, &scratch, &config);
    if (libxl_domain_need_memory(xl->ctx, &scratch, domid, need_kib))
        rc = lxe_fail(err, -EIO, "libxl cannot tell what memory domain %u"
                                 " needs", domid);
out:
    if (rc) {
        free(*json);
        *json = NULL;
    }
    libxl_domain_config_dispose(&scratch);
    libxl_domain_config_dispose(&config);
    return rc;
}

int lxe_xl_need_kib(struct lxe_xl *xl, const char *json, uint64_t *need_kib,
                    struct lxe_err *err)
{
    libxl_domain_config config;
    int rc = 0;

    libxl_domain_config_init(&config);
    if (libxl_domain_config_from_json(xl->ctx, &config, json))
        rc = lxe_fail(err, -EINVAL, "libxl does not understand the domain's"
                                    " configuration");
    else if (libxl_domain_need_memory(xl->ctx, &config, UINT32_MAX, need_kib))
        rc = lxe_fail(err, -EIO, "libxl cannot tell what memory the domain"
                                 " needs");
    libxl_domain_config_dispose(&config);
    return rc;
}

int lxe_xl_rename(struct lxe_xl *xl, uint32_t domid, const char *from,
                  const char *to, struct lxe_err *err)
{
    if (libxl_domain_rename(xl->ctx, domid, from, to))
        return lxe_fail(err, -EIO, "libxl cannot rename domain %s to %s",
                        from, to);
    return 0;
}

int lxe_xl_log_dirty_off(uint32_t domid, struct lxe_err *err)
{
    xc_interface *xch = xc_interface_open(lxe_logger(), lxe_logger(), 0);
    int rc = 0;

    if (!xch)
        return lxe_fail(err, -EIO, "cannot open libxc: %m");
    if (xc_shadow_control(xch, domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0) < 0 &&
        errno != ESRCH)
        rc = lxe_fail(err, -EIO, "cannot turn log-dirty mode of domain %u"
                      " off: %m", domid);
    xc_interface_close(xch);
    return rc;
}

/* One try: -EAGAIN where somebody else wrote meanwhile. */
static int take_request_back(struct xs_handle *xs, uint32_t domid,
                             bool *was_pending, struct lxe_err *err)
{
    char path[LXE_XS_PATH], *text = NULL;
    xs_transaction_t t = xs_transaction_start(xs);
    unsigned len;
    int rc;

    if (t == XBT_NULL)
        return lxe_fail(err, -EIO, "cannot begin a transaction: %m");
    rc = lxe_xs_read(xs, t, domid, "control/shutdown", &text, &len, err);
    *was_pending = text && !strcmp(text, "suspend");
    free(text);
    lxe_xs_path(path, domid, "control/shutdown");
    if (*was_pending && !xs_write(xs, t, path, "", 0))
        rc = lxe_fail(err, -EIO, "cannot write %s: %m", path);
    if (!xs_transaction_end(xs, t, rc || !*was_pending) && !rc)
        rc = errno == EAGAIN
                 ? -EAGAIN
                 : lxe_fail(err, -EIO, "cannot write %s: %m", path);
    return rc;
}

int lxe_xl_cancel_suspend(uint32_t domid, bool *was_pending,
                          struct lxe_err *err)
{
    struct xs_handle *xs = xs_open(0);
    int rc = -EAGAIN;

    *was_pending = false;
    if (!xs)
        return lxe_fail(err, -EIO, "cannot open xenstore: %m");
    for (int i = 0; rc == -EAGAIN && i < STORE_TRIES; i++)
        rc = take_request_back(xs, domid, was_pending, err);
    xs_close(xs);
    return rc == -EAGAIN ? lxe_fail(err, -EIO, "domain %u writes its"
                                    " control/shutdown all the time", domid)
                         : rc;
}

int lxe_xl_find(struct lxe_xl *xl, const char *uuid, uint32_t *domid,
                struct lxe_err *err)
{
    libxl_dominfo *infos;
    libxl_uuid wanted;
    int count = 0, rc = -ESRCH;

    if (libxl_uuid_from_string(&wanted, uuid))
        return lxe_fail(err, -ESRCH, "'%.40s' is no UUID", uuid);
    infos = libxl_list_domain(xl->ctx, &count);
    if (!infos)
        return lxe_fail(err, -EIO, "Xen does not list its domains");
    for (int i = 0; rc && i < count; i++)
        if (!infos[i].dying && !libxl_uuid_compare(&infos[i].uuid, &wanted)) {
            *domid = infos[i].domid;
            rc = 0;
        }
    libxl_dominfo_list_free(infos, count);
    return rc ? lxe_fail(err, rc, "no domain has the UUID %.36s", uuid) : 0;
}

int lxe_xl_cpu_time_ns(struct lxe_xl *xl, uint32_t domid, uint64_t *ns,
                       struct lxe_err *err)
{
    libxl_dominfo info;
    int rc;

    libxl_dominfo_init(&info);
    rc = libxl_domain_info(xl->ctx, &info, domid);
    *ns = info.cpu_time;
    libxl_dominfo_dispose(&info);
    return rc ? lxe_fail(err, -EIO, "libxl cannot tell of domain %u", domid)
              : 0;
}

size_t lxe_xl_nics(struct lxe_xl *xl, uint32_t domid,
                   struct lxe_xl_nic nics[LXE_XL_NICS])
{
    int count = 0;
    libxl_device_nic *list = libxl_device_nic_list(xl->ctx, domid, &count);
    size_t n = 0;

    for (int i = 0; list && i < count && n < LXE_XL_NICS; i++) {
        if (list[i].devid < 0)
            continue;
        nics[n].devid = (unsigned)list[i].devid;
        memcpy(nics[n].mac, list[i].mac, sizeof(nics[n].mac));
        n++;
    }
    if (list)
        libxl_device_nic_list_free(list, count);
    return n;
}

int lxe_xl_destroy(struct lxe_xl *xl, uint32_t domid, struct lxe_err *err)
{
    if (libxl_domain_destroy(xl->ctx, domid, NULL))
        return lxe_fail(err, -EIO, "libxl cannot destroy domain %u; try"
                                   " 'xl destroy %u'", domid, domid);
    return 0;
}
