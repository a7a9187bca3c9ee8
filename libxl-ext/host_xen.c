/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This machine's Xen as a host. What each op promises stands in host.h. */
#include "host_xen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xenstore.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "dirty_log.h"
#include "page_sample.h"
#include "xen_agent_keys.h"
#include "xen_compat.h"
#include "xen_domains.h"
#include "xen_errors.h"
#include "xen_numa.h"
#include "xen_store.h"
#include "xen_watch.h"

/*
 * libxl lets a domain have a constant (1 MiB on x86) more than its target and
 * its video memory; beyond this much more, the limit is somebody else's.
 */
#define MAX_EXTRA_KIB (16 * 1024)

struct xen_host {
    struct lxe_host host; /* first */
    libxl_ctx *ctx;
    xc_interface *xch;
    struct xs_handle *xs;
    struct lxe_watch *watch; /* NULL until watch() */
    bool watch_lost;         /* by reconnect(), with its connection, or where
                                not all could be watched */
    unsigned nodes;          /* NUMA nodes; 0 until somebody asked */
};

static struct xen_host *xen_host(struct lxe_host *host)
{
    return (struct xen_host *)host;
}

static const struct lxe_host_ops xen_ops;

static int open_ctx(libxl_ctx **ctx, struct lxe_err *err)
{
    /* libxl is not alone: the process may have children of its own. */
    static const libxl_childproc_hooks hooks = {
        .chldowner = libxl_sigchld_owner_libxl_always_selective_reap,
    };
    int rc = libxl_ctx_alloc(ctx, LIBXL_VERSION, 0, lxe_logger());

    if (rc)
        return lxe_xen_fail(err, rc, "cannot open libxl");
    libxl_childproc_setmode(*ctx, &hooks, NULL);
    return 0;
}

static void close_host(struct lxe_host *host)
{
    struct xen_host *x = xen_host(host);

    if (!x)
        return;
    lxe_watch_close(x->watch);
    if (x->xch) {
        lxe_dirty_log_end_all(x->xch);
        xc_interface_close(x->xch);
    }
    if (x->xs)
        xs_close(x->xs);
    libxl_ctx_free(x->ctx);
    free(x);
}

static int open_handles(struct xen_host *x, struct lxe_err *err)
{
    x->xch = xc_interface_open(lxe_logger(), lxe_logger(), 0);
    if (!x->xch)
        return lxe_fail(err, -ENODEV, "cannot open Xen's control interface: "
                        "%s; is this dom0, and xen-privcmd loaded?",
                        strerror(errno));
    x->xs = xs_open(0);
    if (!x->xs)
        return lxe_fail(err, -EIO, "cannot open xenstore: %s; is xenstored "
                        "running?", strerror(errno));
    return open_ctx(&x->ctx, err);
}

int lxe_xen_open(struct lxe_host **out, struct lxe_err *err)
{
    struct xen_host *x;
    int rc;

    if (geteuid() != 0)
        return lxe_fail(err, -EACCES, "only root may talk to Xen");
    x = calloc(1, sizeof(*x));
    if (!x)
        return lxe_fail(err, -ENOMEM, "no memory for a host");
    x->host.ops = &xen_ops;
    rc = open_handles(x, err);
    if (rc)
        close_host(&x->host);
    else
        *out = &x->host;
    return rc;
}

static uint64_t now_ns(struct lxe_host *host)
{
    (void)host;
    return lxe_now_ns();
}

/* What is kept of a domain's keys; NULL where nothing is. */
static struct lxe_xen_keys *kept_keys(struct xen_host *x, uint32_t domid)
{
    return x->watch && !x->watch_lost ? lxe_watch_keys(x->watch, domid) : NULL;
}

/*
 * Who writes keys forgets them: until the watch tells of it, what is kept would
 * be the value of before.
 */
static void forget_keys(struct xen_host *x, uint32_t domid)
{
    struct lxe_xen_keys *keys = kept_keys(x, domid);

    if (keys)
        keys->has_facts = keys->has_report = keys->has_request = false;
}

static int fill(struct xen_host *x, const libxl_dominfo *info,
                struct lxe_domain *out, struct lxe_err *err)
{
    struct lxe_xen_keys fresh, *keys = kept_keys(x, info->domid);
    int rc;

    if (!keys) {
        memset(&fresh, 0, sizeof(fresh));
        keys = &fresh;
    }
    rc = lxe_xen_fill_domain(x->xs, info, keys, out, err);
    if (!rc && x->nodes > 1)
        out->nodes = lxe_xen_domain_nodes(x->ctx, info->domid, x->nodes);
    return rc;
}

/* Whether Xen has it. Asked where something failed, to tell why. */
static bool is_gone(struct xen_host *x, uint32_t domid)
{
    return libxl_domain_info(x->ctx, NULL, domid) == ERROR_DOMAIN_NOTFOUND;
}

static int gone(uint32_t domid, struct lxe_err *err)
{
    return lxe_fail(err, -ESRCH, "there is no domain %" PRIu32, domid);
}

static int compare_domids(const void *a, const void *b)
{
    const struct lxe_domain *x = a, *y = b;

    return x->domid < y->domid ? -1 : x->domid > y->domid;
}

static int list_domains(struct lxe_host *host, struct lxe_domain_list *out,
                        struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    int count = 0, rc = 0;
    libxl_dominfo *infos = libxl_list_domain(x->ctx, &count);
    struct lxe_domain *doms;
    size_t n = 0;

    if (!infos)
        return lxe_fail(err, -EIO, "Xen does not list its domains; its log "
                        "has more");
    doms = calloc((size_t)count, sizeof(*doms));
    if (!doms)
        rc = lxe_fail(err, -ENOMEM, "no memory for %d domains", count);
    for (int i = 0; !rc && i < count; i++) {
        rc = fill(x, &infos[i], &doms[n], err);
        /* A nameless one is being made, or has vanished since the listing. */
        if (!rc && (doms[n].name[0] || !is_gone(x, infos[i].domid)))
            n++;
    }
    libxl_dominfo_list_free(infos, count);
    if (rc) {
        free(doms);
        return rc;
    }
    qsort(doms, n, sizeof(*doms), compare_domids);
    *out = (struct lxe_domain_list){ doms, n };
    return 0;
}

static int domain_info(struct xen_host *x, uint32_t domid, libxl_dominfo *info,
                       struct lxe_err *err)
{
    int rc;

    libxl_dominfo_init(info);
    rc = libxl_domain_info(x->ctx, info, domid);
    if (rc == ERROR_DOMAIN_NOTFOUND)
        return gone(domid, err);
    if (rc)
        return lxe_xen_fail(err, rc, "cannot ask Xen about domain %" PRIu32,
                            domid);
    return 0;
}

/* Of one domain all is asked, whatever is kept of it. */
static int get_domain(struct lxe_host *host, uint32_t domid,
                      struct lxe_domain *out, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    libxl_dominfo info;
    int rc = domain_info(x, domid, &info, err);

    forget_keys(x, domid);
    if (!rc)
        rc = fill(x, &info, out, err);
    libxl_dominfo_dispose(&info);
    return rc;
}

/*
 * libxl_get_free_memory() would count memory that is promised to domains
 * being built, and libxl_wait_for_free_memory() polls once a second: neither
 * is used.
 */
static int memory(struct lxe_host *host, struct lxe_host_memory *out,
                  struct lxe_err *err)
{
    libxl_physinfo info;
    uint64_t free_pages;
    int rc;

    libxl_physinfo_init(&info);
    rc = libxl_get_physinfo(xen_host(host)->ctx, &info);
    if (rc)
        return lxe_xen_fail(err, rc, "cannot ask Xen for its memory");
    free_pages = info.free_pages + info.scrub_pages;
    free_pages -= info.outstanding_pages < free_pages ? info.outstanding_pages
                                                      : free_pages;
    *out = (struct lxe_host_memory){
        .total_kib = info.total_pages * LXE_KIB_PER_PAGE,
        .free_kib = free_pages * LXE_KIB_PER_PAGE,
        .scrub_kib = info.scrub_pages * LXE_KIB_PER_PAGE,
        .claimed_kib = info.outstanding_pages * LXE_KIB_PER_PAGE,
    };
    libxl_physinfo_dispose(&info);
    return 0;
}

static int numa(struct lxe_host *host, struct lxe_numa *out,
                struct lxe_err *err)
{
    int rc = lxe_xen_numa(xen_host(host)->ctx, out, err);

    if (!rc)
        xen_host(host)->nodes = out->count;
    return rc;
}

/*
 * The hypercalls run inside libxl's transaction: where its commit fails they
 * are not taken back, and it returns 0 all the same. So what was set is read
 * back, from both.
 */
static int check_target(struct xen_host *x, uint32_t domid,
                        uint64_t target_kib, int64_t videoram_kib,
                        struct lxe_err *err)
{
    uint64_t need_kib = target_kib + (uint64_t)videoram_kib, seen_kib;
    libxl_dominfo info;
    int rc = lxe_xs_read_number(x->xs, domid, "memory/target", &seen_kib, err);

    if (rc)
        return rc;
    if (seen_kib != target_kib)
        return lxe_fail(err, -ESTALE, "domain %" PRIu32 ": wrote a target of %"
                        PRIu64 " KiB, and xenstore has %" PRIu64 "; does "
                        "another balancer run?", domid, target_kib,
                        seen_kib == LXE_UNKNOWN ? 0 : seen_kib);
    rc = domain_info(x, domid, &info, err);
    if (!rc && (info.max_memkb < need_kib ||
                info.max_memkb - need_kib > MAX_EXTRA_KIB))
        rc = lxe_fail(err, -ESTALE, "domain %" PRIu32 ": set Xen's limit for "
                      "a target of %" PRIu64 " KiB, and it is %" PRIu64,
                      domid, target_kib, info.max_memkb);
    libxl_dominfo_dispose(&info);
    return rc;
}

static int check_static_max(struct xen_host *x, uint32_t domid,
                            uint64_t target_kib, struct lxe_err *err)
{
    uint64_t max_kib;
    int rc = lxe_xs_read_number(x->xs, domid, "memory/static-max", &max_kib,
                                err);

    if (rc)
        return rc;
    if (max_kib == LXE_UNKNOWN && is_gone(x, domid))
        return gone(domid, err);
    if (max_kib == LXE_UNKNOWN)
        return lxe_fail(err, -EINVAL, "domain %" PRIu32 " has no "
                        "memory/static-max yet; it is being built", domid);
    if (target_kib > max_kib)
        return lxe_fail(err, -EINVAL, "domain %" PRIu32 ": a target of %"
                        PRIu64 " KiB is beyond its static maximum of %" PRIu64,
                        domid, target_kib, max_kib);
    return 0;
}

/*
 * libxl subtracts the video memory from an absolute target (not from a
 * relative one), and its get returns the difference: so it is added here, for
 * what we read in xenstore is what we want to read again. Enforced, since a
 * domain is built with a limit just above its first target and could not grow
 * otherwise. Does not wait for the guest: libxl_wait_for_memory_target() has
 * no hard deadline, and fails for guests with a fixed offset.
 */
static int set_target(struct lxe_host *host, uint32_t domid,
                      uint64_t target_kib, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    int64_t videoram_kib;
    int rc = check_static_max(x, domid, target_kib, err);

    if (!rc)
        rc = lxe_xen_videoram(x->xs, domid, &videoram_kib, err);
    if (rc)
        return rc;
    rc = libxl_set_memory_target(x->ctx, domid,
                                 (int64_t)target_kib + videoram_kib,
                                 0 /* absolute */, 1 /* enforce */);
    forget_keys(x, domid);
    if (rc && is_gone(x, domid))
        return gone(domid, err);
    if (rc)
        return lxe_xen_fail(err, rc, "cannot set the target of domain %" PRIu32
                            " to %" PRIu64 " KiB", domid, target_kib);
    return check_target(x, domid, target_kib, videoram_kib, err);
}

/* Follows the domains that are there now. */
static int follow(struct xen_host *x, struct lxe_err *err)
{
    int count = 0, rc;
    libxl_dominfo *infos = libxl_list_domain(x->ctx, &count);
    uint32_t *domids;

    if (!infos)
        return lxe_fail(err, -EIO, "Xen does not list its domains; its log "
                        "has more");
    domids = calloc((size_t)count, sizeof(*domids));
    for (int i = 0; domids && i < count; i++)
        domids[i] = infos[i].domid; /* Xen lists them by rising domid */
    libxl_dominfo_list_free(infos, count);
    if (!domids)
        return lxe_fail(err, -ENOMEM, "no memory for %d domains", count);
    rc = lxe_watch_follow(x->watch, domids, (size_t)count, err);
    free(domids);
    return rc;
}

static int watch(struct lxe_host *host, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    int rc;

    if (x->watch && !x->watch_lost)
        return lxe_fail(err, -EALREADY, "the host is watched already");
    lxe_watch_close(x->watch);
    x->watch = NULL;
    x->watch_lost = false;
    rc = lxe_watch_open(&x->watch, err);
    if (!rc)
        rc = follow(x, err);
    x->watch_lost = rc && x->watch;
    return rc;
}

static int event_fd(struct lxe_host *host)
{
    struct xen_host *x = xen_host(host);

    return x->watch ? lxe_watch_fd(x->watch) : -1;
}

/* Takes in all events that wait, and watches the domains that are there. */
static int drain(struct xen_host *x, bool *domains, struct lxe_err *err)
{
    int rc = lxe_watch_drain(x->watch, domains, err);
    bool again = *domains;

    /* New watches fire at once: those are taken in as well. */
    while (!rc && again) {
        again = false;
        rc = follow(x, err);
        if (!rc)
            rc = lxe_watch_drain(x->watch, &again, err);
    }
    return rc;
}

static int dispatch(struct lxe_host *host, lxe_event_fn *fn, void *data,
                    struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    struct lxe_event event = { .kind = LXE_EVENT_DOMAINS };
    bool domains = false;
    int told = 0, rc;

    if (!x->watch || x->watch_lost)
        return 0;
    rc = drain(x, &domains, err);
    if (rc) {
        x->watch_lost = true; /* what is kept is not to be trusted now */
        return rc;
    }
    if (domains) {
        fn(&event, data);
        told++;
    }
    event.kind = LXE_EVENT_MEMORY;
    while (lxe_watch_take(x->watch, &event.domid)) {
        fn(&event, data);
        told++;
    }
    return told;
}

/* Hypercalls know nothing of xenstored: their handle is kept. */
static int reconnect(struct lxe_host *host, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    struct xs_handle *xs = xs_open(0);
    libxl_ctx *ctx = NULL;
    int rc;

    if (!xs)
        return lxe_fail(err, -EIO, "cannot open xenstore: %s; is xenstored "
                        "running?", strerror(errno));
    rc = open_ctx(&ctx, err);
    if (rc) {
        xs_close(xs);
        return rc;
    }
    xs_close(x->xs);
    libxl_ctx_free(x->ctx);
    x->xs = xs;
    x->ctx = ctx;
    x->watch_lost = x->watch;
    return 0;
}

static int prepare_agent(struct lxe_host *host, uint32_t domid,
                         struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    int rc = lxe_agent_keys_prepare(x->xs, domid, err);

    forget_keys(x, domid);
    return rc;
}

static int drop_page_cache(struct lxe_host *host, uint32_t domid,
                           struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    struct lxe_domain dom;
    int rc = get_domain(host, domid, &dom, err);

    if (rc)
        return rc;
    if (dom.report.source != LXE_REPORT_AGENT)
        return lxe_fail(err, -EOPNOTSUPP, "no aerostat-agent reports from "
                        "domain %" PRIu32 "; install it in the guest", domid);
    /* The clock makes an ID that no earlier request of this boot had. */
    rc = lxe_agent_keys_drop(x->xs, domid, lxe_now_ns(), err);
    forget_keys(x, domid);
    return rc;
}

static int move_request(struct lxe_host *host, uint32_t domid,
                        struct lxe_move_request *out, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    struct lxe_xen_keys *keys = kept_keys(x, domid);
    int rc;

    if (keys && keys->has_request) {
        *out = keys->request;
        return 0;
    }
    rc = lxe_agent_keys_move(x->xs, domid, out, err);
    if (keys && !rc) {
        keys->request = *out;
        keys->has_request = true;
    }
    return rc;
}

static int move_answer(struct lxe_host *host, uint32_t domid, uint64_t id,
                       const char *text, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    int rc = lxe_agent_keys_move_answer(x->xs, domid, id, text, err);

    forget_keys(x, domid);
    return rc;
}

/* Xen says no more than "failed" for a domain that is gone. */
static int domain_op(struct xen_host *x, uint32_t domid, int libxl_rc,
                     const char *what, struct lxe_err *err)
{
    if (!libxl_rc)
        return 0;
    if (is_gone(x, domid))
        return gone(domid, err);
    return lxe_xen_fail(err, libxl_rc, "cannot %s domain %" PRIu32, what,
                        domid);
}

static int pause_domain(struct lxe_host *host, uint32_t domid,
                        struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);

    return domain_op(x, domid, libxl_domain_pause(x->ctx, domid, NULL),
                     "pause", err);
}

static int unpause_domain(struct lxe_host *host, uint32_t domid,
                          struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);

    return domain_op(x, domid, libxl_domain_unpause(x->ctx, domid, NULL),
                     "unpause", err);
}

static int sched_get(struct xen_host *x, uint32_t domid,
                     libxl_domain_sched_params *params, struct lxe_err *err)
{
    int rc;

    libxl_domain_sched_params_init(params);
    rc = domain_op(x, domid, libxl_domain_sched_params_get(x->ctx, domid,
                                                           params),
                   "read the scheduling of", err);
    if (rc)
        return rc;
    if (params->sched != LIBXL_SCHEDULER_CREDIT &&
        params->sched != LIBXL_SCHEDULER_CREDIT2)
        return lxe_fail(err, -EOPNOTSUPP, "the scheduler of domain %" PRIu32
                        " has no cap; credit and credit2 have", domid);
    return 0;
}

static int cap_get(struct lxe_host *host, uint32_t domid, unsigned *percent,
                   struct lxe_err *err)
{
    libxl_domain_sched_params params;
    int rc = sched_get(xen_host(host), domid, &params, err);

    if (!rc)
        *percent = params.cap > 0 ? (unsigned)params.cap : 0;
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

static int cap_set(struct lxe_host *host, uint32_t domid, unsigned percent,
                   struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    libxl_domain_sched_params params;
    libxl_scheduler sched;
    int rc = sched_get(x, domid, &params, err);

    sched = params.sched;
    libxl_domain_sched_params_dispose(&params);
    if (rc)
        return rc;
    /* All that is left at its default libxl leaves as it stands. */
    libxl_domain_sched_params_init(&params);
    params.sched = sched;
    params.cap = (int)percent;
    rc = domain_op(x, domid, libxl_domain_sched_params_set(x->ctx, domid,
                                                           &params),
                   "cap", err);
    libxl_domain_sched_params_dispose(&params);
    return rc;
}

static int resume(struct lxe_host *host, uint32_t domid, struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    libxl_dominfo info;
    bool suspended;
    int rc = domain_info(x, domid, &info, err);

    suspended = !rc && info.shutdown &&
                info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
    libxl_dominfo_dispose(&info);
    if (rc || !suspended)
        return rc;
    return domain_op(x, domid,
                     libxl_domain_resume(x->ctx, domid, 1 /* co-operative */,
                                         NULL),
                     "resume", err);
}

/*
 * Xen answers EINVAL both for a device that is passed through and for a mode
 * that is on already: look for devices here, so that the two are told apart.
 */
static int check_devices(struct lxe_host *host, uint32_t domid,
                         struct lxe_err *err)
{
    struct xen_host *x = xen_host(host);
    int count = 0;
    libxl_device_pci *devices;

    if (is_gone(x, domid))
        return gone(domid, err);
    devices = libxl_device_pci_list(x->ctx, domid, &count);
    libxl_device_pci_list_free(devices, count);
    if (count > 0)
        return lxe_fail(err, -EINVAL, "domain %" PRIu32 " has %d PCI devices "
                        "passed through, and Xen logs no dirty pages then",
                        domid, count);
    return 0;
}

static int dirty_log_open(struct lxe_host *host, uint32_t domid,
                          struct lxe_dirty_log **out, struct lxe_err *err)
{
    int rc = check_devices(host, domid, err);

    return rc ? rc : lxe_dirty_log_open_xen(xen_host(host)->xch, domid, out,
                                            err);
}

static int page_sample_open(struct lxe_host *host, uint32_t domid, size_t want,
                            uint64_t seed, struct lxe_page_sample **out,
                            struct lxe_err *err)
{
    return lxe_page_sample_open_xen(xen_host(host)->xch, domid, want, seed,
                                    out, err);
}

/*
 * libxl reads the helper's path from the environment, when it starts it. That
 * is the process's: the caller runs one save at a time, and nobody else here
 * writes the environment.
 */
static int choose_helper(const char *path, struct lxe_err *err)
{
    int rc = path ? setenv("LIBXL_SAVE_HELPER", path, 1)
                  : unsetenv("LIBXL_SAVE_HELPER");

    return rc ? lxe_fail(err, -errno, "cannot set LIBXL_SAVE_HELPER") : 0;
}

/*
 * Runs in a thread of its own, hence its own libxl_ctx: libxl waits for the
 * helper in it and holds its lock on the way, and the host's goes on.
 */
static int save(struct lxe_host *host, const struct lxe_save_args *args,
                struct lxe_err *err)
{
    int flags = (args->live ? LIBXL_SUSPEND_LIVE : 0) |
                (args->verify ? LIBXL_SUSPEND_DEBUG : 0);
    libxl_ctx *ctx;
    int rc = choose_helper(args->helper_path, err);

    (void)host;
    if (!rc)
        rc = open_ctx(&ctx, err);
    if (rc)
        return rc;
    rc = libxl_domain_suspend(ctx, args->domid, args->stream_fd, flags, NULL);
    /* Where the helper was killed while the guest was asked to suspend, a
     * watch of libxl's is left, and libxl_ctx_free() aborts: it is not freed
     * after a failure, which is the process's last save. */
    if (rc)
        return lxe_xen_fail(err, rc, "cannot save domain %" PRIu32,
                            args->domid);
    libxl_ctx_free(ctx);
    return 0;
}

static const struct lxe_host_ops xen_ops = {
    .name = "xen",
    .close = close_host,
    .now_ns = now_ns,
    .list_domains = list_domains,
    .get_domain = get_domain,
    .memory = memory,
    .numa = numa,
    .set_target = set_target,
    .watch = watch,
    .event_fd = event_fd,
    .dispatch = dispatch,
    .reconnect = reconnect,
    .prepare_agent = prepare_agent,
    .drop_page_cache = drop_page_cache,
    .move_request = move_request,
    .move_answer = move_answer,
    .pause = pause_domain,
    .unpause = unpause_domain,
    .cap_set = cap_set,
    .cap_get = cap_get,
    .resume = resume,
    .check_devices = check_devices,
    .dirty_log_open = dirty_log_open,
    .page_sample_open = page_sample_open,
    .save = save,
};
