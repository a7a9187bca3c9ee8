/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's facts, from what Xen says and what xenstore holds. */
#include "xen_domains.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_keys.h"
#include "xen_agent_keys.h"
#include "xen_store.h"

struct filling {
    struct xs_handle *xs;
    struct lxe_xen_keys *keys;
    struct lxe_domain *dom; /* of the keys */
    struct lxe_err *err;
};

static int read_key(struct filling *f, const char *key, char **text,
                    unsigned *len)
{
    return lxe_xs_read(f->xs, XBT_NULL, f->dom->domid, key, text, len, f->err);
}

static int cannot_read(const char *path, struct lxe_err *err)
{
    return lxe_fail(err, -EIO, "cannot read %s: %s; is xenstored running?",
                    path, strerror(errno));
}

static void from_xen(const libxl_dominfo *info, struct lxe_domain *dom)
{
    dom->domid = info->domid;
    dom->vcpus = info->vcpu_online ? info->vcpu_online : 1;
    dom->current_kib = info->current_memkb + info->outstanding_memkb;
    dom->xen_max_kib = info->max_memkb;
    dom->dying = info->dying;
    dom->shutdown = info->shutdown;
    dom->suspended = info->shutdown &&
                     info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
    dom->paused = info->paused;
    dom->running = !info->paused && !info->shutdown && !info->dying;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && !strcmp(text + len - end_len, end);
}

/* Xen does not tell PVH from HVM: libxl wrote it down. */
static int fill_type(struct filling *f)
{
    char path[LXE_XS_PATH], *type;
    unsigned len;

    if (f->dom->type == LXE_DOM_PV)
        return 0;
    snprintf(path, sizeof(path), "/libxl/%" PRIu32 "/type", f->dom->domid);
    type = xs_read(f->xs, XBT_NULL, path, &len);
    if (!type && errno != ENOENT)
        return cannot_read(path, f->err);
    f->dom->type = type && !strcmp(type, "pvh") ? LXE_DOM_PVH : LXE_DOM_HVM;
    free(type);
    return 0;
}

static int fill_name(struct filling *f)
{
    char *text;
    unsigned len;
    int rc = read_key(f, "name", &text, &len);

    snprintf(f->dom->name, sizeof(f->dom->name), "%s", text ? text : "");
    free(text);
    if (rc)
        return rc;
    /* xl renames so: the receiver from the start, the sender at the end. */
    f->dom->migrating = ends_with(f->dom->name, "--incoming") ||
                        ends_with(f->dom->name, "--migratedaway");
    rc = read_key(f, "control/feature-balloon", &text, &len);
    /* Absent proves nothing: libxl does not create it, guests cannot. */
    f->dom->no_balloon = text && !strcmp(text, "0");
    free(text);
    return rc;
}

static bool listed(char **names, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

/*
 * Only the toolstack can create keys in memory/, so one listing tells which
 * of the rare ones are there, and saves their reads.
 */
static int fill_memory(struct filling *f)
{
    struct lxe_domain *dom = f->dom;
    const struct {
        const char *name;
        uint64_t *to;
    } keys[] = {
        { "target", &dom->target_kib },
        { "static-max", &dom->static_max_kib },
        { "dynamic-min", &dom->dynamic_min_kib },
        { "dynamic-max", &dom->dynamic_max_kib },
    };
    char path[LXE_XS_PATH];
    unsigned count = 0;
    char **names = xs_directory(f->xs, XBT_NULL,
                                lxe_xs_path(path, dom->domid, "memory"),
                                &count);
    int rc = 0;

    if (!names && errno != ENOENT)
        return cannot_read(path, f->err);
    for (size_t i = 0; !rc && i < sizeof(keys) / sizeof(keys[0]); i++) {
        *keys[i].to = LXE_UNKNOWN;
        snprintf(path, sizeof(path), "memory/%s", keys[i].name);
        if (listed(names, count, keys[i].name))
            rc = lxe_xs_read_number(f->xs, dom->domid, path, keys[i].to,
                                    f->err);
    }
    dom->uncooperative = listed(names, count, "uncooperative");
    f->keys->has_meminfo = listed(names, count, "meminfo");
    dom->videoram_kib = 0;
    if (!rc && listed(names, count, "videoram")) {
        int64_t kib = 0;

        rc = lxe_xen_videoram(f->xs, dom->domid, &kib, f->err);
        dom->videoram_kib = kib > 0 ? (uint64_t)kib : 0;
    }
    free(names);
    return rc;
}

int lxe_xen_videoram(struct xs_handle *xs, uint32_t domid, int64_t *out_kib,
                     struct lxe_err *err)
{
    char *text;
    unsigned len;
    int rc = lxe_xs_read(xs, XBT_NULL, domid, "memory/videoram", &text, &len,
                         err);

    *out_kib = text ? atoi(text) : 0; /* as libxl does: they must agree */
    free(text);
    return rc;
}

/*
 * Reports without a sequence get one: their text and how often they were
 * written. Never 0, which means that there is none.
 */
static uint64_t made_up_seq(const char *text, uint64_t writes)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    hash += writes;
    return hash ? hash : 1;
}

static int report_from_agent(struct filling *f)
{
    struct lxe_guest_report *report = &f->dom->report;
    char *text;
    unsigned len;
    int rc = read_key(f, "data/aerostat/report", &text, &len);

    if (!rc && text && len && !lxe_keys_parse_agent(text, len, report))
        rc = lxe_agent_keys_pending(f->xs, f->dom->domid,
                                    &report->drop_pending, f->err);
    free(text);
    return rc;
}

static int report_from_qubes(struct filling *f)
{
    char *text;
    unsigned len;
    int rc = read_key(f, "memory/meminfo", &text, &len);

    if (!rc && text && !lxe_keys_parse_qubes(text, len, &f->dom->report))
        f->dom->report.seq = made_up_seq(text, f->keys->writes);
    free(text);
    return rc;
}

static int report_from_xenserver(struct filling *f)
{
    char *free_kib, *total = NULL;
    unsigned free_len, total_len = 0;
    int rc = read_key(f, "data/meminfo_free", &free_kib, &free_len);

    if (!rc && free_kib)
        rc = read_key(f, "data/meminfo_total", &total, &total_len);
    if (!rc && free_kib &&
        !lxe_keys_parse_xenserver(total, total_len, free_kib, free_len,
                                  &f->dom->report))
        f->dom->report.seq = made_up_seq(free_kib, f->keys->writes);
    free(free_kib);
    free(total);
    return rc;
}

/* The best of what the guest tells; what is malformed counts as untold. */
static int fill_report(struct filling *f)
{
    struct lxe_guest_report *report = &f->dom->report;
    int rc;

    *report = (struct lxe_guest_report){
        .total_kib = LXE_UNKNOWN, .available_kib = LXE_UNKNOWN,
        .used_kib = LXE_UNKNOWN, .swap_used_kib = LXE_UNKNOWN,
        .swap_free_kib = LXE_UNKNOWN,
        .refaults = LXE_UNKNOWN, .swapins = LXE_UNKNOWN,
        .psi_some_x100 = LXE_UNKNOWN,
    };
    rc = report_from_agent(f);
    if (!rc && report->source == LXE_REPORT_NONE && f->keys->has_meminfo)
        rc = report_from_qubes(f);
    if (!rc && report->source == LXE_REPORT_NONE)
        rc = report_from_xenserver(f);
    return rc;
}

/* Those of a domain of which nothing was read yet. */
static void begin_keys(const libxl_dominfo *info, struct lxe_xen_keys *keys)
{
    memset(keys, 0, sizeof(*keys));
    memcpy(keys->uuid, info->uuid.uuid, sizeof(keys->uuid));
    snprintf(keys->dom.uuid, sizeof(keys->dom.uuid), LIBXL_UUID_FMT,
             LIBXL_UUID_BYTES(info->uuid));
    keys->dom.domid = info->domid;
    keys->dom.type = info->domain_type == LIBXL_DOMAIN_TYPE_HVM ? LXE_DOM_HVM
                                                                : LXE_DOM_PV;
}

static int read_facts(struct filling *f)
{
    int rc = fill_type(f);

    if (!rc)
        rc = fill_name(f);
    return rc ? rc : fill_memory(f);
}

int lxe_xen_fill_domain(struct xs_handle *xs, const libxl_dominfo *info,
                        struct lxe_xen_keys *keys, struct lxe_domain *out,
                        struct lxe_err *err)
{
    struct filling f = { .xs = xs, .keys = keys, .dom = &keys->dom,
                         .err = err };
    int rc = 0;

    if (!keys->dom.uuid[0] ||
        memcmp(keys->uuid, info->uuid.uuid, sizeof(keys->uuid)))
        begin_keys(info, keys);
    if (!keys->has_facts)
        rc = read_facts(&f);
    keys->has_facts = !rc;
    if (!rc && !keys->has_report)
        rc = fill_report(&f);
    keys->has_report = !rc;
    *out = keys->dom;
    from_xen(info, out);
    /*
     * Capping a domain in the middle of its build breaks it. One that never
     * ran is still being built, received, or waits for its first unpause.
     * dom0 was built before there was a xenstore, and has no target until
     * libxl is first asked for it.
     */
    out->building = info->domid != 0 &&
                    (out->target_kib == LXE_UNKNOWN || !out->name[0] ||
                     (info->paused && info->cpu_time == 0));
    return rc;
}
