/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request on the control socket: its parameters, and how it is answered. */
#ifndef AERO_CONTROL_CALL_H
#define AERO_CONTROL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "control_methods.h"

#define AERO_PARAMS_MAX 6

/* Sizes up to 2^50 KiB: sums of them never overflow. */
#define AERO_KIB_MAX (UINT64_C(1) << 50)

/* Nothing sends that fast. */
#define AERO_RATE_MAX_BPS UINT64_C(1000000000000000)

struct aero_call {
    struct aero_methods *m;
    const struct aero_peer *peer;
    const struct lxe_json *params;
    char id[AERO_REQUEST_ID]; /* as JSON; empty for a notification */
    struct lxe_jw *w;         /* in which the method writes "result" */
    bool later;               /* the answer comes later */
    struct lxe_err err;
};

/* A row of a table of methods, which a row without a name ends. */
struct aero_method {
    const char *name;
    int (*fn)(struct aero_call *call); /* 0, or an enum aero_rpc_error */
    bool root;                         /* only root may call it */
    const char *params[AERO_PARAMS_MAX]; /* all that are known; none: any */
};

/* ---- parameters: 0, or a code with the message in call->err ---- */

/* Returns a parameter, NULL where it is not there. */
const struct lxe_json *aero_param(const struct aero_call *call,
                                  const char *key);

/* A whole number from 0 to max that must be there. */
int aero_need_u64(struct aero_call *call, const char *key, uint64_t max,
                  uint64_t *out);

/* The same; leaves *out as it is where the parameter is not there. */
int aero_take_u64(struct aero_call *call, const char *key, uint64_t max,
                  uint64_t *out);

/* The guest that the number "domid" names. */
int aero_need_domid(struct aero_call *call, struct aero_guest **out);

/* The guest that the string "domain" names by domid, name or UUID. */
int aero_need_domain(struct aero_call *call, struct aero_guest **out);

/* ---- answers ---- */

/* Keeps the message and returns the code. */
int aero_refuse(struct aero_call *call, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Returns the code for a negative errno whose message is in call->err. */
int aero_rpc_code(int rc);

/* Writes an empty result. Returns 0. */
int aero_done(struct aero_call *call);

/* Writes, into the result, that a change is kept until then: "aerostatd
 * ends". */
void aero_put_unkept(struct lxe_jw *w, const char *until);

/* Writes a size; null where it is LXE_UNKNOWN. */
void aero_put_kib(struct lxe_jw *w, const char *key, uint64_t kib);

/*
 * Begins a response to a request whose id is JSON already. NULL without
 * memory; the caller ends the object and frees it.
 */
struct lxe_jw *aero_answer_begin(const char *id);

/*
 * Sends a finished response; an error without memory, where w is NULL.
 * @id  of the request, as JSON; empty for none
 */
void aero_answer_send(struct aero_methods *methods, uint64_t client,
                      const char *id, struct lxe_jw *w);

/* Sends an error in answer to a request. */
void aero_answer_error(struct aero_methods *methods, uint64_t client,
                       const char *id, int code, const char *message);

/* The time by the host's clock. */
uint64_t aero_call_now_ns(const struct aero_call *call);

#endif
