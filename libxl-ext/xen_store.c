/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a domain's keys in xenstore, strictly. */
#include "xen_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_keys.h"

char *lxe_xs_path(char buf[LXE_XS_PATH], uint32_t domid, const char *key)
{
    snprintf(buf, LXE_XS_PATH, "/local/domain/%" PRIu32 "%s%s", domid,
             *key ? "/" : "", key);
    return buf;
}

int lxe_xs_read(struct xs_handle *xs, xs_transaction_t t, uint32_t domid,
                const char *key, char **text, unsigned *len,
                struct lxe_err *err)
{
    char path[LXE_XS_PATH];

    *len = 0;
    *text = xs_read(xs, t, lxe_xs_path(path, domid, key), len);
    if (*text || errno == ENOENT)
        return 0;
    *len = 0;
    return lxe_fail(err, -EIO, "cannot read %s: %s; is xenstored running?",
                    path, strerror(errno));
}

int lxe_xs_read_number(struct xs_handle *xs, uint32_t domid, const char *key,
                       uint64_t *out, struct lxe_err *err)
{
    char *text;
    unsigned len;
    int rc = lxe_xs_read(xs, XBT_NULL, domid, key, &text, &len, err);

    *out = LXE_UNKNOWN;
    if (!rc && text && lxe_keys_parse_number(text, len, UINT64_MAX - 1, out))
        *out = LXE_UNKNOWN;
    free(text);
    return rc;
}
