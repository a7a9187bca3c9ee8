/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes what the save helper tells, and the limits that it is told: no
 * overread, no value out of bounds, and limits that were accepted are the
 * same after the way through the environment.
 */
#include "limits.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void status(const uint8_t *data, size_t size)
{
    struct mig_status s;
    struct lxe_err err = { 0 };

    if (mig_status_parse((const char *)data, size, &s, &err)) {
        need(err.code < 0 && *err.text);
        return;
    }
    need(size < MIG_STATUS_MAX_LINE && s.kind <= MIG_STATUS_END);
    need(memchr(s.reason, 0, sizeof(s.reason)));
    need(s.kind != MIG_STATUS_START || (s.pid > 1 && s.pid <= INT32_MAX));
}

static void limits(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    char out[MIG_LIMITS_TEXT], out2[MIG_LIMITS_TEXT];
    struct mig_limits l, again;
    struct lxe_err err = { 0 };

    need(text);
    mig_limits_default(&l);
    mig_limits_default(&again);
    if (mig_limits_parse(text, &l, &err)) {
        need(err.code < 0 && *err.text);
    } else {
        mig_limits_format(&l, out);
        need(!mig_limits_parse(out, &again, &err));
        mig_limits_format(&again, out2);
        need(!strcmp(out, out2));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    status(data, size);
    limits(data, size);
    return 0;
}
