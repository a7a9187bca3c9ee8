/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "synth_stream.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"
#include "unit.h"

void synth_raw(struct synth *s, const void *data, size_t len)
{
    if (s->room < s->len + len) {
        s->room = 2 * (s->len + len);
        s->data = realloc(s->data, s->room);
        if (!s->data)
            abort();
    }
    if (len)
        memcpy(s->data + s->len, data, len);
    s->len += len;
}

static void put_u32(struct synth *s, uint32_t v)
{
    v = htole32(v);
    synth_raw(s, &v, sizeof(v));
}

static void put_u64(struct synth *s, uint64_t v)
{
    v = htole64(v);
    synth_raw(s, &v, sizeof(v));
}

void synth_headers(struct synth *s, uint32_t version, uint32_t guest)
{
    put_u64(s, UINT64_MAX);
    put_u32(s, htobe32(0x58454e46));
    put_u32(s, htobe32(version));
    put_u64(s, 0);
    put_u32(s, guest);
    put_u32(s, 12);
    put_u32(s, 4);
    put_u32(s, 17);
}

static void pad(struct synth *s)
{
    static const uint8_t zero[8];

    synth_raw(s, zero, -s->len & 7);
}

void synth_record(struct synth *s, uint32_t type, const void *body,
                  uint32_t len)
{
    put_u32(s, type);
    put_u32(s, len);
    synth_raw(s, body, len);
    pad(s);
}

uint64_t synth_word(uint64_t pfn, uint64_t seed, size_t index)
{
    return (pfn + 1) * UINT64_C(0x9e3779b97f4a7c15) + seed * 31 + index;
}

uint64_t synth_entry(unsigned int type, uint64_t pfn)
{
    return (uint64_t)type << MIG_PFN_TYPE_SHIFT | pfn;
}

void synth_pages(struct synth *s, const uint64_t *entries, uint32_t count,
                 uint64_t seed)
{
    size_t start = s->len;
    uint32_t body;

    put_u32(s, MIG_REC_PAGE_DATA);
    put_u32(s, 0);
    put_u32(s, count);
    put_u32(s, 0);
    for (uint32_t i = 0; i < count; i++)
        put_u64(s, entries[i]);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t page[512];

        if (!mig_page_has_data(entries[i] >> MIG_PFN_TYPE_SHIFT))
            continue;
        for (size_t w = 0; w < 512; w++)
            page[w] = synth_word(entries[i] & MIG_PFN_MASK, seed, w);
        synth_raw(s, page, sizeof(page));
    }
    body = htole32((uint32_t)(s->len - start - MIG_RECORD_HEADER_BYTES));
    memcpy(s->data + start + 4, &body, sizeof(body));
}

static void random_pages(struct synth *s, uint64_t *random)
{
    static const unsigned int types[] = {
        MIG_PAGE_NOTAB,
        MIG_PAGE_NOTAB,
        MIG_PAGE_XTAB,
        MIG_PAGE_BROKEN,
    };
    uint64_t entries[16];
    uint32_t count = 1 + (uint32_t)unit_below(random, 16);

    for (uint32_t i = 0; i < count; i++)
        entries[i] =
            synth_entry(types[unit_below(random, 4)], unit_below(random, 1024));
    synth_pages(s, entries, count, 7);
}

void synth_hvm(struct synth *s, uint64_t *random, uint32_t records)
{
    static const uint32_t params[] = {1, 0, 1, 0, 0xfefff, 0};
    static const uint8_t blob[48];

    synth_headers(s, 3, MIG_GUEST_HVM);
    synth_record(s, MIG_REC_X86_CPUID_POLICY, blob, 48);
    synth_record(s, MIG_REC_X86_MSR_POLICY, blob, 16);
    synth_record(s, MIG_REC_STATIC_DATA_END, NULL, 0);
    for (uint32_t i = 0; i < records; i++)
        random_pages(s, random);
    synth_record(s, MIG_REC_X86_TSC_INFO, blob, 24);
    synth_record(s, MIG_REC_HVM_CONTEXT, blob,
                 8 + (uint32_t)unit_below(random, 40));
    synth_record(s, MIG_REC_HVM_PARAMS, params, sizeof(params));
    synth_record(s, MIG_REC_END, NULL, 0);
}

void synth_free(struct synth *s)
{
    free(s->data);
    s->data = NULL;
    s->len = s->room = 0;
}
