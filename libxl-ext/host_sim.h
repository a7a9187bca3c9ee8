/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A simulated host on a virtual clock (docs/scenarios.md): for planning
 * without a machine, and for tests. It keeps the contract of host.h, and can
 * do a little more, below, that only its owner may use.
 *
 * Its functions may be called from any thread; dispatch() and close() from
 * one only, as with every host.
 */
#ifndef LXE_HOST_SIM_H
#define LXE_HOST_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"

enum lxe_sim_clock {
    LXE_SIM_MANUAL, /* time moves by lxe_sim_advance() and in save() only */
    LXE_SIM_REAL,   /* the monotonic clock times the scenario's speed */
};

/* The ops that can be made to fail; those of sessions last. */
enum lxe_sim_op {
    LXE_SIM_OP_LIST_DOMAINS,
    LXE_SIM_OP_GET_DOMAIN,
    LXE_SIM_OP_MEMORY,
    LXE_SIM_OP_NUMA,
    LXE_SIM_OP_SET_TARGET,
    LXE_SIM_OP_WATCH,
    LXE_SIM_OP_DISPATCH,
    LXE_SIM_OP_RECONNECT,
    LXE_SIM_OP_PREPARE_AGENT,
    LXE_SIM_OP_DROP_PAGE_CACHE,
    LXE_SIM_OP_MOVE_REQUEST,
    LXE_SIM_OP_MOVE_ANSWER,
    LXE_SIM_OP_PAUSE,
    LXE_SIM_OP_UNPAUSE,
    LXE_SIM_OP_CAP_SET,
    LXE_SIM_OP_CAP_GET,
    LXE_SIM_OP_RESUME,
    LXE_SIM_OP_CHECK_DEVICES,
    LXE_SIM_OP_DIRTY_LOG_OPEN,
    LXE_SIM_OP_SAVE,
    LXE_SIM_OP_DIRTY_PEEK_COUNT,
    LXE_SIM_OP_DIRTY_PEEK,
    LXE_SIM_OP_DIRTY_CLEAN,
    LXE_SIM_OP_PAGE_SAMPLE_OPEN,
    LXE_SIM_OP_PAGE_SAMPLE_LOOK,
    LXE_SIM_OPS,
};

/*
 * Opens a simulated host from a scenario file. Its clock begins at 0.
 * Returns 0; -EINVAL with file, line and field; open's errors; -ENOMEM.
 */
int lxe_sim_open(const char *path, enum lxe_sim_clock clock,
                 struct lxe_host **out, struct lxe_err *err);

/* The same from a buffer, which messages call @name. */
int lxe_sim_open_text(const char *text, size_t len, const char *name,
                      enum lxe_sim_clock clock, struct lxe_host **out,
                      struct lxe_err *err);

/* Moves virtual time on, on either clock. */
void lxe_sim_advance(struct lxe_host *host, uint64_t ns);

/*
 * Lets the next `count` calls of an op fail with a code (negative errno),
 * without any effect. A later call for the same op replaces it.
 */
void lxe_sim_fail_next(struct lxe_host *host, enum lxe_sim_op op, int code,
                       unsigned count);

/*
 * Loses the connection, as when xenstored is restarted: all ops that can be
 * made to fail do, with -EIO, until reconnect().
 */
void lxe_sim_disconnect(struct lxe_host *host);

/* Destroys a domain right after the next list_domains() that shows it. */
void lxe_sim_vanish_after_list(struct lxe_host *host, uint32_t domid);

/* Creates a guest that the scenario names. -ENOENT, -EEXIST, -ENOMEM. */
int lxe_sim_create(struct lxe_host *host, const char *name, uint32_t *domid,
                   struct lxe_err *err);

/* Lets a guest ask to be moved. -ESRCH. */
int lxe_sim_ask_to_move(struct lxe_host *host, uint32_t domid, uint64_t id,
                        const char *to, struct lxe_err *err);

/* What it was answered last. -ESRCH. */
int lxe_sim_move_answer(struct lxe_host *host, uint32_t domid,
                        char text[512], struct lxe_err *err);

/* Destroys a domain, as 'xl destroy' would. -ESRCH; -EINVAL for dom0. */
int lxe_sim_destroy(struct lxe_host *host, uint32_t domid,
                    struct lxe_err *err);

/* How many creations failed for want of memory, or as already there. */
uint64_t lxe_sim_refused_builds(struct lxe_host *host);

/* What goes on in a guest, whatever it says. */
struct lxe_sim_truth {
    uint64_t demand_kib;    /* by its trace, less waiting_kib */
    uint64_t used_kib;      /* of it, in memory */
    uint64_t swap_kib;      /* of it, in swap */
    uint64_t unmet_kib;     /* of it, nowhere: the guest suffers */
    uint64_t waiting_kib;   /* beyond it: its programs wait for memory */
    uint64_t cache_kib;
    uint64_t available_kib;
    uint64_t floor_kib;
    bool driver_sleeps;     /* its balloon driver waits for its next try */
    bool log_dirty;         /* Xen logs its writes */
    uint64_t remote_kib;    /* of what it has, not on its NUMA node */
};

/* Returns 0 or -ESRCH. */
int lxe_sim_truth(struct lxe_host *host, uint32_t domid,
                  struct lxe_sim_truth *out, struct lxe_err *err);

/*
 * Called where the books do not add up, with the host locked: it may call
 * nothing of it. Without one that is logged, and the program aborts.
 */
typedef void lxe_sim_invariant_fn(const char *what, void *data);
void lxe_sim_set_invariant(struct lxe_host *host, lxe_sim_invariant_fn *fn,
                           void *data);

/* Loses free memory from the books, to see that the checks find it. */
void lxe_sim_leak(struct lxe_host *host, uint64_t kib);

#endif
