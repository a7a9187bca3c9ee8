/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenstore watches on domains and the keys of theirs that are read. */
#include "xen_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "guest_keys.h"
#include "xen_store.h"

#define DOMAINS_TOKEN "domains" /* the other tokens are domids */

/* What is watched of a domain, and so all that is in it. Few: xenstored tries
 * each watch of the host with each write. */
static const char *const watched_keys[] = {
    "name", "memory", "control/feature-balloon", "data",
};
#define WATCHED (sizeof(watched_keys) / sizeof(watched_keys[0]))

enum {
    FACTS = 1,
    REPORT = 2,
    REQUEST = 4,
    WRITE = 8, /* of a report without a sequence */
};

/* The keys that are read, and what of it they change. */
static const struct read_key {
    const char *key;
    unsigned changes;
} read_keys[] = {
    { "name", FACTS },
    { "control/feature-balloon", FACTS },
    { "memory/target", FACTS },
    { "memory/static-max", FACTS },
    { "memory/dynamic-min", FACTS },
    { "memory/dynamic-max", FACTS },
    { "memory/uncooperative", FACTS },
    { "memory/videoram", FACTS },
    { "memory/meminfo", FACTS | REPORT | WRITE },
    { "data/meminfo_free", REPORT | WRITE },
    { "data/meminfo_total", REPORT },
    { "data/updated", REPORT | WRITE },
    { "data/aerostat/report", REPORT },
    { "data/aerostat/request", REPORT },
    { "data/aerostat/done", REPORT },
    { "data/aerostat/move", REQUEST },
};
#define READ_KEYS (sizeof(read_keys) / sizeof(read_keys[0]))

struct watched {
    uint32_t domid;
    bool changed;
    struct lxe_xen_keys keys;
};

struct lxe_watch {
    struct xs_handle *xs;
    struct watched *doms; /* by rising domid */
    size_t count;
    size_t next; /* to be looked at by take() */
};

static int watch_failed(const char *path, struct lxe_err *err)
{
    return lxe_fail(err, -EIO, "cannot watch %s: %s", path, strerror(errno));
}

int lxe_watch_open(struct lxe_watch **out, struct lxe_err *err)
{
    static const char *const special[] = { "@introduceDomain",
                                           "@releaseDomain" };
    struct lxe_watch *watch = calloc(1, sizeof(*watch));
    int rc = 0;

    if (!watch)
        return lxe_fail(err, -ENOMEM, "no memory for watches");
    /* Without the filter an event of a gone domain may come after unwatch. */
    watch->xs = xs_open(XS_UNWATCH_FILTER);
    if (!watch->xs)
        rc = lxe_fail(err, -EIO, "cannot open xenstore: %s; is xenstored "
                      "running?", strerror(errno));
    for (size_t i = 0; !rc && i < 2; i++)
        if (!xs_watch(watch->xs, special[i], DOMAINS_TOKEN))
            rc = watch_failed(special[i], err);
    if (rc)
        lxe_watch_close(watch);
    else
        *out = watch;
    return rc;
}

void lxe_watch_close(struct lxe_watch *watch)
{
    if (!watch)
        return;
    if (watch->xs)
        xs_close(watch->xs);
    free(watch->doms);
    free(watch);
}

int lxe_watch_fd(struct lxe_watch *watch)
{
    return xs_fileno(watch->xs);
}

static int compare_domid(const void *key, const void *item)
{
    uint32_t domid = *(const uint32_t *)key;
    const struct watched *dom = item;

    return domid < dom->domid ? -1 : domid > dom->domid;
}

static struct watched *find(const struct lxe_watch *watch, uint32_t domid)
{
    if (!watch->count)
        return NULL;
    return bsearch(&domid, watch->doms, watch->count, sizeof(*watch->doms),
                   compare_domid);
}

/* Whether the key is at a path, or below it: gone, or there, with it. */
static bool is_within(const char *key, const char *path)
{
    size_t len = strlen(path);

    return !strncmp(key, path, len) && (!key[len] || key[len] == '/');
}

static unsigned changes_at(const char *path)
{
    unsigned changes = 0;

    for (size_t i = 0; i < READ_KEYS; i++)
        if (is_within(read_keys[i].key, path))
            changes |= read_keys[i].changes;
    return changes;
}

static void one_event(struct lxe_watch *watch, const char *path,
                      const char *token, bool *domains)
{
    char tree[LXE_XS_PATH];
    struct watched *dom;
    unsigned changes;
    uint64_t domid;
    size_t len;

    if (!strcmp(token, DOMAINS_TOKEN)) {
        *domains = true;
        return;
    }
    if (lxe_keys_parse_number(token, strlen(token), UINT32_MAX, &domid))
        return;
    dom = find(watch, (uint32_t)domid);
    len = strlen(lxe_xs_path(tree, (uint32_t)domid, ""));
    if (!dom || strncmp(path, tree, len) || path[len] != '/')
        return;
    changes = changes_at(path + len + 1);
    dom->changed |= changes != 0;
    dom->keys.has_facts &= !(changes & FACTS);
    dom->keys.has_report &= !(changes & REPORT);
    dom->keys.has_request &= !(changes & REQUEST);
    dom->keys.writes += (changes & WRITE) != 0;
}

/*
 * Until there are none: the descriptor may be readable once for many events.
 * It ends, however fast guests write: xenstored does far more for each of
 * their writes than we do here.
 */
int lxe_watch_drain(struct lxe_watch *watch, bool *domains,
                    struct lxe_err *err)
{
    char **event;

    errno = 0;
    while ((event = xs_check_watch(watch->xs))) {
        one_event(watch, event[XS_WATCH_PATH], event[XS_WATCH_TOKEN], domains);
        free(event);
        errno = 0;
    }
    if (errno == EAGAIN)
        return 0;
    return lxe_fail(err, -ENOTCONN, "xenstored closed the connection (%s)",
                    strerror(errno));
}

/* xenstore drops no watch with a domain's tree: we have to. */
static void unwatch_keys(struct lxe_watch *watch, uint32_t domid)
{
    char path[LXE_XS_PATH], token[16];

    snprintf(token, sizeof(token), "%" PRIu32, domid);
    for (size_t i = 0; i < WATCHED; i++)
        xs_unwatch(watch->xs, lxe_xs_path(path, domid, watched_keys[i]),
                   token);
}

/* Watches all keys of a domain, or none. */
static int watch_keys(struct lxe_watch *watch, uint32_t domid,
                      struct lxe_err *err)
{
    char path[LXE_XS_PATH], token[16];

    snprintf(token, sizeof(token), "%" PRIu32, domid);
    for (size_t i = 0; i < WATCHED; i++) {
        lxe_xs_path(path, domid, watched_keys[i]);
        if (!xs_watch(watch->xs, path, token)) {
            int rc = watch_failed(path, err);

            unwatch_keys(watch, domid);
            return rc;
        }
    }
    return 0;
}

int lxe_watch_follow(struct lxe_watch *watch, const uint32_t *domids,
                     size_t count, struct lxe_err *err)
{
    struct watched *doms = calloc(count ? count : 1, sizeof(*doms));
    size_t old = 0, n = 0;
    int rc = 0;

    if (!doms)
        return lxe_fail(err, -ENOMEM, "no memory for watches");
    for (size_t i = 0; i < count; i++) {
        while (old < watch->count && watch->doms[old].domid < domids[i])
            unwatch_keys(watch, watch->doms[old++].domid);
        if (old < watch->count && watch->doms[old].domid == domids[i]) {
            doms[n++] = watch->doms[old++];
            continue;
        }
        if (!rc)
            rc = watch_keys(watch, domids[i], err);
        if (!rc)
            doms[n++].domid = domids[i];
    }
    while (old < watch->count)
        unwatch_keys(watch, watch->doms[old++].domid);
    free(watch->doms);
    watch->doms = doms;
    watch->count = n;
    watch->next = 0;
    return rc;
}

bool lxe_watch_take(struct lxe_watch *watch, uint32_t *domid)
{
    while (watch->next < watch->count) {
        struct watched *dom = &watch->doms[watch->next++];

        if (dom->changed) {
            dom->changed = false;
            *domid = dom->domid;
            return true;
        }
    }
    watch->next = 0;
    return false;
}

struct lxe_xen_keys *lxe_watch_keys(struct lxe_watch *watch, uint32_t domid)
{
    struct watched *dom = find(watch, domid);

    return dom ? &dom->keys : NULL;
}
