/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What guests write into xenstore about themselves (docs/xenstore.md), parsed.
 *
 * Pure. Every byte is a guest's and may be hostile: what does not fit a format
 * exactly is refused as a whole, never guessed at, and no value leaves here
 * that is beyond what a machine can have. Whether a guest lies within these
 * bounds is not for this file.
 */
#ifndef LXE_GUEST_KEYS_H
#define LXE_GUEST_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"

#define LXE_KEYS_REPORT_MAX 256 /* bytes of a report line, NUL included */
#define LXE_KEYS_MAX_KIB    (UINT64_C(1) << 34) /* 16 TiB: Xen's own limit */
#define LXE_KEYS_MAX_PSI    10000               /* percent x 100 */

/*
 * Parses the agent's report line: name=number pairs, one space between them.
 * seq, total and available must be there; names it does not know are passed
 * over, so that a newer agent is understood; a name given twice is refused.
 * @text, @len  the key's bytes; need not end with NUL
 * @out         all members but drop_pending are set
 * Returns 0, or -EINVAL and leaves out alone.
 */
int lxe_keys_parse_agent(const char *text, size_t len,
                         struct lxe_guest_report *out);

/*
 * Writes such a line from a report; members that are LXE_UNKNOWN are left
 * out. Returns its length without NUL, or -EINVAL where the report is one
 * that the parser would refuse.
 */
int lxe_keys_format_agent(const struct lxe_guest_report *report,
                          char buf[LXE_KEYS_REPORT_MAX]);

/*
 * Parses Qubes' memory/meminfo: KiB used, with swap, as one number. The
 * format has no sequence: the caller sets seq. Returns as above.
 */
int lxe_keys_parse_qubes(const char *text, size_t len,
                         struct lxe_guest_report *out);

/*
 * Parses XenServer's data/meminfo_total and data/meminfo_free, KiB each, free
 * being MemAvailable. @total may be NULL. Sets no seq. Returns as above.
 */
int lxe_keys_parse_xenserver(const char *total, size_t total_len,
                             const char *free_kib, size_t free_len,
                             struct lxe_guest_report *out);

/*
 * Reads "drop ID" from the key that dom0 writes. Returns 0 with the ID, or
 * -EINVAL: there is no request.
 */
int lxe_keys_parse_request(const char *text, size_t len, uint64_t *id);

/*
 * Reads "ID NAME", by which a guest asks to be moved: a number that is not 0,
 * and a name of letters, digits, '.', '_' and '-' that begins with a letter or
 * digit. Returns 0 or -EINVAL.
 */
int lxe_keys_parse_move(const char *text, size_t len,
                        struct lxe_move_request *out);

/* A whole decimal number of at most max, no sign, no blank. 0 or -EINVAL. */
int lxe_keys_parse_number(const char *text, size_t len, uint64_t max,
                          uint64_t *out);

#endif
