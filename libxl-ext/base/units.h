/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What people write and read: sizes, rates, durations. Pure; no locale.
 *
 *   size      512M, 2G, 4096K, 1.5G      powers of 1024; a bare number is MiB,
 *                                        as in xl's memory=
 *   rate      100Mbit, 1Gbit, 800Kbit    bits/s, powers of 1000, as tc reads it
 *             10MB, 1GB, 500KB           bytes/s, powers of 1000
 *   duration  300ms, 2s, 5m              a bare number is milliseconds
 */
#ifndef LXE_BASE_UNITS_H
#define LXE_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LXE_PAGE_SIZE  4096u
#define LXE_PAGE_SHIFT 12
#define LXE_KIB_PER_PAGE 4u

/* @out_kib gets the size in KiB. Returns 0, or -EINVAL / -ERANGE with a word. */
int lxe_parse_size_kib(const char *text, uint64_t *out_kib,
                       struct lxe_err *err);

/* @out_bps gets bytes a second, never 0. Returns as above. */
int lxe_parse_rate_bps(const char *text, uint64_t *out_bps,
                       struct lxe_err *err);

/* The same for a limit, which may be "none": @out_bps gets 0 then. */
int lxe_parse_rate_limit_bps(const char *text, uint64_t *out_bps,
                             struct lxe_err *err);

/* @out_ms gets milliseconds. Returns as above. */
int lxe_parse_duration_ms(const char *text, uint64_t *out_ms,
                          struct lxe_err *err);

/* A whole decimal number from min to max, nothing else. Returns as above. */
int lxe_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                  struct lxe_err *err);

/* Enough for each of the writers below. */
#define LXE_UNIT_TEXT 32

/* Writes "96 KiB", "512 MiB", and from 10240 MiB on "12.5 GiB". Returns buf. */
char *lxe_format_kib(char buf[LXE_UNIT_TEXT], uint64_t kib);

/* Writes "12.3 MB/s" (powers of 1000). Returns buf. */
char *lxe_format_bps(char buf[LXE_UNIT_TEXT], double bytes_per_s);

#endif
