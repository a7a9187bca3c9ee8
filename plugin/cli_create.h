/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an 'xl create' is about to need: found by asking the stock xl for a dry
 * run of the same command, and libxl for what its configuration takes.
 */
#ifndef AERO_CLI_CREATE_H
#define AERO_CLI_CREATE_H

#include <stdint.h>

#include "base/err.h"

/*
 * @command   the stock xl and its arguments, NULL at the end
 * @need_kib  gets what the host must have free
 * @name      gets the domain's name; the caller frees it
 * Returns 0 or a negative errno; the message says what the dry run said.
 */
int aero_create_need(char *const *command, uint64_t *need_kib, char **name,
                     struct lxe_err *err);

#endif
