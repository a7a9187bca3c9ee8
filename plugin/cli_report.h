/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb migrate-report: what happened in a migration. */
#ifndef AERO_CLI_REPORT_H
#define AERO_CLI_REPORT_H

#include "cli.h"

/* As struct aero_verb's run. */
int aero_cli_migrate_report(const struct aero_cli *cli, int argc,
                            char **argv);

#endif
