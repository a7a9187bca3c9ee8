/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's ERROR_* as negative errnos. */
#include "xen_errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "xen_compat.h"

int lxe_xen_errno(int libxl_rc)
{
    if (libxl_rc >= 0)
        return 0;
    switch (libxl_rc) {
    case ERROR_NOMEM:
        return -ENOMEM;
    case ERROR_INVAL:
    case ERROR_VNUMA_CONFIG_INVALID:
        return -EINVAL;
    case ERROR_NI:
    case ERROR_NOPARAVIRT:
    case ERROR_FEATURE_REMOVED:
    case ERROR_CHECKPOINT_DEVICE_NOT_SUPPORTED:
        return -EOPNOTSUPP;
    case ERROR_TIMEDOUT:
    case ERROR_GUEST_TIMEDOUT:
        return -ETIMEDOUT;
    case ERROR_NOT_READY:
        return -EAGAIN;
    case ERROR_LOCK_FAIL:
        return -EBUSY;
    case ERROR_DEVICE_EXISTS:
        return -EEXIST;
    case ERROR_ABORTED:
        return -ECANCELED;
    case ERROR_NOTFOUND:
        return -ENOENT;
    case ERROR_DOMAIN_NOTFOUND:
    case ERROR_DOMAIN_DESTROYED:
        return -ESRCH;
    default:
        return -EIO;
    }
}

int lxe_xen_fail(struct lxe_err *err, int libxl_rc, const char *fmt, ...)
{
    const char *name = libxl_error_to_string(libxl_rc);
    char text[LXE_ERR_TEXT / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return lxe_fail(err, lxe_xen_errno(libxl_rc),
                    "%s: libxl says %s (%d); its log has more", text,
                    name ? name : "an error it has no name for", libxl_rc);
}
