/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the file that holds a working set: a curve that was accepted rises,
 * stays between its bounds and within the guest, and survives being written.
 */
#include "wws.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void check_curve(const struct mig_wws *w)
{
    double most = (double)w->domain_pages, last = 0;

    need(w->count >= 1 && w->count <= MIG_WWS_POINTS);
    need(w->knee_ns <= w->points[w->count - 1].window_ns);
    for (uint64_t t = 1; t < MIG_WWS_MAX_NS; t = t * 3 + 1) {
        double low = mig_wws_pages_low(w, t), d = mig_wws_pages(w, t);
        double high = mig_wws_pages_high(w, t), hair = 1e-6 * (1 + most);

        need(isfinite(low) && isfinite(d) && isfinite(high));
        need(low >= 0 && low <= d + hair && d <= high + hair);
        need(high <= most + hair && d >= last - hair);
        last = d;
    }
}

static void check_again(const struct mig_wws *w)
{
    struct lxe_jw *jw = lxe_jw_new(false);
    struct lxe_json *tree = NULL;
    struct mig_wws again;
    const char *text;
    size_t len;

    need(jw);
    mig_wws_write(jw, NULL, w);
    text = lxe_jw_text(jw, &len);
    need(text && !lxe_json_parse(text, len, &tree, NULL));
    need(!mig_wws_parse(tree, &again, NULL) && again.count == w->count);
    lxe_json_free(tree);
    lxe_jw_free(jw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lxe_err err = { 0 };
    struct lxe_json *tree;
    struct mig_wws w;

    if (lxe_json_parse((const char *)data, size, &tree, &err))
        return 0;
    if (mig_wws_parse(tree, &w, &err)) {
        need(err.code < 0 && *err.text);
    } else {
        check_curve(&w);
        check_again(&w);
    }
    lxe_json_free(tree);
    return 0;
}
