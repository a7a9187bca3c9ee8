/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON-RPC 2.0: what the lines of the control socket mean. docs/control.md is
 * the specification.
 */
#ifndef AERO_CONTROL_METHODS_H
#define AERO_CONTROL_METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balancer.h"
#include "control.h"
#include "decision_history.h"

enum aero_rpc_error {
    AERO_RPC_PARSE = -32700,
    AERO_RPC_REQUEST = -32600,
    AERO_RPC_METHOD = -32601,
    AERO_RPC_PARAMS = -32602,
    AERO_RPC_INTERNAL = -32603,
    AERO_RPC_CANNOT = -32001,  /* cannot be had */
    AERO_RPC_DENIED = -32002,  /* not allowed */
    AERO_RPC_DOMAIN = -32003,  /* no such domain */
    AERO_RPC_BUSY = -32004,
};

struct aero_methods {
    struct aero_balancer *balancer;
    const struct aero_history *history;
    uint64_t start_ns; /* of the daemon, by the host's clock */
    /* Sends one line to a client. */
    void (*send)(uint64_t client, const char *text, size_t len, void *data);
    /* Something changed that a tick should see soon. */
    void (*kick)(void *data);
    void *data;
};

/* Takes one line of a client, and answers it now or (mem.reserve) later. */
void aero_methods_line(struct aero_methods *methods,
                       const struct aero_peer *peer, const char *text,
                       size_t len);

/* Tells a client, of whom no line is taken, that there are too many. */
void aero_methods_full(struct aero_methods *methods,
                       const struct aero_peer *peer);

/* A client went: frees and undoes what it held. */
void aero_methods_gone(struct aero_methods *methods, uint64_t client);

/* Answers a mem.reserve: an aero_reserved_fn whose data is the methods. */
void aero_methods_reserved(const struct aero_reservation *r, void *methods);

#endif
