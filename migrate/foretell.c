/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "foretell.h"

#include <errno.h>

#include "base/log.h"
#include "wws_watch.h"

static int watch(const struct mig_foretell *f, struct mig_wws *out,
                 struct lxe_err *err)
{
    const struct mig_wws_watch how = {
        .method = MIG_WWS_SAMPLE,
        .duration_ns = f->watch_ns,
        /* As long windows as may be, where it is not known. */
        .round_ns = f->in.wire_bps > 0 ? mig_predict_first_ns(&f->in)
                                       : UINT64_MAX,
        .cancelled = f->cancelled,
        .data = f->data,
    };
    struct lxe_domain dom;
    int rc = f->host->ops->get_domain(f->host, f->domid, &dom, err);

    return rc ? rc : mig_wws_watch(f->host, &dom, &how, out, err);
}

/* The report keeps the curve: a later prediction learns the guest's pace from
 * it, beside what then came. */
static int find_curve(const struct mig_foretell *f, struct mig_report *report,
                      struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    int rc = 0;

    if (f->wws) {
        report->wws = *f->wws;
    } else {
        f->watching(f->data);
        rc = watch(f, &report->wws, &why);
    }
    if (rc == -ECANCELED)
        return lxe_fail(err, rc, "%s", why.text);
    if (rc)
        lxe_warn("nothing can be predicted: %s", why.text);
    report->has_wws = !rc;
    return 0;
}

int mig_foretell(const struct mig_foretell *f, struct mig_report *report,
                 struct lxe_err *err)
{
    int rc = find_curve(f, report, err);

    if (rc || !report->has_wws)
        return rc;
    if (f->in.limits.compress_level && !f->in.packing.pages) {
        lxe_warn("nothing can be predicted: how well the guest's memory packs"
                 " is not known");
        return 0;
    }
    if (!(f->in.wire_bps > 0)) {
        lxe_warn("nothing can be predicted: how fast the wire to %s is will be"
                 " known after this migration", report->to);
        return 0;
    }
    mig_predict(&report->wws, &f->in, &report->predicted);
    report->has_prediction = true;
    return 0;
}
