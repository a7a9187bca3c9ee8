/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of a command line that set limits: one table for every program
 * that takes them, with what its help says of each.
 */
#ifndef MIG_LIMIT_OPTIONS_H
#define MIG_LIMIT_OPTIONS_H

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include "limits.h"

#define MIG_LIMIT_OPTIONS 17

/* Which of them a program takes. */
enum mig_limit_set {
    MIG_LIMITS_ALL,
    MIG_LIMITS_FORETOLD, /* but for those that no prediction knows */
};

/*
 * Makes a table for getopt_long(): the program's own options, the limits, and
 * the zeros that end it.
 * @own    without zeros at its end
 * @count  of own
 * @value  that getopt_long() is to return for a limit
 * @out    room for count + MIG_LIMIT_OPTIONS + 1
 */
void mig_limit_options_add(enum mig_limit_set set, const struct option *own,
                           size_t count, int value, struct option *out);

/*
 * Sets the limit that an option names.
 * @name    of the option; one of the table's
 * @value   optarg
 * @is_cost is set where it says what the host costs, else left alone
 * Returns 0 or an error of mig_limits_set().
 */
int mig_limit_option_take(struct mig_limits *limits, const char *name,
                          const char *value, bool *is_cost,
                          struct lxe_err *err);

/* Prints a line or two of help for each of all. */
void mig_limit_options_help(FILE *f);

#endif
