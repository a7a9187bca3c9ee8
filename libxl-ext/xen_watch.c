/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenstore watches on domains and their memory keys. */
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

static const char *const memory_keys[] = {
    "memory/target",        "memory/meminfo",    "data/aerostat/report",
    "data/aerostat/done",   "data/meminfo_free", "data/updated",
};
#define KEYS (sizeof(memory_keys) / sizeof(memory_keys[0]))

struct watched {
    uint32_t domid;
    bool changed;
    uint64_t writes;
};

struct lxe_watch {
    struct xs_handle *xs;
    struct watched *doms; /* by rising domid */
    size_t count;
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

static int by_domid(const void *a, const void *b)
{
    const struct watched *x = a, *y = b;

    return x->domid < y->domid ? -1 : x->domid > y->domid;
}

static struct watched *find(const struct lxe_watch *watch, uint32_t domid)
{
    struct watched key = { .domid = domid };

    if (!watch->count)
        return NULL;
    return bsearch(&key, watch->doms, watch->count, sizeof(key), by_domid);
}

static bool ends_in(const char *path, const char *key)
{
    size_t len = strlen(path), key_len = strlen(key);

    return len >= key_len && !strcmp(path + len - key_len, key);
}

static void one_event(struct lxe_watch *watch, const char *path,
                      const char *token, bool *domains)
{
    struct watched *dom;
    uint64_t domid;

    if (!strcmp(token, DOMAINS_TOKEN)) {
        *domains = true;
        return;
    }
    if (lxe_keys_parse_number(token, strlen(token), UINT32_MAX, &domid))
        return;
    dom = find(watch, (uint32_t)domid);
    if (!dom)
        return;
    dom->changed = true;
    if (!ends_in(path, "memory/target"))
        dom->writes++;
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

/* Sets or lifts the watches of one domain. */
static int watch_keys(struct lxe_watch *watch, uint32_t domid, bool on,
                      struct lxe_err *err)
{
    char path[LXE_XS_PATH], token[16];

    snprintf(token, sizeof(token), "%" PRIu32, domid);
    for (size_t i = 0; i < KEYS; i++) {
        lxe_xs_path(path, domid, memory_keys[i]);
        /* xenstored drops no watch with a domain's tree: we have to. */
        if (!on)
            xs_unwatch(watch->xs, path, token);
        else if (!xs_watch(watch->xs, path, token))
            return watch_failed(path, err);
    }
    return 0;
}

int lxe_watch_follow(struct lxe_watch *watch, const uint32_t *domids,
                     size_t count, struct lxe_err *err)
{
    struct watched *doms = calloc(count ? count : 1, sizeof(*doms));
    size_t old = 0;
    int rc = 0;

    if (!doms)
        return lxe_fail(err, -ENOMEM, "no memory for watches");
    for (size_t i = 0; i < count; i++) {
        while (old < watch->count && watch->doms[old].domid < domids[i])
            watch_keys(watch, watch->doms[old++].domid, false, NULL);
        if (old < watch->count && watch->doms[old].domid == domids[i]) {
            doms[i] = watch->doms[old++];
            continue;
        }
        doms[i] = (struct watched){ .domid = domids[i] };
        if (!rc)
            rc = watch_keys(watch, domids[i], true, err);
    }
    while (old < watch->count)
        watch_keys(watch, watch->doms[old++].domid, false, NULL);
    free(watch->doms);
    watch->doms = doms;
    watch->count = count;
    return rc;
}

bool lxe_watch_take(struct lxe_watch *watch, uint32_t *domid)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->doms[i].changed) {
            watch->doms[i].changed = false;
            *domid = watch->doms[i].domid;
            return true;
        }
    return false;
}

uint64_t lxe_watch_writes(const struct lxe_watch *watch, uint32_t domid)
{
    const struct watched *dom = watch ? find(watch, domid) : NULL;

    return dom ? dom->writes : 0;
}
