/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hostprobe: asks a host what the daemon and the migration ask it, by hand.
 * For the testbed, and for looking at a dom0 where something is odd.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "dirty_log.h"
#include "host.h"

struct probe {
    struct lxe_host *host;
    char **args; /* behind the subcommand */
    int count;
};

static void put_u64(struct lxe_jw *w, const char *key, uint64_t value)
{
    if (value == LXE_UNKNOWN)
        lxe_jw_null(w, key);
    else
        lxe_jw_u64(w, key, value);
}

static void put_report(struct lxe_jw *w, const struct lxe_guest_report *r)
{
    static const char *const sources[] = { "none", "agent", "qubes",
                                           "xenserver" };

    lxe_jw_key(w, "report");
    lxe_jw_object(w);
    lxe_jw_str(w, "source", sources[r->source]);
    lxe_jw_u64(w, "seq", r->seq);
    put_u64(w, "total_kib", r->total_kib);
    put_u64(w, "available_kib", r->available_kib);
    put_u64(w, "used_kib", r->used_kib);
    put_u64(w, "swap_used_kib", r->swap_used_kib);
    put_u64(w, "swap_free_kib", r->swap_free_kib);
    put_u64(w, "refaults", r->refaults);
    put_u64(w, "psi_some_x100", r->psi_some_x100);
    lxe_jw_bool(w, "drop_pending", r->drop_pending);
    lxe_jw_end_object(w);
}

static void put_domain(struct lxe_jw *w, const struct lxe_domain *d)
{
    static const char *const types[] = { "pv", "hvm", "pvh" };

    lxe_jw_object(w);
    lxe_jw_u64(w, "domid", d->domid);
    lxe_jw_str(w, "name", d->name);
    lxe_jw_str(w, "uuid", d->uuid);
    lxe_jw_str(w, "type", types[d->type]);
    lxe_jw_u64(w, "vcpus", d->vcpus);
    put_u64(w, "current_kib", d->current_kib);
    put_u64(w, "target_kib", d->target_kib);
    put_u64(w, "xen_max_kib", d->xen_max_kib);
    put_u64(w, "static_max_kib", d->static_max_kib);
    put_u64(w, "videoram_kib", d->videoram_kib);
    lxe_jw_bool(w, "running", d->running);
    lxe_jw_bool(w, "paused", d->paused);
    lxe_jw_bool(w, "shutdown", d->shutdown);
    lxe_jw_bool(w, "suspended", d->suspended);
    lxe_jw_bool(w, "dying", d->dying);
    lxe_jw_bool(w, "building", d->building);
    lxe_jw_bool(w, "migrating", d->migrating);
    put_report(w, &d->report);
    lxe_jw_end_object(w);
}

static int print_all(struct probe *p, struct lxe_err *err)
{
    struct lxe_domain_list list = { 0 };
    struct lxe_host_memory memory;
    struct lxe_jw *w;
    int rc = p->host->ops->memory(p->host, &memory, err);

    if (!rc)
        rc = p->host->ops->list_domains(p->host, &list, err);
    if (rc)
        return rc;
    w = lxe_jw_new(true);
    lxe_jw_object(w);
    lxe_jw_u64(w, "total_kib", memory.total_kib);
    lxe_jw_u64(w, "free_kib", memory.free_kib);
    lxe_jw_u64(w, "scrub_kib", memory.scrub_kib);
    lxe_jw_u64(w, "claimed_kib", memory.claimed_kib);
    lxe_jw_key(w, "domains");
    lxe_jw_array(w);
    for (size_t i = 0; i < list.count; i++)
        put_domain(w, &list.doms[i]);
    lxe_jw_end_array(w);
    lxe_jw_end_object(w);
    puts(lxe_jw_text(w, NULL) ? lxe_jw_text(w, NULL) : "no memory");
    lxe_jw_free(w);
    lxe_domain_list_free(&list);
    return 0;
}

static int find(struct probe *p, uint32_t *domid, struct lxe_err *err)
{
    struct lxe_domain dom;
    int rc = lxe_host_find(p->host, p->args[0], &dom, err);

    if (!rc)
        *domid = dom.domid;
    return rc;
}

static int set_target(struct probe *p, struct lxe_err *err)
{
    uint64_t kib;
    uint32_t domid;
    int rc = lxe_parse_u64(p->args[1], 0, UINT64_MAX / 2, &kib, err);

    if (!rc)
        rc = find(p, &domid, err);
    return rc ? rc : p->host->ops->set_target(p->host, domid, kib, err);
}

static void print_event(const struct lxe_event *event, void *data)
{
    struct probe *p = data;
    double s = (double)p->host->ops->now_ns(p->host) / 1e9;

    if (event->kind == LXE_EVENT_DOMAINS)
        printf("%.3f domains\n", s);
    else
        printf("%.3f memory %" PRIu32 "\n", s, event->domid);
}

static int watch(struct probe *p, struct lxe_err *err)
{
    uint64_t seconds, end_ns;
    int rc = lxe_parse_u64(p->args[0], 0, 86400, &seconds, err);

    if (!rc)
        rc = p->host->ops->watch(p->host, err);
    end_ns = lxe_now_ns() + seconds * LXE_NS_PER_SEC;
    while (rc >= 0 && lxe_now_ns() < end_ns) {
        struct pollfd fd = { p->host->ops->event_fd(p->host), POLLIN, 0 };

        poll(&fd, 1, (int)((end_ns - lxe_now_ns()) / LXE_NS_PER_MS) + 1);
        rc = p->host->ops->dispatch(p->host, print_event, p, err);
        fflush(stdout);
    }
    return rc < 0 ? rc : 0;
}

/* Per second: counted, peeked, counted again, cleaned, counted after that. */
static int sample(struct lxe_dirty_log *log, struct lxe_err *err)
{
    uint64_t counted, peeked, cleaned, after;
    int rc = log->ops->peek_count(log, &counted, err);

    if (!rc)
        rc = log->ops->peek(log, &peeked, err);
    if (!rc)
        rc = log->ops->clean(log, &cleaned, err);
    if (!rc)
        rc = log->ops->peek_count(log, &after, err);
    if (!rc)
        printf("pages %" PRIu64 ": counted %" PRIu64 " peeked %" PRIu64
               " cleaned %" PRIu64 " after %" PRIu64 "\n", log->pages,
               counted, peeked, cleaned, after);
    return rc;
}

static int dirty_log(struct probe *p, struct lxe_err *err)
{
    struct lxe_dirty_log *log;
    uint64_t seconds;
    uint32_t domid;
    int rc = lxe_parse_u64(p->args[1], 1, 3600, &seconds, err);

    if (!rc)
        rc = find(p, &domid, err);
    if (!rc)
        rc = p->host->ops->dirty_log_open(p->host, domid, &log, err);
    if (rc)
        return rc;
    for (uint64_t i = 0; !rc && i < seconds; i++) {
        lxe_sleep_ns(LXE_NS_PER_SEC);
        rc = sample(log, err);
    }
    log->ops->close(log);
    return rc;
}

static int by_name(struct probe *p, const char *op, struct lxe_err *err)
{
    const struct {
        const char *name;
        int (*fn)(struct lxe_host *host, uint32_t domid, struct lxe_err *err);
    } ops[] = {
        { "prepare-agent", p->host->ops->prepare_agent },
        { "drop", p->host->ops->drop_page_cache },
        { "pause", p->host->ops->pause },
        { "unpause", p->host->ops->unpause },
        { "resume", p->host->ops->resume },
    };
    uint32_t domid;
    int rc = find(p, &domid, err);

    for (size_t i = 0; !rc && i < sizeof(ops) / sizeof(ops[0]); i++)
        if (!strcmp(ops[i].name, op))
            return ops[i].fn(p->host, domid, err);
    return rc ? rc : lxe_fail(err, -EINVAL, "no subcommand '%s'", op);
}

/* Sets a cap where one is given, and prints what stands. */
static int cap(struct probe *p, struct lxe_err *err)
{
    uint64_t percent = 0;
    unsigned now = 0;
    uint32_t domid;
    int rc = find(p, &domid, err);

    if (!rc && p->count > 1)
        rc = lxe_parse_u64(p->args[1], 0, 100000, &percent, err);
    if (!rc && p->count > 1)
        rc = p->host->ops->cap_set(p->host, domid, (unsigned)percent, err);
    if (!rc)
        rc = p->host->ops->cap_get(p->host, domid, &now, err);
    if (!rc)
        printf("cap %u\n", now);
    return rc;
}

/* Saves live into a file and resumes: the guest must run on. */
static int save(struct probe *p, struct lxe_err *err)
{
    struct lxe_save_args args = { .live = true };
    _cleanup_close_ int fd = -1;
    int rc = find(p, &args.domid, err);
    int back;

    if (rc)
        return rc;
    fd = open(p->args[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return lxe_fail(err, -errno, "cannot open %s: %s", p->args[1],
                        strerror(errno));
    args.stream_fd = fd;
    rc = p->host->ops->save(p->host, &args, err);
    back = p->host->ops->resume(p->host, args.domid, err);
    return rc ? rc : back;
}

static int run(struct probe *p, const char *op, struct lxe_err *err)
{
    if (!op)
        return print_all(p, err);
    if (!strcmp(op, "set-target") && p->count == 2)
        return set_target(p, err);
    if (!strcmp(op, "watch") && p->count == 1)
        return watch(p, err);
    if (!strcmp(op, "dirty-log") && p->count == 2)
        return dirty_log(p, err);
    if (!strcmp(op, "cap") && (p->count == 1 || p->count == 2))
        return cap(p, err);
    if (!strcmp(op, "save") && p->count == 2)
        return save(p, err);
    if (p->count == 1)
        return by_name(p, op, err);
    return lxe_fail(err, -EINVAL, "usage: hostprobe [set-target DOM KIB | "
                    "watch SECONDS | dirty-log DOM SECONDS | cap DOM "
                    "[PERCENT] | save DOM FILE | prepare-agent|drop|pause|unpause|resume DOM]"
                    "; AEROSTAT_HOST=sim:FILE for a simulated host");
}

int main(int argc, char **argv)
{
    struct probe p = { .args = argv + 2, .count = argc > 2 ? argc - 2 : 0 };
    struct lxe_err err = { 0 };
    int rc = lxe_log_open("hostprobe", XTL_WARN, false);

    if (!rc)
        rc = lxe_host_open(getenv("AEROSTAT_HOST"), &p.host, &err);
    if (!rc) {
        rc = run(&p, argc > 1 ? argv[1] : NULL, &err);
        p.host->ops->close(p.host);
    }
    if (rc)
        fprintf(stderr, "hostprobe: %s\n", err.text);
    lxe_log_close();
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
