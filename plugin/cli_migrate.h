/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs about migrations: migrate-live, -cancel and -status. */
#ifndef AERO_CLI_MIGRATE_H
#define AERO_CLI_MIGRATE_H

#include "cli.h"

/*
 * Becomes aerostat-migrate with the same arguments. As struct aero_verb's
 * run; returns only where that failed.
 */
int aero_cli_migrate_live(const struct aero_cli *cli, int argc, char **argv);

/* Becomes aerostat-migrate --cancel; else as above. */
int aero_cli_migrate_cancel(const struct aero_cli *cli, int argc, char **argv);

/* Shows or changes what all may send. As struct aero_verb's run. */
int aero_cli_migrate_rate(const struct aero_cli *cli, int argc, char **argv);

/* Shows the migrations that run now. As struct aero_verb's run. */
int aero_cli_migrate_status(const struct aero_cli *cli, int argc, char **argv);

#endif
