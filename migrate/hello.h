/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What aerostat-receive and aerostat-migrate say to each other before xl's
 * own handshake (docs/migration-protocol.md). A stock receiver says its
 * banner at once instead.
 *
 *   source                                   target
 *      <──── "aerostat receiver 1\n" ────────
 *      ───── {"name":…,"uuid":…,"need_kib":…,…}\n ──>
 *      <──── {"ok":true,"reserved_kib":…,…}\n ──
 *      <──── xl's banner, and on as in xl_stream.h
 */
#ifndef MIG_HELLO_H
#define MIG_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define MIG_HELLO_GREETING "aerostat receiver 1"
#define MIG_HELLO_MAX_LINE 4096

struct mig_hello {
    char name[256], uuid[40];
    uint64_t need_kib; /* free memory that it takes to create it there */
    uint64_t target_kib; /* that it is to have in the end, also where it comes
                            with less; 0: what it comes with */
    bool packed;       /* its stream will be, as unpack.h has it */
};

struct mig_hello_answer {
    uint64_t reserved_kib; /* 0: checked, but not held */
    bool gives_back;       /* it will see to target_kib; older ones do not */
    bool packed;           /* it will be unpacked; older ones cannot */
    char refusal[LXE_ERR_TEXT]; /* "" if it may come */
};

/* Each writes one line with its newline into buf. Returns 0 or -ENOMEM. */
int mig_hello_write(const struct mig_hello *hello,
                    char buf[MIG_HELLO_MAX_LINE]);
int mig_hello_write_answer(const struct mig_hello_answer *answer,
                           char buf[MIG_HELLO_MAX_LINE]);

/* Each reads one line without its newline. Returns 0 or -EPROTO. */
int mig_hello_parse(const char *line, struct mig_hello *out,
                    struct lxe_err *err);
int mig_hello_parse_answer(const char *line, struct mig_hello_answer *out,
                           struct lxe_err *err);

#endif
