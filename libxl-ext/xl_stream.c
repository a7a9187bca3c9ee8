/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "xl_stream.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BANNER "xl migration receiver ready, send binary domain data.\n"
#define READY  "domain received, ready to unpause"
#define GO     "domain is yours, you are cleared to unpause"
#define REPORT "my copy unpause results are as follows"

const struct lxe_xl_message
    lxe_xl_banner = { BANNER, sizeof(BANNER) - 1, "the receiver's banner" },
    lxe_xl_ready = { READY, sizeof(READY), "the ready message" },
    lxe_xl_go = { GO, sizeof(GO), "the permission to resume" },
    lxe_xl_report = { REPORT, sizeof(REPORT), "the start report" };

/* All in the machine's byte order, which byteorder tells. */
struct file_header {
    char magic[32];
    uint32_t byteorder;
    uint32_t mandatory_flags;
    uint32_t optional_flags;
    uint32_t optional_len;
};

_Static_assert(sizeof(struct file_header) == LXE_XL_HEADER_BYTES,
               "xl's header");

#define MAGIC           "Xen saved domain, xl format\n \0 \r"
#define BYTEORDER       UINT32_C(0x01020304)
#define FLAG_JSON       UINT32_C(1)
#define FLAG_STREAM_V2  UINT32_C(2)

_Static_assert(sizeof(MAGIC) - 1 == sizeof(((struct file_header *)0)->magic),
               "xl's magic");

struct libxl_header {
    uint64_t ident; /* big-endian, always */
    uint32_t version, options;
};

#define LIBXL_IDENT    UINT64_C(0x4c6962786c466d74) /* "LibxlFmt" */
#define LIBXC_CONTEXT  UINT32_C(1)
#define RECORD_PADDING UINT64_C(7) /* they end at multiples of 8 bytes */

uint8_t *lxe_xl_make_header(const char *config_json, size_t *len)
{
    uint32_t config_len = (uint32_t)strlen(config_json) + 1;
    struct file_header header = {
        .byteorder = BYTEORDER,
        .mandatory_flags = FLAG_JSON | FLAG_STREAM_V2,
        .optional_len = (uint32_t)sizeof(config_len) + config_len,
    };
    uint8_t *out, *at;

    memcpy(header.magic, MAGIC, sizeof(header.magic));
    *len = sizeof(header) + header.optional_len;
    out = at = malloc(*len);
    if (!out)
        return NULL;
    at = mempcpy(at, &header, sizeof(header));
    at = mempcpy(at, &config_len, sizeof(config_len));
    memcpy(at, config_json, config_len);
    return out;
}

int lxe_xl_read_header(const uint8_t header[LXE_XL_HEADER_BYTES],
                       uint64_t *length, struct lxe_err *err)
{
    struct file_header h;

    memcpy(&h, header, sizeof(h));
    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) || h.byteorder != BYTEORDER)
        return lxe_fail(err, -EPROTO, "what came is not a domain sent by xl,"
                        " or by a host of another byte order");
    *length = h.optional_len;
    return 0;
}

int lxe_libxl_read_header(const uint8_t header[LXE_LIBXL_HEADER_BYTES],
                          struct lxe_err *err)
{
    struct libxl_header h;

    memcpy(&h, header, sizeof(h));
    if (be64toh(h.ident) != LIBXL_IDENT)
        return lxe_fail(err, -EPROTO, "no stream of libxl's follows the"
                        " configuration");
    return 0;
}

bool lxe_libxl_read_record(const uint8_t head[LXE_LIBXL_RECORD_BYTES],
                           uint64_t *length)
{
    uint32_t word[2]; /* type, length */

    memcpy(word, head, sizeof(word));
    *length = (word[1] + RECORD_PADDING) & ~RECORD_PADDING;
    return word[0] == LIBXC_CONTEXT;
}
