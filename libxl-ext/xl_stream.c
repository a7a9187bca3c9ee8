/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xl_stream.h"

#include <stdint.h>
#include <string.h>

#include "base/fd_io.h"

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

#define MAGIC           "Xen saved domain, xl format\n \0 \r"
#define BYTEORDER       UINT32_C(0x01020304)
#define FLAG_JSON       UINT32_C(1)
#define FLAG_STREAM_V2  UINT32_C(2)

int lxe_xl_write_header(int fd, const char *config_json, struct lxe_err *err)
{
    uint32_t config_len = (uint32_t)strlen(config_json) + 1;
    struct file_header header = {
        .byteorder = BYTEORDER,
        .mandatory_flags = FLAG_JSON | FLAG_STREAM_V2,
        .optional_len = (uint32_t)sizeof(config_len) + config_len,
    };
    int rc;

    _Static_assert(sizeof(MAGIC) - 1 == sizeof(header.magic), "xl's magic");
    memcpy(header.magic, MAGIC, sizeof(header.magic));
    rc = lxe_write_all(fd, &header, sizeof(header));
    if (!rc)
        rc = lxe_write_all(fd, &config_len, sizeof(config_len));
    if (!rc)
        rc = lxe_write_all(fd, config_json, config_len);
    if (rc)
        lxe_fail(err, rc, "cannot send the configuration: %s", strerror(-rc));
    return rc;
}
