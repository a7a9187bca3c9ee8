/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "top_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "host.h"

static uint64_t number(const struct lxe_json *object, const char *key)
{
    uint64_t value;

    return lxe_json_u64(lxe_json_get(object, key), &value) ? LXE_UNKNOWN
                                                            : value;
}

static bool read_guest(const struct lxe_json *d, struct aero_top_guest *g)
{
    *g = (struct aero_top_guest){
        .name = aero_cli_text(d, "name"),
        .state = aero_cli_text(d, "state"),
        .reason = aero_cli_text(d, "reason"),
        .domid = number(d, "domid"),
        .current_kib = number(d, "current_kib"),
        .target_kib = number(d, "target_kib"),
        .min_kib = number(d, "min_kib"),
        .max_kib = number(d, "max_kib"),
        .used_kib = number(d, "used_kib"),
        .demand_kib = number(d, "demand_kib"),
    };
    return g->name && g->state && g->reason;
}

static bool read_guests(const struct lxe_json *list, struct aero_top *out)
{
    bool good = true;

    out->guests = calloc(lxe_json_count(list) + 1, sizeof(*out->guests));
    if (!out->guests)
        return false;
    for (size_t i = 0; i < lxe_json_count(list); i++)
        good = read_guest(lxe_json_at(list, i), &out->guests[out->count++]) &&
               good;
    return good;
}

static bool read_warnings(const struct lxe_json *list, struct aero_top *out)
{
    out->warnings = calloc(lxe_json_count(list) + 1, sizeof(char *));
    if (!out->warnings)
        return false;
    for (size_t i = 0; i < lxe_json_count(list); i++) {
        const char *raw = lxe_json_str(lxe_json_at(list, i));
        char *text = raw ? aero_text_escape(raw) : NULL;

        if (text)
            out->warnings[out->warning_count++] = text;
    }
    return true;
}

int aero_top_read(const struct lxe_json *result, struct aero_top *out)
{
    const struct lxe_json *host = lxe_json_get(result, "host");
    const struct lxe_json *domains = lxe_json_get(result, "domains");

    *out = (struct aero_top){
        .total_kib = number(host, "total_kib"),
        .free_kib = number(host, "free_kib"),
        .spare_kib = number(host, "spare_kib"),
        .reserve_kib = number(host, "reserve_kib"),
        .reserved_kib = number(host, "reserved_kib"),
    };
    if (lxe_json_type(domains) != LXE_JSON_ARRAY)
        return -EINVAL;
    out->state = aero_cli_text(host, "state");
    if (out->state && read_warnings(lxe_json_get(result, "warnings"), out) &&
        read_guests(domains, out))
        return 0;
    aero_top_free(out);
    return -ENOMEM;
}

void aero_top_free(struct aero_top *top)
{
    for (size_t i = 0; i < top->count; i++) {
        free(top->guests[i].name);
        free(top->guests[i].state);
        free(top->guests[i].reason);
    }
    for (size_t i = 0; i < top->warning_count; i++)
        free(top->warnings[i]);
    free(top->warnings);
    free(top->guests);
    free(top->state);
    *top = (struct aero_top){ 0 };
}

/* ---- order ---- */

struct order {
    enum aero_top_order by;
    bool reversed;
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* The largest first; what is not known is none. */
static int compare_size(uint64_t a, uint64_t b)
{
    return compare_u64(b == LXE_UNKNOWN ? 0 : b + 1,
                       a == LXE_UNKNOWN ? 0 : a + 1);
}

static int compare_by(const struct aero_top_guest *a,
                      const struct aero_top_guest *b, enum aero_top_order by)
{
    switch (by) {
    case AERO_TOP_NAME:
        return strcmp(a->name, b->name);
    case AERO_TOP_STATE:
        return strcmp(a->state, b->state);
    case AERO_TOP_HAS:
        return compare_size(a->current_kib, b->current_kib);
    case AERO_TOP_TARGET:
        return compare_size(a->target_kib, b->target_kib);
    case AERO_TOP_DEMAND:
        return compare_size(a->demand_kib, b->demand_kib);
    case AERO_TOP_USED:
        return compare_size(a->used_kib, b->used_kib);
    case AERO_TOP_ID:
    case AERO_TOP_ORDERS:
        break;
    }
    return 0;
}

static int compare(const void *a, const void *b, void *data)
{
    const struct order *order = data;
    const struct aero_top_guest *x = a, *y = b;
    int by = compare_by(x, y, order->by);

    if (!by)
        by = compare_u64(x->domid, y->domid);
    return order->reversed ? -by : by;
}

void aero_top_sort(struct aero_top *top, enum aero_top_order order,
                   bool reversed)
{
    struct order o = { order, reversed };

    if (top->count)
        qsort_r(top->guests, top->count, sizeof(*top->guests), compare, &o);
}

/* ---- bars ---- */

/* The cells that a size takes of a bar, rounded. */
static size_t cells_of(uint64_t kib, uint64_t whole_kib, size_t cells)
{
    double part = (double)kib / (double)whole_kib;

    if (kib == LXE_UNKNOWN || part <= 0)
        return 0;
    return part >= 1 ? cells : (size_t)(part * (double)cells + 0.5);
}

static void mark(char *out, size_t cells, uint64_t kib, uint64_t whole_kib,
                 char with)
{
    size_t at = cells_of(kib, whole_kib, cells);

    if (kib != LXE_UNKNOWN && cells)
        out[at < cells ? at : cells - 1] = with;
}

static uint64_t known(uint64_t kib)
{
    return kib == LXE_UNKNOWN ? 0 : kib;
}

void aero_top_bar(const struct aero_top_guest *g, size_t cells, char *out)
{
    uint64_t has = known(g->current_kib), whole = known(g->max_kib);
    size_t n;

    whole = whole > has ? whole : has;
    out[cells] = '\0';
    memset(out, whole ? AERO_CELL_MAY : ' ', cells);
    if (!whole)
        return;
    memset(out, AERO_CELL_HAS, cells_of(has, whole, cells));
    n = cells_of(g->used_kib, whole, cells);
    memset(out, AERO_CELL_USED, n);
    mark(out, cells, g->min_kib, whole, AERO_CELL_MIN);
    mark(out, cells, g->target_kib, whole, AERO_CELL_TARGET);
}

void aero_top_host_bar(const struct aero_top *top, size_t cells, char *out)
{
    uint64_t whole = known(top->total_kib), free_kib = known(top->free_kib);
    uint64_t kept = known(top->reserve_kib) + known(top->reserved_kib);
    size_t n, reserved;

    out[cells] = '\0';
    memset(out, whole ? AERO_CELL_USED : ' ', cells);
    if (!whole)
        return;
    n = cells_of(free_kib, whole, cells);
    reserved = cells_of(kept < free_kib ? kept : free_kib, whole, cells);
    memset(out + cells - n, AERO_CELL_MAY, n);
    memset(out + cells - n, 'r', reserved < n ? reserved : n);
}
