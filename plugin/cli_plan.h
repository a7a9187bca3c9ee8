/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb migrate-plan: what a migration will cost, or why not to move. */
#ifndef AERO_CLI_PLAN_H
#define AERO_CLI_PLAN_H

#include "cli.h"

#define AERO_EXIT_REFUSED 3 /* it should not, or cannot, be moved */

/* Measures, asks the target, predicts and prints. As struct aero_verb's run. */
int aero_cli_migrate_plan(const struct aero_cli *cli, int argc, char **argv);

#endif
