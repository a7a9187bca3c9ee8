/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may be left out of a PAGE_DATA record on its way to the target: the
 * content of pages that were dirtied again, since it will be sent again; and
 * entries for holes. Pure; in place.
 */
#ifndef MIG_STREAM_EDIT_H
#define MIG_STREAM_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The counts add up to the entries of the record as it came. */
struct mig_edit_result {
    uint32_t sent;    /* pages whose data is still in the record */
    uint32_t skipped; /* retyped to XALLOC, their data taken out */
    uint32_t holes;   /* XTAB entries, taken out if drop_holes */
    uint32_t other;   /* BROKEN and XALLOC entries, as they came */
    size_t length;    /* bytes to send now; 0 if drop */
    bool drop;        /* nothing is left: send no record at all */
};

/*
 * Edits one record.
 * @record      a whole PAGE_DATA record that the stream parser accepted
 * @length      its bytes, header included
 * @dirty       bit n set: pfn n is dirty now and its content will be sent
 *              again in a later pass. NULL: skip none; so it has to be from
 *              before the guest is suspended, and in verify mode
 * @dirty_pages bits in `dirty`; a pfn beyond is sent
 * @drop_holes  take XTAB entries out. For HVM and PVH guests only
 */
void mig_edit_page_data(uint8_t *record, size_t length, const uint64_t *dirty,
                        uint64_t dirty_pages, bool drop_holes,
                        struct mig_edit_result *out);

#endif
