/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>

#include "control_methods.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control_call.h"
#include "control_mem.h"
#include "control_migration.h"

#define AERO_REQUEST_FIELDS 64 /* of each object; updates have a third */

static int daemon_info(struct aero_call *c)
{
    const struct aero_balancer *b = c->m->balancer;

    lxe_jw_key(c->w, "result");
    lxe_jw_object(c->w);
    lxe_jw_str(c->w, "version", PACKAGE_VERSION);
    lxe_jw_u64(c->w, "pid", (uint64_t)getpid());
    lxe_jw_str(c->w, "host", b->host->ops->name);
    lxe_jw_u64(c->w, "uptime_s",
               (aero_call_now_ns(c) - c->m->start_ns) / LXE_NS_PER_SEC);
    lxe_jw_u64(c->w, "interval_ms", b->config->interval_ms);
    lxe_jw_end_object(c->w);
    return 0;
}

static const struct aero_method daemon_methods[] = {
    { "daemon.info", daemon_info, false, { "" } },
    { NULL, NULL, false, { NULL } },
};

static const struct aero_method *const all_methods[] = {
    daemon_methods,
    aero_mem_methods,
    aero_migration_methods,
};

static const struct aero_method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof(all_methods) / sizeof(all_methods[0]); i++)
        for (const struct aero_method *m = all_methods[i]; m->name; m++)
            if (!strcmp(m->name, name))
                return m;
    return NULL;
}

static int check_params(struct aero_call *c, const struct aero_method *method)
{
    if (c->params && lxe_json_type(c->params) != LXE_JSON_OBJECT)
        return aero_refuse(c, AERO_RPC_PARAMS, "params must be an object");
    if (!method->params[0])
        return 0;
    for (size_t i = 0; i < lxe_json_count(c->params); i++) {
        const char *key = lxe_json_key_at(c->params, i);
        bool known = false;

        for (size_t k = 0; k < AERO_PARAMS_MAX && method->params[k]; k++)
            known = known || !strcmp(key, method->params[k]);
        if (!known)
            return aero_refuse(c, AERO_RPC_PARAMS, "%s takes no '%.64s'",
                               method->name, key);
    }
    return 0;
}

static int call_method(struct aero_call *c, const struct lxe_json *request)
{
    const char *name = lxe_json_str(lxe_json_get(request, "method"));
    const char *version = lxe_json_str(lxe_json_get(request, "jsonrpc"));
    const struct aero_method *method;
    int rc;

    if (!name || !version || strcmp(version, "2.0"))
        return aero_refuse(c, AERO_RPC_REQUEST,
                           "not a JSON-RPC 2.0 request; batches are not taken");
    method = find_method(name);
    if (!method)
        return aero_refuse(c, AERO_RPC_METHOD, "there is no method '%.64s'",
                           name);
    if (method->root && c->peer->uid != 0)
        return aero_refuse(c, AERO_RPC_DENIED, "only root may call %s", name);
    c->params = lxe_json_get(request, "params");
    rc = check_params(c, method);
    return rc ? rc : method->fn(c);
}

/* Whether it goes back to the client as it came: a fraction may not. */
static bool is_id(const struct lxe_json *id)
{
    enum lxe_json_type type = lxe_json_type(id);
    uint64_t u64;
    int64_t i64;

    return type == LXE_JSON_STRING || type == LXE_JSON_NULL ||
           !lxe_json_u64(id, &u64) || !lxe_json_i64(id, &i64);
}

/* Keeps the id as JSON. Returns 0, or a code with the message. */
static int take_id(struct aero_call *c, const struct lxe_json *request)
{
    const struct lxe_json *id = lxe_json_get(request, "id");
    struct lxe_jw *w;
    const char *text;
    size_t len = 0;
    int rc = 0;

    if (!id)
        return 0;
    w = lxe_jw_new(false);
    if (w)
        lxe_jw_tree(w, NULL, id);
    text = w ? lxe_jw_text(w, &len) : NULL;
    if (!text)
        rc = aero_refuse(c, AERO_RPC_INTERNAL, "out of memory");
    else if (!is_id(id) || len >= sizeof(c->id))
        rc = aero_refuse(c, AERO_RPC_REQUEST, "id must be a whole number of"
                         " 64 bits, or a string of 60 bytes or less");
    else
        memcpy(c->id, text, len + 1);
    lxe_jw_free(w);
    return rc;
}

static void answer(struct aero_call *c, const struct lxe_json *request)
{
    int rc;

    c->w = aero_answer_begin(c->id);
    rc = c->w ? call_method(c, request)
              : aero_refuse(c, AERO_RPC_INTERNAL, "out of memory");
    if (rc && (c->id[0] || rc == AERO_RPC_REQUEST)) {
        aero_answer_error(c->m, c->peer->client, c->id, rc, c->err.text);
    } else if (!rc && !c->later && c->id[0]) {
        lxe_jw_end_object(c->w);
        aero_answer_send(c->m, c->peer->client, c->id, c->w);
    }
    lxe_jw_free(c->w);
}

void aero_methods_line(struct aero_methods *m, const struct aero_peer *peer,
                       const char *text, size_t len)
{
    struct aero_call call = { .m = m, .peer = peer };
    struct lxe_json *request = NULL;
    int rc = lxe_json_parse_within(text, len, AERO_REQUEST_FIELDS, &request,
                                   &call.err);

    if (rc)
        rc = rc == -ENOMEM ? AERO_RPC_INTERNAL : AERO_RPC_PARSE;
    else
        rc = take_id(&call, request);
    if (rc)
        aero_answer_error(m, peer->client, "", rc, call.err.text);
    else
        answer(&call, request);
    lxe_json_free(request);
}

void aero_methods_full(struct aero_methods *m, const struct aero_peer *peer)
{
    aero_answer_error(m, peer->client, "", AERO_RPC_BUSY,
                      "aerostatd has too many clients; try again later");
}

void aero_methods_gone(struct aero_methods *m, uint64_t client)
{
    struct aero_balancer *b = m->balancer;
    size_t freed = aero_reservations_drop_owner(&b->reservations, client);
    size_t lost = aero_migrations_lose_owner(&b->migrations, client);

    b->counters.migrations[AERO_LOST] += lost;
    if (freed)
        lxe_info("a client went; %zu reservations of it are free", freed);
    if (lost)
        lxe_warn("a client went in the middle of %zu migrations; undoing",
                 lost);
    if (freed || lost)
        m->kick(m->data);
}
