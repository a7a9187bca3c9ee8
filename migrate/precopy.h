/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether pre-copy goes on, stops, or is given up, and why. Pure.
 *
 * The rule is QEMU's: stop as soon as what is left can be sent within the
 * downtime that is allowed; here what suspending costs counts too.
 *
 *   predicted downtime = suspend + last + pages x (4096 + 8) / wire rate
 *   pages = dirty now + dirtied a second x suspend / 4 + the kernel's own
 *
 * since the guest's programs go on writing until they are frozen, which is
 * early in the suspend (docs/prediction.md), and its kernel writes while it
 * suspends itself. For the decision they write in half of it.
 *
 * Three things are beside that rule:
 *
 *   - What fits is sent once more live where this costs next to nothing, at
 *     most a fiftieth of what was sent, and makes the downtime shorter by a
 *     tenth at least.
 *   - A guest that dirties memory as fast as it is sent never gets there.
 *     A round brought nothing if it left no fewer pages than nine tenths of
 *     the fewest before. After some such rounds on end, or once all of them
 *     together have sent a fifth of what the guest has, pre-copy ends at the
 *     next one that is not far from the fewest, since more rounds cost bytes
 *     and bring nothing. Rounds that cost next to nothing are only counted.
 *   - Where suspending alone takes more than is allowed, it ends as soon as
 *     the pages left add less than a tenth to that.
 *
 * Rounds and their limit are those of Clark et al. (NSDI 2005). The reason
 * says by how much the downtime will be missed.
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

/* The share of a suspend in which the guest's programs still run, and what it
 * hardly ever is more than. */
#define MIG_PRECOPY_RUNS_ON      0.25
#define MIG_PRECOPY_RUNS_ON_MOST 0.5

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
    bool relaxing;       /* max_downtime_ns may become more */
    bool abort_on_timeout; /* rather than stop beyond max_downtime_ns */
    uint32_t max_rounds; /* rounds sent live; 0: no limit */
    uint32_t stall_rounds; /* rounds on end without gain; 0: no limit, nor
                              to what such rounds send */
};

/* How the rounds so far went. */
struct mig_precopy_past {
    uint64_t fewest_pages; /* left after a round; UINT64_MAX: none yet */
    uint32_t stalled;      /* rounds since that was made smaller by a tenth */
    uint64_t vain_pages;   /* sent in all rounds that did not do so */
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
    uint64_t last_cost_ns;  /* of the last pass, beyond its pages */
    uint32_t suspend_pages; /* that the guest's kernel writes meanwhile */
    struct mig_precopy_past past; /* ROUND_SENT: with this round */
    double next_pages;      /* left after another round; < 0: unknown */
    uint64_t sent_pages;    /* live, so far; 0: unknown */
    uint64_t guest_pages;   /* that the guest has; 0: unknown */
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
 * downtime is kept, spread included; below 0 if none will do.
 * @limit_ns  the downtime
 * @in        its costs, rates and spread; not its counts
 */
double mig_precopy_fit_pages(uint64_t limit_ns,
                             const struct mig_precopy_in *in);

/*
 * The downtime in ns that is had with nothing left to send and a guest whose
 * programs write no more: slowing it, or more rounds, cannot make it less.
 * Arguments as above.
 */
uint64_t mig_precopy_floor_ns(const struct mig_precopy_in *in);

/*
 * How far the rate of the next round may be from the one that is expected, as
 * a share of it: by the largest error so far, which fades from round to round,
 * and never less than a twentieth.
 * @before  what this gave after the round before; 0: this was the first, whose
 *          rate nothing was expected of
 * @error   how far this round's rate was off, as a share
 */
double mig_precopy_spread(double before, double error);

/* Before the first round. */
void mig_precopy_past_init(struct mig_precopy_past *past);

/*
 * A round sent so many pages, and left so many.
 * @counts  whether it may count as stalled; false where something else may
 *          still help, as slowing the guest more
 */
void mig_precopy_past_round(struct mig_precopy_past *past,
                            uint64_t sent_pages, uint64_t left_pages,
                            bool counts);

/* Decides. Never fails. */
void mig_precopy_decide(const struct mig_precopy_limits *limits,
                        const struct mig_precopy_in *in,
                        struct mig_precopy_out *out);

#endif
