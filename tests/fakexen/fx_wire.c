/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "fx_wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fx_guest.h"

#define PIECE    65536
#define HEADERS  40 /* of the image and the domain */
#define BURST_NS 2000000 /* what a sleep that ends late may make up for */

struct fx_wire {
    struct fx_wire_config config;
    int from, to;
    pthread_t thread;
    struct fx_wire_seen seen;
    uint64_t free_ns; /* when the wire has sent what it took */
    bool stalled;
    uint64_t next_at;  /* of the next record's header */
    uint8_t header[8]; /* as far as it went by */
    uint8_t buf[PIECE];
};

/* A piece occupies the wire for its length by the rate. */
static void pace(struct fx_wire *w, size_t bytes)
{
    uint64_t now_ns = fx_now_ns();

    if (!w->config.rate_bps)
        return;
    if (w->free_ns + BURST_NS < now_ns)
        w->free_ns = now_ns - BURST_NS;
    w->free_ns += (uint64_t)((double)bytes * 1e9 /
                             (double)w->config.rate_bps);
    if (w->free_ns > now_ns + 200000)
        fx_sleep_us((w->free_ns - now_ns) / 1000);
}

static size_t allowed(const struct fx_wire *w)
{
    const struct fx_wire_config *c = &w->config;
    uint64_t n = c->piece_bytes && c->piece_bytes < PIECE ? c->piece_bytes
                                                          : PIECE;

    if (c->break_at && c->break_at - w->seen.bytes < n)
        n = c->break_at - w->seen.bytes;
    return (size_t)n;
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Notes the records whose headers end in these bytes. */
static void note_records(struct fx_wire *w, const uint8_t *data, size_t len)
{
    uint64_t at = w->seen.bytes;

    while (w->next_at < at + len) {
        uint64_t from = w->next_at > at ? w->next_at : at;
        size_t have = (size_t)(from - w->next_at);
        uint32_t type, bytes;

        for (; have < sizeof(w->header) && from < at + len; from++)
            w->header[have++] = data[from - at];
        if (have < sizeof(w->header))
            return;
        memcpy(&type, w->header, sizeof(type));
        memcpy(&bytes, w->header + 4, sizeof(bytes));
        bytes = (bytes + 7) / 8 * 8 + 8;
        if (type < FX_RECORD_TYPES) {
            w->seen.at[type] = w->next_at;
            w->seen.length[type] = bytes;
        }
        w->next_at += bytes;
    }
}

static bool carry(struct fx_wire *w)
{
    const struct fx_wire_config *c = &w->config;
    ssize_t n;

    if (c->break_at && w->seen.bytes == c->break_at)
        return false;
    if (c->stall_at && w->seen.bytes >= c->stall_at && !w->stalled) {
        w->stalled = true;
        fx_sleep_us(c->stall_us);
    }
    n = recv(w->from, w->buf, allowed(w), 0);
    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0)
        return false;
    pace(w, (size_t)n);
    if (!write_all(w->to, w->buf, (size_t)n))
        return false;
    note_records(w, w->buf, (size_t)n);
    w->seen.bytes += (uint64_t)n;
    return true;
}

static void *wire_main(void *data)
{
    struct fx_wire *w = data;

    while (carry(w))
        ;
    close(w->from);
    close(w->to);
    return NULL;
}

struct fx_wire *fx_wire_start(const struct fx_wire_config *config, int from,
                              int to)
{
    struct fx_wire *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    w->config = *config;
    w->next_at = HEADERS;
    w->from = from;
    w->to = to;
    if (pthread_create(&w->thread, NULL, wire_main, w))
        abort();
    return w;
}

void fx_wire_join(struct fx_wire *w, struct fx_wire_seen *seen)
{
    pthread_join(w->thread, NULL);
    *seen = w->seen;
    free(w);
}
