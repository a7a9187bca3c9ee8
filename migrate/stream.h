/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The libxc migration stream, taken apart item by item: image header, domain
 * header, then records up to END. Nothing in it is trusted. Pure but for one
 * buffer, which is filled by the caller straight from its input:
 *
 *   mig_stream_want(s, &buf, &len);      where the next bytes go
 *   n = read(fd, buf, len);
 *   rc = mig_stream_got(s, n, err);      1: an item is whole
 *   item = mig_stream_item(s);           edit it in place, send it on
 *
 * The contents of pages do not pass through it: of a PAGE_DATA record the
 * item is the head, up to its last entry. While the contents are due, buf is
 * NULL; the caller takes them from its input, and tells got() how many.
 *
 * Format: Xen's docs/specs/libxc-migration-stream.pandoc, versions 2 and 3,
 * plain streams only. A checkpointed one (Remus, COLO) is refused, since
 * libxl's own records would follow in the middle of it.
 */
#ifndef MIG_STREAM_H
#define MIG_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MIG_IMAGE_HEADER_BYTES     24u
#define MIG_DOMAIN_HEADER_BYTES    16u
#define MIG_RECORD_HEADER_BYTES    8u
#define MIG_PAGE_DATA_HEADER_BYTES 8u /* count and a reserved word */

/* libxc writes at most so many pages in one record (MAX_BATCH_SIZE). */
#define MIG_BATCH_PAGES 1024u

/* The longest head of a PAGE_DATA record: header, count and entries. */
#define MIG_PAGE_DATA_HEAD_MAX                                                 \
    (MIG_RECORD_HEADER_BYTES + MIG_PAGE_DATA_HEADER_BYTES +                    \
     MIG_BATCH_PAGES * 8u)

/*
 * Largest body of a record of any other type. libxc allows 128 MiB; the
 * largest in practice is a PV guest's frame list, at 4 MiB per TiB.
 */
#define MIG_RECORD_BODY_MAX (16u << 20)

enum mig_record_type {
    MIG_REC_END = 0x00,
    MIG_REC_PAGE_DATA = 0x01,
    MIG_REC_X86_PV_INFO = 0x02,
    MIG_REC_X86_PV_P2M_FRAMES = 0x03,
    MIG_REC_X86_PV_VCPU_BASIC = 0x04,
    MIG_REC_X86_PV_VCPU_EXTENDED = 0x05,
    MIG_REC_X86_PV_VCPU_XSAVE = 0x06,
    MIG_REC_SHARED_INFO = 0x07,
    MIG_REC_X86_TSC_INFO = 0x08,
    MIG_REC_HVM_CONTEXT = 0x09,
    MIG_REC_HVM_PARAMS = 0x0a,
    MIG_REC_X86_PV_VCPU_MSRS = 0x0c,
    MIG_REC_VERIFY = 0x0d,
    MIG_REC_CHECKPOINT = 0x0e,
    MIG_REC_STATIC_DATA_END = 0x10,
    MIG_REC_X86_CPUID_POLICY = 0x11,
    MIG_REC_X86_MSR_POLICY = 0x12,
};

/* A reader may skip a record of a type that it does not know, if this is set */
#define MIG_REC_OPTIONAL 0x80000000u

enum mig_guest_type {
    MIG_GUEST_NONE = 0, /* the domain header has not been seen yet */
    MIG_GUEST_PV = 1,
    MIG_GUEST_HVM = 2, /* PVH guests too */
};

/* An entry of PAGE_DATA: bits 63-60 the type, 59-52 zero, 51-0 the pfn. */
#define MIG_PFN_MASK       UINT64_C(0x000fffffffffffff)
#define MIG_PFN_TYPE_SHIFT 60

enum mig_page_type {
    MIG_PAGE_NOTAB = 0x0,  /* an ordinary page, its data follows */
    MIG_PAGE_BROKEN = 0xd, /* these three have no data */
    MIG_PAGE_XALLOC = 0xe, /* populate, the content comes later */
    MIG_PAGE_XTAB = 0xf,   /* no page there */
};

/* Whether an entry of this type has 4 KiB of data in the record. */
static inline bool mig_page_has_data(unsigned int type)
{
    return type < MIG_PAGE_BROKEN;
}

enum mig_item_kind {
    MIG_ITEM_IMAGE_HEADER,
    MIG_ITEM_DOMAIN_HEADER,
    MIG_ITEM_RECORD,
};

struct mig_stream_item {
    enum mig_item_kind kind;
    uint32_t type;   /* of a record: enum mig_record_type */
    uint8_t *data;   /* the item as it stands in the stream */
    size_t length;   /* bytes, header and padding included */
    size_t contents; /* bytes of pages that follow it, in PAGE_DATA */
    uint64_t offset; /* bytes of the stream before it */
};

/* To be read by others: version, guest_type. The rest is stream.c's. */
struct mig_stream {
    uint32_t version; /* 2 or 3; 0 before the image header */
    enum mig_guest_type guest_type;
    uint8_t *buf;    /* the item being read */
    size_t size;     /* bytes that buf can hold */
    size_t have;     /* bytes of the item read so far */
    size_t need;     /* bytes of it known to be needed */
    size_t contents; /* bytes of pages behind it, still to come */
    uint64_t offset; /* bytes of the stream before the item */
    int state;
    bool ready;      /* the item is whole */
    bool static_end; /* STATIC_DATA_END was seen or inferred */
};

/*
 * Starts on a new stream. Returns 0 or -ENOMEM; mig_stream_deinit() is to be
 * called only after 0.
 */
int mig_stream_init(struct mig_stream *s, struct lxe_err *err);

/* Frees the buffer. May be called twice. */
void mig_stream_deinit(struct mig_stream *s);

/*
 * Where the next bytes belong and how many the parser knows that it needs.
 * The item read before is gone with this call.
 * @buf  gets NULL where the next bytes are contents of pages
 * @len  gets 0 after END and after an error: nothing more may be read then
 */
void mig_stream_want(struct mig_stream *s, void **buf, size_t *len);

/*
 * Takes note of `n` bytes put where mig_stream_want() said, n <= its len.
 * Returns 1 when an item is whole, 0 when more is needed; -EPROTO for a
 * damaged stream, -ENOTSUP for one that is sound but not for us, -ENOMEM.
 * After an error the parser stays in it.
 */
int mig_stream_got(struct mig_stream *s, size_t n, struct lxe_err *err);

/*
 * The same from memory: copies from `data` up to the end of one item, and
 * passes over the contents of pages before it.
 * @used  gets how many of the `len` bytes were taken
 * Returns as mig_stream_got(); bytes behind END are -EPROTO (a caller whose
 * input goes on with other things stops at mig_stream_done()).
 */
int mig_stream_feed(struct mig_stream *s, const void *data, size_t len,
                    size_t *used, struct lxe_err *err);

/*
 * The item, to be read and edited in place; valid until the next
 * mig_stream_want() or mig_stream_feed(). Only after 1 from got or feed.
 */
struct mig_stream_item mig_stream_item(const struct mig_stream *s);

/* Whether END was seen: the stream is whole. */
bool mig_stream_done(const struct mig_stream *s);

/*
 * To be called when the input has ended. Returns 0 after END, else -EPIPE
 * with a message that says where the stream broke off.
 */
int mig_stream_eof(const struct mig_stream *s, struct lxe_err *err);

/* The name of a record type, for messages; "unknown" for others. */
const char *mig_record_name(uint32_t type);

#endif
