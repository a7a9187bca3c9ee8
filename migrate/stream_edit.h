/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may be left out of a PAGE_DATA record on its way to the target: the
 * content of pages that were dirtied again, since it will be sent again; and
 * entries for holes. Pure; edits the head in place, and says which of the
 * pages behind it belong to it still.
 */
#ifndef MIG_STREAM_EDIT_H
#define MIG_STREAM_EDIT_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* Pages behind the head, in their order: some to send, then some to leave. */
struct mig_edit_run {
    uint32_t send, leave;
};

/* The counts add up to the entries of the record as it came. */
struct mig_edit_result {
    uint32_t sent;    /* pages whose data goes with the record */
    uint32_t skipped; /* retyped to XALLOC, their data left */
    uint32_t holes;   /* XTAB entries, taken out if drop_holes */
    uint32_t other;   /* BROKEN and XALLOC entries, as they came */
    size_t length;    /* of the head now, in bytes; 0: nothing is left in it,
                         send no record at all */
    uint32_t runs;    /* that follow: all pages of the record as it came */
    struct mig_edit_run run[MIG_BATCH_PAGES / 2 + 1];
};

/*
 * Edits one record.
 * @head        of a PAGE_DATA record that the stream parser accepted
 * @dirty       bit n set: pfn n is dirty now and its content will be sent
 *              again in a later pass. NULL: skip none; so it has to be from
 *              before the guest is suspended, and in verify mode
 * @dirty_pages bits in `dirty`; a pfn beyond is sent
 * @drop_holes  take XTAB entries out. For HVM and PVH guests only
 */
void mig_edit_page_data(uint8_t *head, const uint64_t *dirty,
                        uint64_t dirty_pages, bool drop_holes,
                        struct mig_edit_result *out);

#endif
