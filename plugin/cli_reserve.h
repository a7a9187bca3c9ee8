/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-aerostat mem-reserve: memory that is kept free while a command runs. */
#ifndef AERO_CLI_RESERVE_H
#define AERO_CLI_RESERVE_H

#include "cli.h"

/* As struct aero_verb's run. */
int aero_cli_mem_reserve(const struct aero_cli *cli, int argc, char **argv);

#endif
