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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LXE_XL_HEADER_BYTES    48u
#define LXE_LIBXL_HEADER_BYTES 16u
#define LXE_LIBXL_RECORD_BYTES 8u /* the head of a record */

struct lxe_xl_message {
    const char *text;
    size_t len;
    const char *what; /* for messages */
};

extern const struct lxe_xl_message lxe_xl_banner, lxe_xl_ready, lxe_xl_go,
    lxe_xl_report;

/*
 * Makes the file header with the configuration, as they are sent.
 * @config_json  as libxl_domain_config_to_json() gives it
 * @len          gets the bytes of both
 * Returns them, which the caller frees; NULL without memory.
 */
uint8_t *lxe_xl_make_header(const char *config_json, size_t *len);

/*
 * Reads the file header.
 * @length  gets the bytes that follow it: the configuration
 * Returns 0 or -EPROTO.
 */
int lxe_xl_read_header(const uint8_t header[LXE_XL_HEADER_BYTES],
                       uint64_t *length, struct lxe_err *err);

/*
 * Reads the header of libxl's stream, which comes next (Xen's
 * docs/specs/libxl-migration-stream.pandoc). Returns 0 or -EPROTO.
 */
int lxe_libxl_read_header(const uint8_t header[LXE_LIBXL_HEADER_BYTES],
                          struct lxe_err *err);

/*
 * Reads the head of one of its records.
 * @length  gets the bytes of the body that follows, padding included
 * Returns whether libxc's stream follows it.
 */
bool lxe_libxl_read_record(const uint8_t head[LXE_LIBXL_RECORD_BYTES],
                           uint64_t *length);

#endif
