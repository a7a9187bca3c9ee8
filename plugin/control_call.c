/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "control_call.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define NOTE_TEXT 128

/* Takes no memory, so that nobody waits for an answer where there is none. */
static void send_no_memory(struct aero_methods *m, uint64_t client,
                           const char *id)
{
    char text[AERO_REQUEST_ID + 128];
    int len = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,"
                       "\"error\":{\"code\":%d,"
                       "\"message\":\"out of memory\"}}", *id ? id : "null",
                       AERO_RPC_INTERNAL);

    lxe_warn("control: out of memory; a client is told so");
    m->send(client, text, (size_t)len, m->data);
}

void aero_answer_send(struct aero_methods *m, uint64_t client, const char *id,
                      struct lxe_jw *w)
{
    size_t len;
    const char *text = w ? lxe_jw_text(w, &len) : NULL;

    if (text)
        m->send(client, text, len, m->data);
    else
        send_no_memory(m, client, id);
}

struct lxe_jw *aero_answer_begin(const char *id)
{
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *tree = NULL;

    if (w && *id && lxe_json_parse(id, strlen(id), &tree, NULL)) {
        lxe_jw_free(w);
        return NULL;
    }
    if (!w)
        return NULL;
    lxe_jw_object(w);
    lxe_jw_str(w, "jsonrpc", "2.0");
    lxe_jw_tree(w, "id", tree);
    lxe_json_free(tree);
    return w;
}

void aero_answer_error(struct aero_methods *m, uint64_t client, const char *id,
                       int code, const char *message)
{
    struct lxe_jw *w = aero_answer_begin(id);

    if (w) {
        lxe_jw_key(w, "error");
        lxe_jw_object(w);
        lxe_jw_i64(w, "code", code);
        lxe_jw_str(w, "message", message);
        lxe_jw_end_object(w);
        lxe_jw_end_object(w);
    }
    aero_answer_send(m, client, id, w);
    lxe_jw_free(w);
}

int aero_refuse(struct aero_call *c, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->err.text, sizeof(c->err.text), fmt, ap);
    va_end(ap);
    return code;
}

int aero_rpc_code(int rc)
{
    switch (rc) {
    case -ENOSPC:
        return AERO_RPC_CANNOT;
    case -EBUSY:
    case -EAGAIN:
        return AERO_RPC_BUSY;
    case -ESRCH:
        return AERO_RPC_DOMAIN;
    case -ENOENT:
    case -EINVAL:
    case -E2BIG:
        return AERO_RPC_PARAMS;
    default:
        return AERO_RPC_INTERNAL;
    }
}

void aero_put_unkept(struct lxe_jw *w, const char *until)
{
    char note[NOTE_TEXT];

    snprintf(note, sizeof(note), "lasts until %s; write it into aerostat.conf"
             " to keep it", until);
    lxe_jw_str(w, "note", note);
}

void aero_put_kib(struct lxe_jw *w, const char *key, uint64_t kib)
{
    if (kib == LXE_UNKNOWN)
        lxe_jw_null(w, key);
    else
        lxe_jw_u64(w, key, kib);
}

const struct lxe_json *aero_param(const struct aero_call *c, const char *key)
{
    return lxe_json_get(c->params, key);
}

int aero_need_u64(struct aero_call *c, const char *key, uint64_t max,
                  uint64_t *out)
{
    const struct lxe_json *node = aero_param(c, key);

    if (!node)
        return aero_refuse(c, AERO_RPC_PARAMS, "%s is missing", key);
    if (lxe_json_u64(node, out) || *out > max)
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "%s must be a whole number from 0 to %" PRIu64, key,
                           max);
    return 0;
}

int aero_take_u64(struct aero_call *c, const char *key, uint64_t max,
                  uint64_t *out)
{
    return aero_param(c, key) ? aero_need_u64(c, key, max, out) : 0;
}

int aero_need_domid(struct aero_call *c, struct aero_guest **out)
{
    uint64_t domid;
    int rc = aero_need_u64(c, "domid", UINT32_MAX - 1, &domid);

    if (rc)
        return rc;
    *out = aero_guests_find(&c->m->balancer->guests, (uint32_t)domid);
    if (!*out)
        return aero_refuse(c, AERO_RPC_DOMAIN, "there is no domain %" PRIu64,
                           domid);
    return 0;
}

int aero_need_domain(struct aero_call *c, struct aero_guest **out)
{
    const char *name = lxe_json_str(aero_param(c, "domain"));

    if (!name)
        return aero_refuse(c, AERO_RPC_PARAMS,
                           "domain must be a string: a domid, name or UUID");
    *out = aero_guests_find_text(&c->m->balancer->guests, name);
    if (!*out)
        return aero_refuse(c, AERO_RPC_DOMAIN, "there is no domain '%s'; see"
                           " 'xl list'", name);
    return 0;
}

uint64_t aero_call_now_ns(const struct aero_call *c)
{
    struct lxe_host *host = c->m->balancer->host;

    return host->ops->now_ns(host);
}

int aero_done(struct aero_call *c)
{
    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_end_object(c->w);
    return 0;
}
