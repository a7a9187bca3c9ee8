/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon_link.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rpc_client.h"

#define CALL_MS   5000  /* the daemon answers at once but for reservations */
#define HURRY_MS  1000
#define MARGIN_MS 2000
#define SILENT_NS (60 * LXE_NS_PER_SEC)

int mig_daemon_open(struct mig_daemon_link *link, uint32_t domid,
                    struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    int rc;

    *link = (struct mig_daemon_link){ .domid = domid };
    rc = lxe_rpc_open(NULL, &link->rpc, &why);
    if (rc == -ENOENT || rc == -ECONNREFUSED) {
        lxe_debug("%s", why.text);
        return 0;
    }
    return rc ? lxe_fail(err, rc, "%s", why.text) : 0;
}

void mig_daemon_close(struct mig_daemon_link *link)
{
    lxe_rpc_close(link->rpc);
    link->rpc = NULL;
}

/* Takes over params, which it ends and frees. @result NULL: not wanted. */
static int call(struct mig_daemon_link *link, const char *method,
                struct lxe_jw *params, uint64_t timeout_ms,
                struct lxe_json **result, struct lxe_err *err)
{
    struct lxe_json *answer = NULL;
    int rc;

    if (!params)
        return lxe_fail(err, -ENOMEM, "out of memory");
    lxe_jw_end_object(params);
    rc = lxe_rpc_call(link->rpc, method, params, timeout_ms, &answer, err);
    lxe_jw_free(params);
    if (result)
        *result = answer;
    else
        lxe_json_free(answer);
    return rc;
}

static struct lxe_jw *domain_params(const struct mig_daemon_link *link)
{
    struct lxe_jw *w = lxe_jw_new(false);

    if (w) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "domid", link->domid);
    }
    return w;
}

/* Of an answer. A daemon that says nothing of a rate has none. */
static uint64_t rate_in(const struct lxe_json *answer)
{
    const struct lxe_json *result = lxe_json_get(answer, "result");
    uint64_t bps;

    return lxe_json_u64(lxe_json_get(result, "max_rate_bps"), &bps) ? 0 : bps;
}

/* One that does not answer is told of by the begin that follows. */
uint64_t mig_daemon_host_rate(struct mig_daemon_link *link)
{
    struct lxe_jw *w = lxe_jw_new(false);
    struct lxe_json *answer = NULL;
    struct lxe_err why = { 0 };
    uint64_t bps = 0;

    if (w)
        lxe_jw_object(w);
    if (!link->rpc)
        lxe_jw_free(w);
    else if (call(link, "migration.rate", w, CALL_MS, &answer, &why))
        lxe_debug("aerostatd: %s", why.text);
    else
        bps = rate_in(answer);
    lxe_json_free(answer);
    return bps;
}

static int announce(struct mig_daemon_link *link, uint64_t *floor_kib,
                    struct lxe_err *err)
{
    struct lxe_json *answer = NULL;
    struct lxe_jw *w = domain_params(link);
    int rc;

    if (w) {
        lxe_jw_str(w, "to", link->to);
        lxe_jw_u64(w, "original_target_kib", link->original_target_kib);
        if (link->weight)
            lxe_jw_u64(w, "weight", link->weight);
        lxe_jw_u64(w, "max_rate_bps", link->max_rate_bps);
    }
    rc = call(link, "migration.begin", w, CALL_MS, &answer, err);
    if (rc)
        return lxe_err_prefix(err, "aerostatd");
    lxe_json_u64(lxe_json_get(lxe_json_get(answer, "result"), "min_kib"),
                 floor_kib);
    lxe_json_free(answer);
    link->announced = true;
    return 0;
}

int mig_daemon_begin(struct mig_daemon_link *link, const char *to,
                     uint64_t original_target_kib, uint64_t *floor_kib,
                     struct lxe_err *err)
{
    *floor_kib = 0;
    if (!link->rpc)
        return 0;
    snprintf(link->to, sizeof(link->to), "%s", to);
    link->original_target_kib = original_target_kib;
    return announce(link, floor_kib, err);
}

static void leave_alone(struct mig_daemon_link *link, int rc)
{
    if (rc == -ETIMEDOUT)
        link->silent_until_ns = lxe_now_ns() + SILENT_NS;
    mig_daemon_close(link);
}

/* The daemon may have been restarted: its successor must know of us too. */
static void reconnect(struct mig_daemon_link *link)
{
    struct lxe_err err = { 0 };
    uint64_t floor_kib;
    int rc;

    if (link->rpc || link->hurried || lxe_now_ns() < link->silent_until_ns)
        return;
    rc = lxe_rpc_open(NULL, &link->rpc, &err);
    if (!rc)
        rc = announce(link, &floor_kib, &err);
    if (rc)
        leave_alone(link, rc);
}

/* @answer  NULL, or gets it; NULL where there is none */
static void tell(struct mig_daemon_link *link, const char *method,
                 struct lxe_jw *w, struct lxe_json **answer)
{
    struct lxe_err err = { 0 };
    int rc = call(link, method, w, link->hurried ? HURRY_MS : CALL_MS, answer,
                  &err);

    if (!rc)
        return;
    lxe_warn("aerostatd: %s", err.text);
    if (rc != -EREMOTEIO)
        leave_alone(link, rc);
}

void mig_daemon_update(struct mig_daemon_link *link, const char *stage,
                       const struct mig_status *progress)
{
    struct lxe_json *answer = NULL;
    struct lxe_jw *w;

    if (!link->announced)
        return; /* stages before mig_daemon_begin() */
    reconnect(link);
    if (!link->rpc)
        return;
    w = domain_params(link);
    if (w) {
        lxe_jw_str(w, "stage", stage);
        if (progress)
            mig_status_put_progress(w, progress);
    }
    tell(link, "migration.update", w, &answer);
    if (answer)
        link->share_bps = rate_in(answer);
    lxe_json_free(answer);
}

int mig_daemon_commit(struct mig_daemon_link *link, struct lxe_err *err)
{
    struct lxe_err why = { 0 };
    int rc;

    if (!link->rpc || !link->announced)
        return 0;
    rc = call(link, "migration.commit", domain_params(link), HURRY_MS, NULL,
              &why);
    if (rc == -EREMOTEIO)
        return lxe_fail(err, rc, "aerostatd: %s", why.text);
    if (rc) { /* the journal tells it, when it comes back */
        lxe_warn("aerostatd: %s", why.text);
        leave_alone(link, rc);
    }
    return 0;
}

void mig_daemon_end(struct mig_daemon_link *link, enum mig_outcome outcome)
{
    struct lxe_jw *w;

    if (!link->rpc || !link->announced)
        return;
    link->hurried = false; /* it runs, wherever */
    w = domain_params(link);
    if (w)
        lxe_jw_str(w, "outcome", mig_outcome_name(outcome));
    tell(link, "migration.end", w, NULL);
}

int mig_daemon_reserve(struct mig_daemon_link *link, uint64_t kib,
                       const char *domain, uint64_t timeout_ms,
                       uint64_t *reservation_id, struct lxe_err *err)
{
    struct lxe_json *answer = NULL;
    struct lxe_jw *w = lxe_jw_new(false);
    int rc;

    if (w) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "kib", kib);
        lxe_jw_str(w, "domain", domain);
        lxe_jw_u64(w, "timeout_ms", timeout_ms);
    }
    rc = call(link, "mem.reserve", w, timeout_ms + MARGIN_MS, &answer, err);
    if (rc)
        return rc;
    rc = lxe_json_u64(lxe_json_get(lxe_json_get(answer, "result"), "id"),
                      reservation_id);
    lxe_json_free(answer);
    return rc ? lxe_fail(err, -EPROTO, "aerostatd gave a reservation without"
                                       " its number") : 0;
}

void mig_daemon_transfer(struct mig_daemon_link *link,
                         uint64_t reservation_id, uint32_t domid)
{
    struct lxe_jw *w;

    if (!link->rpc)
        return;
    w = lxe_jw_new(false);
    if (w) {
        lxe_jw_object(w);
        lxe_jw_u64(w, "id", reservation_id);
        lxe_jw_u64(w, "domid", domid);
    }
    tell(link, "mem.transfer", w, NULL);
}
