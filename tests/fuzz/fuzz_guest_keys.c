/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes what guests write: no overread, and nothing out of bounds gets by. */
#include "guest_keys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void agent(const char *text, size_t len)
{
    struct lxe_guest_report r = { 0 }, again = { 0 };
    char line[LXE_KEYS_REPORT_MAX], line2[LXE_KEYS_REPORT_MAX];
    int n;

    if (lxe_keys_parse_agent(text, len, &r))
        return;
    need(r.seq && r.total_kib <= LXE_KEYS_MAX_KIB &&
         r.available_kib <= r.total_kib && r.used_kib <= r.total_kib);
    n = lxe_keys_format_agent(&r, line);
    need(n > 0 && !lxe_keys_parse_agent(line, (size_t)n, &again));
    need(n == lxe_keys_format_agent(&again, line2) &&
         !strcmp(line, line2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct lxe_guest_report r = { 0 };
    struct lxe_move_request move;
    size_t half = size / 2;
    uint64_t id;

    agent(text, size);
    if (!lxe_keys_parse_qubes(text, size, &r))
        need(r.used_kib <= LXE_KEYS_MAX_KIB);
    if (!lxe_keys_parse_xenserver(text, half, text + half, size - half, &r))
        need(r.available_kib <= r.total_kib);
    if (!lxe_keys_parse_request(text, size, &id))
        need(size > 5);
    if (!lxe_keys_parse_move(text, size, &move))
        need(move.id && *move.to && !strpbrk(move.to, " /;$'\"\n") &&
             *move.to != '-');
    return 0;
}
