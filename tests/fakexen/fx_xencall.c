/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All of libxencall. Definitions in an executable, or in a library that is
 * loaded before it, win over libxencall's own.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h> /* before the others, which lean on it */

#include <xen/hvm/hvm_op.h>
#include <xen/version.h>
#include <xencall.h>

#include "fx_hypercall.h"
#include "fx_world.h"

struct xencall_handle {
    atomic_int buffers; /* not given back yet */
};

xencall_handle *xencall_open(struct xentoollog_logger *logger,
                             unsigned open_flags)
{
    (void)logger;
    (void)open_flags;
    return calloc(1, sizeof(struct xencall_handle));
}

int xencall_close(xencall_handle *xcall)
{
    if (xcall)
        atomic_fetch_add(&fx_world()->leaked_buffers,
                         atomic_load(&xcall->buffers));
    free(xcall);
    return 0;
}

int xencall_fd(xencall_handle *xcall)
{
    (void)xcall;
    return -1;
}

int xencall_buffers_never_fault(xencall_handle *xcall)
{
    (void)xcall;
    return 1;
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
    void *p = aligned_alloc(FX_PAGE, nr_pages * FX_PAGE);

    if (!p)
        return NULL;
    atomic_fetch_add(&xcall->buffers, 1);
    return memset(p, 0, nr_pages * FX_PAGE);
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p,
                               size_t nr_pages)
{
    (void)nr_pages;
    if (p)
        atomic_fetch_sub(&xcall->buffers, 1);
    free(p);
}

void *xencall_alloc_buffer(xencall_handle *xcall, size_t size)
{
    return xencall_alloc_buffer_pages(xcall, size / FX_PAGE + 1);
}

void xencall_free_buffer(xencall_handle *xcall, void *p)
{
    xencall_free_buffer_pages(xcall, p, 0);
}

/* ---- hypercalls ---- */

static void *pointer(uint64_t arg)
{
    return (void *)(uintptr_t)arg; /* NOLINT: a hypercall passes addresses */
}

static long hvm_op(unsigned op, struct xen_hvm_param *p)
{
    bool set = op == HVMOP_set_param;
    struct fx_domain *d;
    int errnum;

    if (!set && op != HVMOP_get_param)
        return -ENOSYS;
    d = fx_domain(p->domid);
    if (!d)
        return -ESRCH;
    if (p->index >= FX_PARAMS)
        return -EINVAL;
    errnum = fx_called(d, set ? FX_CALL_SET_PARAM : FX_CALL_GET_PARAM);
    if (errnum)
        return -errnum;
    if (set)
        d->params[p->index] = p->value;
    else
        p->value = d->params[p->index];
    return 0;
}

static long version(unsigned op, void *arg)
{
    switch (op) {
    case XENVER_version:
        return 4 << 16 | 17;
    case XENVER_capabilities:
        strcpy(arg, "xen-3.0-x86_64 hvm-3.0-x86_64");
        return 0;
    default:
        return -ENOSYS;
    }
}

/* libxenctrl makes a multicall of one entry out of each memory operation. */
static long multicall(struct multicall_entry *call, uint64_t count)
{
    if (count != 1 || call->op != __HYPERVISOR_memory_op)
        return -ENOSYS;
    call->result = (xen_ulong_t)fx_memory_op((unsigned)call->args[0],
                                             pointer(call->args[1]));
    return 0;
}

static long dispatch(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case __HYPERVISOR_domctl:
        return fx_domctl(pointer(a));
    case __HYPERVISOR_sysctl:
        return fx_sysctl(pointer(a));
    case __HYPERVISOR_hvm_op:
        return hvm_op((unsigned)a, pointer(b));
    case __HYPERVISOR_xen_version:
        return version((unsigned)a, pointer(b));
    case __HYPERVISOR_multicall:
        return multicall(pointer(a), b);
    case __HYPERVISOR_memory_op:
        return fx_memory_op((unsigned)a, pointer(b));
    default:
        return fx_unknown(op);
    }
}

/* privcmd's ioctl: -1 and errno in place of a negative number. */
static long answer(long rc)
{
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

int xencall0(xencall_handle *xcall, unsigned op)
{
    (void)xcall;
    return (int)answer(dispatch(op, 0, 0));
}

int xencall1(xencall_handle *xcall, unsigned op, uint64_t arg1)
{
    (void)xcall;
    return (int)answer(dispatch(op, arg1, 0));
}

int xencall2(xencall_handle *xcall, unsigned op, uint64_t arg1, uint64_t arg2)
{
    (void)xcall;
    return (int)answer(dispatch(op, arg1, arg2));
}

long xencall2L(xencall_handle *xcall, unsigned op, uint64_t arg1,
               uint64_t arg2)
{
    (void)xcall;
    return answer(dispatch(op, arg1, arg2));
}

/* None of a migration's calls has more arguments that matter. */
int xencall3(xencall_handle *xcall, unsigned op, uint64_t arg1, uint64_t arg2,
             uint64_t arg3)
{
    (void)arg3;
    return xencall2(xcall, op, arg1, arg2);
}

int xencall4(xencall_handle *xcall, unsigned op, uint64_t arg1, uint64_t arg2,
             uint64_t arg3, uint64_t arg4)
{
    (void)arg3;
    (void)arg4;
    return xencall2(xcall, op, arg1, arg2);
}

int xencall5(xencall_handle *xcall, unsigned op, uint64_t arg1, uint64_t arg2,
             uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    (void)arg3;
    (void)arg4;
    (void)arg5;
    return xencall2(xcall, op, arg1, arg2);
}
