/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What guests write into xenstore about themselves, parsed. */
#include "guest_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The names of a report line, and where their values go. */
static const struct field {
    const char *name;
    size_t offset; /* in struct lxe_guest_report */
    uint64_t max;
} fields[] = {
    { "seq", offsetof(struct lxe_guest_report, seq), UINT64_MAX - 1 },
    { "total", offsetof(struct lxe_guest_report, total_kib),
      LXE_KEYS_MAX_KIB },
    { "available", offsetof(struct lxe_guest_report, available_kib),
      LXE_KEYS_MAX_KIB },
    { "used", offsetof(struct lxe_guest_report, used_kib),
      LXE_KEYS_MAX_KIB },
    { "swap", offsetof(struct lxe_guest_report, swap_used_kib),
      LXE_KEYS_MAX_KIB },
    { "swapfree", offsetof(struct lxe_guest_report, swap_free_kib),
      LXE_KEYS_MAX_KIB },
    { "refault", offsetof(struct lxe_guest_report, refaults),
      UINT64_MAX - 1 },
    { "swapin", offsetof(struct lxe_guest_report, swapins),
      UINT64_MAX - 1 },
    { "psi", offsetof(struct lxe_guest_report, psi_some_x100),
      LXE_KEYS_MAX_PSI },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint64_t *value_of(const struct field *field,
                          struct lxe_guest_report *report)
{
    return (uint64_t *)((char *)report + field->offset);
}

static void nothing_told(struct lxe_guest_report *report,
                         enum lxe_report_source source)
{
    *report = (struct lxe_guest_report){ .source = source };
    for (size_t i = 0; i < FIELDS; i++)
        *value_of(&fields[i], report) = LXE_UNKNOWN;
}

int lxe_keys_parse_number(const char *text, size_t len, uint64_t max,
                          uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';

        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value) || value > max)
            return -EINVAL;
    }
    *out = value;
    return 0;
}

static const struct field *field_named(const char *name, size_t len)
{
    for (size_t i = 0; i < FIELDS; i++)
        if (strlen(fields[i].name) == len && !memcmp(fields[i].name, name, len))
            return &fields[i];
    return NULL;
}

static int parse_pair(const char *pair, size_t len,
                      struct lxe_guest_report *report)
{
    const char *equals = memchr(pair, '=', len);
    const struct field *field;
    uint64_t value, *slot;
    size_t name_len;

    if (!equals || equals == pair)
        return -EINVAL;
    name_len = (size_t)(equals - pair);
    field = field_named(pair, name_len);
    if (lxe_keys_parse_number(equals + 1, len - name_len - 1,
                              field ? field->max : UINT64_MAX, &value))
        return -EINVAL;
    if (!field)
        return 0;
    slot = value_of(field, report);
    if (*slot != LXE_UNKNOWN)
        return -EINVAL;
    *slot = value;
    return 0;
}

/* Facts that cannot be together are no report: seq 0 means there is none. */
static int check_agent(const struct lxe_guest_report *report)
{
    if (report->seq == LXE_UNKNOWN || report->seq == 0 ||
        report->total_kib == LXE_UNKNOWN || report->total_kib == 0 ||
        report->available_kib > report->total_kib)
        return -EINVAL;
    if (report->used_kib != LXE_UNKNOWN &&
        report->used_kib > report->total_kib)
        return -EINVAL;
    return 0;
}

int lxe_keys_parse_agent(const char *text, size_t len,
                         struct lxe_guest_report *out)
{
    struct lxe_guest_report report;
    size_t at = 0;

    if (len == 0 || len >= LXE_KEYS_REPORT_MAX)
        return -EINVAL;
    nothing_told(&report, LXE_REPORT_AGENT);
    while (at <= len) {
        const char *space = memchr(text + at, ' ', len - at);
        size_t pair = space ? (size_t)(space - text) - at : len - at;

        if (parse_pair(text + at, pair, &report))
            return -EINVAL;
        at += pair + 1;
    }
    if (check_agent(&report))
        return -EINVAL;
    if (report.used_kib == LXE_UNKNOWN)
        report.used_kib = report.total_kib - report.available_kib;
    report.drop_pending = out->drop_pending;
    *out = report;
    return 0;
}

int lxe_keys_format_agent(const struct lxe_guest_report *report,
                          char buf[LXE_KEYS_REPORT_MAX])
{
    struct lxe_guest_report copy = *report;
    size_t len = 0;

    if (check_agent(report))
        return -EINVAL;
    for (size_t i = 0; i < FIELDS; i++) {
        uint64_t value = *value_of(&fields[i], &copy);
        int n;

        if (value == LXE_UNKNOWN)
            continue;
        if (value > fields[i].max)
            return -EINVAL;
        n = snprintf(buf + len, LXE_KEYS_REPORT_MAX - len, "%s%s=%" PRIu64,
                     len ? " " : "", fields[i].name, value);
        if (n < 0 || (size_t)n >= LXE_KEYS_REPORT_MAX - len)
            return -EINVAL;
        len += (size_t)n;
    }
    return (int)len;
}

int lxe_keys_parse_qubes(const char *text, size_t len,
                         struct lxe_guest_report *out)
{
    struct lxe_guest_report report;

    nothing_told(&report, LXE_REPORT_QUBES);
    if (lxe_keys_parse_number(text, len, LXE_KEYS_MAX_KIB, &report.used_kib))
        return -EINVAL;
    report.seq = out->seq;
    report.drop_pending = out->drop_pending;
    *out = report;
    return 0;
}

int lxe_keys_parse_xenserver(const char *total, size_t total_len,
                             const char *free_kib, size_t free_len,
                             struct lxe_guest_report *out)
{
    struct lxe_guest_report report;

    nothing_told(&report, LXE_REPORT_XENSERVER);
    if (lxe_keys_parse_number(free_kib, free_len, LXE_KEYS_MAX_KIB,
                              &report.available_kib))
        return -EINVAL;
    if (total) {
        if (lxe_keys_parse_number(total, total_len, LXE_KEYS_MAX_KIB,
                                  &report.total_kib) ||
            report.available_kib > report.total_kib)
            return -EINVAL;
        report.used_kib = report.total_kib - report.available_kib;
    }
    report.seq = out->seq;
    report.drop_pending = out->drop_pending;
    *out = report;
    return 0;
}

int lxe_keys_parse_request(const char *text, size_t len, uint64_t *id)
{
    static const char verb[] = "drop ";
    const size_t verb_len = sizeof(verb) - 1;

    if (len <= verb_len || memcmp(text, verb, verb_len))
        return -EINVAL;
    return lxe_keys_parse_number(text + verb_len, len - verb_len,
                                 UINT64_MAX - 1, id);
}

static bool is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

int lxe_keys_parse_move(const char *text, size_t len,
                        struct lxe_move_request *out)
{
    const char *space = memchr(text, ' ', len);
    size_t number = space ? (size_t)(space - text) : 0;
    size_t name = space ? len - number - 1 : 0;
    uint64_t id;

    if (!name || name >= sizeof(out->to) || strchr(".-_", space[1]) ||
        lxe_keys_parse_number(text, number, UINT64_MAX - 1, &id) || !id)
        return -EINVAL;
    for (size_t i = 1; i <= name; i++)
        if (!is_host_byte(space[i]))
            return -EINVAL;
    memset(out, 0, sizeof(*out));
    out->id = id;
    memcpy(out->to, space + 1, name);
    return 0;
}
