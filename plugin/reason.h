/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a guest has the target that it has: as values while balancing goes on,
 * and as a text once somebody asks. Pure.
 */
#ifndef AERO_REASON_H
#define AERO_REASON_H

#include <stdbool.h>
#include <stdint.h>

#define AERO_REASON_TEXT 200

/* What decides; `why` and the sizes are as each says. */
enum aero_cause {
    AERO_CAUSE_NONE,         /* not decided yet: an empty text */
    AERO_CAUSE_UNTOUCHED,    /* why: its state */
    AERO_CAUSE_FOREIGN,      /* why: who else manages it */
    AERO_CAUSE_STUCK_SHRINK,
    AERO_CAUSE_STUCK_GROW,
    AERO_CAUSE_LATE,         /* somebody lacks what it should have given */
    AERO_CAUSE_MINIMA,       /* they do not fit */
    AERO_CAUSE_LEFT,         /* as it is; why: nobody knows its demand */
    AERO_CAUSE_FOUND,        /* the same, but not what it has now */
    AERO_CAUSE_SHORT,        /* of its demand, by shares */
    AERO_CAUSE_WANTS,        /* it has its demand; why: where that is from */
    AERO_CAUSE_SURPLUS,      /* and more */
};

struct aero_reason {
    enum aero_cause cause;
    const char *why; /* static text */
    uint64_t demand_kib;
    uint64_t goal_kib;
    unsigned shares;
    unsigned idle;   /* thousandths; 0: the idle tax decides nothing */
    double price;    /* in terms of the median */
    bool at_min, at_max;
    bool cannot_give; /* what it uses: its least, above the minimum */
    bool for_node;   /* it gives because it is on a NUMA node */
    bool on_node;    /* what is short is its NUMA node's memory */
    bool hastened;   /* somebody waits for memory */
    bool on_the_way; /* to its goal */
};

/* Writes it as a text for people. */
void aero_reason_text(const struct aero_reason *reason,
                      char out[AERO_REASON_TEXT]);

#endif
