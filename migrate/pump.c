/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pump.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "stream.h"
#include "stream_edit.h"

#define MAX_PIECES 1024 /* IOV_MAX; a batch of pages comes in so many */

struct mig_pump {
    struct mig_pump_config config;
    atomic_bool stopped;
    struct mig_outlet outlet;

    pthread_mutex_t lock; /* for those two */
    struct mig_pump_stats stats; /* but for the outlet's */
    uint64_t item_end_ns; /* when the last item was done with, or a round
                             began */

    struct mig_stream stream;
    struct iovec pieces[MAX_PIECES]; /* to be written */
    int piece_count;
    struct mig_edit_result edit; /* of the batch in hand */
    uint32_t run;                /* of it: where we are, */
    bool sending;                /* in which half, */
    size_t run_left;             /* and bytes to the end of that */
    uint64_t batch_ns;           /* when it began, */
    struct mig_outlet_stats batch_out; /* and the outlet's figures then */
    uint64_t page_ns;     /* that sending a page took in the last batch */
    uint64_t returned_ns; /* to libxc */
    struct lxe_err err;   /* why nothing more can go; code 0: it can */
};

int mig_pump_open(const struct mig_pump_config *config, struct mig_pump **out,
                  struct lxe_err *err)
{
    struct mig_pump *p = calloc(1, sizeof(*p));
    int rc;

    *out = NULL;
    if (!p)
        return lxe_fail(err, -ENOMEM, "out of memory");
    rc = mig_stream_init(&p->stream, err);
    if (rc) {
        free(p);
        return rc;
    }
    p->config = *config;
    pthread_mutex_init(&p->lock, NULL);
    mig_outlet_init(&p->outlet, config->out_fd, config->rate_bps,
                    &p->stopped);
    p->returned_ns = lxe_now_ns();
    *out = p;
    return 0;
}

void mig_pump_free(struct mig_pump *pump)
{
    if (!pump)
        return;
    mig_stream_deinit(&pump->stream);
    mig_outlet_deinit(&pump->outlet);
    pthread_mutex_destroy(&pump->lock);
    free(pump);
}

/* ---- output ---- */

static int send_packed(void *data, const void *bytes, size_t len)
{
    struct iovec iov = { (void *)bytes, len };
    struct mig_pump *p = data;

    return mig_outlet_write(&p->outlet, &iov, 1);
}

static void count_packing(struct mig_pump *p, uint64_t ns)
{
    mig_outlet_idle(&p->outlet, ns);
    pthread_mutex_lock(&p->lock);
    p->stats.pack_ns += ns;
    pthread_mutex_unlock(&p->lock);
}

static uint64_t written_ns(struct mig_pump *p)
{
    struct mig_outlet_stats out;

    mig_outlet_stats(&p->outlet, &out);
    return out.held_ns + out.blocked_ns;
}

/* To the outlet that is time without pages, as libxc's own is. */
static int pack_pieces(struct mig_pump *p)
{
    uint64_t begin_ns = lxe_now_ns(), sending_ns = written_ns(p), all_ns;
    int rc = mig_pack_take(p->config.pack, p->pieces, p->piece_count,
                           mig_stream_done(&p->stream), send_packed, p);

    all_ns = lxe_now_ns() - begin_ns;
    sending_ns = written_ns(p) - sending_ns;
    count_packing(p, all_ns > sending_ns ? all_ns - sending_ns : 0);
    return rc;
}

static void count_plain(struct mig_pump *p)
{
    uint64_t bytes = 0;

    for (int i = 0; i < p->piece_count; i++)
        bytes += p->pieces[i].iov_len;
    pthread_mutex_lock(&p->lock);
    p->stats.plain_bytes += bytes;
    pthread_mutex_unlock(&p->lock);
}

static int flush(struct mig_pump *p)
{
    int rc;

    if (!p->piece_count)
        return 0;
    count_plain(p);
    rc = p->config.pack
             ? pack_pieces(p)
             : mig_outlet_write(&p->outlet, p->pieces, p->piece_count);
    p->piece_count = 0;
    return rc ? lxe_fail(&p->err, rc, "cannot send to the target: %s",
                         strerror(-rc))
              : 0;
}

/* Has it written at the next flush; until then it stays where it is. */
static int add_piece(struct mig_pump *p, const uint8_t *data, size_t len)
{
    struct iovec *last = p->pieces + p->piece_count - 1;

    if (p->piece_count && (uint8_t *)last->iov_base + last->iov_len == data) {
        last->iov_len += len;
        return 0;
    }
    if (p->piece_count == MAX_PIECES && flush(p))
        return p->err.code;
    p->pieces[p->piece_count++] = (struct iovec){ (void *)data, len };
    return 0;
}

static void end_item(struct mig_pump *p)
{
    pthread_mutex_lock(&p->lock);
    p->item_end_ns = lxe_now_ns();
    pthread_mutex_unlock(&p->lock);
}

/* ---- a batch of pages ---- */

static void edit_pages(struct mig_pump *p, uint8_t *head)
{
    const uint64_t *hot = NULL;
    uint64_t hot_pages = 0;

    if (p->config.hot)
        hot = mig_hot_begin(p->config.hot, lxe_now_ns(), &hot_pages);
    mig_edit_page_data(head, hot, hot_pages,
                       p->stream.guest_type == MIG_GUEST_HVM, &p->edit);
    if (p->config.hot)
        mig_hot_end(p->config.hot, p->edit.skipped, p->page_ns);
}

/* How long it took libxc to bring a batch, but for what is left out of it. */
static uint64_t bringing_ns(const struct mig_pump *p)
{
    const struct mig_edit_result *edit = &p->edit;
    uint64_t gap_ns =
        p->batch_ns > p->item_end_ns ? p->batch_ns - p->item_end_ns : 0;
    uint32_t all = edit->sent + edit->skipped + edit->holes + edit->other;

    return gap_ns / all * edit->sent;
}

static void count_batch(struct mig_pump *p, uint64_t took_ns)
{
    const struct mig_edit_result *edit = &p->edit;
    struct mig_outlet_stats out;

    mig_outlet_stats(&p->outlet, &out);
    pthread_mutex_lock(&p->lock);
    p->stats.sent_pages += edit->sent;
    p->stats.skipped_pages += edit->skipped;
    p->stats.hole_frames += edit->holes;
    if (edit->sent) {
        p->page_ns = took_ns / edit->sent;
        p->stats.busy_ns += bringing_ns(p) + took_ns;
        p->stats.busy_bytes +=
            edit->length + (uint64_t)edit->sent * LXE_PAGE_SIZE;
        p->stats.busy_packed_bytes += out.bytes - p->batch_out.bytes;
        p->stats.busy_held_ns += out.held_ns - p->batch_out.held_ns;
    }
    pthread_mutex_unlock(&p->lock);
}

static int end_batch(struct mig_pump *p)
{
    int rc = flush(p);

    count_batch(p, lxe_now_ns() - p->batch_ns);
    end_item(p);
    if (p->config.progress)
        p->config.progress(p->config.data);
    return rc;
}

static int begin_batch(struct mig_pump *p, const struct mig_stream_item *item)
{
    int rc = 0;

    p->batch_ns = lxe_now_ns();
    mig_outlet_stats(&p->outlet, &p->batch_out);
    edit_pages(p, item->data);
    p->run = 0;
    p->sending = true;
    p->run_left = p->edit.run[0].send * (size_t)LXE_PAGE_SIZE;
    if (p->edit.length)
        rc = add_piece(p, item->data, p->edit.length);
    return rc || item->contents ? rc : end_batch(p);
}

static void next_run(struct mig_pump *p)
{
    const struct mig_edit_run *run = p->edit.run;

    while (!p->run_left) {
        p->sending = !p->sending;
        p->run += p->sending;
        p->run_left = (p->sending ? run[p->run].send : run[p->run].leave) *
                      (size_t)LXE_PAGE_SIZE;
    }
}

/* Takes contents of pages, up to where they change from those to send to
 * those to leave. Returns how many bytes, or a negative errno. */
static ssize_t take_contents(struct mig_pump *p, const uint8_t *data,
                             size_t len)
{
    int rc;

    next_run(p);
    if (len > p->run_left)
        len = p->run_left;
    p->run_left -= len;
    rc = p->sending ? add_piece(p, data, len) : 0;
    if (!rc)
        rc = mig_stream_got(&p->stream, len, &p->err);
    if (!rc && !p->stream.contents)
        rc = end_batch(p);
    return rc ? rc : (ssize_t)len;
}

/* ---- the stream ---- */

static int carry_item(struct mig_pump *p)
{
    struct mig_stream_item item = mig_stream_item(&p->stream);
    int rc;

    if (item.kind == MIG_ITEM_RECORD && item.type == MIG_REC_PAGE_DATA)
        return begin_batch(p, &item);
    rc = add_piece(p, item.data, item.length);
    if (!rc)
        rc = flush(p);
    end_item(p);
    return rc;
}

/* Takes some of the stream. Returns how many bytes, or a negative errno. */
static ssize_t take_some(struct mig_pump *p, const uint8_t *data, size_t len)
{
    size_t room, used;
    void *buf;
    int rc;

    mig_stream_want(&p->stream, &buf, &room);
    if (room && !buf)
        return take_contents(p, data, len < room ? len : room);
    rc = mig_stream_feed(&p->stream, data, len, &used, &p->err);
    if (rc == 1)
        rc = carry_item(p);
    return rc ? rc : (ssize_t)used;
}

static int take_piece(struct mig_pump *p, const struct iovec *iov)
{
    const uint8_t *data = iov->iov_base;

    for (size_t at = 0; at < iov->iov_len;) {
        ssize_t n = take_some(p, data + at, iov->iov_len - at);

        if (n < 0)
            return (int)n;
        at += (size_t)n;
    }
    return 0;
}

int mig_pump_take(void *pump, const struct iovec *iov, int count)
{
    struct mig_pump *p = pump;
    int rc = p->err.code;

    mig_outlet_idle(&p->outlet, lxe_now_ns() - p->returned_ns);
    for (int i = 0; i < count && !rc; i++)
        rc = take_piece(p, &iov[i]);
    /* Pages are libxc's again when we return. */
    if (!rc)
        rc = flush(p);
    p->returned_ns = lxe_now_ns();
    return rc;
}

/* ---- from outside ---- */

void mig_pump_set_rate(struct mig_pump *pump, uint64_t rate_bps)
{
    mig_outlet_set_rate(&pump->outlet, rate_bps);
    end_item(pump);
}

void mig_pump_drain(struct mig_pump *pump, uint64_t limit_ns)
{
    mig_outlet_drain(&pump->outlet, limit_ns);
}

void mig_pump_stats(struct mig_pump *pump, struct mig_pump_stats *out)
{
    pthread_mutex_lock(&pump->lock);
    *out = pump->stats;
    pthread_mutex_unlock(&pump->lock);
    mig_outlet_stats(&pump->outlet, &out->out);
}

int mig_pump_check(const struct mig_pump *pump)
{
    return pump->err.code ? pump->err.code
                          : atomic_load(&pump->stopped) ? -ECANCELED : 0;
}

void mig_pump_stop(struct mig_pump *pump)
{
    atomic_store(&pump->stopped, true);
}

int mig_pump_finish(struct mig_pump *pump, bool complete, struct lxe_err *err)
{
    struct lxe_err *ended = &pump->err;

    if (!ended->code && (!complete || atomic_load(&pump->stopped)))
        lxe_fail(ended, -ECANCELED, "the save was cancelled");
    else if (!ended->code)
        mig_stream_eof(&pump->stream, ended);
    if (ended->code)
        *err = *ended;
    return ended->code;
}
