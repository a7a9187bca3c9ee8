/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Foretells a migration that is about to send its first round: finds out how
 * the guest writes, if that is not given, and predicts (predict.h). Both stay
 * in the report, beside what then comes.
 */
#ifndef MIG_FORETELL_H
#define MIG_FORETELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "host.h"
#include "predict.h"
#include "report.h"
#include "wws.h"

struct mig_foretell {
    struct mig_predict_in in;  /* its wire_bps 0: not known */
    const struct mig_wws *wws; /* how the guest writes; NULL: watch it */

    /* For watching: the guest has the size that it moves with. */
    struct lxe_host *host;
    uint32_t domid;
    uint64_t watch_ns;
    void (*watching)(void *data);  /* told that it begins */
    bool (*cancelled)(void *data); /* asked a few times a second */
    void *data;
};

/*
 * Returns 0, also where nothing can be foretold: then a warning says why. Only
 * -ECANCELED is an error.
 */
int mig_foretell(const struct mig_foretell *f, struct mig_report *report,
                 struct lxe_err *err);

#endif
