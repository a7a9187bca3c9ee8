/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define WINDOW_NS     LXE_NS_PER_SEC
#define PIPE_BYTES    (256 * 1024)
#define DRAIN_POLL_NS LXE_NS_PER_MS

/*
 * The kernel counts headers too, which are less than a twentieth at any MTU:
 * with so much more it evens out our pieces and is never what limits them.
 * Refused (ENOTSOCK, or no TCP) nothing is lost.
 */
static void pace_socket(const struct mig_outlet *o)
{
    uint64_t bps = o->rate_bps ? o->rate_bps + o->rate_bps / 20 : UINT64_MAX;
    int protocol = 0;
    socklen_t len = sizeof(protocol);

    if (!getsockopt(o->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) &&
        protocol == IPPROTO_TCP)
        setsockopt(o->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bps, sizeof(bps));
}

/*
 * A pipe begins with room for 16 pages: ssh, or whoever reads it, would be
 * woken for each 16, and make packets of no more. Refused (no pipe, or the
 * limit of its owner) nothing is lost.
 */
static void widen_pipe(int fd)
{
    int bytes = fcntl(fd, F_GETPIPE_SZ);

    if (bytes >= 0 && bytes < PIPE_BYTES)
        fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

static void restart_window(struct mig_outlet *o, uint64_t now_ns)
{
    o->window.start_ns = now_ns;
    o->window.bytes = o->window.idle_ns = o->window.blocked_ns = 0;
}

void mig_outlet_init(struct mig_outlet *o, int fd, uint64_t rate_bps,
                     const atomic_bool *stopped)
{
    uint64_t now_ns = lxe_now_ns();

    memset(o, 0, sizeof(*o));
    o->fd = fd;
    o->stopped = stopped;
    o->rate_bps = rate_bps;
    pthread_mutex_init(&o->lock, NULL);
    mig_bucket_init(&o->bucket, rate_bps, mig_burst_bytes(rate_bps), now_ns);
    /* Without a burst at the begin, the first second is like any other. */
    mig_bucket_take(&o->bucket, mig_burst_bytes(rate_bps), now_ns);
    pace_socket(o);
    widen_pipe(fd);
    restart_window(o, now_ns);
}

void mig_outlet_deinit(struct mig_outlet *o)
{
    pthread_mutex_destroy(&o->lock);
}

void mig_outlet_set_rate(struct mig_outlet *o, uint64_t rate_bps)
{
    uint64_t now_ns = lxe_now_ns();

    pthread_mutex_lock(&o->lock);
    o->rate_bps = rate_bps;
    mig_bucket_set_rate(&o->bucket, rate_bps, mig_burst_bytes(rate_bps),
                        now_ns);
    pace_socket(o);
    restart_window(o, now_ns);
    pthread_mutex_unlock(&o->lock);
}

void mig_outlet_idle(struct mig_outlet *o, uint64_t ns)
{
    pthread_mutex_lock(&o->lock);
    o->stats.idle_ns += ns;
    o->window.idle_ns += ns;
    pthread_mutex_unlock(&o->lock);
}

void mig_outlet_stats(struct mig_outlet *o, struct mig_outlet_stats *out)
{
    pthread_mutex_lock(&o->lock);
    *out = o->stats;
    pthread_mutex_unlock(&o->lock);
}

/*
 * Counts bytes against the window. A second counts where it was the rate that
 * held us back: one in which we waited for pages or for the wire for more
 * than a fifth says nothing about the limiter.
 */
static void measure_rate(struct mig_outlet *o, uint64_t bytes, uint64_t now_ns)
{
    struct mig_limiter_error *e = &o->stats.limiter;
    uint64_t span = now_ns - o->window.start_ns;
    double allowed, error;

    o->window.bytes += bytes;
    if (!o->rate_bps || span < WINDOW_NS)
        return;
    allowed = (double)o->rate_bps * (double)span / 1e9;
    error = ((double)o->window.bytes - allowed) / allowed;
    if (error < 0)
        error = -error;
    if (o->window.idle_ns + o->window.blocked_ns < span / 5) {
        o->window.error_sum += error;
        e->seconds++;
        e->mean = o->window.error_sum / e->seconds;
        if (error > e->worst)
            e->worst = error;
    }
    restart_window(o, now_ns);
}

static void note_written(struct mig_outlet *o, size_t bytes, uint64_t start_ns)
{
    uint64_t now_ns = lxe_now_ns();

    pthread_mutex_lock(&o->lock);
    o->stats.bytes += bytes;
    o->stats.blocked_ns += now_ns - start_ns;
    o->window.blocked_ns += now_ns - start_ns;
    measure_rate(o, bytes, now_ns);
    pthread_mutex_unlock(&o->lock);
}

/* Waits until a chunk may go, and takes its tokens. */
static size_t wait_for_tokens(struct mig_outlet *o, size_t left)
{
    for (;;) {
        uint64_t now_ns = lxe_now_ns(), wait_ns;
        size_t chunk;

        pthread_mutex_lock(&o->lock);
        chunk = mig_chunk_bytes(o->rate_bps);
        if (chunk > left)
            chunk = left;
        wait_ns = mig_bucket_take(&o->bucket, chunk, now_ns)
                      ? 0
                      : mig_bucket_wait_ns(&o->bucket, chunk, now_ns);
        pthread_mutex_unlock(&o->lock);
        if (!wait_ns || atomic_load(o->stopped))
            return chunk;
        lxe_sleep_until_ns(now_ns + wait_ns);
        pthread_mutex_lock(&o->lock);
        o->stats.held_ns += lxe_now_ns() - now_ns;
        pthread_mutex_unlock(&o->lock);
    }
}

/* Moves the start of what is to be written on. */
static void advance(struct iovec **iov, size_t bytes)
{
    while (bytes && bytes >= (*iov)->iov_len)
        bytes -= (*iov)++->iov_len;
    if (bytes) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + bytes;
        (*iov)->iov_len -= bytes;
    }
}

/* As writev(), of the first `len` bytes. */
static ssize_t write_first(int fd, struct iovec *iov, size_t len)
{
    size_t have = 0, beyond;
    ssize_t n;
    int last = 0;

    while (have + iov[last].iov_len < len)
        have += iov[last++].iov_len;
    beyond = have + iov[last].iov_len - len;
    iov[last].iov_len -= beyond;
    n = writev(fd, iov, last + 1);
    iov[last].iov_len += beyond;
    return n;
}

static int write_chunk(struct mig_outlet *o, struct iovec **iov, size_t len)
{
    while (len) {
        ssize_t n;

        if (atomic_load(o->stopped))
            return -ECANCELED;
        n = write_first(o->fd, *iov, len);
        if (n < 0 && (errno == EINTR || atomic_load(o->stopped)))
            continue;
        if (n <= 0)
            return n ? -errno : -EPIPE;
        advance(iov, (size_t)n);
        len -= (size_t)n;
    }
    return 0;
}

int mig_outlet_write(struct mig_outlet *o, struct iovec *iov, int count)
{
    size_t left = 0;

    for (int i = 0; i < count; i++)
        left += iov[i].iov_len;
    while (left) {
        size_t chunk = wait_for_tokens(o, left);
        uint64_t start_ns = lxe_now_ns();
        int rc = write_chunk(o, &iov, chunk);

        if (rc)
            return rc;
        note_written(o, chunk, start_ns);
        left -= chunk;
    }
    return 0;
}

/* Bytes that the other end of a socket or a pipe has not taken yet. */
static int queued_bytes(int fd)
{
    int bytes = 0;

    if (ioctl(fd, SIOCOUTQ, &bytes) && ioctl(fd, FIONREAD, &bytes))
        return 0;
    return bytes;
}

void mig_outlet_drain(struct mig_outlet *o, uint64_t limit_ns)
{
    uint64_t end_ns = lxe_now_ns() + limit_ns;

    while (queued_bytes(o->fd) > 0 && !atomic_load(o->stopped) &&
           lxe_now_ns() < end_ns)
        lxe_sleep_ns(DRAIN_POLL_NS);
}
