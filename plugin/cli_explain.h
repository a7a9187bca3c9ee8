/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl mem-explain: why a guest has what it has, in words. */
#ifndef AERO_CLI_EXPLAIN_H
#define AERO_CLI_EXPLAIN_H

#include "cli.h"

/* As struct aero_verb's run. */
int aero_cli_mem_explain(const struct aero_cli *cli, int argc, char **argv);

#endif
