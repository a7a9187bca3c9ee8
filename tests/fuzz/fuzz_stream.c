/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the migration stream's parser and the record editor: whatever comes
 * in, nothing is overread, the items add up to what was taken, and an edited
 * record is one that the parser takes again.
 *
 * Input: a byte of flags, a byte that the dirty bitmap is made of, a byte for
 * the size of the pieces, then the stream.
 */
#include "stream.h"
#include "stream_edit.h"

#include <stdlib.h>
#include <string.h>

#define BITMAP_PAGES 200u

enum {
    WITH_HEADERS = 1, /* put sound headers in front */
    PV_GUEST = 2,     /* in those: a PV guest */
    DROP_HOLES = 4,
    SKIP_DIRTY = 8,
};

struct fuzz {
    uint8_t flags;
    uint64_t *dirty; /* on the heap, of its exact size */
    struct lxe_err err;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static const uint8_t headers[] = {
    /* image: marker, XENF, version 2, little-endian */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'X', 'E', 'N', 'F', 0, 0, 0,
    2, 0, 0, 0, 0, 0, 0, 0, 0,
    /* domain: type, page shift, Xen 4.17 */
    2, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0, 0};

static void start(struct mig_stream *s, bool with_headers, bool pv)
{
    uint8_t copy[sizeof(headers)];
    size_t used;

    need(mig_stream_init(s, NULL) == 0);
    if (!with_headers)
        return;
    memcpy(copy, headers, sizeof(copy));
    copy[MIG_IMAGE_HEADER_BYTES] = pv ? 1 : 2;
    need(mig_stream_feed(s, copy, 24, &used, NULL) == 1 && used == 24);
    need(mig_stream_feed(s, copy + 24, 16, &used, NULL) == 1 && used == 16);
}

/* An edited record stands in a stream as any other does. */
static void reparse(const uint8_t *head, size_t length, bool pv,
                    size_t contents)
{
    struct mig_stream s;
    size_t used;

    start(&s, true, pv);
    need(mig_stream_feed(&s, head, length, &used, NULL) == 1);
    need(used == length && mig_stream_item(&s).contents == contents);
    mig_stream_deinit(&s);
}

static void edit(struct fuzz *f, const struct mig_stream_item *item, bool pv)
{
    uint8_t *exact = malloc(item->length);
    struct mig_edit_result r;
    size_t sent = 0, left = 0;
    uint32_t count;

    need(exact != NULL);
    memcpy(exact, item->data, item->length);
    memcpy(&count, exact + MIG_RECORD_HEADER_BYTES, sizeof(count));
    mig_edit_page_data(exact, f->flags & SKIP_DIRTY ? f->dirty : NULL,
                       BITMAP_PAGES, !pv && (f->flags & DROP_HOLES), &r);
    need((uint64_t)r.sent + r.skipped + r.holes + r.other == count);
    need(r.length <= item->length);
    for (uint32_t i = 0; i < r.runs; i++) {
        sent += r.run[i].send;
        left += r.run[i].leave;
    }
    need(sent == r.sent && left == r.skipped);
    need((sent + left) * 4096 == item->contents);
    if (r.length)
        reparse(exact, r.length, pv, sent * 4096);
    free(exact);
}

static void run(struct fuzz *f, struct mig_stream *s, const uint8_t *data,
                size_t size, size_t piece)
{
    uint64_t taken = s->offset + s->have;
    size_t used;
    int rc = 0;

    for (size_t at = 0; at < size && rc >= 0; at += used, taken += used) {
        struct mig_stream_item item;

        rc =
            mig_stream_feed(s, data + at, size - at < piece ? size - at : piece,
                            &used, &f->err);
        need(rc >= 0 ? used > 0 : f->err.text[0] != 0);
        if (rc != 1)
            continue;
        item = mig_stream_item(s);
        need(item.offset + item.length == taken + used);
        if (item.kind == MIG_ITEM_RECORD && item.type == MIG_REC_PAGE_DATA)
            edit(f, &item, s->guest_type == MIG_GUEST_PV);
    }
    need((mig_stream_eof(s, &f->err) == 0) == mig_stream_done(s) || rc < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t words = (BITMAP_PAGES + 63) / 64;
    struct fuzz f = {0};
    struct mig_stream s;

    if (size < 3)
        return 0;
    f.flags = data[0];
    f.dirty = malloc(words * sizeof(*f.dirty));
    need(f.dirty != NULL);
    memset(f.dirty, data[1], words * sizeof(*f.dirty));
    start(&s, f.flags & WITH_HEADERS, f.flags & PV_GUEST);
    run(&f, &s, data + 3, size - 3, 1 + 37 * (size_t)data[2]);
    mig_stream_deinit(&s);
    free(f.dirty);
    return 0;
}
