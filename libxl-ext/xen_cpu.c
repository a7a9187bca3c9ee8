/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Featuresets and the version as this machine's Xen tells them. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cpu_features.h"
#include "xen_compat.h"

static xc_interface *open_xc(struct lxe_err *err)
{
    xc_interface *xch = xc_interface_open(lxe_logger(), lxe_logger(), 0);

    if (!xch)
        lxe_fail(err, -EIO, "cannot open libxc: %m; is this dom0?");
    return xch;
}

int lxe_cpu_host(enum lxe_dom_type type, struct lxe_cpu_features *out,
                 struct lxe_err *err)
{
    uint32_t index = type == LXE_DOM_PV ? XEN_SYSCTL_cpu_featureset_pv_max
                                        : XEN_SYSCTL_cpu_featureset_hvm_max;
    xc_interface *xch = open_xc(err);
    uint32_t count = LXE_CPU_WORDS;
    int rc = 0;

    if (!xch)
        return -EIO;
    *out = (struct lxe_cpu_features){ 0 };
    if (xc_get_cpu_featureset(xch, index, &count, out->words))
        rc = lxe_fail(err, -EIO, "Xen does not tell its CPU features: %m");
    else
        out->count = count < LXE_CPU_WORDS ? count : LXE_CPU_WORDS;
    xc_interface_close(xch);
    return rc;
}

/* Where the words of a featureset come from, in their order. */
static const struct source {
    uint32_t leaf, subleaf;
    enum { A, B, C, D } reg;
} sources[] = {
    { 1, 0, D },
    { 1, 0, C },
    { 0x80000001, 0, D },
    { 0x80000001, 0, C },
    { 0xd, 1, A },
    { 7, 0, B },
    { 7, 0, C },
    { 0x80000007, 0, D },
    { 0x80000008, 0, B },
    { 7, 0, D },
    { 7, 1, A },
    { 0x80000021, 0, A },
    { 7, 1, B },
};
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static uint32_t get_register(const xen_cpuid_leaf_t *l, const struct source *s)
{
    switch (s->reg) {
    case A:
        return l->a;
    case B:
        return l->b;
    case C:
        return l->c;
    default:
        return l->d;
    }
}

static void take_leaves(const xen_cpuid_leaf_t *leaves, uint32_t count,
                        struct lxe_cpu_features *out)
{
    *out = (struct lxe_cpu_features){ .count = SOURCES };
    for (uint32_t i = 0; i < count; i++)
        for (size_t s = 0; s < SOURCES; s++) {
            uint32_t sub = leaves[i].subleaf == XEN_CPUID_NO_SUBLEAF
                               ? 0 : leaves[i].subleaf;

            if (leaves[i].leaf == sources[s].leaf && sub == sources[s].subleaf)
                out->words[s] = get_register(&leaves[i], &sources[s]);
        }
}

static int read_policy(xc_interface *xch, uint32_t domid,
                       struct lxe_cpu_features *out, struct lxe_err *err)
{
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    _cleanup_free_ xen_cpuid_leaf_t *leaves = NULL;
    _cleanup_free_ xen_msr_entry_t *msrs = NULL;
    uint32_t leaf_count = 0, msr_count = 0;
    int rc = 0;

    if (!policy || xc_cpu_policy_get_size(xch, &leaf_count, &msr_count))
        rc = lxe_fail(err, -EIO, "Xen does not tell CPU policies: %m");
    if (!rc) {
        leaves = calloc(leaf_count + 1, sizeof(*leaves));
        msrs = calloc(msr_count + 1, sizeof(*msrs));
        if (!leaves || !msrs)
            rc = lxe_fail(err, -ENOMEM, "out of memory");
    }
    if (!rc && (xc_cpu_policy_get_domain(xch, domid, policy) ||
                xc_cpu_policy_serialise(xch, policy, leaves, &leaf_count,
                                        msrs, &msr_count)))
        rc = lxe_fail(err, errno == ESRCH ? -ESRCH : -EIO,
                      "cannot read the CPU policy of domain %u: %m", domid);
    if (!rc)
        take_leaves(leaves, leaf_count, out);
    if (policy)
        xc_cpu_policy_destroy(policy);
    return rc;
}

int lxe_cpu_guest(uint32_t domid, struct lxe_cpu_features *out,
                  struct lxe_err *err)
{
    xc_interface *xch = open_xc(err);
    int rc;

    if (!xch)
        return -EIO;
    rc = read_policy(xch, domid, out, err);
    xc_interface_close(xch);
    return rc;
}

int lxe_xen_version(char text[LXE_XEN_VERSION], struct lxe_err *err)
{
    xc_interface *xch = open_xc(err);
    xen_extraversion_t extra = { 0 };
    int version, rc = 0;

    if (!xch)
        return -EIO;
    version = xc_version(xch, XENVER_version, NULL);
    if (version < 0 || xc_version(xch, XENVER_extraversion, &extra) < 0)
        rc = lxe_fail(err, -EIO, "Xen does not tell its version: %m");
    else
        snprintf(text, LXE_XEN_VERSION, "%d.%d%.*s", version >> 16,
                 version & 0xffff, (int)sizeof(extra), extra);
    xc_interface_close(xch);
    return rc;
}
