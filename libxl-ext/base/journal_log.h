/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log lines for systemd's journal, which has the time and the program itself:
 * each begins with its priority, as sd-daemon(3) has it.
 */
#ifndef LXE_BASE_JOURNAL_LOG_H
#define LXE_BASE_JOURNAL_LOG_H

#include <stdbool.h>
#include <stdio.h>
#include <xentoollog.h>

/*
 * Whether a file descriptor is the journal's end of a service's output.
 * @stream  $JOURNAL_STREAM, "device:inode", or NULL; systemd.exec(5)
 */
bool lxe_journal_is(const char *stream, int fd);

/*
 * Makes a logger, for xtl_logger_destroy().
 * @to       where to; stays open
 * @program  context of messages that need not be told whose they are; must
 *           outlive the logger
 * @least    the least level that is shown
 * Returns NULL where memory is short.
 */
xentoollog_logger *lxe_journal_logger(FILE *to, const char *program,
                                      xentoollog_level least);

#endif
