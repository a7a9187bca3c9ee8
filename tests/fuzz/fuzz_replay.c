/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the reading of a log of decisions, and what --set takes: no
 * overread, no input that upsets the policy, and an error has its words. The
 * first line of the input is a --set.
 */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void on_decision(const struct aero_replayed *d, void *data)
{
    char reason[AERO_REASON_TEXT];
    uint64_t *seen = data;

    need(d->name && d->logged_reason && d->now_reason);
    aero_reason_text(d->now_reason, reason);
    *seen += strlen(d->name) + strlen(reason) + d->now_kib;
}

static int take(struct aero_replay *r, const char *line, size_t len,
                bool first, struct lxe_err *err)
{
    char *text;
    int rc;

    if (!first)
        return aero_replay_line(r, line, len, err);
    text = strndup(line, len);
    need(text);
    rc = *text ? aero_replay_set(r, text, err) : 0;
    free(text);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t seen = 0;
    struct aero_replay *r = aero_replay_new(on_decision, &seen);
    const char *at = (const char *)data, *end = at + size, *newline;
    struct lxe_err err = { 0 };
    bool first = true;
    int rc = 0;

    need(r);
    while (!rc && at < end &&
           (newline = memchr(at, '\n', (size_t)(end - at)))) {
        rc = take(r, at, (size_t)(newline - at), first, &err);
        need(!rc == !err.text[0] && !rc == !err.code);
        first = false;
        at = newline + 1;
    }
    aero_replay_end(r);
    aero_replay_free(r);
    return 0;
}
