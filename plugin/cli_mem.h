/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs about memory: mem-status and mem-policy. */
#ifndef AERO_CLI_MEM_H
#define AERO_CLI_MEM_H

#include "cli.h"

/* Shows what each guest has, should have and why. As struct aero_verb's run. */
int aero_cli_mem_status(const struct aero_cli *cli, int argc, char **argv);

/* Shows or changes the policy of one domain. As struct aero_verb's run. */
int aero_cli_mem_policy(const struct aero_cli *cli, int argc, char **argv);

#endif
