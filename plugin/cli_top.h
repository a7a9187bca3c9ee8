/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl mem-top: the guests' memory, live. */
#ifndef AERO_CLI_TOP_H
#define AERO_CLI_TOP_H

#include "cli.h"

/* As struct aero_verb's run. */
int aero_cli_mem_top(const struct aero_cli *cli, int argc, char **argv);

#endif
