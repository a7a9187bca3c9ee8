/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the journal of a migration: what was accepted is within its bounds,
 * and is the same when it was written and read again.
 */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mig_journal j, again;
    char text[MIG_JOURNAL_MAX_FILE], text2[MIG_JOURNAL_MAX_FILE];
    struct lxe_err err = { 0 };

    if (size > MIG_JOURNAL_MAX_FILE)
        return 0;
    if (mig_journal_parse((const char *)data, size, &j, &err)) {
        need(err.code < 0 && *err.text);
        return 0;
    }
    need(j.owner.pid > 0 && j.domid < 32752);
    if (mig_journal_format(&j, text)) /* too long with its escapes */
        return 0;
    need(!mig_journal_parse(text, strlen(text), &again, NULL));
    need(!mig_journal_format(&again, text2) && !strcmp(text, text2));
    return 0;
}
