/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "fx_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* One file: the world, then each domain's memory, of which only pages that
 * were written take room. */
#define WORLD_BYTES \
    ((sizeof(struct fx_world) + FX_PAGE - 1) / FX_PAGE * FX_PAGE)
#define MEMORY_BYTES ((uint64_t)FX_GFNS * FX_PAGE)
#define FILE_BYTES   (WORLD_BYTES + FX_DOMAINS * MEMORY_BYTES)

static uint8_t *mapped;
static int world_fd = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "fakexen: %s: %s\n", what, strerror(errno));
    abort();
}

static void map_file(void)
{
    mapped = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_NORESERVE, world_fd, 0);
    if (mapped == MAP_FAILED)
        die("cannot map the world");
    /* A core dump of it would be eight gigabytes. */
    madvise(mapped, FILE_BYTES, MADV_DONTDUMP);
}

static void attach(void)
{
    const char *text = getenv(FX_FD_ENV);

    if (mapped)
        return;
    if (!text) {
        errno = ENOENT;
        die("no world: " FX_FD_ENV " is not set");
    }
    world_fd = atoi(text);
    map_file();
}

struct fx_world *fx_world(void)
{
    pthread_once(&once, attach);
    return (struct fx_world *)(void *)mapped;
}

int fx_world_fd(void)
{
    fx_world();
    return world_fd;
}

static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

void fx_world_create(void)
{
    struct fx_world *w;
    char text[16];

    if (mapped) {
        munmap(mapped, FILE_BYTES);
        close(world_fd);
    }
    world_fd = memfd_create("fakexen", 0);
    if (world_fd < 0 || ftruncate(world_fd, (off_t)FILE_BYTES))
        die("cannot make the world");
    map_file();
    snprintf(text, sizeof(text), "%d", world_fd);
    setenv(FX_FD_ENV, text, 1);
    w = fx_world();
    for (unsigned i = 0; i < FX_DOMAINS; i++) {
        init_lock(&w->domains[i].run_lock);
        init_lock(&w->domains[i].op_lock);
    }
}

struct fx_domain *fx_domain(uint32_t domid)
{
    struct fx_world *w = fx_world();

    for (unsigned i = 0; domid && i < FX_DOMAINS; i++)
        if (w->domains[i].domid == domid)
            return &w->domains[i];
    return NULL;
}

uint64_t fx_page_offset(const struct fx_domain *d, uint64_t gfn)
{
    uint64_t index = (uint64_t)(d - fx_world()->domains);

    return WORLD_BYTES + index * MEMORY_BYTES + gfn * FX_PAGE;
}

uint8_t *fx_page(const struct fx_domain *d, uint64_t gfn)
{
    return mapped + fx_page_offset(d, gfn);
}

void fx_populate(struct fx_domain *d, uint64_t gfn)
{
    uint64_t bit = UINT64_C(1) << (gfn % 64);

    if (atomic_fetch_or(&d->present[gfn / 64], bit) & bit)
        return;
    atomic_fetch_add(&d->tot_pages, 1);
    if (d->garbage)
        memset(fx_page(d, gfn), 0xdb, FX_PAGE);
    if (gfn > d->top_gfn)
        d->top_gfn = (uint32_t)gfn;
}

/* ---- locks that outlive a killed owner ---- */

void fx_lock(pthread_mutex_t *lock)
{
    int rc = pthread_mutex_lock(lock);

    if (rc == EOWNERDEAD)
        rc = pthread_mutex_consistent(lock);
    if (rc) {
        errno = rc;
        die("cannot lock");
    }
}

bool fx_trylock(pthread_mutex_t *lock)
{
    int rc = pthread_mutex_trylock(lock);

    if (rc == EOWNERDEAD)
        rc = pthread_mutex_consistent(lock);
    return !rc;
}

void fx_unlock(pthread_mutex_t *lock)
{
    pthread_mutex_unlock(lock);
}

/* ---- faults ---- */

static void wait_us(uint32_t us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000L };

    while (us && nanosleep(&t, &t) && errno == EINTR)
        ;
}

static int strike(const struct fx_fault *f)
{
    if (f->signal)
        kill(getpid(), f->signal);
    wait_us(f->delay_us);
    return f->errnum;
}

int fx_called(struct fx_domain *d, enum fx_call call)
{
    const struct fx_world *w = fx_world();
    uint32_t nth = atomic_fetch_add(&d->calls[call], 1) + 1;
    int errnum = 0;

    for (unsigned i = 0; i < FX_FAULTS; i++) {
        const struct fx_fault *f = &w->faults[i];

        if (f->times && f->domid == d->domid && f->call == call &&
            nth >= f->nth && nth - f->nth < f->times)
            errnum = strike(f);
    }
    return errnum;
}

static const char *const names[FX_CALLS] = {
    [FX_CALL_INFO] = "getdomaininfo",
    [FX_CALL_PAGE_TYPES] = "getpageframeinfo3",
    [FX_CALL_GET_POLICY] = "get_cpu_policy",
    [FX_CALL_SET_POLICY] = "set_cpu_policy",
    [FX_CALL_GET_TSC] = "gettscinfo",
    [FX_CALL_SET_TSC] = "settscinfo",
    [FX_CALL_GET_CONTEXT] = "gethvmcontext",
    [FX_CALL_SET_CONTEXT] = "sethvmcontext",
    [FX_CALL_LOG_ON] = "log-dirty on",
    [FX_CALL_LOG_OFF] = "log-dirty off",
    [FX_CALL_PEEK] = "peek",
    [FX_CALL_COUNT] = "count",
    [FX_CALL_CLEAN] = "clean",
    [FX_CALL_FINAL] = "final clean",
    [FX_CALL_RESUME] = "resumedomain",
    [FX_CALL_MAX_GFN] = "maximum_gpfn",
    [FX_CALL_POPULATE] = "populate_physmap",
    [FX_CALL_GET_PARAM] = "get_param",
    [FX_CALL_SET_PARAM] = "set_param",
    [FX_CALL_MAP] = "foreign map",
    [FX_CALL_MAP_PAGE] = "foreign map of a page",
    [FX_CALL_MAP_RESOURCE] = "map_resource",
};

const char *fx_call_name(enum fx_call call)
{
    return names[call];
}
