/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a Xen host can be asked: the contract between Aerostat and the host.
 *
 * Two hosts keep it: host_xen.c by libxl, libxenstore and libxenctrl, and
 * host_sim.c on a virtual clock. Nothing outside libxl-ext/ knows which.
 *
 *                    memory of one domain, in KiB
 *
 *   0        target            static_max
 *   |-----------|------|------|------|------------|
 *             current      xen_max
 *
 *   current     what Xen has given it (follows the target, if it follows)
 *   target      what its balloon driver is asked to come to; as in xenstore,
 *               so without an HVM guest's video memory
 *   xen_max     Xen's own limit; below current it only refuses new pages
 *   static_max  the size it was built for; the driver cannot grow beyond
 *
 * All calls are made from one thread. They return 0 or a negative errno with
 * a message in err; a domain that has gone is -ESRCH and is normal. Where an
 * op does not list an errno, -EIO stands for whatever libxl or xenstore said,
 * which is in the message.
 */
#ifndef LXE_HOST_H
#define LXE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LXE_DOM_NAME  256 /* bytes with NUL; longer names are cut */
#define LXE_UUID_TEXT 37
#define LXE_UNKNOWN   UINT64_MAX /* a fact that nobody told */
#define LXE_NODES_MAX 32 /* NUMA nodes that are told apart */

enum lxe_dom_type { LXE_DOM_PV, LXE_DOM_HVM, LXE_DOM_PVH };

/* Where the guest's own statistics came from. */
enum lxe_report_source {
    LXE_REPORT_NONE,
    LXE_REPORT_AGENT,     /* aerostat-agent: data/aerostat/... */
    LXE_REPORT_QUBES,     /* memory/meminfo */
    LXE_REPORT_XENSERVER, /* data/meminfo_free, data/meminfo_total */
};

/*
 * What a guest says of its own memory. Every value is its word: bounded by
 * guest_keys.c, and not to be trusted further than Xen's own facts allow.
 */
struct lxe_guest_report {
    enum lxe_report_source source;
    uint64_t seq;            /* changes with each report; 0 if there is none */
    uint64_t total_kib;      /* LXE_UNKNOWN where not told, likewise below */
    uint64_t available_kib;  /* MemAvailable */
    uint64_t used_kib;       /* total - available, or as the guest says */
    uint64_t swap_used_kib;
    uint64_t swap_free_kib;  /* 0: it has none, or all is in use */
    uint64_t refaults;       /* pages since boot (workingset_refault_*) */
    uint64_t swapins;        /* pages read back from swap, since boot */
    uint64_t psi_some_x100;  /* memory pressure, some avg10, percent x 100 */
    bool drop_pending;       /* asked to drop its page cache, not yet done */
};

struct lxe_domain {
    uint32_t domid;
    char uuid[LXE_UUID_TEXT];
    enum lxe_dom_type type;
    unsigned vcpus;

    uint64_t current_kib;    /* pages Xen has given it, outstanding included */
    uint64_t target_kib;     /* LXE_UNKNOWN until the toolstack wrote it */
    uint64_t xen_max_kib;
    uint64_t static_max_kib; /* LXE_UNKNOWN until the toolstack wrote it */
    uint64_t videoram_kib;
    uint64_t dynamic_min_kib; /* XAPI's; LXE_UNKNOWN elsewhere */
    uint64_t dynamic_max_kib;
    uint64_t nodes; /* NUMA nodes its memory comes from, by its affinity: bit
                       n for node n; 0 where there is one, or none is known */

    bool running;   /* not paused, not shut down */
    bool paused;    /* by the toolstack */
    bool shutdown;  /* suspended, crashed, powered off… */
    bool suspended; /* shut down, for the reason suspend */
    bool dying;
    bool building;  /* has never run, or has no xenstore tree yet */
    bool migrating; /* being received, or its name says migrated away */
    bool no_balloon;     /* control/feature-balloon is "0" */
    bool uncooperative;  /* XAPI's memory/uncooperative is there */

    struct lxe_guest_report report;
    char name[LXE_DOM_NAME]; /* last: mostly room, which costs nothing there */
};

struct lxe_domain_list {
    struct lxe_domain *doms; /* by rising domid; dom0 is first */
    size_t count;
};

struct lxe_host_memory {
    uint64_t total_kib;
    uint64_t free_kib;    /* free + scrub - claimed: what can be given away */
    uint64_t scrub_kib;   /* of these, not yet scrubbed */
    uint64_t claimed_kib; /* promised to domains being built */
};

/* With one node nothing but the count is told. */
struct lxe_numa {
    unsigned count; /* of nodes, up to LXE_NODES_MAX */
    struct lxe_numa_node {
        uint64_t size_kib;
        uint64_t free_kib; /* claims are not known by node */
    } nodes[LXE_NODES_MAX];
};

enum lxe_event_kind {
    LXE_EVENT_DOMAINS, /* some domain came or went */
    LXE_EVENT_MEMORY,  /* a domain's memory keys or report changed: domid */
};

struct lxe_event {
    enum lxe_event_kind kind;
    uint32_t domid;
};

typedef void lxe_event_fn(const struct lxe_event *event, void *data);

/* A log-dirty session; see dirty_log.h. */
struct lxe_dirty_log;

/* A sample of a guest's pages; see page_sample.h. */
struct lxe_page_sample;

struct lxe_save_args {
    uint32_t domid;
    int stream_fd;           /* blocking; libxl's stream is written there */
    bool live;
    bool verify;             /* libxc's --debug: send all again, suspended */
    const char *helper_path; /* save helper; NULL for the stock one */
};

/* A guest that asks to be moved: its words, to be judged. */
struct lxe_move_request {
    uint64_t id; /* 0: it asks for nothing */
    char to[64]; /* as lxe_keys_parse_move() allows */
};

struct lxe_host;

struct lxe_host_ops {
    const char *name; /* "xen" or "sim" */

    /* Called once, last. Frees the host; watches and sessions end with it. */
    void (*close)(struct lxe_host *host);

    /*
     * The host's clock in nanoseconds: CLOCK_MONOTONIC, or virtual time.
     * Every tick and wait uses this and no other.
     */
    uint64_t (*now_ns)(struct lxe_host *host);

    /*
     * All domains with their facts and reports, a consistent snapshot of what
     * can be had at once; domains that vanish on the way are left out. Once
     * the host is watched, what xenstore holds of them is as of the last
     * dispatch(), which costs nothing for a domain whose keys did not change.
     * Called once a tick. The list is the caller's: lxe_domain_list_free().
     * -ENOMEM, -EIO.
     */
    int (*list_domains)(struct lxe_host *host, struct lxe_domain_list *out,
                        struct lxe_err *err);

    /* One domain's facts. Called in waits, a few times a second. -ESRCH. */
    int (*get_domain)(struct lxe_host *host, uint32_t domid,
                      struct lxe_domain *out, struct lxe_err *err);

    /* Called once a tick, and before memory is promised to anyone. */
    int (*memory)(struct lxe_host *host, struct lxe_host_memory *out,
                  struct lxe_err *err);

    /*
     * The host's NUMA nodes. Called once a tick where there are several;
     * domains tell their nodes after the first call. A host with more than
     * LXE_NODES_MAX tells one: it is not looked at by node. -EIO.
     */
    int (*numa)(struct lxe_host *host, struct lxe_numa *out,
                struct lxe_err *err);

    /*
     * Sets a target, as xenstore will show it (absolute, enforced, video
     * memory taken care of), and reads it back. The caller keeps it between
     * its own bounds; beyond static_max is -EINVAL. Called for each domain
     * whose target changes. -ESRCH, -EINVAL, -ESTALE where what was read back
     * is not what was written.
     */
    int (*set_target)(struct lxe_host *host, uint32_t domid,
                      uint64_t target_kib, struct lxe_err *err);

    /*
     * Starts watching domains and memory keys. Called once, and again after
     * each reconnect(), failed dispatch() and failed call; before it no events
     * come.
     */
    int (*watch)(struct lxe_host *host, struct lxe_err *err);

    /* A descriptor that is readable when events wait; -1: call dispatch on a
     * timer. Valid after watch(). */
    int (*event_fd)(struct lxe_host *host);

    /*
     * Hands over all events that wait, until none is left (else a wake-up is
     * lost). The callback may call any op but dispatch and close. Returns how
     * many, or a negative errno when xenstored went away.
     */
    int (*dispatch)(struct lxe_host *host, lxe_event_fn *fn, void *data,
                    struct lxe_err *err);

    /*
     * Connects anew to all that the host is asked through, where ops fail as
     * they do after xenstored was restarted. Sessions go on. Watches are lost;
     * their event_fd() is good for nothing, and stays open until watch() is
     * called again. Where it fails nothing has changed. Called in a tick that
     * failed. -EIO.
     */
    int (*reconnect)(struct lxe_host *host, struct lxe_err *err);

    /*
     * Creates the keys that the guest's agent writes, with the guest's write
     * permission, and those it watches. Called for each new domain; may be
     * called again. docs/xenstore.md.
     */
    int (*prepare_agent)(struct lxe_host *host, uint32_t domid,
                         struct lxe_err *err);

    /*
     * Asks the guest's agent to drop its page cache. Returns at once; the
     * report's drop_pending becomes false when it is done. -EOPNOTSUPP where
     * no agent reports.
     */
    int (*drop_page_cache)(struct lxe_host *host, uint32_t domid,
                           struct lxe_err *err);

    /*
     * Whether the guest asks to be moved, and was not answered yet; where the
     * host is watched as of the last dispatch(). Called once a tick for each
     * guest whose keys are prepared. -EIO.
     */
    int (*move_request)(struct lxe_host *host, uint32_t domid,
                        struct lxe_move_request *out, struct lxe_err *err);

    /* Answers a request with a line of text for the guest. -ESRCH, -EIO. */
    int (*move_answer)(struct lxe_host *host, uint32_t domid, uint64_t id,
                       const char *text, struct lxe_err *err);

    /* Reference-counted by Xen: each pause needs its unpause. -ESRCH. */
    int (*pause)(struct lxe_host *host, uint32_t domid, struct lxe_err *err);
    int (*unpause)(struct lxe_host *host, uint32_t domid, struct lxe_err *err);

    /*
     * Scheduler cap in percent of one CPU; 0 lifts it. -EOPNOTSUPP where the
     * scheduler has none. cap_get tells what stands, so that it can be undone.
     */
    int (*cap_set)(struct lxe_host *host, uint32_t domid, unsigned percent,
                   struct lxe_err *err);
    int (*cap_get)(struct lxe_host *host, uint32_t domid, unsigned *percent,
                   struct lxe_err *err);

    /*
     * Resumes a guest that suspended itself for a save, in co-operation. Safe
     * where it is not suspended: then it does nothing. -ESRCH.
     */
    int (*resume)(struct lxe_host *host, uint32_t domid, struct lxe_err *err);

    /*
     * Whether it has no PCI device passed through, whose writes Xen cannot
     * log. Called once a migration and a plan. -EINVAL where it has, -ESRCH.
     */
    int (*check_devices)(struct lxe_host *host, uint32_t domid,
                         struct lxe_err *err);

    /*
     * Opens a log-dirty session: logging is on when it returns. One a domain
     * at a time: -EBUSY. -EINVAL for a guest with PCI passthrough, -ENOMEM
     * where the shadow pool is too small. Ended by dirty_log_close().
     */
    int (*dirty_log_open)(struct lxe_host *host, uint32_t domid,
                          struct lxe_dirty_log **out, struct lxe_err *err);

    /*
     * Chooses a random sample of a guest's populated pages, to be looked at
     * from outside, read-only. Ended by its close, before the host's.
     * @want  1 to LXE_PAGE_SAMPLE_MAX pages
     * @seed  chooses them; another one for each sample
     * -EOPNOTSUPP for a PV guest, -EAGAIN where pages are populated on demand
     * still, -EBUSY where the host allows one at a time, -ENODATA, -ENOMEM.
     */
    int (*page_sample_open)(struct lxe_host *host, uint32_t domid, size_t want,
                            uint64_t seed, struct lxe_page_sample **out,
                            struct lxe_err *err);

    /*
     * Saves a domain in libxl's format. Blocks until it is done or failed,
     * and may be called from another thread than the rest. On success the
     * guest stays suspended: the caller destroys or resumes it. On failure it
     * may be suspended or not: the caller calls resume. Called once a
     * migration. -EIO.
     */
    int (*save)(struct lxe_host *host, const struct lxe_save_args *args,
                struct lxe_err *err);
};

/* Every host begins with this. */
struct lxe_host {
    const struct lxe_host_ops *ops;
};

/* Frees what list_domains gave. */
void lxe_domain_list_free(struct lxe_domain_list *list);

/*
 * Finds a domain by what a person typed: a domid, a name or a UUID. A number is
 * a domid where a domain has it, as for xl.
 * Returns 0, or -ESRCH with a message that names it.
 */
int lxe_host_find(struct lxe_host *host, const char *what,
                  struct lxe_domain *out, struct lxe_err *err);

/* Whether no other may have this name or UUID because of this domain. One that
 * is dying has its name until that is removed, and its UUID no more. */
bool lxe_domain_claims(const struct lxe_domain *dom, const char *name,
                       const char *uuid);

/* Finds a domain by its UUID alone, whatever others are called, that is not
 * dying. Returns 0, or -ESRCH with a message that names it. */
int lxe_host_find_uuid(struct lxe_host *host, const char *uuid,
                       struct lxe_domain *out, struct lxe_err *err);

/*
 * Opens a host by its name: "xen" (or NULL) for this machine's, "sim:FILE"
 * for a simulated one (docs/scenarios.md) that follows real time.
 */
int lxe_host_open(const char *name, struct lxe_host **out,
                  struct lxe_err *err);

#endif
