/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hello.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "line.h"

#define MOST_KIB (UINT64_C(1) << 40) /* a pebibyte: no host has more */

int mig_hello_write(const struct mig_hello *hello,
                    char buf[MIG_HELLO_MAX_LINE])
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return -ENOMEM;
    lxe_jw_object(w);
    lxe_jw_str(w, "name", hello->name);
    lxe_jw_str(w, "uuid", hello->uuid);
    lxe_jw_u64(w, "need_kib", hello->need_kib);
    lxe_jw_u64(w, "target_kib", hello->target_kib);
    lxe_jw_bool(w, "packed", hello->packed);
    return mig_line_finish(w, buf);
}

int mig_hello_write_answer(const struct mig_hello_answer *answer,
                           char buf[MIG_HELLO_MAX_LINE])
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return -ENOMEM;
    lxe_jw_object(w);
    lxe_jw_bool(w, "ok", !*answer->refusal);
    if (*answer->refusal) {
        lxe_jw_str(w, "error", answer->refusal);
    } else {
        lxe_jw_u64(w, "reserved_kib", answer->reserved_kib);
        lxe_jw_bool(w, "gives_back", answer->gives_back);
        lxe_jw_bool(w, "packed", answer->packed);
    }
    return mig_line_finish(w, buf);
}

/* As libxl writes it: nothing else finds only the domain that is meant. */
static bool is_uuid(const char *text)
{
    static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    size_t i = 0;

    for (; form[i] && text[i]; i++)
        if (form[i] == 'h' ? !strchr("0123456789abcdef", text[i])
                           : text[i] != '-')
            return false;
    return !form[i] && !text[i];
}

/* What older peers do not say: false, or 0, then. Returns 0 or -EPROTO. */
static int read_newer(const struct lxe_json *root, const char *key, bool *out)
{
    const struct lxe_json *node = lxe_json_get(root, key);

    *out = false;
    return node && lxe_json_bool(node, out) ? -EPROTO : 0;
}

static int read_target(const struct lxe_json *root, struct mig_hello *out)
{
    const struct lxe_json *node = lxe_json_get(root, "target_kib");

    out->target_kib = 0;
    if (node && (lxe_json_u64(node, &out->target_kib) ||
                 out->target_kib > out->need_kib))
        return -EPROTO;
    return 0;
}

int mig_hello_parse(const char *line, struct mig_hello *out,
                    struct lxe_err *err)
{
    struct lxe_json *root;
    int rc = lxe_json_parse(line, strlen(line), &root, err);

    if (rc)
        return lxe_fail(err, -EPROTO, "the source's hello is not JSON");
    if (mig_line_text(out->name, sizeof(out->name), lxe_json_get(root, "name")))
        rc = lxe_fail(err, -EPROTO, "the source's hello: bad 'name'");
    else if (mig_line_text(out->uuid, sizeof(out->uuid),
                           lxe_json_get(root, "uuid")) || !is_uuid(out->uuid))
        rc = lxe_fail(err, -EPROTO, "the source's hello: bad 'uuid'");
    else if (lxe_json_u64(lxe_json_get(root, "need_kib"), &out->need_kib) ||
             out->need_kib > MOST_KIB)
        rc = lxe_fail(err, -EPROTO, "the source's hello: bad 'need_kib'");
    else if (read_target(root, out))
        rc = lxe_fail(err, -EPROTO, "the source's hello: bad 'target_kib'");
    else if (read_newer(root, "packed", &out->packed))
        rc = lxe_fail(err, -EPROTO, "the source's hello: bad 'packed'");
    lxe_json_free(root);
    return rc;
}

int mig_hello_parse_answer(const char *line, struct mig_hello_answer *out,
                           struct lxe_err *err)
{
    struct lxe_json *root;
    const char *why;
    bool ok;
    int rc = lxe_json_parse(line, strlen(line), &root, err);

    if (rc)
        return lxe_fail(err, -EPROTO, "the target's answer is not JSON");
    *out = (struct mig_hello_answer){ 0 };
    why = lxe_json_str(lxe_json_get(root, "error"));
    if (lxe_json_bool(lxe_json_get(root, "ok"), &ok))
        rc = lxe_fail(err, -EPROTO, "the target's answer: bad 'ok'");
    else if (!ok)
        snprintf(out->refusal, sizeof(out->refusal), "%.400s",
                 why && *why ? why : "it did not say why");
    else if (lxe_json_u64(lxe_json_get(root, "reserved_kib"),
                          &out->reserved_kib) ||
             out->reserved_kib > MOST_KIB)
        rc = lxe_fail(err, -EPROTO, "the target's answer: bad 'reserved_kib'");
    else if (read_newer(root, "gives_back", &out->gives_back))
        rc = lxe_fail(err, -EPROTO, "the target's answer: bad 'gives_back'");
    else if (read_newer(root, "packed", &out->packed))
        rc = lxe_fail(err, -EPROTO, "the target's answer: bad 'packed'");
    lxe_json_free(root);
    return rc;
}
