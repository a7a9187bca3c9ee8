/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging through xentoollog, which libxl and libxc log through as well, so
 * that one setting governs all. Goes to stderr: stdout is for results, and in
 * a save helper it belongs to libxl. Where that is systemd's journal, in its
 * form: journal_log.h.
 */
#ifndef LXE_BASE_LOG_H
#define LXE_BASE_LOG_H

#include <stdbool.h>
#include <xentoollog.h>

/*
 * Opens the process's logger. Call once, early.
 * @program      name put in front of each line
 * @level        the least level that is shown
 * @timestamps   put date and time in front; the journal knows them itself
 * Returns 0 or -ENOMEM.
 */
int lxe_log_open(const char *program, xentoollog_level level, bool timestamps);

/* Closes it; logging afterwards is silently dropped. */
void lxe_log_close(void);

/* The logger, to hand to libxl_ctx_alloc() and xc_interface_open(). */
xentoollog_logger *lxe_logger(void);

/* Replaces the logger by one that the caller owns (save helper, tests). */
void lxe_log_use(const char *program, xentoollog_logger *logger);

/* Whether a message of this level may be shown: else its text can be spared. */
bool lxe_log_shows(xentoollog_level level);

/* One line. Control characters are shown as '?', ends of lines too: names of
 * domains are what others called them. */
void lxe_log(xentoollog_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define lxe_debug(...) lxe_log(XTL_DEBUG, __VA_ARGS__)
#define lxe_info(...)  lxe_log(XTL_INFO, __VA_ARGS__)
#define lxe_warn(...)  lxe_log(XTL_WARN, __VA_ARGS__)
#define lxe_error(...) lxe_log(XTL_ERROR, __VA_ARGS__)

#endif
