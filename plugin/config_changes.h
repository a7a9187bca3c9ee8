/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file that was read again changes, for the log. */
#ifndef AERO_CONFIG_CHANGES_H
#define AERO_CONFIG_CHANGES_H

#include <stdbool.h>

#include "daemon_config.h"

/*
 * Told of one line, as aero_config_print() has it.
 * @holds  it holds now; false where it held before and does no longer
 */
typedef void aero_config_change_fn(const char *line, bool holds, void *data);

/*
 * Tells each line that only one of both has, in the order of their texts.
 * Returns how many these are, or -ENOMEM.
 */
int aero_config_changes(const struct aero_config *was,
                        const struct aero_config *is,
                        aero_config_change_fn *tell, void *data);

#endif
