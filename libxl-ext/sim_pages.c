/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sim_pages.h"

#include <stdlib.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/u64.h"
#include "base/units.h"
#include "sim_random.h"

/*
 * After 16 random writes to each page of a set, one in nine million pages is
 * still clean: then all of them are called dirty, which bounds the work.
 */
#define WRITES_THAT_HIT_ALL 16

struct lxe_sim_pages *lxe_sim_pages_new(const struct lxe_sim_writes *writes,
                                        uint64_t pages, uint64_t seed)
{
    uint64_t hot = writes->hot_kib / LXE_KIB_PER_PAGE;
    struct lxe_sim_pages *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->dirty = calloc(lxe_bitmap_words(pages), sizeof(*p->dirty));
    if (!p->dirty) {
        free(p);
        return NULL;
    }
    p->writes = writes;
    p->pages = pages;
    p->random = seed;
    p->hot_first = lxe_sim_random(&p->random) % (pages - hot + 1);
    return p;
}

void lxe_sim_pages_free(struct lxe_sim_pages *p)
{
    if (!p)
        return;
    free(p->dirty);
    free(p);
}

static void make_due(uint64_t *due, uint64_t *credit, uint64_t rate,
                     uint64_t ns)
{
    *credit += rate * ns;
    *due += *credit / LXE_NS_PER_SEC;
    *credit %= LXE_NS_PER_SEC;
}

void lxe_sim_pages_run(struct lxe_sim_pages *p, uint64_t ns, uint64_t percent)
{
    make_due(&p->hot_due, &p->hot_credit,
             p->writes->hot_pages_s * percent / 100, ns);
    make_due(&p->uniform_due, &p->uniform_credit,
             p->writes->uniform_pages_s * percent / 100, ns);
}

/* Writes n times to random pages of a run. */
static void scatter(struct lxe_sim_pages *p, uint64_t first, uint64_t count,
                    uint64_t n)
{
    if (n / WRITES_THAT_HIT_ALL >= count) {
        for (uint64_t i = 0; i < count; i++)
            lxe_bitmap_set(p->dirty, first + i);
        return;
    }
    while (n--)
        lxe_bitmap_set(p->dirty,
                       first + lxe_sim_random(&p->random) % count);
}

/* What a guest uses it does not give to its balloon. */
void lxe_sim_pages_flush(struct lxe_sim_pages *p, uint64_t present)
{
    uint64_t hot = lxe_min(p->writes->hot_kib / LXE_KIB_PER_PAGE, present);

    if (present)
        scatter(p, 0, present, p->uniform_due);
    if (p->hot_due && hot)
        scatter(p, lxe_min(p->hot_first, present - hot), hot, p->hot_due);
    p->uniform_due = 0;
    p->hot_due = 0;
}
