/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_ID       0x58454e46u /* "XENF" */
#define OPT_BIG_ENDIAN 1u
#define PAGE_BYTES     4096u

/* To begin with; the registers of many processors need more. */
#define BUF_BYTES 16384u
_Static_assert(BUF_BYTES >= MIG_PAGE_DATA_HEAD_MAX, "never grows for pages");

#define PAGE_DATA_BODY_MAX                                                     \
    (MIG_PAGE_DATA_HEADER_BYTES + MIG_BATCH_PAGES * (8u + PAGE_BYTES))

enum state {
    ST_IMAGE_HEADER,
    ST_DOMAIN_HEADER,
    ST_RECORD_HEADER,
    ST_RECORD_BODY,
    ST_PAGE_COUNT,
    ST_PAGE_ENTRIES,
    ST_DONE,
    ST_FAILED,
};

enum {
    FOR_PV = 1,
    FOR_HVM = 2,
    FOR_ALL = FOR_PV | FOR_HVM,
};

/* What the body of each type may measure, in bytes, and whose it is. */
static const struct record_rule {
    const char *name;
    uint32_t min, max;
    unsigned int guests;
} rules[] = {
    [MIG_REC_END] = {"END", 0, 0, FOR_ALL},
    [MIG_REC_PAGE_DATA] = {"PAGE_DATA", MIG_PAGE_DATA_HEADER_BYTES + 8,
                           PAGE_DATA_BODY_MAX, FOR_ALL},
    [MIG_REC_X86_PV_INFO] = {"X86_PV_INFO", 8, 8, FOR_PV},
    [MIG_REC_X86_PV_P2M_FRAMES] = {"X86_PV_P2M_FRAMES", 8, MIG_RECORD_BODY_MAX,
                                   FOR_PV},
    [MIG_REC_X86_PV_VCPU_BASIC] = {"X86_PV_VCPU_BASIC", 8, MIG_RECORD_BODY_MAX,
                                   FOR_PV},
    [MIG_REC_X86_PV_VCPU_EXTENDED] = {"X86_PV_VCPU_EXTENDED", 8,
                                      MIG_RECORD_BODY_MAX, FOR_PV},
    [MIG_REC_X86_PV_VCPU_XSAVE] = {"X86_PV_VCPU_XSAVE", 8, MIG_RECORD_BODY_MAX,
                                   FOR_PV},
    [MIG_REC_SHARED_INFO] = {"SHARED_INFO", PAGE_BYTES, PAGE_BYTES, FOR_PV},
    [MIG_REC_X86_TSC_INFO] = {"X86_TSC_INFO", 24, 24, FOR_ALL},
    [MIG_REC_HVM_CONTEXT] = {"HVM_CONTEXT", 0, MIG_RECORD_BODY_MAX, FOR_HVM},
    [MIG_REC_HVM_PARAMS] = {"HVM_PARAMS", 8, 8 + 16 * 4096, FOR_HVM},
    [MIG_REC_X86_PV_VCPU_MSRS] = {"X86_PV_VCPU_MSRS", 8, MIG_RECORD_BODY_MAX,
                                  FOR_PV},
    [MIG_REC_VERIFY] = {"VERIFY", 0, 0, FOR_ALL},
    [MIG_REC_STATIC_DATA_END] = {"STATIC_DATA_END", 0, 0, FOR_ALL},
    [MIG_REC_X86_CPUID_POLICY] = {"X86_CPUID_POLICY", 0, MIG_RECORD_BODY_MAX,
                                  FOR_ALL},
    [MIG_REC_X86_MSR_POLICY] = {"X86_MSR_POLICY", 0, MIG_RECORD_BODY_MAX,
                                FOR_ALL},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static uint16_t get_le16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return le16toh(v);
}

static uint32_t get_le32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static uint64_t get_le64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static uint32_t get_be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

static size_t padded(uint32_t body)
{
    return ((size_t)body + 7) & ~(size_t)7;
}

static const struct record_rule *find_rule(uint32_t type)
{
    return type < RULE_COUNT && rules[type].name ? &rules[type] : NULL;
}

const char *mig_record_name(uint32_t type)
{
    const struct record_rule *rule = find_rule(type);

    if (type == MIG_REC_CHECKPOINT)
        return "CHECKPOINT";
    return rule ? rule->name : "unknown";
}

int mig_stream_init(struct mig_stream *s, struct lxe_err *err)
{
    memset(s, 0, sizeof(*s));
    s->buf = malloc(BUF_BYTES);
    if (!s->buf)
        return lxe_fail(err, -ENOMEM,
                        "no memory for a stream buffer of %u bytes", BUF_BYTES);
    s->size = BUF_BYTES;
    s->state = ST_IMAGE_HEADER;
    s->need = MIG_IMAGE_HEADER_BYTES;
    return 0;
}

void mig_stream_deinit(struct mig_stream *s)
{
    free(s->buf);
    s->buf = NULL;
    s->size = 0;
}

/* The item's last byte came: look at it, and say what comes next. */

static int check_image_header(struct mig_stream *s, struct lxe_err *err)
{
    const uint8_t *p = s->buf;
    uint32_t options = get_be32(p + 16) >> 16;

    if (get_le64(p) != UINT64_MAX)
        return lxe_fail(err, -EPROTO,
                        "stream: not a migration stream: the marker in its "
                        "first 8 bytes is not all ones (a stream from Xen 4.5 "
                        "or older, or not libxc's)");
    if (get_be32(p + 8) != IMAGE_ID)
        return lxe_fail(err, -EPROTO,
                        "stream: identifier 0x%08" PRIx32 " at byte 8, "
                        "expected 0x%08x",
                        get_be32(p + 8), IMAGE_ID);
    s->version = get_be32(p + 12);
    if (s->version < 2 || s->version > 3)
        return lxe_fail(err, -ENOTSUP,
                        "stream: format version %" PRIu32
                        "; versions 2 and 3 are known",
                        s->version);
    if (options & OPT_BIG_ENDIAN)
        return lxe_fail(err, -ENOTSUP,
                        "stream: from a big-endian host; x86 cannot take it");
    s->state = ST_DOMAIN_HEADER;
    return 0;
}

static int check_domain_header(struct mig_stream *s, struct lxe_err *err)
{
    uint32_t type = get_le32(s->buf);
    uint16_t shift = get_le16(s->buf + 4);

    if (type != MIG_GUEST_PV && type != MIG_GUEST_HVM)
        return lxe_fail(err, -ENOTSUP,
                        "stream: domain type %" PRIu32 " at byte %" PRIu64
                        "; 1 (PV) and 2 (HVM, PVH) are known",
                        type, s->offset);
    if (shift != 12)
        return lxe_fail(err, -ENOTSUP,
                        "stream: pages of 2^%u bytes at byte %" PRIu64
                        "; x86 has 2^12",
                        shift, s->offset + 4);
    s->guest_type = (enum mig_guest_type)type;
    s->state = ST_RECORD_HEADER;
    return 0;
}

/* Which types may be here at all. The length is looked at afterwards. */
static int check_type(const struct mig_stream *s, uint32_t type,
                      struct lxe_err *err)
{
    const struct record_rule *rule = find_rule(type);
    unsigned int guest = s->guest_type == MIG_GUEST_PV ? FOR_PV : FOR_HVM;

    if (type & MIG_REC_OPTIONAL)
        return 0;
    if (type == MIG_REC_CHECKPOINT)
        return lxe_fail(err, -ENOTSUP,
                        "stream: CHECKPOINT record at byte %" PRIu64
                        ": checkpointed streams (Remus, COLO) are not carried",
                        s->offset);
    if (!rule)
        return lxe_fail(err, -EPROTO,
                        "stream: record type 0x%08" PRIx32 " at byte %" PRIu64
                        " is mandatory and not known",
                        type, s->offset);
    if (!(rule->guests & guest))
        return lxe_fail(err, -EPROTO,
                        "stream: %s record at byte %" PRIu64
                        " does not belong into the stream of %s guest",
                        rule->name, s->offset,
                        guest == FOR_PV ? "a PV" : "an HVM or PVH");
    return 0;
}

static int check_length(const struct mig_stream *s, uint32_t type,
                        uint32_t body, struct lxe_err *err)
{
    const struct record_rule *rule = find_rule(type);
    uint32_t min = rule ? rule->min : 0;
    uint32_t max = rule ? rule->max : MIG_RECORD_BODY_MAX;

    if (body < min || body > max)
        return lxe_fail(err, -EPROTO,
                        "stream: %s record (0x%08" PRIx32 ") at byte %" PRIu64
                        " has a body of %" PRIu32 " bytes; %" PRIu32
                        " to %" PRIu32 " are allowed",
                        mig_record_name(type), type, s->offset, body, min, max);
    return 0;
}

static int grow(struct mig_stream *s, size_t bytes, struct lxe_err *err)
{
    uint8_t *bigger;

    if (bytes <= s->size)
        return 0;
    bigger = realloc(s->buf, bytes);
    if (!bigger)
        return lxe_fail(err, -ENOMEM,
                        "no memory for a stream record of %zu bytes at byte "
                        "%" PRIu64,
                        bytes, s->offset);
    s->buf = bigger;
    s->size = bytes;
    return 0;
}

static int check_record_header(struct mig_stream *s, struct lxe_err *err)
{
    uint32_t type = get_le32(s->buf), body = get_le32(s->buf + 4);
    int rc;

    rc = check_type(s, type, err);
    if (!rc)
        rc = check_length(s, type, body, err);
    if (rc)
        return rc;
    if (type == MIG_REC_PAGE_DATA) {
        s->need = MIG_RECORD_HEADER_BYTES + MIG_PAGE_DATA_HEADER_BYTES;
        s->state = ST_PAGE_COUNT;
        return 0;
    }
    s->need = MIG_RECORD_HEADER_BYTES + padded(body);
    s->state = ST_RECORD_BODY;
    return grow(s, s->need, err);
}

/* How many of the entries have data; an entry that cannot be is an error. */
static int count_pages(const struct mig_stream *s, uint32_t count,
                       uint32_t *pages, struct lxe_err *err)
{
    size_t at = MIG_RECORD_HEADER_BYTES + MIG_PAGE_DATA_HEADER_BYTES;

    *pages = 0;
    for (uint32_t i = 0; i < count; i++, at += 8) {
        uint64_t entry = get_le64(s->buf + at);
        unsigned int type = (unsigned int)(entry >> MIG_PFN_TYPE_SHIFT);

        if (entry & ~MIG_PFN_MASK & ~(UINT64_C(0xf) << MIG_PFN_TYPE_SHIFT))
            return lxe_fail(err, -EPROTO,
                            "stream: PAGE_DATA entry 0x%016" PRIx64
                            " at byte %" PRIu64 " has reserved bits set",
                            entry, s->offset + at);
        if (type >= 0x5 && type <= 0x8)
            return lxe_fail(err, -EPROTO,
                            "stream: page type 0x%x of pfn 0x%" PRIx64
                            " at byte %" PRIu64 " is not known",
                            type, entry & MIG_PFN_MASK, s->offset + at);
        *pages += mig_page_has_data(type);
    }
    return 0;
}

static int check_page_count(struct mig_stream *s, struct lxe_err *err)
{
    uint32_t count = get_le32(s->buf + MIG_RECORD_HEADER_BYTES);
    uint32_t body = get_le32(s->buf + 4);
    uint64_t entries_end = MIG_PAGE_DATA_HEADER_BYTES + UINT64_C(8) * count;

    if (s->version >= 3 && !s->static_end)
        return lxe_fail(err, -EPROTO,
                        "stream: PAGE_DATA record at byte %" PRIu64
                        " comes before STATIC_DATA_END",
                        s->offset);
    /* In version 2 the first page says that the static data is over. */
    s->static_end = true;
    if (count < 1 || count > MIG_BATCH_PAGES || entries_end > body)
        return lxe_fail(err, -EPROTO,
                        "stream: PAGE_DATA record at byte %" PRIu64
                        " claims %" PRIu32 " pages in a body of %" PRIu32
                        " bytes; 1 to %u are allowed, 8 bytes each",
                        s->offset, count, body, MIG_BATCH_PAGES);
    s->need = MIG_RECORD_HEADER_BYTES + (size_t)entries_end;
    s->state = ST_PAGE_ENTRIES;
    return 0;
}

static int check_page_entries(struct mig_stream *s, struct lxe_err *err)
{
    uint32_t count = get_le32(s->buf + MIG_RECORD_HEADER_BYTES), pages = 0;
    uint32_t body = get_le32(s->buf + 4);
    size_t contents, expected;
    int rc = count_pages(s, count, &pages, err);

    if (rc)
        return rc;
    contents = (size_t)pages * PAGE_BYTES;
    expected = s->need - MIG_RECORD_HEADER_BYTES + contents;
    if (expected != body)
        return lxe_fail(err, -EPROTO,
                        "stream: PAGE_DATA record at byte %" PRIu64
                        " has a body of %" PRIu32 " bytes; %" PRIu32
                        " entries with %" PRIu32 " pages need %zu",
                        s->offset, body, count, pages, expected);
    s->contents = contents;
    s->state = ST_RECORD_HEADER;
    return 0;
}

static int check_hvm_params(const struct mig_stream *s, uint32_t body,
                            struct lxe_err *err)
{
    uint32_t count = get_le32(s->buf + MIG_RECORD_HEADER_BYTES);

    if (8 + UINT64_C(16) * count != body)
        return lxe_fail(err, -EPROTO,
                        "stream: HVM_PARAMS record at byte %" PRIu64
                        " claims %" PRIu32 " parameters in a body of %" PRIu32
                        " bytes",
                        s->offset, count, body);
    return 0;
}

static int check_static_data_end(struct mig_stream *s, struct lxe_err *err)
{
    if (s->static_end)
        return lxe_fail(err, -EPROTO,
                        "stream: second STATIC_DATA_END record, or one after "
                        "the first page, at byte %" PRIu64,
                        s->offset);
    s->static_end = true;
    return 0;
}

static int check_padding(const struct mig_stream *s, uint32_t body,
                         struct lxe_err *err)
{
    for (size_t i = MIG_RECORD_HEADER_BYTES + body; i < s->need; i++) {
        if (s->buf[i])
            return lxe_fail(err, -EPROTO,
                            "stream: padding at byte %" PRIu64 " is not zero",
                            s->offset + i);
    }
    return 0;
}

static int check_record(struct mig_stream *s, struct lxe_err *err)
{
    uint32_t type = get_le32(s->buf), body = get_le32(s->buf + 4);
    int rc = check_padding(s, body, err);

    if (rc)
        return rc;
    if (type == MIG_REC_HVM_PARAMS)
        rc = check_hvm_params(s, body, err);
    else if (type == MIG_REC_STATIC_DATA_END)
        rc = check_static_data_end(s, err);
    if (rc)
        return rc;
    s->state = type == MIG_REC_END ? ST_DONE : ST_RECORD_HEADER;
    return 0;
}

/* What was needed is here; if that makes more of it needed, look there too. */
static int look(struct mig_stream *s, struct lxe_err *err)
{
    switch (s->state) {
    case ST_IMAGE_HEADER:
        return check_image_header(s, err);
    case ST_DOMAIN_HEADER:
        return check_domain_header(s, err);
    case ST_RECORD_HEADER:
        return check_record_header(s, err);
    case ST_PAGE_COUNT:
        return check_page_count(s, err);
    case ST_PAGE_ENTRIES:
        return check_page_entries(s, err);
    default:
        return check_record(s, err);
    }
}

static bool within_record(const struct mig_stream *s)
{
    return s->state == ST_RECORD_BODY || s->state == ST_PAGE_COUNT ||
           s->state == ST_PAGE_ENTRIES;
}

/* Returns 1 if what was needed makes an item, 0 if not yet. */
static int step(struct mig_stream *s, struct lxe_err *err)
{
    do {
        int rc = look(s, err);

        if (rc)
            return rc;
        if (!within_record(s)) {
            s->ready = true;
            return 1;
        }
    } while (s->have == s->need);
    return 0;
}

/* Lets go of the item that was read and makes room for the next one. */
static void begin_item(struct mig_stream *s)
{
    s->offset += s->have;
    s->have = 0;
    s->ready = false;
    if (s->state == ST_DONE)
        s->need = 0;
    else if (s->state == ST_DOMAIN_HEADER)
        s->need = MIG_DOMAIN_HEADER_BYTES;
    else
        s->need = MIG_RECORD_HEADER_BYTES;
}

void mig_stream_want(struct mig_stream *s, void **buf, size_t *len)
{
    if (s->ready)
        begin_item(s);
    *buf = s->contents ? NULL : s->buf + s->have;
    *len = s->contents ? s->contents : s->need - s->have;
    if (s->state == ST_FAILED)
        *len = 0;
}

int mig_stream_got(struct mig_stream *s, size_t n, struct lxe_err *err)
{
    size_t room;
    int rc;

    if (s->state == ST_FAILED)
        return lxe_fail(err, -EPROTO,
                        "stream: was refused before, at the item at byte "
                        "%" PRIu64,
                        s->offset);
    room = s->ready ? 0 : s->contents ? s->contents : s->need - s->have;
    if (n > room || s->ready)
        return lxe_fail(err, -EINVAL,
                        "stream: %zu bytes were put where the parser asked "
                        "for %zu",
                        n, room);
    if (s->contents) {
        s->contents -= n;
        s->offset += n;
        return 0;
    }
    s->have += n;
    if (s->have < s->need || s->state == ST_DONE)
        return 0;
    rc = step(s, err);
    if (rc < 0)
        s->state = ST_FAILED;
    return rc;
}

int mig_stream_feed(struct mig_stream *s, const void *data, size_t len,
                    size_t *used, struct lxe_err *err)
{
    const uint8_t *from = data;
    int rc = 0;

    *used = 0;
    if (s->state == ST_FAILED)
        return mig_stream_got(s, 0, err);
    while (rc == 0 && *used < len) {
        void *to;
        size_t room;

        mig_stream_want(s, &to, &room);
        if (s->state == ST_DONE)
            return lxe_fail(err, -EPROTO,
                            "stream: %zu bytes follow END at byte %" PRIu64,
                            len - *used, s->offset);
        if (room > len - *used)
            room = len - *used;
        if (to)
            memcpy(to, from + *used, room);
        *used += room;
        rc = mig_stream_got(s, room, err);
    }
    return rc;
}

struct mig_stream_item mig_stream_item(const struct mig_stream *s)
{
    struct mig_stream_item item = {
        .kind = MIG_ITEM_RECORD,
        .data = s->buf,
        .length = s->have,
        .contents = s->contents,
        .offset = s->offset,
    };

    if (s->offset == 0)
        item.kind = MIG_ITEM_IMAGE_HEADER;
    else if (s->offset == MIG_IMAGE_HEADER_BYTES)
        item.kind = MIG_ITEM_DOMAIN_HEADER;
    else
        item.type = get_le32(s->buf);
    return item;
}

bool mig_stream_done(const struct mig_stream *s)
{
    return s->state == ST_DONE;
}

int mig_stream_eof(const struct mig_stream *s, struct lxe_err *err)
{
    uint64_t item = s->offset + (s->ready ? s->have : 0);

    if (mig_stream_done(s))
        return 0;
    if (s->contents)
        return lxe_fail(err, -EPIPE,
                        "stream: broke off at byte %" PRIu64 ", %zu bytes "
                        "before the end of a PAGE_DATA record",
                        s->offset, s->contents);
    return lxe_fail(err, -EPIPE,
                    "stream: broke off after %" PRIu64 " bytes, within the "
                    "item that starts at byte %" PRIu64
                    "; there was no END record",
                    s->offset + s->have, item);
}
