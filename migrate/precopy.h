/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether pre-copy goes on, stops, or is given up, and why. Pure.
 *
 * The rule is QEMU's: stop as soon as what is left can be sent within the
 * downtime that is allowed; here the fixed cost of suspending counts too.
 * Rounds and their limit are those of Clark et al. (NSDI 2005): a guest that
 * dirties memory as fast as it is sent never gets there, so a number of
 * rounds or a time-out ends it, and the reason says by how much the downtime
 * will be missed.
 *
 *   predicted downtime = fixed cost + pages x (4096 + 8) / wire rate
 *   pages = dirty now + dirtied a second x fixed cost
 *
 * since the guest goes on writing until it stands still.
 *
 * libxc asks twice a round. COUNT_KNOWN: the dirty bitmap was just fetched
 * and cleared; the round is sent live whatever the answer is, and STOP
 * suspends after it. ROUND_SENT: STOP suspends at once. So ROUND_SENT is the
 * place to stop, given a count of the pages that are dirty then (a PEEK for
 * statistics only has it). Where no such count follows, COUNT_KNOWN stops if
 * both this round and what the guest is expected to dirty while it is sent
 * fit the limit.
 */
#ifndef MIG_PRECOPY_H
#define MIG_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#define MIG_PAGE_WIRE_BYTES (4096u + 8u) /* a page and its PAGE_DATA entry */
#define MIG_PRECOPY_UNKNOWN UINT64_MAX   /* for pages and for durations */
#define MIG_PRECOPY_REASON  192

enum mig_precopy_verdict {
    MIG_PRECOPY_CONTINUE,
    MIG_PRECOPY_STOP,  /* suspend and send the rest */
    MIG_PRECOPY_ABORT, /* the guest goes on here */
};

enum mig_precopy_point {
    MIG_PRECOPY_COUNT_KNOWN, /* before a round is sent */
    MIG_PRECOPY_ROUND_SENT,  /* after it, before the next CLEAN */
};

struct mig_precopy_limits {
    uint64_t max_downtime_ns;
    uint64_t timeout_ns; /* of the whole pre-copy; 0: none */
    bool abort_on_timeout; /* rather than stop beyond max_downtime_ns */
    uint32_t max_rounds; /* rounds sent live; 0: no limit */
};

struct mig_precopy_in {
    enum mig_precopy_point point;
    uint32_t round;           /* of this round, from 0; libxc's iteration is one
                                 more at ROUND_SENT */
    bool count_follows;       /* ROUND_SENT will bring a count of dirty pages */
    bool abort;               /* the operator or a failure asks for the end */
    uint64_t dirty_pages;     /* to be sent in this round, or dirty by now;
                                 MIG_PRECOPY_UNKNOWN */
    double dirty_pages_per_s; /* how fast the guest dirties; < 0: unknown */
    double suspend_pps;       /* pages/s not yet dirty that it will write while
                                 it is being suspended; < 0: unknown, as 0 */
    double live_bps;          /* bytes/s at which this round is sent live */
    double final_bps;       /* bytes/s expected in the final pass; 0: unknown */
    double spread;          /* how far it may be from that, as a share of it */
    uint64_t fixed_cost_ns; /* from suspend request to suspended */
    uint64_t elapsed_ns;    /* since pre-copy began */
};

struct mig_precopy_out {
    enum mig_precopy_verdict verdict;
    uint64_t downtime_ns; /* predicted if stopped now; MIG_PRECOPY_UNKNOWN */
    uint64_t downtime_high_ns; /* likewise, with the spread: this has to fit */
    char reason[MIG_PRECOPY_REASON]; /* one line for the operator */
};

/*
 * Predicts the downtime in nanoseconds if so many pages are left; saturates
 * at MIG_PRECOPY_UNKNOWN, which it also returns for unknown pages or a rate
 * that is unknown.
 */
uint64_t mig_precopy_downtime_ns(uint64_t fixed_cost_ns, uint64_t pages,
                                 double final_bps);

/*
 * How many pages may be dirty when the suspend is asked for, so that the
 * downtime is kept; below 0 if none will do. Arguments as above; the limit in
 * ns.
 */
double mig_precopy_fit_pages(uint64_t limit_ns, uint64_t fixed_cost_ns,
                             double final_bps, double suspend_pps);

/* Decides. Never fails. */
void mig_precopy_decide(const struct mig_precopy_limits *limits,
                        const struct mig_precopy_in *in,
                        struct mig_precopy_out *out);

#endif
