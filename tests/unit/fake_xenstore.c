/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_xenstore.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "unit.h"

#define NODES   4096
#define WATCHES 1024
#define EVENTS  8192
#define PATH    96
#define VALUE   320

struct xs_handle {
    bool dead;
};

struct node {
    char path[PATH];
    char value[VALUE];
};

struct watch {
    struct xs_handle *xs; /* NULL: free */
    char path[PATH];
    char token[16];
};

unsigned fake_xs_requests;
unsigned fake_xs_watches_left = UINT32_MAX;

static struct node nodes[NODES];
static size_t node_count;
static struct watch watches[WATCHES];
static struct watch events[EVENTS]; /* that wait; the path is what changed */
static size_t event_count;

static bool is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

static void send_event(const struct watch *watch, const char *path)
{
    if (event_count == EVENTS)
        CU_FAIL_FATAL("too many events wait");
    events[event_count] = *watch;
    snprintf(events[event_count++].path, PATH, "%s", path);
}

static void fire(const char *path, bool exact)
{
    for (size_t i = 0; i < WATCHES; i++)
        if (watches[i].xs && (exact ? !strcmp(path, watches[i].path)
                                    : is_below(path, watches[i].path)))
            send_event(&watches[i], path);
}

static struct node *find(const char *path)
{
    for (size_t i = 0; i < node_count; i++)
        if (!strcmp(nodes[i].path, path))
            return &nodes[i];
    return NULL;
}

void fake_xs_set(const char *path, const char *value)
{
    struct node *node = find(path);

    if (!node) {
        if (node_count == NODES)
            CU_FAIL_FATAL("too many keys");
        node = &nodes[node_count++];
        snprintf(node->path, PATH, "%s", path);
    }
    snprintf(node->value, VALUE, "%s", value);
    fire(path, false);
}

void fake_xs_remove(const char *path)
{
    size_t kept = 0;

    for (size_t i = 0; i < node_count; i++)
        if (!is_below(nodes[i].path, path))
            nodes[kept++] = nodes[i];
    node_count = kept;
    fire(path, false);
    for (size_t i = 0; i < WATCHES; i++)
        if (watches[i].xs && strcmp(watches[i].path, path) &&
            is_below(watches[i].path, path))
            send_event(&watches[i], watches[i].path);
}

const char *fake_xs_get(const char *path)
{
    const struct node *node = find(path);

    return node ? node->value : NULL;
}

void fake_xs_special(const char *name)
{
    fire(name, true);
}

static void end_watches(const struct xs_handle *xs)
{
    size_t kept = 0;

    for (size_t i = 0; i < WATCHES; i++)
        if (watches[i].xs == xs)
            watches[i].xs = NULL;
    for (size_t i = 0; i < event_count; i++)
        if (events[i].xs != xs)
            events[kept++] = events[i];
    event_count = kept;
}

static struct xs_handle *handles[64];
static size_t handle_count;

void fake_xs_restart(void)
{
    for (size_t i = 0; i < handle_count; i++) {
        handles[i]->dead = true;
        end_watches(handles[i]);
    }
}

void fake_xs_cut_watchers(void)
{
    for (size_t i = 0; i < WATCHES; i++)
        if (watches[i].xs) {
            watches[i].xs->dead = true;
            end_watches(watches[i].xs);
        }
}

static bool ask(struct xs_handle *xs)
{
    fake_xs_requests++;
    if (xs->dead)
        errno = EIO;
    return !xs->dead;
}

/* ---- libxenstore ---- */

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *xs = calloc(1, sizeof(*xs));

    (void)flags;
    if (!xs || handle_count == 64)
        CU_FAIL_FATAL("too many connections");
    handles[handle_count++] = xs;
    return xs;
}

void xs_close(struct xs_handle *xs)
{
    size_t kept = 0;

    for (size_t i = 0; i < handle_count; i++)
        if (handles[i] != xs)
            handles[kept++] = handles[i];
    handle_count = kept;
    end_watches(xs);
    free(xs);
}

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path,
              unsigned *len)
{
    const struct node *node;

    (void)t;
    if (!ask(xs))
        return NULL;
    node = find(path);
    if (!node) {
        errno = ENOENT;
        return NULL;
    }
    *len = (unsigned)strlen(node->value);
    return strdup(node->value);
}

char **xs_directory(struct xs_handle *xs, xs_transaction_t t, const char *path,
                    unsigned *num)
{
    char **names, *text;
    size_t len = strlen(path);

    (void)t;
    *num = 0;
    if (!ask(xs))
        return NULL;
    names = calloc(1, 64 * (sizeof(*names) + PATH));
    text = names ? (char *)(names + 64) : NULL;
    for (size_t i = 0; names && i < node_count && *num < 64; i++) {
        const char *at = nodes[i].path;

        if (!is_below(at, path) || !at[len] || strchr(at + len + 1, '/'))
            continue;
        names[*num] = text + *num * PATH;
        snprintf(names[(*num)++], PATH, "%s", at + len + 1);
    }
    if (*num)
        return names;
    free(names);
    errno = ENOENT;
    return NULL;
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path,
              const void *data, unsigned len)
{
    char value[VALUE];

    (void)t;
    if (!ask(xs))
        return false;
    snprintf(value, sizeof(value), "%.*s", (int)len, (const char *)data);
    fake_xs_set(path, value);
    return true;
}

bool xs_mkdir(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
    (void)t;
    if (!ask(xs))
        return false;
    if (!find(path))
        fake_xs_set(path, "");
    return true;
}

bool xs_set_permissions(struct xs_handle *xs, xs_transaction_t t,
                        const char *path, struct xs_permissions *perms,
                        unsigned count)
{
    (void)t;
    (void)perms;
    (void)count;
    if (!ask(xs))
        return false;
    fire(path, false);
    return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *xs)
{
    return ask(xs) ? 1 : XBT_NULL;
}

bool xs_transaction_end(struct xs_handle *xs, xs_transaction_t t, bool abort)
{
    (void)t;
    (void)abort;
    return ask(xs);
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
    if (!ask(xs))
        return false;
    for (size_t i = 0; fake_xs_watches_left && i < WATCHES; i++)
        if (!watches[i].xs) {
            fake_xs_watches_left--;
            watches[i].xs = xs;
            snprintf(watches[i].path, PATH, "%s", path);
            snprintf(watches[i].token, sizeof(watches[i].token), "%s", token);
            send_event(&watches[i], path);
            return true;
        }
    errno = ENOMEM;
    return false;
}

bool xs_unwatch(struct xs_handle *xs, const char *path, const char *token)
{
    if (!ask(xs))
        return false;
    for (size_t i = 0; i < WATCHES; i++)
        if (watches[i].xs == xs && !strcmp(watches[i].path, path) &&
            !strcmp(watches[i].token, token)) {
            watches[i].xs = NULL;
            return true;
        }
    errno = ENOENT;
    return false;
}

/* As with libxenstore the strings lie behind the pointers. */
static char **event_text(const struct watch *event)
{
    char **text = calloc(1, 2 * sizeof(*text) + PATH + sizeof(event->token));

    if (!text)
        CU_FAIL_FATAL("out of memory");
    text[XS_WATCH_PATH] = (char *)(text + 2);
    text[XS_WATCH_TOKEN] = text[XS_WATCH_PATH] + PATH;
    memcpy(text[XS_WATCH_PATH], event->path, PATH);
    memcpy(text[XS_WATCH_TOKEN], event->token, sizeof(event->token));
    return text;
}

char **xs_check_watch(struct xs_handle *xs)
{
    errno = xs->dead ? EINVAL : EAGAIN;
    for (size_t i = 0; i < event_count; i++)
        if (events[i].xs == xs) {
            char **text = event_text(&events[i]);

            memmove(events + i, events + i + 1,
                    (--event_count - i) * sizeof(*events));
            return text;
        }
    return NULL;
}

int xs_fileno(struct xs_handle *xs)
{
    (void)xs;
    return 0;
}
