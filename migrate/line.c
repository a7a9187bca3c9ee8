/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/shown.h"

int mig_line_finish(struct lxe_jw *w, char buf[MIG_HELLO_MAX_LINE])
{
    const char *text;
    size_t len;
    int rc = -ENOMEM;

    lxe_jw_end_object(w);
    text = lxe_jw_text(w, &len);
    if (text && len + 2 <= MIG_HELLO_MAX_LINE) {
        snprintf(buf, MIG_HELLO_MAX_LINE, "%s\n", text);
        rc = 0;
    }
    lxe_jw_free(w);
    return rc;
}

int mig_line_text(char *out, size_t size, const struct lxe_json *node)
{
    const char *text = lxe_json_str(node);

    if (!text || !*text || strlen(text) >= size)
        return -EPROTO;
    snprintf(out, size, "%s", text);
    return 0;
}

int mig_line_shown(char *out, size_t size, const struct lxe_json *node)
{
    int rc = mig_line_text(out, size, node);

    if (!rc)
        lxe_make_shown(out);
    return rc;
}
