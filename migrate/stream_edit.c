/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why the target takes what is left, by Xen 4.17's restorer
 * (tools/libs/guest/xg_sr_restore.c, xg_sr_restore_x86_hvm.c):
 *
 * XALLOC counts as a type to populate and as one without data. So
 * populate_pfns() gives the pfn memory unless it has some, and no byte is
 * read for it from the record. An entry for a pfn that was sent before is no
 * harm: it is populated already and its content stays.
 *
 * XTAB, for an HVM or PVH guest, does nothing at all. handle_page_data()
 * checks the pfn (any passes) and the type; populate_pfns() passes it over;
 * the only other thing that is done for an entry without data is
 * set_page_type(), which is empty for HVM. No pfn is ever depopulated, and no
 * count of entries is kept: populated_pfns is set by entries of other types
 * alone. So a pfn without an XTAB entry and one with are the same to it.
 * A PV guest is different: its restorer keeps the type that came last for each
 * pfn, pins page tables by it at the end (xg_sr_restore_x86_pv.c), and patches
 * their entries as they come. XALLOC stands there until the page is sent
 * again, whose type takes its place; and only NOTAB is retyped, never a page
 * table. Nothing else is left out for it.
 * A record with no entry left is refused ("at least 1 pfn"), hence a length of
 * 0. A stream of version 2 takes its first PAGE_DATA record as the sign that
 * the static data is over; any later one does as well, and a guest has at
 * least one page.
 */
#include "stream_edit.h"

#include <endian.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/units.h"

enum fate {
    SEND,  /* entry and data stay */
    BARE,  /* the entry stays, it has no data */
    DEFER, /* the entry becomes XALLOC, the data goes */
    OMIT,  /* the entry goes, it has no data */
};

struct edit {
    const uint64_t *dirty;
    uint64_t dirty_pages;
    bool drop_holes;
    struct mig_edit_result *out;
};

static uint64_t get_entry(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static void put_entry(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

static void put_u32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof(v));
}

static enum fate judge(const struct edit *e, uint64_t entry)
{
    unsigned int type = (unsigned int)(entry >> MIG_PFN_TYPE_SHIFT);
    uint64_t pfn = entry & MIG_PFN_MASK;

    if (type == MIG_PAGE_XTAB) {
        e->out->holes++;
        return e->drop_holes ? OMIT : BARE;
    }
    if (!mig_page_has_data(type)) {
        e->out->other++;
        return BARE;
    }
    if (type == MIG_PAGE_NOTAB && e->dirty && pfn < e->dirty_pages &&
        lxe_bitmap_test(e->dirty, pfn)) {
        e->out->skipped++;
        return DEFER;
    }
    e->out->sent++;
    return SEND;
}

/* One more page of the record is to be sent, or to be left. */
static void add_page(struct mig_edit_result *out, bool send)
{
    struct mig_edit_run *last = &out->run[out->runs - 1];

    if (!send) {
        last->leave++;
    } else if (!last->leave) {
        last->send++;
    } else {
        out->runs++;
        last[1] = (struct mig_edit_run){ .send = 1 };
    }
}

/* Entries move towards the front, in order. Returns their new end. */
static uint8_t *compact(const struct edit *e, uint8_t *entries, uint32_t count)
{
    uint8_t *to = entries;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry = get_entry(entries + 8 * (size_t)i);
        enum fate fate = judge(e, entry);

        if (fate == DEFER)
            entry = (entry & MIG_PFN_MASK) | (uint64_t)MIG_PAGE_XALLOC
                                                 << MIG_PFN_TYPE_SHIFT;
        if (fate != OMIT) {
            put_entry(to, entry);
            to += 8;
        }
        if (fate == SEND || fate == DEFER)
            add_page(e->out, fate == SEND);
    }
    return to;
}

void mig_edit_page_data(uint8_t *head, const uint64_t *dirty,
                        uint64_t dirty_pages, bool drop_holes,
                        struct mig_edit_result *out)
{
    struct edit e = {dirty, dirty_pages, drop_holes, out};
    uint8_t *body = head + MIG_RECORD_HEADER_BYTES;
    uint8_t *entries = body + MIG_PAGE_DATA_HEADER_BYTES, *end;
    uint32_t count;

    memcpy(&count, body, sizeof(count));
    *out = (struct mig_edit_result){ .runs = 1 };
    end = compact(&e, entries, le32toh(count));
    if (end == entries)
        return;
    out->length = (size_t)(end - head);
    put_u32(head + 4, (uint32_t)(out->length - MIG_RECORD_HEADER_BYTES) +
                          out->sent * LXE_PAGE_SIZE);
    put_u32(body, (uint32_t)((end - entries) / 8));
}
