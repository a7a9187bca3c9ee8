/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dom0's end of the agent's keys.
 *
 * We own the keys, the guest may write them: so they count to no guest's
 * quota, a guest cannot change who may read them, and their number is fixed.
 * It can still delete them, for libxl gives it data/ whole; then its report
 * is gone, and that is all it gains.
 */
#include "xen_agent_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_keys.h"
#include "xen_store.h"

/* A guest that writes all the time could make us try for ever. */
#define MAX_TRIES 20

/* In the order of creation: the directory before what is in it. */
static const struct agent_key {
    const char *key;
    unsigned guest_may;
} agent_keys[] = {
    { "data/aerostat", XS_PERM_READ },
    { "data/aerostat/request", XS_PERM_READ },
    { "data/aerostat/report", XS_PERM_READ | XS_PERM_WRITE },
    { "data/aerostat/done", XS_PERM_READ | XS_PERM_WRITE },
    { "data/aerostat/agent", XS_PERM_READ | XS_PERM_WRITE },
    { "data/aerostat/move", XS_PERM_READ | XS_PERM_WRITE },
    { "data/aerostat/moved", XS_PERM_READ },
};

static int store_failed(const char *doing, const char *path,
                        struct lxe_err *err)
{
    int code = errno == EAGAIN ? -EAGAIN : -EIO;

    return lxe_fail(err, code, "cannot %s %s: %s", doing, path,
                    strerror(errno));
}

static int ensure_key(struct xs_handle *xs, xs_transaction_t t,
                      uint32_t domid, const struct agent_key *key,
                      struct lxe_err *err)
{
    struct xs_permissions perms[2] = {
        { .id = 0, .perms = XS_PERM_NONE },
        { .id = domid, .perms = key->guest_may },
    };
    char path[LXE_XS_PATH];

    lxe_xs_path(path, domid, key->key);
    /* mkdir leaves alone what is there, value and all. */
    if (!xs_mkdir(xs, t, path))
        return store_failed("create", path, err);
    if (!xs_set_permissions(xs, t, path, perms, domid ? 2 : 1))
        return store_failed("set the permissions of", path, err);
    return 0;
}

/*
 * xenstore makes missing parents: without this a domain that has just gone
 * would get a new tree, which nobody would ever remove.
 */
static int must_live(struct xs_handle *xs, xs_transaction_t t,
                     uint32_t domid, struct lxe_err *err)
{
    unsigned len;
    char *name;
    int rc = lxe_xs_read(xs, t, domid, "name", &name, &len, err);

    free(name);
    if (!rc && !name)
        rc = lxe_fail(err, -ESRCH, "domain %" PRIu32 " has no xenstore tree",
                      domid);
    return rc;
}

/* What is written along with the keys: one of two, or nothing. */
struct words {
    uint64_t drop_id;   /* 0: none */
    const char *answer; /* to a request to be moved; NULL: none */
};

static int write_answer(struct xs_handle *xs, xs_transaction_t t,
                        uint32_t domid, const char *text, struct lxe_err *err)
{
    char path[LXE_XS_PATH];

    lxe_xs_path(path, domid, "data/aerostat/moved");
    if (!xs_write(xs, t, path, text, (unsigned)strlen(text)))
        return store_failed("write", path, err);
    return 0;
}

static int write_request(struct xs_handle *xs, xs_transaction_t t,
                         uint32_t domid, uint64_t id, struct lxe_err *err)
{
    char path[LXE_XS_PATH], *report, text[32];
    unsigned len;
    int n, rc = lxe_xs_read(xs, t, domid, "data/aerostat/report", &report,
                            &len, err);

    free(report);
    if (rc)
        return rc;
    if (len == 0)
        return lxe_fail(err, -EOPNOTSUPP, "no aerostat-agent reports from "
                        "domain %" PRIu32 "; install it in the guest", domid);
    n = snprintf(text, sizeof(text), "drop %" PRIu64, id);
    lxe_xs_path(path, domid, "data/aerostat/request");
    if (!xs_write(xs, t, path, text, (unsigned)n))
        return store_failed("write", path, err);
    return 0;
}

/* Within a transaction: the keys, and then what is to be written. */
static int prepare_once(struct xs_handle *xs, xs_transaction_t t,
                        uint32_t domid, const struct words *words,
                        struct lxe_err *err)
{
    int rc = must_live(xs, t, domid, err);

    for (size_t i = 0; !rc && i < sizeof(agent_keys) / sizeof(*agent_keys);
         i++)
        rc = ensure_key(xs, t, domid, &agent_keys[i], err);
    if (!rc && words->drop_id)
        rc = write_request(xs, t, domid, words->drop_id, err);
    if (!rc && words->answer)
        rc = write_answer(xs, t, domid, words->answer, err);
    return rc;
}

static int prepare(struct xs_handle *xs, uint32_t domid,
                   const struct words *words, struct lxe_err *err)
{
    int rc = -EAGAIN;

    for (int i = 0; rc == -EAGAIN && i < MAX_TRIES; i++) {
        xs_transaction_t t = xs_transaction_start(xs);

        if (t == XBT_NULL)
            return store_failed("begin a transaction on", "xenstore", err);
        rc = prepare_once(xs, t, domid, words, err);
        if (!xs_transaction_end(xs, t, rc != 0) && !rc)
            rc = store_failed("commit the keys below",
                              "data/aerostat", err);
    }
    return rc == -EAGAIN ? lxe_fail(err, -EIO, "domain %" PRIu32 " writes "
                                    "data/aerostat faster than its keys can "
                                    "be prepared", domid) : rc;
}

int lxe_agent_keys_prepare(struct xs_handle *xs, uint32_t domid,
                           struct lxe_err *err)
{
    return prepare(xs, domid, &(struct words){ 0 }, err);
}

int lxe_agent_keys_drop(struct xs_handle *xs, uint32_t domid, uint64_t id,
                        struct lxe_err *err)
{
    return prepare(xs, domid, &(struct words){ .drop_id = id }, err);
}

int lxe_agent_keys_pending(struct xs_handle *xs, uint32_t domid,
                           bool *pending, struct lxe_err *err)
{
    unsigned request_len, done_len = 0;
    char *request, *done = NULL;
    uint64_t id, done_id;
    int rc = lxe_xs_read(xs, XBT_NULL, domid, "data/aerostat/request",
                         &request, &request_len, err);

    *pending = false;
    if (!rc && request &&
        !lxe_keys_parse_request(request, request_len, &id)) {
        rc = lxe_xs_read(xs, XBT_NULL, domid, "data/aerostat/done", &done,
                         &done_len, err);
        *pending = !done ||
                   lxe_keys_parse_number(done, done_len, UINT64_MAX,
                                         &done_id) ||
                   done_id != id;
    }
    free(request);
    free(done);
    return rc;
}

int lxe_agent_keys_move(struct xs_handle *xs, uint32_t domid,
                        struct lxe_move_request *out, struct lxe_err *err)
{
    unsigned len, answer_len = 0;
    char *text, *answer = NULL;
    uint64_t answered = 0;
    int rc = lxe_xs_read(xs, XBT_NULL, domid, "data/aerostat/move", &text,
                         &len, err);

    *out = (struct lxe_move_request){ 0 };
    if (!rc && text && len && !lxe_keys_parse_move(text, len, out)) {
        rc = lxe_xs_read(xs, XBT_NULL, domid, "data/aerostat/moved", &answer,
                         &answer_len, err);
        if (answer &&
            !lxe_keys_parse_number(answer, strcspn(answer, " "),
                                   UINT64_MAX - 1, &answered) &&
            answered == out->id)
            out->id = 0;
    }
    free(text);
    free(answer);
    return rc;
}

int lxe_agent_keys_move_answer(struct xs_handle *xs, uint32_t domid,
                               uint64_t id, const char *text,
                               struct lxe_err *err)
{
    char line[512];

    snprintf(line, sizeof(line), "%" PRIu64 " %s", id, text);
    return prepare(xs, domid, &(struct words){ .answer = line }, err);
}
