/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the reader of reports, and the page that is made of what it took:
 * as many elements end as begin, and none is a script. And what predictions
 * learn from a report: no cost is below 0 or endless.
 */
#define _GNU_SOURCE
#include "report_html.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "costs.h"
#include "pace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void check_page(const struct mig_run *run)
{
    char *page = NULL;
    size_t len;
    FILE *out = open_memstream(&page, &len);

    need(out);
    mig_report_html(out, run, "0");
    need(!fclose(out) && strlen(page) == len);
    need(count(page, "<section") == count(page, "</section>"));
    need(count(page, "<text ") == count(page, "</text>"));
    need(!count(page, "<script") && !count(page, "=\"nan"));
    free(page);
}

static bool is_cost(double x, double most)
{
    return isnan(x) || (x >= 0 && x <= most);
}

static void check_costs(const struct lxe_json *root)
{
    struct mig_costs c;
    double bps;

    if (mig_costs_of_report(root, &c, &bps))
        return;
    need(bps >= 0 && is_cost(c.suspend_ns, 1e12));
    need(is_cost(c.round_ns, 1e12) && is_cost(c.walk_ns, 1e12));
    need(is_cost(c.last_ns, 1e12) && is_cost(c.suspend_pages, 1e9));
    need(isnan(c.pace) || c.pace >= MIG_PACE_LEAST);
    need(is_cost(c.pace, MIG_PACE_MOST));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lxe_json *root;
    struct lxe_err err = { 0 };
    struct mig_run run;

    if (lxe_json_parse((const char *)data, size, &root, &err))
        return 0;
    check_costs(root);
    if (!mig_run_take(root, &run, &err))
        check_page(&run);
    else
        need(err.code < 0 && *err.text);
    mig_run_free(&run);
    return 0;
}
