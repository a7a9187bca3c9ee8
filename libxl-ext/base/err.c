/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lxe_fail(struct lxe_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (code == 0)
        code = -EIO;
    if (code > 0)
        code = -code;
    if (err) {
        err->code = code;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
    }
    return code;
}

int lxe_err_prefix(struct lxe_err *err, const char *fmt, ...)
{
    char old[LXE_ERR_TEXT];
    size_t len;
    va_list ap;

    if (!err || !err->code)
        return err ? err->code : 0;
    memcpy(old, err->text, sizeof(old));
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
    return err->code;
}
