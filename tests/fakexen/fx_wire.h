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

struct fx_wire;

/* Takes both descriptors over, and closes them at its end. */
struct fx_wire *fx_wire_start(const struct fx_wire_config *config, int from,
                              int to);

/* Waits for its end. Returns how many bytes it carried. */
uint64_t fx_wire_join(struct fx_wire *w);

#endif
