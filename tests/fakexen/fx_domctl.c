/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domctls and memory operations of a save and a restore. */
#include <errno.h>
#include <string.h>

#include "fx_hypercall.h"
#include "fx_world.h"

#define MAX_TYPES     1024 /* Xen takes no more in one call */
#define POLICY_LEAVES 256  /* that any policy may have */
#define POLICY_MSRS   16

long fx_unknown(uint32_t number)
{
    struct fx_world *w = fx_world();

    atomic_fetch_add(&w->unknown, 1);
    atomic_store(&w->last_unknown, number);
    return -ENOSYS;
}

/* Xen gives the first domain whose number is not below. */
static struct fx_domain *domain_from(uint32_t domid)
{
    struct fx_domain *d = NULL;

    for (unsigned n = 0; n < FX_DOMAINS; n++) {
        struct fx_domain *at = &fx_world()->domains[n];

        if (at->domid && at->domid >= domid && (!d || at->domid < d->domid))
            d = at;
    }
    return d;
}

static long info(uint32_t domid, struct xen_domctl_getdomaininfo *i)
{
    struct fx_domain *d = domain_from(domid);

    if (!d || fx_called(d, FX_CALL_INFO))
        return -ESRCH;
    memset(i, 0, sizeof(*i));
    i->domain = (domid_t)d->domid;
    i->flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    if (atomic_load(&d->suspended))
        i->flags |= XEN_DOMINF_shutdown |
                    SHUTDOWN_suspend << XEN_DOMINF_shutdownshift;
    if (atomic_load(&d->pauses))
        i->flags |= XEN_DOMINF_paused;
    i->tot_pages = atomic_load(&d->tot_pages);
    i->max_pages = FX_GFNS;
    i->cpu_time = atomic_load(&d->cpu_ns);
    i->nr_online_vcpus = 1;
    return 0;
}

static long info_one(struct xen_domctl *domctl)
{
    long rc = info(domctl->domain, &domctl->u.getdomaininfo);

    if (!rc)
        domctl->domain = domctl->u.getdomaininfo.domain;
    return rc;
}

static long info_list(struct xen_sysctl_getdomaininfolist *l)
{
    uint32_t n = 0, domid = l->first_domain;

    while (n < l->max_domains && !info(domid, &l->buffer.p[n]))
        domid = l->buffer.p[n++].domain + 1u;
    l->num_domains = n;
    return 0;
}

static long policy_size(struct xen_sysctl_cpu_policy *p)
{
    if (p->leaves.p)
        return -ENOSYS;
    p->nr_leaves = POLICY_LEAVES;
    p->nr_msrs = POLICY_MSRS;
    return 0;
}

static long page_types(struct fx_domain *d,
                       struct xen_domctl_getpageframeinfo3 *q)
{
    int errnum = fx_called(d, FX_CALL_PAGE_TYPES);

    if (errnum)
        return -errnum;
    if (q->num > MAX_TYPES)
        return -E2BIG;
    for (uint64_t i = 0; i < q->num; i++)
        q->array.p[i] = fx_present(d, q->array.p[i])
                            ? XEN_DOMCTL_PFINFO_NOTAB
                            : XEN_DOMCTL_PFINFO_XTAB;
    return 0;
}

static long policy(struct fx_domain *d, struct xen_domctl_cpu_policy *p,
                   bool set)
{
    size_t leaves = p->nr_leaves * sizeof(*p->leaves.p);
    size_t msrs = p->nr_msrs * sizeof(*p->msrs.p);
    int errnum = fx_called(d, set ? FX_CALL_SET_POLICY : FX_CALL_GET_POLICY);

    if (errnum)
        return -errnum;
    if (set) {
        if (leaves > FX_POLICY || msrs > FX_POLICY)
            return -E2BIG;
        memcpy(d->leaves, p->leaves.p, leaves);
        memcpy(d->msrs, p->msrs.p, msrs);
        d->leaf_count = p->nr_leaves;
        d->msr_count = p->nr_msrs;
        return 0;
    }
    if (p->nr_leaves < d->leaf_count || p->nr_msrs < d->msr_count)
        return -ENOBUFS;
    p->nr_leaves = d->leaf_count;
    p->nr_msrs = d->msr_count;
    memcpy(p->leaves.p, d->leaves, d->leaf_count * sizeof(*p->leaves.p));
    memcpy(p->msrs.p, d->msrs, d->msr_count * sizeof(*p->msrs.p));
    return 0;
}

static long tsc(struct fx_domain *d, struct xen_domctl_tsc_info *t, bool set)
{
    int errnum = fx_called(d, set ? FX_CALL_SET_TSC : FX_CALL_GET_TSC);

    if (errnum)
        return -errnum;
    if (set) {
        d->tsc_mode = t->tsc_mode;
        d->tsc_khz = t->gtsc_khz;
        d->tsc_incarnation = t->incarnation;
        d->tsc_nsec = t->elapsed_nsec;
    } else {
        t->tsc_mode = d->tsc_mode;
        t->gtsc_khz = d->tsc_khz;
        t->incarnation = d->tsc_incarnation;
        t->elapsed_nsec = d->tsc_nsec;
    }
    return 0;
}

static long context(struct fx_domain *d, struct xen_domctl_hvmcontext *c,
                    bool set)
{
    int errnum = fx_called(d, set ? FX_CALL_SET_CONTEXT : FX_CALL_GET_CONTEXT);

    if (errnum)
        return -errnum;
    if (set) {
        if (c->size != FX_CONTEXT)
            return -EINVAL;
        memcpy(d->context, c->buffer.p, FX_CONTEXT);
        return 0;
    }
    if (c->buffer.p && c->size < FX_CONTEXT)
        return -ENOSPC;
    if (c->buffer.p)
        memcpy(c->buffer.p, d->context, FX_CONTEXT);
    c->size = FX_CONTEXT;
    return 0;
}

static long vcpu(struct fx_domain *d, struct xen_domctl_vcpucontext *v,
                 bool set)
{
    if (set) {
        d->return_code = v->ctxt.p->user_regs.rax;
    } else {
        memset(v->ctxt.p, 0, sizeof(*v->ctxt.p));
        v->ctxt.p->user_regs.rax = d->return_code;
    }
    return 0;
}

static long resume(struct fx_domain *d)
{
    int errnum = fx_called(d, FX_CALL_RESUME);

    if (errnum)
        return -errnum;
    atomic_store(&d->suspended, false);
    return 0;
}

static long pause_domain(struct fx_domain *d, bool on)
{
    if (!on && !atomic_load(&d->pauses))
        return -EINVAL;
    fx_lock(&d->run_lock);
    if (on)
        atomic_fetch_add(&d->pauses, 1);
    else
        atomic_fetch_sub(&d->pauses, 1);
    fx_unlock(&d->run_lock);
    return 0;
}

static long scheduler(struct fx_domain *d, struct xen_domctl_scheduler_op *s)
{
    if (s->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (s->cmd == XEN_DOMCTL_SCHEDOP_putinfo) {
        atomic_store(&d->cap_percent, s->u.credit2.cap);
    } else if (s->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
        s->u.credit2.weight = 256;
        s->u.credit2.cap = (uint16_t)atomic_load(&d->cap_percent);
    } else {
        return -ENOSYS;
    }
    return 0;
}

long fx_domctl(struct xen_domctl *domctl)
{
    struct fx_domain *d;

    if (domctl->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (domctl->cmd == XEN_DOMCTL_getdomaininfo)
        return info_one(domctl);
    d = fx_domain(domctl->domain);
    if (!d)
        return -ESRCH;
    switch (domctl->cmd) {
    case XEN_DOMCTL_getpageframeinfo3:
        return page_types(d, &domctl->u.getpageframeinfo3);
    case XEN_DOMCTL_shadow_op:
        return fx_shadow_op(domctl->domain, &domctl->u.shadow_op);
    case XEN_DOMCTL_get_cpu_policy:
    case XEN_DOMCTL_set_cpu_policy:
        return policy(d, &domctl->u.cpu_policy,
                      domctl->cmd == XEN_DOMCTL_set_cpu_policy);
    case XEN_DOMCTL_gettscinfo:
    case XEN_DOMCTL_settscinfo:
        return tsc(d, &domctl->u.tsc_info,
                   domctl->cmd == XEN_DOMCTL_settscinfo);
    case XEN_DOMCTL_gethvmcontext:
    case XEN_DOMCTL_sethvmcontext:
        return context(d, &domctl->u.hvmcontext,
                       domctl->cmd == XEN_DOMCTL_sethvmcontext);
    case XEN_DOMCTL_getvcpucontext:
    case XEN_DOMCTL_setvcpucontext:
        return vcpu(d, &domctl->u.vcpucontext,
                    domctl->cmd == XEN_DOMCTL_setvcpucontext);
    case XEN_DOMCTL_resumedomain:
        return resume(d);
    case XEN_DOMCTL_pausedomain:
    case XEN_DOMCTL_unpausedomain:
        return pause_domain(d, domctl->cmd == XEN_DOMCTL_pausedomain);
    case XEN_DOMCTL_scheduler_op:
        return scheduler(d, &domctl->u.scheduler_op);
    default:
        return fx_unknown(0x1000 + domctl->cmd);
    }
}

long fx_sysctl(struct xen_sysctl *sysctl)
{
    if (sysctl->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
        return -EACCES;
    switch (sysctl->cmd) {
    case XEN_SYSCTL_getdomaininfolist:
        return info_list(&sysctl->u.getdomaininfolist);
    case XEN_SYSCTL_get_cpu_policy:
        return policy_size(&sysctl->u.cpu_policy);
    default:
        return fx_unknown(0x3000 + sysctl->cmd);
    }
}

/* A short populate gives a count, and no error. */
static long populate(struct xen_memory_reservation *r)
{
    struct fx_domain *d = fx_domain(r->domid);
    uint64_t n = r->nr_extents;

    if (!d || r->extent_order)
        return -EINVAL;
    if (fx_called(d, FX_CALL_POPULATE))
        n /= 2;
    for (uint64_t i = 0; i < n; i++) {
        if (r->extent_start.p[i] >= FX_GFNS)
            return (long)i;
        fx_populate(d, r->extent_start.p[i]);
    }
    return (long)n;
}

static long maximum_gfn(const struct xen_memory_domain *m)
{
    struct fx_domain *d = fx_domain(m->domid);
    int errnum;

    if (!d)
        return -ESRCH;
    errnum = fx_called(d, FX_CALL_MAX_GFN);
    return errnum ? -errnum : (long)d->top_gfn;
}

long fx_memory_op(unsigned cmd, void *arg)
{
    switch (cmd) {
    case XENMEM_maximum_gpfn:
        return maximum_gfn(arg);
    case XENMEM_populate_physmap:
        return populate(arg);
    default:
        return fx_unknown(0x2000 + cmd);
    }
}
