/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl mem-replay: a log of decisions, run through this program's policy. */
#ifndef AERO_CLI_REPLAY_H
#define AERO_CLI_REPLAY_H

#include "cli.h"

/* Beside the exit statuses of every verb: targets differ, and nothing was set. */
#define AERO_EXIT_DIFFERS 3

/* As struct aero_verb's run. */
int aero_cli_mem_replay(const struct aero_cli *cli, int argc, char **argv);

#endif
