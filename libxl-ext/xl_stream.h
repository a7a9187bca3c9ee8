/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What xl puts around libxl's stream: a file header with the domain's
 * configuration, and the handshake of a migration (Xen's tools/xl/xl.h,
 * xl_migrate.c).
 *
 *   source                                   target
 *      <──── banner ─────────────────────────
 *      ───── header, configuration, stream ──>
 *      <──── ready ──────────────────────────   all received, still paused
 *      ───── go ─────────────────────────────>  point of no return
 *      <──── report, one status byte ────────   0: it runs there
 *      <──── go ─────────────────────────────   else: have it back
 *
 * Each but the banner is sent with its NUL.
 */
#ifndef LXE_XL_STREAM_H
#define LXE_XL_STREAM_H

#include <stddef.h>

#include "base/err.h"

struct lxe_xl_message {
    const char *text;
    size_t len;
    const char *what; /* for messages */
};

extern const struct lxe_xl_message lxe_xl_banner, lxe_xl_ready, lxe_xl_go,
    lxe_xl_report;

/*
 * Writes the file header and the configuration.
 * @config_json  as libxl_domain_config_to_json() gives it
 * Returns 0 or a negative errno.
 */
int lxe_xl_write_header(int fd, const char *config_json, struct lxe_err *err);

#endif
