/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What samples of pages share: choosing them, and their hash. */
#include "page_sample.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/units.h"
#include "sim_random.h"

#define QUESTIONS    64
#define FEWEST_DRAWN 16 /* the fewest that are worth a question */

uint64_t lxe_page_hash(const void *page)
{
    return XXH3_64bits(page, LXE_PAGE_SIZE);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static size_t sort_unique(uint64_t *gfns, size_t count)
{
    size_t n = 0;

    qsort(gfns, count, sizeof(*gfns), by_number);
    for (size_t i = 0; i < count; i++)
        if (!n || gfns[i] != gfns[n - 1])
            gfns[n++] = gfns[i];
    return n;
}

/*
 * How many frames to ask for, to have @left more: a quarter more than the part
 * that was there so far lets expect, for a look at what is populated on demand
 * populates it.
 */
static size_t draw(size_t left, size_t drawn, size_t found)
{
    uint64_t n = left;

    if (drawn)
        n = found ? left * (uint64_t)drawn / found : LXE_PAGE_ASK;
    n += n / 4;
    if (n < FEWEST_DRAWN)
        return FEWEST_DRAWN;
    return n < LXE_PAGE_ASK ? n : LXE_PAGE_ASK;
}

/* In the order drawn, so that stopping at @want prefers no part of memory. */
int lxe_page_sample_choose(uint64_t span, size_t want, uint64_t *random,
                           lxe_page_ask_fn *ask, void *data, uint64_t *gfns,
                           size_t *count, struct lxe_err *err)
{
    uint64_t drawn[LXE_PAGE_ASK];
    bool there[LXE_PAGE_ASK];
    size_t n = 0, all = 0, now;
    int rc = 0;

    for (unsigned q = 0; !rc && n < want && q < QUESTIONS; q++) {
        now = draw(want - n, all, n);
        all += now;
        for (size_t i = 0; i < now; i++)
            drawn[i] = lxe_sim_random(random) % span;
        rc = ask(data, drawn, now, there, err);
        for (size_t i = 0; !rc && i < now && n < want; i++)
            if (there[i])
                gfns[n++] = drawn[i];
    }
    *count = sort_unique(gfns, n);
    return rc;
}

void *lxe_page_sample_alloc(size_t size, size_t want)
{
    struct lxe_page_sample *s = calloc(1, size);

    if (!s)
        return NULL;
    s->gfns = calloc(want, sizeof(*s->gfns));
    s->hashes = calloc(want, sizeof(*s->hashes));
    s->there = calloc(want, sizeof(*s->there));
    if (s->gfns && s->hashes && s->there)
        return s;
    lxe_page_sample_free(s);
    return NULL;
}

void lxe_page_sample_free(struct lxe_page_sample *sample)
{
    free(sample->gfns);
    free(sample->hashes);
    free(sample->there);
    free(sample);
}
