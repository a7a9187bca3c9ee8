/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The source's side of a probe (probe.h), over a migration's transport. */
#ifndef MIG_PROBE_ASK_H
#define MIG_PROBE_ASK_H

#include <stdbool.h>

#include "base/err.h"
#include "probe.h"

struct mig_probe_ask {
    const char *to, *how; /* as in session.h */
    bool measure;         /* the wire too: two seconds at most */
    struct mig_probe_request request;
};

enum mig_probe_peer {
    MIG_PEER_AEROSTAT, /* answered */
    MIG_PEER_OLD,      /* an aerostat-receive that knows no probe */
    MIG_PEER_XL,       /* a stock xl, which cannot be asked */
};

struct mig_probe_found {
    enum mig_probe_peer peer;
    struct mig_probe_answer answer; /* of MIG_PEER_AEROSTAT */
    double wire_bps;                /* 0: not measured */
    uint64_t round_trip_ns;         /* 0: not measured */
};

/*
 * Asks. Returns 0 with what was found, which may be little; -ECONNRESET,
 * -ETIMEDOUT, -EPROTO where there is no target, or a broken one.
 */
int mig_probe_run(const struct mig_probe_ask *ask,
                  struct mig_probe_found *out, struct lxe_err *err);

#endif
