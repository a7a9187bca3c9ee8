/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine that fakexen fakes: domains whose memory is one shared file, so
 * that every process that maps it sees the same ones. See README.md.
 *
 * A process finds the file by the descriptor in $FAKEXEN_FD, which the one
 * that made the world leaves open across exec.
 */
#ifndef FX_WORLD_H
#define FX_WORLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FX_FD_ENV      "FAKEXEN_FD"
#define FX_DOMAINS     2
#define FX_PAGE        4096u
#define FX_GFNS        0xff000u /* below the special pages' end, as in Xen */
#define FX_WORDS       (FX_GFNS / 64)
#define FX_FAULTS      4
#define FX_PARAMS      39
#define FX_CONTEXT     4096u
#define FX_POLICY      2048u
#define FX_PAGES_PER_MIB 256u

/* What can be made to fail, to take long or to kill its caller. */
enum fx_call {
    FX_CALL_INFO,
    FX_CALL_PAGE_TYPES,
    FX_CALL_GET_POLICY,
    FX_CALL_SET_POLICY,
    FX_CALL_GET_TSC,
    FX_CALL_SET_TSC,
    FX_CALL_GET_CONTEXT,
    FX_CALL_SET_CONTEXT,
    FX_CALL_LOG_ON,
    FX_CALL_LOG_OFF,
    FX_CALL_PEEK,
    FX_CALL_COUNT, /* a PEEK for statistics only */
    FX_CALL_CLEAN,
    FX_CALL_FINAL, /* the CLEAN after suspend */
    FX_CALL_RESUME,
    FX_CALL_MAX_GFN,
    FX_CALL_POPULATE,
    FX_CALL_GET_PARAM,
    FX_CALL_SET_PARAM,
    FX_CALL_MAP,
    FX_CALL_MAP_PAGE, /* the mapping succeeds, one page of it does not */
    FX_CALL_MAP_RESOURCE,
    FX_CALLS,
};

/* The nth such call of a domain, counted from 1, and `times` - 1 after it. */
struct fx_fault {
    uint32_t domid;
    enum fx_call call;
    uint32_t nth, times; /* times 0: no fault */
    int errnum;          /* what it fails with; 0: it does not */
    int signal;          /* sent to its process first; 0: none */
    uint32_t delay_us;   /* it takes so much longer */
};

struct fx_domain {
    uint32_t domid; /* 0: there is none */
    uint32_t top_gfn;
    bool garbage;   /* memory that it gets holds what was there before */

    /* Held while the guest runs a few instructions, or while Xen has it
     * paused. Robust: who holds it may be killed. */
    pthread_mutex_t run_lock;
    /* The log-dirty operation under way; a second one gets -EBUSY. */
    pthread_mutex_t op_lock;
    atomic_bool log_dirty;
    atomic_uint dirty_count;
    atomic_bool suspended; /* shut down with SHUTDOWN_suspend */
    atomic_uint pauses;    /* by the toolstack */
    atomic_uint cap_percent; /* of a processor; 0: no cap */
    atomic_ulong cpu_ns;   /* that it has used */
    atomic_uint tot_pages;
    uint32_t restless_pages; /* fx_guest.h */
    unsigned sent_percent;   /* likewise */

    atomic_uint calls[FX_CALLS];
    atomic_uint busy;      /* log-dirty operations refused */
    atomic_uint stray;     /* CLEANs while the log was off */
    atomic_ulong restored_ns; /* when xc_domain_restore() had ended well */

    uint64_t params[FX_PARAMS];
    uint64_t tsc_nsec;
    uint32_t tsc_mode, tsc_khz, tsc_incarnation;
    uint8_t context[FX_CONTEXT];
    uint8_t leaves[FX_POLICY], msrs[FX_POLICY];
    uint32_t leaf_count, msr_count;
    uint64_t return_code; /* of vcpu 0: 1 where the suspend was cancelled */
    _Alignas(FX_PAGE) uint8_t grants[FX_PAGE];
    _Atomic uint64_t present[FX_WORDS], dirty[FX_WORDS];
};

struct fx_world {
    struct fx_fault faults[FX_FAULTS];
    uint32_t log_us;         /* that a CLEAN or PEEK of the bitmap takes */
    atomic_uint unknown;     /* hypercalls that fakexen does not know */
    atomic_uint last_unknown;
    atomic_int leaked_buffers, leaked_maps; /* at each handle's closing */
    struct fx_domain domains[FX_DOMAINS];
};

/* The world, mapped on first use; ends the process where there is none. */
struct fx_world *fx_world(void);
int fx_world_fd(void);

/* Makes the world of this process and its children, and forgets any other. */
void fx_world_create(void);

struct fx_domain *fx_domain(uint32_t domid);

/* Where a gfn's memory is: in this process, and in the file. */
uint8_t *fx_page(const struct fx_domain *d, uint64_t gfn);
uint64_t fx_page_offset(const struct fx_domain *d, uint64_t gfn);

static inline bool fx_present(const struct fx_domain *d, uint64_t gfn)
{
    return gfn < FX_GFNS &&
           atomic_load_explicit(&d->present[gfn / 64],
                                memory_order_relaxed) >> (gfn % 64) & 1;
}

/* Gives the domain a page there, if it has none. */
void fx_populate(struct fx_domain *d, uint64_t gfn);

/* Takes a robust lock, also from a process that died with it. */
void fx_lock(pthread_mutex_t *lock);
bool fx_trylock(pthread_mutex_t *lock);
void fx_unlock(pthread_mutex_t *lock);

/* Counts a call, and does what the faults say. Returns 0 or an errno. */
int fx_called(struct fx_domain *d, enum fx_call call);

const char *fx_call_name(enum fx_call call);

#endif
