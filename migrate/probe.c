/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "line.h"

#define MOST_KIB (UINT64_C(1) << 40) /* a pebibyte: no host has more */

/* ---- writing ---- */

int mig_probe_write(const struct mig_probe_request *request,
                    char buf[MIG_HELLO_MAX_LINE])
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return -ENOMEM;
    lxe_jw_object(w);
    lxe_jw_u64(w, "probe", 1);
    lxe_jw_str(w, "name", request->name);
    lxe_jw_str(w, "uuid", request->uuid);
    return mig_line_finish(w, buf);
}

static void put_kib(struct lxe_jw *w, const char *key, uint64_t kib)
{
    if (kib == LXE_UNKNOWN)
        lxe_jw_null(w, key);
    else
        lxe_jw_u64(w, key, kib);
}

static void put_features(struct lxe_jw *w, const char *key,
                         const struct lxe_cpu_features *f)
{
    lxe_jw_key(w, key);
    lxe_jw_array(w);
    for (unsigned i = 0; i < f->count && i < LXE_CPU_WORDS; i++)
        lxe_jw_u64(w, NULL, f->words[i]);
    lxe_jw_end_array(w);
}

int mig_probe_write_answer(const struct mig_probe_answer *answer,
                           char buf[MIG_HELLO_MAX_LINE])
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return -ENOMEM;
    lxe_jw_object(w);
    lxe_jw_bool(w, "ok", true);
    lxe_jw_str(w, "xen", *answer->xen ? answer->xen : NULL);
    put_kib(w, "total_kib", answer->total_kib);
    put_kib(w, "free_kib", answer->free_kib);
    put_kib(w, "obtainable_kib", answer->obtainable_kib);
    if (answer->name_known)
        lxe_jw_bool(w, "name_taken", answer->name_taken);
    else
        lxe_jw_null(w, "name_taken");
    put_features(w, "cpu_pv", &answer->pv);
    put_features(w, "cpu_hvm", &answer->hvm);
    return mig_line_finish(w, buf);
}

int mig_probe_write_count(const char *key, uint64_t bytes,
                          char buf[MIG_HELLO_MAX_LINE])
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (!w)
        return -ENOMEM;
    lxe_jw_object(w);
    lxe_jw_u64(w, key, bytes);
    return mig_line_finish(w, buf);
}

/* ---- reading ---- */

bool mig_probe_is_request(const char *line)
{
    struct lxe_json *root;
    uint64_t version;
    bool is;

    if (lxe_json_parse(line, strlen(line), &root, NULL))
        return false;
    is = !lxe_json_u64(lxe_json_get(root, "probe"), &version) && version == 1;
    lxe_json_free(root);
    return is;
}

int mig_probe_parse(const char *line, struct mig_probe_request *out,
                    struct lxe_err *err)
{
    struct lxe_json *root;
    int rc = 0;

    if (lxe_json_parse(line, strlen(line), &root, err))
        return lxe_fail(err, -EPROTO, "the source's question is not JSON");
    if (mig_line_text(out->name, sizeof(out->name), lxe_json_get(root, "name")))
        rc = lxe_fail(err, -EPROTO, "the source's question: bad 'name'");
    else if (mig_line_text(out->uuid, sizeof(out->uuid),
                       lxe_json_get(root, "uuid")))
        rc = lxe_fail(err, -EPROTO, "the source's question: bad 'uuid'");
    lxe_json_free(root);
    return rc;
}

static bool is_null(const struct lxe_json *node)
{
    return !node || lxe_json_type(node) == LXE_JSON_NULL;
}

static int get_kib(const struct lxe_json *node, uint64_t *out)
{
    *out = LXE_UNKNOWN;
    if (is_null(node))
        return 0;
    return lxe_json_u64(node, out) || *out > MOST_KIB ? -EPROTO : 0;
}

static int get_features(const struct lxe_json *node,
                        struct lxe_cpu_features *out)
{
    size_t count = lxe_json_count(node);
    uint64_t word;

    *out = (struct lxe_cpu_features){ 0 };
    if (is_null(node))
        return 0;
    if (lxe_json_type(node) != LXE_JSON_ARRAY || count > LXE_CPU_WORDS)
        return -EPROTO;
    for (size_t i = 0; i < count; i++) {
        if (lxe_json_u64(lxe_json_at(node, i), &word) || word > UINT32_MAX)
            return -EPROTO;
        out->words[i] = (uint32_t)word;
    }
    out->count = (unsigned)count;
    return 0;
}

static const char *read_answer(const struct lxe_json *root,
                               struct mig_probe_answer *out)
{
    const struct lxe_json *xen = lxe_json_get(root, "xen");
    const struct lxe_json *taken = lxe_json_get(root, "name_taken");

    if (!is_null(xen) && mig_line_shown(out->xen, sizeof(out->xen), xen))
        return "xen";
    if (get_kib(lxe_json_get(root, "total_kib"), &out->total_kib))
        return "total_kib";
    if (get_kib(lxe_json_get(root, "free_kib"), &out->free_kib))
        return "free_kib";
    if (get_kib(lxe_json_get(root, "obtainable_kib"), &out->obtainable_kib))
        return "obtainable_kib";
    if (!is_null(taken) && lxe_json_bool(taken, &out->name_taken))
        return "name_taken";
    out->name_known = !is_null(taken);
    if (get_features(lxe_json_get(root, "cpu_pv"), &out->pv))
        return "cpu_pv";
    if (get_features(lxe_json_get(root, "cpu_hvm"), &out->hvm))
        return "cpu_hvm";
    return NULL;
}

int mig_probe_parse_answer(const char *line, struct mig_probe_answer *out,
                           struct lxe_err *err)
{
    char why[LXE_ERR_TEXT] = "it did not say why";
    const char *wrong;
    struct lxe_json *root;
    bool ok;
    int rc = 0;

    *out = (struct mig_probe_answer){ 0 };
    if (lxe_json_parse(line, strlen(line), &root, err))
        return lxe_fail(err, -EPROTO, "the target's answer is not JSON");
    if (lxe_json_bool(lxe_json_get(root, "ok"), &ok)) {
        rc = lxe_fail(err, -EPROTO, "the target's answer: bad 'ok'");
    } else if (!ok) {
        mig_line_shown(why, sizeof(why), lxe_json_get(root, "error"));
        rc = lxe_fail(err, -EPROTO, "the target does not answer: %.400s",
                      why);
    } else {
        wrong = read_answer(root, out);
        if (wrong)
            rc = lxe_fail(err, -EPROTO, "the target's answer: bad '%s'",
                          wrong);
    }
    lxe_json_free(root);
    return rc;
}

int mig_probe_parse_count(const char *line, const char *key,
                          uint64_t *out_bytes, struct lxe_err *err)
{
    struct lxe_json *root;
    int rc = 0;

    if (lxe_json_parse(line, strlen(line), &root, err))
        return lxe_fail(err, -EPROTO, "the other side's line is not JSON");
    if (lxe_json_u64(lxe_json_get(root, key), out_bytes) ||
        *out_bytes > MIG_PROBE_MAX_MEASURE)
        rc = lxe_fail(err, -EPROTO, "the other side's line: bad '%s'", key);
    lxe_json_free(root);
    return rc;
}
