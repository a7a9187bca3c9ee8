/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What mem-top shows, apart from how: mem.status as rows, their order, and
 * the bar of a guest. Pure, but for memory. The daemon's answer is not
 * trusted: what is missing or of a wrong type reads as unknown.
 */
#ifndef AERO_TOP_VIEW_H
#define AERO_TOP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

struct aero_top_guest {
    char *name, *state, *reason; /* fit for a terminal; never NULL */
    uint64_t domid;              /* LXE_UNKNOWN where not told, likewise below */
    uint64_t current_kib, target_kib, min_kib, max_kib;
    uint64_t used_kib, demand_kib;
};

struct aero_top {
    uint64_t total_kib, free_kib, spare_kib, reserve_kib, reserved_kib;
    char *state;     /* of the host */
    char **warnings;
    size_t warning_count;
    struct aero_top_guest *guests;
    size_t count;
};

enum aero_top_order {
    AERO_TOP_ID,
    AERO_TOP_NAME,
    AERO_TOP_STATE,
    AERO_TOP_HAS,
    AERO_TOP_TARGET,
    AERO_TOP_DEMAND,
    AERO_TOP_USED,
    AERO_TOP_ORDERS,
};

/*
 * Reads the "result" of mem.status.
 * Returns 0; -EINVAL where it has no list of domains; -ENOMEM.
 */
int aero_top_read(const struct lxe_json *result, struct aero_top *out);
void aero_top_free(struct aero_top *top);

/*
 * Sorts the guests: names and states from A, domids from 0, sizes from the
 * largest, unknown ones last; all the other way round where reversed.
 */
void aero_top_sort(struct aero_top *top, enum aero_top_order order,
                   bool reversed);

/* What one cell of a bar stands for; also the character that shows it. */
enum aero_top_cell {
    AERO_CELL_USED = '#',   /* held, and used by the guest's own word */
    AERO_CELL_HAS = '=',    /* held */
    AERO_CELL_MAY = '.',    /* up to its maximum */
    AERO_CELL_MIN = '[',
    AERO_CELL_TARGET = '|', /* goes before the minimum */
};

/*
 * Draws what a guest has, from 0 to its maximum or what it has, if that is
 * more.
 * @out  gets that many cells and a NUL
 */
void aero_top_bar(const struct aero_top_guest *guest, size_t cells, char *out);

/* The same of the host: what is taken, reserved ('r') and free ('.'). */
void aero_top_host_bar(const struct aero_top *top, size_t cells, char *out);

#endif
