/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests of fakexen: their memory, who writes to it, and comparing two. */
#ifndef FX_GUEST_H
#define FX_GUEST_H

#include "fx_world.h"

struct fx_guest_config {
    uint32_t domid;
    uint32_t ram_pages;    /* from gfn 0 on */
    uint32_t top_gfn;      /* of the special pages; 0: where Xen has them */
    unsigned hole_percent; /* of the ram that was ballooned out */
    uint32_t restless_pages; /* from gfn 0 on: while it runs, they are written
                                in the moment that the log is begun or
                                cleaned, however slow the machine */
    unsigned sent_percent; /* of a processor while its log is on, as where
                              sending it takes the rest; 0: all */
    uint64_t seed;         /* for contents, holes and all else */
};

/* Makes a guest in the first free place of the world. */
struct fx_domain *fx_guest_create(const struct fx_guest_config *config);

/* Makes a domain without memory, to be restored into. */
struct fx_domain *fx_target_create(uint32_t domid, bool garbage);

/*
 * A thread of the guest that writes to its pages: a vcpu that is busy all the
 * time that it may run, so that a cap of 40 percent leaves 40 of 100 writes.
 */
struct fx_writer_config {
    double pages_per_s;
    uint32_t first, pages; /* its working set */
    bool sweep;            /* one after the other; else at random */
    uint64_t seed;
};

struct fx_writer;
struct fx_writer *fx_writer_start(struct fx_domain *d,
                                  const struct fx_writer_config *config);
uint64_t fx_writer_count(const struct fx_writer *w); /* pages written */
void fx_writer_stop(struct fx_writer *w);

/*
 * Compares all that a migration carries, but the pages that the restorer
 * clears. Returns the number of differences; `text` says where the first is.
 */
unsigned fx_compare(const struct fx_domain *a, const struct fx_domain *b,
                    char *text, size_t size);

/* What the toolstack does with a guest. */
void fx_suspend(struct fx_domain *d);
void fx_resume(struct fx_domain *d);

/* CLOCK_MONOTONIC. */
uint64_t fx_now_ns(void);
void fx_sleep_us(uint64_t us);

#endif
