/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes libxc migration streams in memory, for tests. */
#ifndef AEROSTAT_TESTS_SYNTH_STREAM_H
#define AEROSTAT_TESTS_SYNTH_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct synth {
    uint8_t *data; /* malloc'd */
    size_t len, room;
};

/* Appends bytes as they are. */
void synth_raw(struct synth *s, const void *data, size_t len);

/* Appends the image header and the domain header. */
void synth_headers(struct synth *s, uint32_t version, uint32_t guest);

/* Appends a record, padded with zeros. */
void synth_record(struct synth *s, uint32_t type, const void *body,
                  uint32_t len);

/*
 * Appends a PAGE_DATA record of `count` entries. The data of a page is its
 * entry, over and over, mixed with the seed, so that a page can be told.
 */
void synth_pages(struct synth *s, const uint64_t *entries, uint32_t count,
                 uint64_t seed);

/* What the word at `index` of that page is. */
uint64_t synth_word(uint64_t pfn, uint64_t seed, size_t index);

/* An entry of PAGE_DATA. */
uint64_t synth_entry(unsigned int type, uint64_t pfn);

/* Appends all of a small HVM guest, with some PAGE_DATA records; random. */
void synth_hvm(struct synth *s, uint64_t *random, uint32_t records);

void synth_free(struct synth *s);

#endif
