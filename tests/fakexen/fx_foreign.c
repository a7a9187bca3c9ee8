/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All of libxenforeignmemory. Mappings are real ones, since libxenctrl calls
 * munmap() by itself on some.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "fx_world.h"

struct xenforeignmemory_handle {
    atomic_int maps; /* of more than a page, which come back through us */
};

struct xenforeignmemory_resource_handle {
    void *addr;
    size_t bytes;
};

xenforeignmemory_handle *xenforeignmemory_open(
    struct xentoollog_logger *logger, unsigned open_flags)
{
    (void)logger;
    (void)open_flags;
    return calloc(1, sizeof(struct xenforeignmemory_handle));
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    if (fmem)
        atomic_fetch_add(&fx_world()->leaked_maps, atomic_load(&fmem->maps));
    free(fmem);
    return 0;
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
    (void)fmem;
    (void)domid;
    errno = EOPNOTSUPP;
    return -1;
}

/* Frames that lie one behind the other are mapped at once. */
static int map_runs(struct fx_domain *d, uint8_t *base, int prot, size_t pages,
                    const xen_pfn_t *gfns, int *errs)
{
    for (size_t i = 0, run; i < pages; i += run) {
        run = 1;
        errs[i] = fx_present(d, gfns[i]) ? -fx_called(d, FX_CALL_MAP_PAGE)
                                         : -ENOENT;
        if (errs[i])
            continue;
        while (i + run < pages && gfns[i + run] == gfns[i] + run &&
               fx_present(d, gfns[i + run]))
            errs[i + run++] = 0;
        if (mmap(base + i * FX_PAGE, run * FX_PAGE, prot,
                 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fx_world_fd(),
                 (off_t)fx_page_offset(d, gfns[i])) == MAP_FAILED)
            return -errno;
    }
    return 0;
}

static int first_error(const int *errs, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        if (errs[i])
            return errs[i];
    return 0;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom,
                            void *addr, int prot, int flags, size_t pages,
                            const xen_pfn_t arr[], int err[])
{
    struct fx_domain *d = fx_domain(dom);
    int *errs = err ? err : calloc(pages, sizeof(*errs));
    int rc = d ? -fx_called(d, FX_CALL_MAP) : -ESRCH;
    uint8_t *base = MAP_FAILED;

    (void)flags;
    if (!errs)
        rc = -ENOMEM;
    if (!rc)
        base = mmap(addr, pages * FX_PAGE, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!rc)
        rc = base == MAP_FAILED ? -ENOMEM
                                : map_runs(d, base, prot, pages, arr, errs);
    if (!rc && !err)
        rc = first_error(errs, pages);
    if (!err)
        free(errs);
    if (!rc) {
        atomic_fetch_add(&fmem->maps, pages > 1);
        return base;
    }
    if (base != MAP_FAILED)
        munmap(base, pages * FX_PAGE);
    errno = -rc;
    return NULL;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
                           int prot, size_t pages, const xen_pfn_t arr[],
                           int err[])
{
    return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
                           size_t pages)
{
    atomic_fetch_sub(&fmem->maps, pages > 1);
    return munmap(addr, pages * FX_PAGE);
}

/* Only the grant table, which the restorer seeds. */
xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
    xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
    unsigned int id, unsigned long frame, unsigned long nr_frames,
    void **paddr, int prot, int flags)
{
    struct xenforeignmemory_resource_handle *r;
    struct fx_domain *d = fx_domain(domid);
    const uint8_t *world = (const uint8_t *)fx_world();
    int errnum;

    (void)fmem;
    (void)id;
    (void)flags;
    if (!d || type != XENMEM_resource_grant_table || frame || nr_frames != 1) {
        errno = EINVAL;
        return NULL;
    }
    errnum = fx_called(d, FX_CALL_MAP_RESOURCE);
    r = calloc(1, sizeof(*r));
    if (r && !errnum) {
        r->bytes = FX_PAGE;
        r->addr = mmap(NULL, FX_PAGE, prot, MAP_SHARED, fx_world_fd(),
                       d->grants - world);
        if (r->addr != MAP_FAILED) {
            *paddr = r->addr;
            return r;
        }
        errnum = errno;
    }
    free(r);
    errno = errnum ? errnum : ENOMEM;
    return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
                                    xenforeignmemory_resource_handle *fres)
{
    int rc = munmap(fres->addr, fres->bytes);

    (void)fmem;
    free(fres);
    return rc;
}

int xenforeignmemory_resource_size(xenforeignmemory_handle *fmem,
                                   domid_t domid, unsigned int type,
                                   unsigned int id, size_t *size)
{
    (void)fmem;
    (void)id;
    if (!fx_domain(domid) || type != XENMEM_resource_grant_table) {
        errno = EINVAL;
        return -1;
    }
    *size = FX_PAGE;
    return 0;
}
