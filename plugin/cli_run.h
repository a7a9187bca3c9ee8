/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command that is run while something is held for it. */
#ifndef AERO_CLI_RUN_H
#define AERO_CLI_RUN_H

/*
 * Runs a command, found as a shell does, and waits for its end; SIGTERM and
 * SIGHUP that come meanwhile are handed on to it.
 * Returns its exit status, or 128 and the signal that ended it; 127 where it
 * cannot be run; AERO_EXIT_FAILED where no process can be started.
 */
int aero_cli_run(char **command);

#endif
