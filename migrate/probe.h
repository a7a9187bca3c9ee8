/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a source asks a target before a migration, in place of a hello
 * (hello.h): whether the guest could come, and how fast the wire is. Nothing
 * is reserved or changed by it. Pure: texts in, texts out;
 * docs/migration-protocol.md has the exchange.
 *
 *   source                                   target
 *      <──── "aerostat receiver 1\n" ────────
 *      ───── {"probe":1,"name":…,"uuid":…}\n ──>
 *      <──── {"ok":true,"xen":…,"memory":…,…}\n ─
 *      ───── {"measure_bytes":N}\n, N bytes ──>    any number of times
 *      <──── {"received_bytes":N}\n ────────
 */
#ifndef MIG_PROBE_H
#define MIG_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cpu_features.h"
#include "hello.h"

#define MIG_PROBE_MAX_MEASURE (UINT64_C(64) << 20) /* bytes, each time */

struct mig_probe_request {
    char name[256], uuid[40];
};

/* What is not known is LXE_UNKNOWN, "" or a count of 0. */
struct mig_probe_answer {
    char xen[LXE_XEN_VERSION];
    uint64_t total_kib, free_kib;
    uint64_t obtainable_kib; /* if guests made room; from its daemon */
    bool name_known, name_taken; /* or its UUID */
    struct lxe_cpu_features pv, hvm; /* that guests can be given there */
};

/* Whether a line is a request of this kind, and not a hello. */
bool mig_probe_is_request(const char *line);

/* Each writes one line with its newline. Returns 0 or -ENOMEM. */
int mig_probe_write(const struct mig_probe_request *request,
                    char buf[MIG_HELLO_MAX_LINE]);
int mig_probe_write_answer(const struct mig_probe_answer *answer,
                           char buf[MIG_HELLO_MAX_LINE]);
int mig_probe_write_count(const char *key, uint64_t bytes,
                          char buf[MIG_HELLO_MAX_LINE]);

/* Each reads one line without its newline. Returns 0 or -EPROTO. */
int mig_probe_parse(const char *line, struct mig_probe_request *out,
                    struct lxe_err *err);
int mig_probe_parse_answer(const char *line, struct mig_probe_answer *out,
                           struct lxe_err *err);
/* A count of bytes, at most MIG_PROBE_MAX_MEASURE. */
int mig_probe_parse_count(const char *line, const char *key,
                          uint64_t *out_bytes, struct lxe_err *err);

#endif
