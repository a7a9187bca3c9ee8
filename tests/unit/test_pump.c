/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pump with real sockets and signals, and synthetic streams. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "fake_log.h"
#include "pump.h"
#include "rate.h"
#include "stream.h"
#include "synth_stream.h"
#include "unit.h"

#define SEED      11
#define BATCH     64u
#define BATCH_BYTES (16 + BATCH * (8 + 4096))

/* ---- the far end ---- */

/* Reads all there is, keeps it if asked, and sees how fast it comes. */
struct sink {
    int fd;
    pthread_t thread;
    bool keep;
    uint8_t *data;
    size_t len, room;
    uint64_t start_ns, rate_bps, burst_bytes; /* what may come; 0: all */
    size_t too_much; /* bytes above it */
};

static void keep(struct sink *s, const uint8_t *data, size_t n)
{
    if (s->room < s->len + n) {
        s->room = 2 * (s->len + n);
        s->data = realloc(s->data, s->room);
    }
    memcpy(s->data + s->len, data, n);
}

static void note_arrival(struct sink *s, const uint8_t *data, size_t n)
{
    double seconds = (double)(lxe_now_ns() - s->start_ns) / 1e9;
    double allowed = (double)s->rate_bps * seconds + (double)s->burst_bytes;

    if (s->keep)
        keep(s, data, n);
    s->len += n;
    if (s->rate_bps && (double)s->len > allowed)
        s->too_much = s->len - (size_t)allowed;
}

static void *sink_main(void *data)
{
    static __thread uint8_t buf[65536];
    struct sink *s = data;
    ssize_t n;

    while ((n = read(s->fd, buf, sizeof(buf))) > 0)
        note_arrival(s, buf, (size_t)n);
    return NULL;
}

struct fixture {
    struct mig_pump *pump;
    struct mig_pump_config config;
    struct sink sink;
    struct synth stream;
    struct fake_log fake;
    struct lxe_err err;
};

/* A pump into a socket; someone reads there if sink_too. */
static void start(struct fixture *f, bool sink_too)
{
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    f->config.out_fd = fds[0];
    f->sink.fd = fds[1];
    f->sink.start_ns = lxe_now_ns();
    if (sink_too)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&f->sink.thread, NULL,
                                             sink_main, &f->sink), 0);
    CU_ASSERT_EQUAL_FATAL(mig_pump_open(&f->config, &f->pump, &f->err), 0);
}

static int write_bytes(struct fixture *f, const uint8_t *data, size_t len)
{
    struct iovec iov = { (void *)data, len };

    return mig_pump_take(f->pump, &iov, 1);
}

static int write_stream(struct fixture *f)
{
    return write_bytes(f, f->stream.data, f->stream.len);
}

/* Ends the pump, and waits for the far end to have read all. */
static int finish(struct fixture *f, bool complete, bool sink_too)
{
    int rc = mig_pump_finish(f->pump, complete, &f->err);

    close(f->config.out_fd);
    if (sink_too)
        pthread_join(f->sink.thread, NULL);
    close(f->sink.fd);
    return rc;
}

static void clean_up(struct fixture *f)
{
    mig_pump_free(f->pump);
    synth_free(&f->stream);
    free(f->sink.data);
}

static struct mig_pump_stats stats_of(struct fixture *f)
{
    struct mig_pump_stats stats;

    mig_pump_stats(f->pump, &stats);
    return stats;
}

/* ---- streams ---- */

static void put_batch(struct synth *s, uint64_t first_pfn, bool with_holes)
{
    uint64_t entries[BATCH];

    for (uint32_t i = 0; i < BATCH; i++)
        entries[i] = synth_entry(with_holes && i % 3 == 1 ? MIG_PAGE_XTAB
                                                          : MIG_PAGE_NOTAB,
                                 first_pfn + i);
    synth_pages(s, entries, BATCH, SEED);
}

static void put_stream(struct synth *s, unsigned batches, bool with_holes)
{
    static const uint8_t blob[48];

    synth_headers(s, 3, MIG_GUEST_HVM);
    synth_record(s, MIG_REC_STATIC_DATA_END, NULL, 0);
    for (unsigned i = 0; i < batches; i++)
        put_batch(s, (uint64_t)i * BATCH, with_holes);
    synth_record(s, MIG_REC_HVM_CONTEXT, blob, sizeof(blob));
    synth_record(s, MIG_REC_END, NULL, 0);
}

/* What a restorer would have, page by page. */
struct received {
    uint8_t state[FAKE_LOG_PAGES]; /* of the enum below */
    unsigned holes, wrong, out_of_order;
};

enum { NOTHING, CONTENT, POPULATED };

static void take_record(struct received *r, const struct mig_stream_item *item,
                        const uint8_t *page)
{
    const uint8_t *at = item->data + MIG_RECORD_HEADER_BYTES;
    const uint8_t *entries = at + MIG_PAGE_DATA_HEADER_BYTES;
    uint32_t count;

    memcpy(&count, at, sizeof(count));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry, pfn, word;
        unsigned type;

        memcpy(&entry, entries + 8 * (size_t)i, sizeof(entry));
        type = (unsigned)(entry >> MIG_PFN_TYPE_SHIFT);
        pfn = entry & MIG_PFN_MASK;
        r->holes += type == MIG_PAGE_XTAB;
        if (pfn >= FAKE_LOG_PAGES || type == MIG_PAGE_XTAB)
            continue;
        r->state[pfn] = type == MIG_PAGE_XALLOC ? POPULATED : CONTENT;
        for (size_t w = 0; type == MIG_PAGE_NOTAB && w < 512; w++) {
            memcpy(&word, page + 8 * w, sizeof(word));
            r->wrong += word != synth_word(pfn, SEED, w);
        }
        if (mig_page_has_data(type))
            page += 4096;
    }
}

/* Parses what came; whether it is a whole stream. */
static bool receive(struct fixture *f, struct received *out)
{
    struct mig_stream s;
    size_t used;
    bool whole;
    int rc = 0;

    memset(out, 0, sizeof(*out));
    CU_ASSERT_EQUAL_FATAL(mig_stream_init(&s, NULL), 0);
    for (size_t at = 0; at < f->sink.len && rc >= 0; at += used) {
        struct mig_stream_item item;

        rc = mig_stream_feed(&s, f->sink.data + at, f->sink.len - at, &used,
                             NULL);
        if (rc != 1)
            continue;
        item = mig_stream_item(&s);
        if (item.kind == MIG_ITEM_RECORD && item.type == MIG_REC_PAGE_DATA &&
            item.contents <= f->sink.len - at - used)
            take_record(out, &item, f->sink.data + at + used);
    }
    whole = rc >= 0 && mig_stream_done(&s);
    mig_stream_deinit(&s);
    return whole;
}

/* ---- carrying ---- */

static void count_call(void *data)
{
    atomic_fetch_add((atomic_uint *)data, 1);
}

/* Nothing to leave out: the same bytes, whatever pieces they came in. */
static void test_whole(void)
{
    atomic_uint calls = 0;
    struct fixture f = { .sink.keep = true, .config.progress = count_call,
                         .config.data = &calls };
    uint64_t seed = unit_seed();
    struct mig_pump_stats stats;

    put_stream(&f.stream, 32, false);
    start(&f, true);
    for (size_t at = 0; at < f.stream.len;) {
        struct iovec iov[9];
        int count = 1 + (int)unit_below(&seed, 9);

        for (int i = 0; i < count; i++) {
            size_t n = unit_below(&seed, 20000);

            n = n > f.stream.len - at ? f.stream.len - at : n;
            iov[i] = (struct iovec){ f.stream.data + at, n };
            at += n;
        }
        CU_ASSERT_EQUAL_FATAL(mig_pump_take(f.pump, iov, count), 0);
    }
    CU_ASSERT_EQUAL(finish(&f, true, true), 0);
    stats = stats_of(&f);
    CU_ASSERT_EQUAL_FATAL(f.sink.len, f.stream.len);
    CU_ASSERT_EQUAL(memcmp(f.sink.data, f.stream.data, f.stream.len), 0);
    CU_ASSERT_EQUAL(stats.out.bytes, f.stream.len);
    CU_ASSERT_EQUAL(stats.sent_pages, 32 * BATCH);
    CU_ASSERT_EQUAL(stats.skipped_pages + stats.hole_frames, 0);
    CU_ASSERT_EQUAL(stats.busy_bytes, 32 * BATCH_BYTES);
    CU_ASSERT_TRUE(stats.busy_ns > 0);
    CU_ASSERT_EQUAL(calls, 32);
    clean_up(&f);
}

/* As libxc brings a batch: each page from elsewhere, in one call. */
static void test_scattered(void)
{
    enum { HEAD = 40 + 8 + 16 + MIG_BATCH_PAGES * 8, PAGE = 4096 };
    static uint8_t elsewhere[MIG_BATCH_PAGES][PAGE];
    static struct iovec iov[1 + MIG_BATCH_PAGES];
    uint64_t entries[MIG_BATCH_PAGES];
    struct fixture f = { .sink.keep = true };

    synth_headers(&f.stream, 3, MIG_GUEST_HVM);
    synth_record(&f.stream, MIG_REC_STATIC_DATA_END, NULL, 0);
    for (uint32_t i = 0; i < MIG_BATCH_PAGES; i++)
        entries[i] = synth_entry(MIG_PAGE_NOTAB, i);
    synth_pages(&f.stream, entries, MIG_BATCH_PAGES, SEED);
    iov[0] = (struct iovec){ f.stream.data, HEAD };
    for (uint32_t i = 0; i < MIG_BATCH_PAGES; i++) {
        uint8_t *to = elsewhere[MIG_BATCH_PAGES - 1 - i];

        memcpy(to, f.stream.data + HEAD + i * PAGE, PAGE);
        iov[1 + i] = (struct iovec){ to, PAGE };
    }
    start(&f, true);
    CU_ASSERT_EQUAL(mig_pump_take(f.pump, iov, 1 + MIG_BATCH_PAGES), 0);
    CU_ASSERT_EQUAL(finish(&f, false, true), -ECANCELED);
    CU_ASSERT_EQUAL_FATAL(f.sink.len, f.stream.len);
    CU_ASSERT_EQUAL(memcmp(f.sink.data, f.stream.data, f.stream.len), 0);
    clean_up(&f);
}

static void test_holes(void)
{
    struct fixture f = { .sink.keep = true };
    struct received got;

    put_stream(&f.stream, 16, true);
    start(&f, true);
    CU_ASSERT_EQUAL(write_stream(&f), 0);
    CU_ASSERT_EQUAL(finish(&f, true, true), 0);
    CU_ASSERT_TRUE(receive(&f, &got));
    CU_ASSERT_EQUAL(got.holes, 0);
    CU_ASSERT_EQUAL(got.wrong, 0);
    for (unsigned i = 0; i < 16 * BATCH; i++)
        CU_ASSERT_EQUAL(got.state[i],
                        i % BATCH % 3 == 1 ? NOTHING : CONTENT);
    CU_ASSERT_EQUAL(stats_of(&f).hole_frames, 16 * 21);
    CU_ASSERT_EQUAL(stats_of(&f).sent_pages, 16 * 43);
    CU_ASSERT_EQUAL(stats_of(&f).out.bytes, f.sink.len);
    clean_up(&f);
}

static void dirty_some(struct fixture *f)
{
    uint64_t seed = unit_seed();

    for (unsigned i = 0; i < FAKE_LOG_PAGES / 3; i++)
        lxe_bitmap_set(f->fake.dirty, unit_below(&seed, FAKE_LOG_PAGES));
}

static void check_skipped(struct fixture *f, const struct received *got,
                          unsigned first, unsigned last, bool skips)
{
    unsigned bad = 0;

    for (unsigned i = first; i < last; i++)
        bad += got->state[i] != (skips && lxe_bitmap_test(f->fake.dirty, i)
                                     ? POPULATED
                                     : CONTENT);
    CU_ASSERT_EQUAL(bad, 0);
}

/*
 * The first half goes while pages may be left out, the second after the hold
 * that comes before a suspend.
 */
static void test_skips(void)
{
    struct fixture f = { .sink.keep = true };
    size_t half;
    struct received got;
    static const uint8_t blob[48];

    fake_log_init(&f.fake);
    dirty_some(&f);
    CU_ASSERT_EQUAL_FATAL(mig_hot_open(&f.fake.log, &f.config.hot, NULL), 0);
    mig_hot_release(f.config.hot, 0);
    synth_headers(&f.stream, 3, MIG_GUEST_HVM);
    synth_record(&f.stream, MIG_REC_STATIC_DATA_END, NULL, 0);
    for (unsigned i = 0; i < 32; i++)
        put_batch(&f.stream, (uint64_t)i * BATCH, false);
    half = f.stream.len;
    for (unsigned i = 32; i < 64; i++)
        put_batch(&f.stream, (uint64_t)i * BATCH, false);
    synth_record(&f.stream, MIG_REC_HVM_CONTEXT, blob, sizeof(blob));
    synth_record(&f.stream, MIG_REC_END, NULL, 0);
    start(&f, true);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, half), 0);
    mig_hot_hold(f.config.hot);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data + half,
                                f.stream.len - half), 0);
    CU_ASSERT_EQUAL(finish(&f, true, true), 0);
    CU_ASSERT_TRUE(receive(&f, &got));
    CU_ASSERT_EQUAL(got.wrong, 0);
    check_skipped(&f, &got, 0, 32 * BATCH, true);
    check_skipped(&f, &got, 32 * BATCH, 64 * BATCH, false);
    CU_ASSERT_EQUAL(stats_of(&f).skipped_pages,
                    lxe_bitmap_count(f.fake.dirty, 32 * BATCH));
    CU_ASSERT_EQUAL(stats_of(&f).skipped_pages + stats_of(&f).sent_pages,
                    64 * BATCH);
    mig_hot_close(f.config.hot);
    clean_up(&f);
}

/* What was taken is on its way, and counted, but for a head in pieces. */
static void test_nothing_waits(void)
{
    struct fixture f = { .config.rate_bps = 100000000 };

    put_stream(&f.stream, 8, false);
    start(&f, true);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, 48 + 20), 0);
    CU_ASSERT_EQUAL(stats_of(&f).out.bytes, 48);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data + 68, BATCH_BYTES - 20 - 9),
                    0);
    CU_ASSERT_EQUAL(stats_of(&f).out.bytes, 48 + BATCH_BYTES - 9);
    CU_ASSERT_EQUAL(stats_of(&f).sent_pages, 0); /* it is not all there */
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data + 48 + BATCH_BYTES - 9,
                                f.stream.len - 48 - BATCH_BYTES + 9), 0);
    CU_ASSERT_EQUAL(stats_of(&f).out.bytes, f.stream.len);
    CU_ASSERT_EQUAL(stats_of(&f).sent_pages, 8 * BATCH);
    CU_ASSERT_EQUAL(mig_pump_check(f.pump), 0);
    CU_ASSERT_EQUAL(finish(&f, true, true), 0);
    CU_ASSERT_EQUAL(f.sink.len, f.stream.len);
    clean_up(&f);
}

/* ---- pacing ---- */

/* Never above the rate, whatever the machine does; how near below it the
 * limiter comes is shown on a clock of its own (test_rate.c). */
static void test_paced(void)
{
    const uint64_t rate_bps = 20000000;
    struct fixture f = { .config.rate_bps = rate_bps };

    f.sink.rate_bps = rate_bps;
    f.sink.burst_bytes = mig_burst_bytes(rate_bps);
    put_stream(&f.stream, 24000000 / (BATCH * 4104), false);
    start(&f, true);
    CU_ASSERT_EQUAL(write_stream(&f), 0);
    CU_ASSERT_EQUAL(finish(&f, true, true), 0);
    CU_ASSERT_EQUAL(f.sink.len, f.stream.len);
    CU_ASSERT_EQUAL(f.sink.too_much, 0);
    CU_ASSERT_TRUE(stats_of(&f).out.held_ns > 0);
    clean_up(&f);
}

static uint64_t pacing_rate(int fd)
{
    uint64_t bps = 0;
    socklen_t len = sizeof(bps);

    CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bps,
                               &len), 0);
    return bps;
}

/* The kernel's own pacing stays a little above ours, and goes with it. */
static void test_tcp_pacing(void)
{
    struct fixture f = { .config.rate_bps = 20000000 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    f.config.out_fd = fd;
    CU_ASSERT_EQUAL_FATAL(mig_pump_open(&f.config, &f.pump, &f.err), 0);
    CU_ASSERT_EQUAL(pacing_rate(fd), 21000000);
    mig_pump_set_rate(f.pump, 40000000);
    CU_ASSERT_EQUAL(pacing_rate(fd), 42000000);
    mig_pump_set_rate(f.pump, 0);
    CU_ASSERT_TRUE(pacing_rate(fd) >= UINT32_MAX);
    CU_ASSERT_EQUAL(mig_pump_finish(f.pump, false, &f.err), -ECANCELED);
    close(fd);
    clean_up(&f);
}

/* In the thread that writes, or in one beside it. */
static struct mig_pump *signalled_pump;
static int signalled_fd;

static void *speed_up(void *pump)
{
    mig_pump_set_rate(pump, 0);
    return NULL;
}

/* At the old rate it would take longer than the alarm lets it. */
static void test_new_rate(void)
{
    struct fixture f = { .config.rate_bps = 20000 };
    pthread_t thread;

    put_stream(&f.stream, 40, false);
    start(&f, true);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, 10000), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, speed_up, f.pump), 0);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data + 10000,
                                f.stream.len - 10000), 0);
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(finish(&f, true, true), 0);
    CU_ASSERT_EQUAL(f.sink.len, f.stream.len);
    clean_up(&f);
}

/* ---- ending early ---- */

/* As the save helper's SIGTERM does. */
static void on_signal(int signal)
{
    int unwritable = open("/dev/null", O_RDONLY);

    (void)signal;
    mig_pump_stop(signalled_pump);
    dup2(unwritable, signalled_fd);
    close(unwritable);
}

static void *signal_soon(void *writer)
{
    lxe_sleep_ns(50 * LXE_NS_PER_MS);
    pthread_kill(*(pthread_t *)writer, SIGUSR1);
    return NULL;
}

/* Returns what a write returned in the midst of which the signal came. */
static int write_until_stopped(struct fixture *f)
{
    struct sigaction stop = { .sa_handler = on_signal };
    pthread_t self = pthread_self(), thread;
    int rc;

    signalled_pump = f->pump;
    signalled_fd = f->config.out_fd;
    sigaction(SIGUSR1, &stop, NULL);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, signal_soon, &self),
                          0);
    rc = write_stream(f);
    pthread_join(thread, NULL);
    return rc;
}

/* The target takes nothing more, and the pump is in the middle of a write. */
static void test_stop_blocked(void)
{
    struct fixture f = { 0 };

    put_stream(&f.stream, 3, false); /* more than a socket holds */
    start(&f, false);
    CU_ASSERT_EQUAL(write_until_stopped(&f), -ECANCELED);
    CU_ASSERT_EQUAL(mig_pump_check(f.pump), -ECANCELED);
    CU_ASSERT_EQUAL(finish(&f, false, false), -ECANCELED);
    CU_ASSERT_TRUE(stats_of(&f).out.bytes < f.stream.len);
    clean_up(&f);
}

/* While it sleeps for a rate so low that all of it would take 40 minutes. */
static void test_stop_paced(void)
{
    struct fixture f = { .config.rate_bps = 100000 };

    put_stream(&f.stream, 1000, false);
    start(&f, true);
    CU_ASSERT_EQUAL(write_until_stopped(&f), -ECANCELED);
    CU_ASSERT_EQUAL(finish(&f, false, true), -ECANCELED);
    CU_ASSERT_TRUE(f.sink.len < f.stream.len);
    clean_up(&f);
}

/* Between two writes: nothing goes any more. */
static void test_stop_idle(void)
{
    struct fixture f = { 0 };

    put_stream(&f.stream, 3, false);
    start(&f, true);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, 48), 0);
    CU_ASSERT_EQUAL(mig_pump_check(f.pump), 0);
    mig_pump_stop(f.pump);
    CU_ASSERT_EQUAL(mig_pump_check(f.pump), -ECANCELED);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data + 48, BATCH_BYTES),
                    -ECANCELED);
    CU_ASSERT_EQUAL(finish(&f, true, true), -ECANCELED);
    CU_ASSERT_EQUAL(f.sink.len, 48);
    clean_up(&f);
}

static void test_far_end_closes(void)
{
    struct fixture f = { 0 };

    put_stream(&f.stream, 40, false);
    start(&f, false);
    shutdown(f.sink.fd, SHUT_RDWR);
    CU_ASSERT_EQUAL(write_stream(&f), -EPIPE); /* libxc learns of it */
    CU_ASSERT_EQUAL(mig_pump_check(f.pump), -EPIPE);
    CU_ASSERT_EQUAL(write_stream(&f), -EPIPE);
    CU_ASSERT_EQUAL(finish(&f, false, false), -EPIPE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.err.text, "cannot send to the target"));
    clean_up(&f);
}

static void test_truncated(void)
{
    struct fixture f = { 0 };

    put_stream(&f.stream, 4, false);
    start(&f, true);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, f.stream.len - 8), 0);
    CU_ASSERT_EQUAL(finish(&f, true, true), -EPIPE);
    CU_ASSERT_TRUE(*f.err.text);
    clean_up(&f);
}

static void test_damaged(void)
{
    struct fixture f = { .sink.keep = true };
    struct received got;

    put_stream(&f.stream, 4, false);
    /* The type of the record behind the first batch. */
    f.stream.data[40 + 8 + BATCH_BYTES] = 0x77;
    start(&f, true);
    CU_ASSERT_EQUAL(write_stream(&f), -EPROTO);
    CU_ASSERT_EQUAL(finish(&f, true, true), -EPROTO);
    CU_ASSERT_TRUE(*f.err.text);
    CU_ASSERT_FALSE(receive(&f, &got)); /* what was sound went through */
    CU_ASSERT_EQUAL(got.state[BATCH - 1], CONTENT);
    CU_ASSERT_EQUAL(got.state[BATCH], NOTHING);
    clean_up(&f);
}

/* ---- what waits in a pipe ---- */

#define UNREAD_BYTES (3 * 65536) /* three times what a pipe holds at first */

static int queued(int fd)
{
    int bytes = -1;

    CU_ASSERT_EQUAL(ioctl(fd, FIONREAD, &bytes), 0);
    return bytes;
}

static void *read_late(void *data)
{
    lxe_sleep_ns(20 * LXE_NS_PER_MS);
    return sink_main(data);
}

static void start_into_pipe(struct fixture *f)
{
    int fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    f->config.out_fd = fds[1];
    f->sink.fd = fds[0];
    CU_ASSERT_EQUAL_FATAL(mig_pump_open(&f->config, &f->pump, &f->err), 0);
}

static void test_drain(void)
{
    struct fixture f = { 0 };

    put_stream(&f.stream, 1, false);
    start_into_pipe(&f); /* nobody reads yet */
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, UNREAD_BYTES), 0);
    CU_ASSERT_EQUAL(queued(f.sink.fd), UNREAD_BYTES);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&f.sink.thread, NULL, read_late,
                                         &f.sink), 0);
    mig_pump_drain(f.pump, UINT64_MAX / 2);
    CU_ASSERT_EQUAL(queued(f.sink.fd), 0);
    CU_ASSERT_EQUAL(finish(&f, false, true), -ECANCELED);
    clean_up(&f);
}

static void test_drain_ends(void)
{
    struct fixture f = { 0 };
    uint64_t begin_ns;

    put_stream(&f.stream, 1, false);
    start_into_pipe(&f);
    CU_ASSERT_EQUAL(write_bytes(&f, f.stream.data, UNREAD_BYTES), 0);
    begin_ns = lxe_now_ns();
    mig_pump_drain(f.pump, 30 * LXE_NS_PER_MS);
    CU_ASSERT(lxe_now_ns() - begin_ns >= 30 * LXE_NS_PER_MS);
    mig_pump_stop(f.pump);
    mig_pump_drain(f.pump, UINT64_MAX / 2);
    CU_ASSERT_EQUAL(finish(&f, true, false), -ECANCELED);
    clean_up(&f);
}

int main(void)
{
    static const struct unit_test tests[] = {
        { "all bytes arrive", test_whole },
        { "pages from here and there", test_scattered },
        { "holes are left out", test_holes },
        { "hot pages are left for later, until the hold", test_skips },
        { "nothing waits when it returns", test_nothing_waits },
        { "paced", test_paced },
        { "a TCP socket is paced by the kernel too", test_tcp_pacing },
        { "a new rate holds at once", test_new_rate },
        { "stopped in the middle of a write", test_stop_blocked },
        { "stopped while it waits for its rate", test_stop_paced },
        { "stopped between two writes", test_stop_idle },
        { "the target goes away", test_far_end_closes },
        { "a pipe holds more, and is awaited to be empty", test_drain },
        { "but not for ever", test_drain_ends },
        { "a stream that breaks off", test_truncated },
        { "a damaged stream", test_damaged },
    };

    signal(SIGPIPE, SIG_IGN);
    alarm(120); /* a pump that hangs is a failure too */
    return unit_run("pump", tests, sizeof(tests) / sizeof(tests[0]));
}
