/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "rate.h"
#include "stream.h"
#include "stream_edit.h"

#define PIPE_BYTES (1 << 20)
#define WINDOW_NS  LXE_NS_PER_SEC
#define KICK_NS    (100 * LXE_NS_PER_MS)
#define KICK_SIGNAL SIGUSR1
#define CANCELLED  "the save was cancelled"

/* A second in which to see how exactly the rate was kept. */
struct window {
    uint64_t start_ns, bytes;
    uint64_t idle_ns;    /* waited for the guest's pages */
    uint64_t blocked_ns; /* waited for the wire */
    double error_sum;
};

struct mig_pump {
    struct mig_pump_config config;
    pthread_t thread;
    int read_fd, write_fd;
    atomic_bool stopped;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool idle; /* waits for input, and nothing is half done */
    struct mig_bucket bucket;
    uint64_t rate_bps;
    struct mig_pump_stats stats;
    struct window window;
    bool ended;         /* the thread does nothing more */
    struct lxe_err err; /* why; code is 0 if the stream was whole */

    uint64_t item_end_ns; /* when the last item was done with, or a round
                             began */

    struct mig_stream stream; /* the thread's own */
    uint64_t page_ns;
};

/* ---- pacing ---- */

/*
 * The kernel counts headers too, which are less than a twentieth at any MTU:
 * with so much more it evens out our pieces and is never what limits them.
 * Refused (ENOTSOCK, or no TCP) nothing is lost.
 */
static void pace_socket(const struct mig_pump *p)
{
    uint64_t bps = p->rate_bps ? p->rate_bps + p->rate_bps / 20 : UINT64_MAX;
    int protocol = 0;
    socklen_t len = sizeof(protocol);

    if (!getsockopt(p->config.out_fd, SOL_SOCKET, SO_PROTOCOL, &protocol,
                    &len) && protocol == IPPROTO_TCP)
        setsockopt(p->config.out_fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bps,
                   sizeof(bps));
}

static void restart_window(struct mig_pump *p, uint64_t now_ns)
{
    p->window.start_ns = now_ns;
    p->window.bytes = p->window.idle_ns = p->window.blocked_ns = 0;
}

/*
 * Counts bytes against the window. A second counts where it was the rate that
 * held us back: one in which we waited for pages or for the wire for more
 * than a fifth says nothing about the limiter.
 */
static void measure_rate(struct mig_pump *p, uint64_t bytes, uint64_t now_ns)
{
    struct mig_limiter_error *e = &p->stats.limiter;
    uint64_t span = now_ns - p->window.start_ns;
    double allowed, error;

    p->window.bytes += bytes;
    if (!p->rate_bps || span < WINDOW_NS)
        return;
    allowed = (double)p->rate_bps * (double)span / 1e9;
    error = ((double)p->window.bytes - allowed) / allowed;
    if (error < 0)
        error = -error;
    if (p->window.idle_ns + p->window.blocked_ns < span / 5) {
        p->window.error_sum += error;
        e->seconds++;
        e->mean = p->window.error_sum / e->seconds;
        if (error > e->worst)
            e->worst = error;
    }
    restart_window(p, now_ns);
}

/* Waits until a chunk may go, and takes its tokens. */
static size_t wait_for_tokens(struct mig_pump *p, size_t left)
{
    for (;;) {
        uint64_t now_ns = lxe_now_ns(), wait_ns;
        size_t chunk;

        pthread_mutex_lock(&p->lock);
        chunk = mig_chunk_bytes(p->rate_bps);
        if (chunk > left)
            chunk = left;
        wait_ns = mig_bucket_take(&p->bucket, chunk, now_ns)
                      ? 0
                      : mig_bucket_wait_ns(&p->bucket, chunk, now_ns);
        pthread_mutex_unlock(&p->lock);
        if (!wait_ns || atomic_load(&p->stopped))
            return chunk;
        lxe_sleep_until_ns(now_ns + wait_ns);
        pthread_mutex_lock(&p->lock);
        p->stats.held_ns += lxe_now_ns() - now_ns;
        pthread_mutex_unlock(&p->lock);
    }
}

static int write_chunk(struct mig_pump *p, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n;

        if (atomic_load(&p->stopped))
            return -ECANCELED;
        n = write(p->config.out_fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? -errno : -EPIPE;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_paced(struct mig_pump *p, const uint8_t *data, size_t len)
{
    while (len) {
        size_t chunk = wait_for_tokens(p, len);
        uint64_t start_ns = lxe_now_ns(), now_ns;
        int rc = write_chunk(p, data, chunk);

        if (rc)
            return rc;
        data += chunk;
        len -= chunk;
        now_ns = lxe_now_ns();
        pthread_mutex_lock(&p->lock);
        p->stats.bytes += chunk;
        p->stats.blocked_ns += now_ns - start_ns;
        p->window.blocked_ns += now_ns - start_ns;
        measure_rate(p, chunk, now_ns);
        pthread_mutex_unlock(&p->lock);
    }
    return 0;
}

/* ---- one item of the stream ---- */

static void edit_pages(struct mig_pump *p,
                       const struct mig_stream_item *item,
                       struct mig_edit_result *edit)
{
    const uint64_t *hot = NULL;
    uint64_t hot_pages = 0;

    if (p->config.hot)
        hot = mig_hot_begin(p->config.hot, lxe_now_ns(), &hot_pages);
    mig_edit_page_data(item->data, item->length, hot, hot_pages,
                       p->stream.guest_type == MIG_GUEST_HVM, edit);
    if (p->config.hot)
        mig_hot_end(p->config.hot, edit->skipped, p->page_ns);
}

/* How long it took libxc to bring a batch, but for the holes in it. */
static uint64_t bringing_ns(const struct mig_pump *p,
                            const struct mig_edit_result *edit,
                            uint64_t start_ns)
{
    uint64_t gap_ns =
        start_ns > p->item_end_ns ? start_ns - p->item_end_ns : 0;
    uint32_t all = edit->sent + edit->skipped + edit->holes + edit->other;

    return edit->sent ? gap_ns / all * edit->sent : 0;
}

static int carry_pages(struct mig_pump *p, const struct mig_stream_item *item)
{
    struct mig_edit_result edit;
    uint64_t start_ns = lxe_now_ns(), took_ns, held_ns = p->stats.held_ns;
    int rc = 0;

    edit_pages(p, item, &edit);
    if (!edit.drop)
        rc = write_paced(p, item->data, edit.length);
    took_ns = lxe_now_ns() - start_ns;
    if (edit.sent)
        p->page_ns = took_ns / edit.sent;
    pthread_mutex_lock(&p->lock);
    p->stats.busy_ns += bringing_ns(p, &edit, start_ns);
    p->stats.sent_pages += edit.sent;
    p->stats.skipped_pages += edit.skipped;
    p->stats.hole_frames += edit.holes;
    if (edit.sent) {
        p->stats.busy_ns += took_ns;
        p->stats.busy_bytes += edit.length;
        p->stats.busy_held_ns += p->stats.held_ns - held_ns;
    }
    pthread_mutex_unlock(&p->lock);
    if (p->config.progress)
        p->config.progress(p->config.data);
    return rc;
}

static int carry_item(struct mig_pump *p)
{
    struct mig_stream_item item = mig_stream_item(&p->stream);
    int rc;

    if (item.kind == MIG_ITEM_RECORD && item.type == MIG_REC_PAGE_DATA)
        rc = carry_pages(p, &item);
    else
        rc = write_paced(p, item.data, item.length);
    pthread_mutex_lock(&p->lock);
    p->item_end_ns = lxe_now_ns();
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* ---- the thread ---- */

static void become_idle(struct mig_pump *p)
{
    pthread_mutex_lock(&p->lock);
    p->idle = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/*
 * Idle is taken back before the bytes are read, so that an empty pipe beside
 * an idle pump means that all was written out.
 */
static void wait_for_input(struct mig_pump *p)
{
    struct pollfd pfd = { .fd = p->read_fd, .events = POLLIN };
    uint64_t start_ns = lxe_now_ns();

    become_idle(p);
    while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&p->lock);
    p->idle = false;
    p->stats.idle_ns += lxe_now_ns() - start_ns;
    p->window.idle_ns += lxe_now_ns() - start_ns;
    pthread_mutex_unlock(&p->lock);
}

/* Returns 1 after something was read, 0 at the end, or a negative errno. */
static int pump_once(struct mig_pump *p, struct lxe_err *err)
{
    void *buf;
    size_t room;
    ssize_t n;
    int rc;

    mig_stream_want(&p->stream, &buf, &room);
    if (!room)
        return 0;
    wait_for_input(p);
    n = read(p->read_fd, buf, room);
    if (n < 0)
        return errno == EINTR ? 1 : lxe_fail(err, -errno,
                                             "cannot read the stream: %m");
    if (!n && atomic_load(&p->stopped))
        return lxe_fail(err, -ECANCELED, CANCELLED);
    if (!n)
        return mig_stream_eof(&p->stream, err);
    rc = mig_stream_got(&p->stream, (size_t)n, err);
    if (rc <= 0)
        return rc ? rc : 1;
    rc = carry_item(p);
    if (rc)
        return lxe_fail(err, rc, "cannot send to the target: %s",
                        strerror(-rc));
    return 1;
}

static void *pump_main(void *data)
{
    struct mig_pump *p = data;
    struct lxe_err err = { 0 };
    int rc;

    do
        rc = atomic_load(&p->stopped) ? lxe_fail(&err, -ECANCELED, CANCELLED)
                                      : pump_once(p, &err);
    while (rc > 0);
    /* libxc's next write fails at once instead of filling the pipe. */
    close(p->read_fd);
    pthread_mutex_lock(&p->lock);
    p->err = err;
    p->ended = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- from outside ---- */

static int open_pipe(struct mig_pump *p, struct lxe_err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return lxe_fail(err, -errno, "cannot make a pipe: %m");
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* only faster where it works */
    p->read_fd = fds[0];
    p->write_fd = fds[1];
    return 0;
}

static void on_kick(int signal)
{
    (void)signal; /* its use is that it ends a write with EINTR */
}

/*
 * Signals are for the save's thread, whose write they interrupt; but one ends
 * the pump's own write to a target that takes nothing more.
 */
static int start_thread(struct mig_pump *p, struct lxe_err *err)
{
    struct sigaction kick = { .sa_handler = on_kick };
    sigset_t all, old;
    int rc;

    sigaction(KICK_SIGNAL, &kick, NULL);
    sigfillset(&all);
    sigdelset(&all, KICK_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&p->thread, NULL, pump_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc ? lxe_fail(err, -rc, "cannot start a thread: %s", strerror(rc))
              : 0;
}

int mig_pump_start(const struct mig_pump_config *config,
                   struct mig_pump **out, struct lxe_err *err)
{
    struct mig_pump *p = calloc(1, sizeof(*p));
    uint64_t now_ns = lxe_now_ns();
    pthread_condattr_t monotonic;
    int rc;

    *out = NULL;
    if (!p)
        return lxe_fail(err, -ENOMEM, "out of memory");
    p->config = *config;
    p->rate_bps = config->rate_bps;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    mig_bucket_init(&p->bucket, p->rate_bps, mig_burst_bytes(p->rate_bps),
                    now_ns);
    pace_socket(p);
    restart_window(p, now_ns);
    rc = mig_stream_init(&p->stream, err);
    if (rc) {
        free(p);
        return rc;
    }
    rc = open_pipe(p, err);
    if (!rc) {
        rc = start_thread(p, err);
        if (rc) {
            close(p->read_fd);
            close(p->write_fd);
        }
    }
    if (rc)
        mig_pump_free(p);
    else
        *out = p;
    return rc;
}

int mig_pump_fd(const struct mig_pump *pump)
{
    return pump->write_fd;
}

void mig_pump_set_rate(struct mig_pump *pump, uint64_t rate_bps)
{
    uint64_t now_ns = lxe_now_ns();

    pthread_mutex_lock(&pump->lock);
    pump->rate_bps = rate_bps;
    mig_bucket_set_rate(&pump->bucket, rate_bps, mig_burst_bytes(rate_bps),
                        now_ns);
    pace_socket(pump);
    restart_window(pump, now_ns);
    pump->item_end_ns = now_ns;
    pthread_mutex_unlock(&pump->lock);
}

static bool drained(struct mig_pump *p)
{
    int waiting = 0;

    return p->ended ||
           (p->idle && !ioctl(p->write_fd, FIONREAD, &waiting) && !waiting);
}

/* A stop may have come just before the write that it is to end: repeat it. */
static void wait_and_kick(struct mig_pump *p)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)KICK_NS;
    if (until.tv_nsec >= (long)LXE_NS_PER_SEC) {
        until.tv_nsec -= (long)LXE_NS_PER_SEC;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&p->changed, &p->lock, &until);
    if (atomic_load(&p->stopped) && !p->ended)
        pthread_kill(p->thread, KICK_SIGNAL);
}

int mig_pump_drain(struct mig_pump *pump)
{
    int rc;

    pthread_mutex_lock(&pump->lock);
    while (!drained(pump))
        wait_and_kick(pump);
    rc = pump->err.code;
    pthread_mutex_unlock(&pump->lock);
    return rc;
}

void mig_pump_stats(struct mig_pump *pump, struct mig_pump_stats *out)
{
    pthread_mutex_lock(&pump->lock);
    *out = pump->stats;
    pthread_mutex_unlock(&pump->lock);
}

void mig_pump_stop(struct mig_pump *pump)
{
    atomic_store(&pump->stopped, true);
}

int mig_pump_finish(struct mig_pump *pump, bool complete, struct lxe_err *err)
{
    if (!complete)
        mig_pump_stop(pump);
    close(pump->write_fd);
    pthread_mutex_lock(&pump->lock);
    while (!pump->ended)
        wait_and_kick(pump);
    pthread_mutex_unlock(&pump->lock);
    pthread_join(pump->thread, NULL);
    if (pump->err.code)
        *err = pump->err;
    return pump->err.code;
}

void mig_pump_free(struct mig_pump *pump)
{
    if (!pump)
        return;
    mig_stream_deinit(&pump->stream);
    pthread_cond_destroy(&pump->changed);
    pthread_mutex_destroy(&pump->lock);
    free(pump);
}
