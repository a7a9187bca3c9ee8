/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "figures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MOST 1e18 /* beyond it figures say nothing */

/*
 * Three digits, and more only in front of the point; a whole number has none
 * behind it, also where a factor has moved its last bits, as of 0.28 * 100.
 */
static void put(char buf[MIG_FIGURE], double value, const char *unit)
{
    int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;

    if (fabs(value - round(value)) <= value * 1e-12 && value < 1000)
        digits = 0;
    snprintf(buf, MIG_FIGURE, "%.*f %s", digits, value, unit);
}

/* In the largest of the units, each @factor times the one before, of which
 * there is at least one. */
static char *scaled(char buf[MIG_FIGURE], double value, double factor,
                    const char *const units[], size_t count)
{
    size_t i = 0;

    if (!(value >= 0 && value < MOST)) {
        snprintf(buf, MIG_FIGURE, "-");
        return buf;
    }
    for (; i + 1 < count && value >= factor * 0.9995; i++)
        value /= factor;
    put(buf, value, units[i]);
    return buf;
}
#define SCALED(buf, value, factor, units)                                     \
    scaled(buf, value, factor, units, sizeof(units) / sizeof(units[0]))

char *mig_fig_ms(char buf[MIG_FIGURE], double ms)
{
    static const char *const units[] = { "ms", "s" };

    return SCALED(buf, ms, 1000, units);
}

char *mig_fig_bytes(char buf[MIG_FIGURE], double bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };

    return SCALED(buf, bytes, 1000, units);
}

char *mig_fig_rate(char buf[MIG_FIGURE], double bps)
{
    static const char *const units[] = { "B/s", "kB/s", "MB/s", "GB/s" };

    return SCALED(buf, bps, 1000, units);
}

char *mig_fig_kib(char buf[MIG_FIGURE], double kib)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };

    return SCALED(buf, kib, 1024, units);
}

char *mig_fig_count(char buf[MIG_FIGURE], double count)
{
    char digits[MIG_FIGURE], *to = buf;
    size_t len;

    if (!(count >= 0 && count < MOST)) {
        snprintf(buf, MIG_FIGURE, "-");
        return buf;
    }
    snprintf(digits, sizeof(digits), "%.0f", count);
    len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return buf;
}

char *mig_fig_percent(char buf[MIG_FIGURE], double share)
{
    static const char *const units[] = { "%" };

    return SCALED(buf, share * 100, 1, units);
}

char *mig_fig_time(char buf[MIG_FIGURE], double seconds_since_1970)
{
    struct tm tm;
    time_t at;

    snprintf(buf, MIG_FIGURE, "-");
    if (!(seconds_since_1970 >= 0 && seconds_since_1970 < 1e11))
        return buf;
    at = (time_t)seconds_since_1970;
    if (gmtime_r(&at, &tm))
        strftime(buf, MIG_FIGURE, "%Y-%m-%d %H:%M:%S UTC", &tm);
    return buf;
}
