/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wire between saver and restorer: a thread that carries bytes at a given
 * rate, in pieces of a given size, stops for a while, or breaks. */
#ifndef FX_WIRE_H
#define FX_WIRE_H

#include <stdint.h>

struct fx_wire_config {
    uint64_t rate_bps;     /* bytes/s; 0: as fast as it goes */
    uint32_t piece_bytes;  /* read and written at once; 0: 64 KiB */
    uint64_t break_at;     /* after so many bytes; 0: never */
    uint64_t stall_at;     /* likewise */
    uint32_t stall_us;
};

#define FX_RECORD_TYPES 32

/* What went by. Records are those of libxc's stream, counted from its start;
 * a type that did not occur has length 0. */
struct fx_wire_seen {
    uint64_t bytes;
    uint64_t at[FX_RECORD_TYPES];     /* the last record of each type */
    uint64_t length[FX_RECORD_TYPES]; /* its header and padding included */
};

struct fx_wire;

/* Takes both descriptors over, and closes them at its end. */
struct fx_wire *fx_wire_start(const struct fx_wire_config *config, int from,
                              int to);

/* Waits for its end, and tells what it saw. */
void fx_wire_join(struct fx_wire *w, struct fx_wire_seen *seen);

#endif
