/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast the wire takes pages, how far that is to be trusted, and how well
 * they pack: learnt from each round that was sent. What lies back fades, by
 * half for each 0.7 s of sending. Pure.
 */
#ifndef MIG_WIRE_RATE_H
#define MIG_WIRE_RATE_H

#include <stdint.h>

/* All zero before the first round. */
struct mig_wire_rate {
    double bytes;        /* of the stream, sent lately, */
    double packed_bytes; /* what was written for them, */
    double ns;           /* and in what time */
    double spread; /* how far the next round may be off, as a share of the rate
                      (mig_precopy_spread()); 0: no round was sent */
};

/*
 * A round was sent. One that was soon over counts for as much as it lasted,
 * beside those before it.
 * @bytes         of the stream, sent in that time
 * @packed_bytes  that were written for them
 * @ns            in which pages moved, but for waits for a rate that was set
 */
void mig_wire_rate_learn(struct mig_wire_rate *w, double bytes,
                         double packed_bytes, double ns);

/* Bytes/s of the stream that the wire takes; 0: not known yet. */
double mig_wire_rate_bps(const struct mig_wire_rate *w);

/* Bytes of the stream for one that is written: 1 where it is not packed. */
double mig_wire_rate_packing(const struct mig_wire_rate *w);

/*
 * Bytes/s of the stream to expect; 0: not known.
 * @limit_bps  bytes/s that may be written; 0: no limit
 */
double mig_wire_rate_under_bps(const struct mig_wire_rate *w,
                               uint64_t limit_bps);

#endif
