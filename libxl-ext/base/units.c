/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *suffix;
    double factor;
};

/* Beyond this a double no longer counts in ones, and no host is that big. */
#define LARGEST 1e15

/*
 * A decimal number without sign or exponent, so that the locale, "inf" and
 * "0x10" have no say. Returns the first character behind it, NULL if none.
 */
static const char *scan_number(const char *p, double *out)
{
    double value = 0, place = 1;
    bool digits = false;

    for (; *p >= '0' && *p <= '9'; p++, digits = true)
        value = value * 10 + (*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, digits = true) {
            place /= 10;
            value += (*p - '0') * place;
        }
    *out = value;
    return digits ? p : NULL;
}

static int parse_with_units(const char *text, const struct unit *units,
                            const char *what, const char *example,
                            uint64_t *out, struct lxe_err *err)
{
    double value;
    const char *rest = scan_number(text, &value);

    for (const struct unit *u = units; rest && u->suffix; u++) {
        if (strcasecmp(rest, u->suffix))
            continue;
        value *= u->factor;
        if (value > LARGEST)
            return lxe_fail(err, -ERANGE, "%s '%.40s' is too large", what,
                            text);
        *out = (uint64_t)(value + 0.5);
        return 0;
    }
    return lxe_fail(err, -EINVAL, "'%.40s' is not a %s; write it like %s",
                    text, what, example);
}

int lxe_parse_size_kib(const char *text, uint64_t *out_kib,
                       struct lxe_err *err)
{
    static const struct unit units[] = {
        { "", 1024 },        { "K", 1 },
        { "KiB", 1 },        { "M", 1024 },
        { "MiB", 1024 },     { "G", 1024.0 * 1024 },
        { "GiB", 1024.0 * 1024 }, { "T", 1024.0 * 1024 * 1024 },
        { "TiB", 1024.0 * 1024 * 1024 }, { NULL, 0 },
    };

    return parse_with_units(text, units, "size", "512M or 2G", out_kib, err);
}

/* A limit of 0 is none wherever one is kept: nobody asks for that by 1bit. */
static int parse_rate(const char *text, const char *example,
                      const char *instead, uint64_t *out_bps,
                      struct lxe_err *err)
{
    static const struct unit units[] = {
        { "bit", 1.0 / 8 },   { "Kbit", 1e3 / 8 }, { "Mbit", 1e6 / 8 },
        { "Gbit", 1e9 / 8 },  { "B", 1 },          { "KB", 1e3 },
        { "MB", 1e6 },        { "GB", 1e9 },       { NULL, 0 },
    };

    uint64_t bps;
    int rc = parse_with_units(text, units, "rate", example, &bps, err);

    if (rc)
        return rc;
    if (!bps)
        return lxe_fail(err, -ERANGE, "rate '%.40s' is less than a byte a"
                        " second%s", text, instead);
    *out_bps = bps;
    return 0;
}

int lxe_parse_rate_bps(const char *text, uint64_t *out_bps,
                       struct lxe_err *err)
{
    return parse_rate(text, "500Mbit or 60MB", "", out_bps, err);
}

int lxe_parse_rate_limit_bps(const char *text, uint64_t *out_bps,
                             struct lxe_err *err)
{
    if (!strcmp(text, "none")) {
        *out_bps = 0;
        return 0;
    }
    return parse_rate(text, "500Mbit or 60MB, or none for no limit",
                      "; for no limit write none", out_bps, err);
}

int lxe_parse_duration_ms(const char *text, uint64_t *out_ms,
                          struct lxe_err *err)
{
    static const struct unit units[] = {
        { "", 1 },      { "ms", 1 },      { "s", 1e3 },
        { "m", 6e4 },   { "h", 3.6e6 },   { NULL, 0 },
    };

    return parse_with_units(text, units, "duration", "300ms or 2s", out_ms,
                            err);
}

int lxe_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                  struct lxe_err *err)
{
    uint64_t value = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return lxe_fail(err, -ERANGE, "'%.40s' is too large", text);
    if (p == text || *p)
        return lxe_fail(err, -EINVAL, "'%.40s' is not a whole number", text);
    if (value < min || value > max)
        return lxe_fail(err, -ERANGE,
                        "%" PRIu64 " is not within %" PRIu64 " to %" PRIu64,
                        value, min, max);
    *out = value;
    return 0;
}

char *lxe_format_kib(char buf[LXE_UNIT_TEXT], uint64_t kib)
{
    if (kib < 1024)
        snprintf(buf, LXE_UNIT_TEXT, "%" PRIu64 " KiB", kib);
    else if (kib < UINT64_C(10240) * 1024)
        snprintf(buf, LXE_UNIT_TEXT, "%" PRIu64 " MiB", kib / 1024);
    else
        snprintf(buf, LXE_UNIT_TEXT, "%.1f GiB",
                 (double)kib / (1024.0 * 1024));
    return buf;
}

char *lxe_format_bps(char buf[LXE_UNIT_TEXT], double bytes_per_s)
{
    if (bytes_per_s < 1e6)
        snprintf(buf, LXE_UNIT_TEXT, "%.1f KB/s", bytes_per_s / 1e3);
    else if (bytes_per_s < 1e9)
        snprintf(buf, LXE_UNIT_TEXT, "%.1f MB/s", bytes_per_s / 1e6);
    else
        snprintf(buf, LXE_UNIT_TEXT, "%.2f GB/s", bytes_per_s / 1e9);
    return buf;
}
