/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb wws: measures what a guest writes. */
#ifndef AERO_CLI_WWS_H
#define AERO_CLI_WWS_H

#include "cli.h"

/* As struct aero_verb's run. */
int aero_cli_wws(const struct aero_cli *cli, int argc, char **argv);

#endif
