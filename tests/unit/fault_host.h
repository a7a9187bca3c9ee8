/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host in front of another, whose k-th call fails: before it has an effect,
 * or, as where an answer was lost, after it.
 */
#ifndef AEROSTAT_TESTS_FAULT_HOST_H
#define AEROSTAT_TESTS_FAULT_HOST_H

#include <stdbool.h>

#include "host.h"

struct fault_host {
    struct lxe_host host; /* first: is handed out */
    struct lxe_host *inner;
    unsigned calls;       /* of ops that can fail, so far */
    unsigned fail_at;     /* the number, from 1, of the one that fails */
    unsigned fail_count;  /* so many from there on */
    int code;
    bool after;           /* it had its effect */
    bool failed;          /* one has */
};

/* Puts it in front of `inner`, which stays the caller's. Nothing fails yet. */
void fault_host_init(struct fault_host *f, struct lxe_host *inner);

#endif
