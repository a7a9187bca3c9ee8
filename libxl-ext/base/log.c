/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/journal_log.h"
#include "base/shown.h"

static struct {
    const char *program;
    xentoollog_logger *logger, *own;
    xentoollog_level least; /* that the own one shows */
} state;

int lxe_log_open(const char *program, xentoollog_level level, bool timestamps)
{
    unsigned flags = XTL_STDIOSTREAM_HIDE_PROGRESS;

    if (timestamps)
        flags |= XTL_STDIOSTREAM_SHOW_DATE;
    if (lxe_journal_is(getenv("JOURNAL_STREAM"), STDERR_FILENO))
        state.own = lxe_journal_logger(stderr, program, level);
    else
        state.own = (xentoollog_logger *)xtl_createlogger_stdiostream(
            stderr, level, flags);
    if (!state.own)
        return -ENOMEM;
    state.logger = state.own;
    state.least = level;
    state.program = program;
    return 0;
}

void lxe_log_close(void)
{
    if (state.own)
        xtl_logger_destroy(state.own);
    state.own = NULL;
    state.logger = NULL;
}

xentoollog_logger *lxe_logger(void)
{
    return state.logger;
}

void lxe_log_use(const char *program, xentoollog_logger *logger)
{
    state.program = program;
    state.logger = logger;
}

bool lxe_log_shows(xentoollog_level level)
{
    if (state.logger == state.own)
        return state.own && level >= state.least;
    return state.logger != NULL; /* another one's level is not known */
}

void lxe_log(xentoollog_level level, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;

    if (!lxe_log_shows(level))
        return;
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    /* It may name a domain, as somebody called it. */
    lxe_make_shown(text);
    xtl_log(state.logger, level, -1, state.program, "%s", text);
    free(text);
}
