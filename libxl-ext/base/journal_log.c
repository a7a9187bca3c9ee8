/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/journal_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#define LINE_MAX_BYTES 2048 /* as much as the journal keeps in one line */

struct journal {
    xentoollog_logger vtable;
    xentoollog_level least;
    const char *program;
    FILE *to;
};

bool lxe_journal_is(const char *stream, int fd)
{
    uintmax_t dev, ino;
    struct stat st;
    char end;

    return stream && sscanf(stream, "%ju:%ju%c", &dev, &ino, &end) == 2 &&
           !fstat(fd, &st) && st.st_dev == dev && st.st_ino == ino;
}

static int priority(xentoollog_level level)
{
    switch (level) {
    case XTL_CRITICAL:
        return LOG_CRIT;
    case XTL_ERROR:
        return LOG_ERR;
    case XTL_WARN:
        return LOG_WARNING;
    case XTL_NOTICE:
        return LOG_NOTICE;
    case XTL_INFO:
    case XTL_PROGRESS:
        return LOG_INFO;
    default:
        return LOG_DEBUG;
    }
}

__attribute__((format(printf, 5, 0)))
static void journal_vmessage(xentoollog_logger *logger, xentoollog_level level,
                             int errnoval, const char *context,
                             const char *format, va_list al)
{
    struct journal *j = (struct journal *)logger;
    bool ours = !context || !strcmp(context, j->program);
    char text[LINE_MAX_BYTES], *line, *rest = text;

    if (level < j->least)
        return;
    vsnprintf(text, sizeof(text), format, al);
    flockfile(j->to);
    while ((line = strsep(&rest, "\n"))) {
        if (!*line && line != text)
            continue;
        fprintf(j->to, "<%d>%s%s%s%s%s\n", priority(level),
                ours ? "" : context, ours ? "" : ": ", line,
                errnoval < 0 ? "" : ": ",
                errnoval < 0 ? "" : strerror(errnoval));
    }
    fflush(j->to);
    funlockfile(j->to);
}

static void journal_destroy(xentoollog_logger *logger)
{
    free(logger);
}

xentoollog_logger *lxe_journal_logger(FILE *to, const char *program,
                                      xentoollog_level least)
{
    struct journal *j = malloc(sizeof(*j));

    if (!j)
        return NULL;
    *j = (struct journal){
        .vtable = { .vmessage = journal_vmessage, .destroy = journal_destroy },
        .least = least,
        .program = program,
        .to = to,
    };
    return &j->vtable;
}
