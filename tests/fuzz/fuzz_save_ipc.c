/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the save helper's messages: nothing is overread, and a message that
 * was accepted is put together again to the same bytes.
 */
#include "save_ipc.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_TEXT 1000 /* shorter than what encode cuts */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

/* A text that ends before its length says is not sent that way again. */
static bool is_plain(const char *text, size_t *total)
{
    if (text)
        *total += strlen(text) + 1;
    return !text || strlen(text) < LONGEST_TEXT;
}

/* What the arguments other than texts take. */
static size_t fixed_bytes(const struct lxe_ipc_message *m)
{
    switch (m->number) {
    case LXE_IPC_LOG:
        return 2 + 4 + 4 + 4 + 4;
    case LXE_IPC_PROGRESS:
        return 2 + 4 + 4 + 2 * sizeof(unsigned long);
    case LXE_IPC_SUSPEND:
        return 2;
    default:
        return 2 + 4 + 4;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[2 + LXE_IPC_MAX_BODY];
    struct lxe_err err = { 0 };
    struct lxe_ipc_message m;
    size_t texts = 0;
    bool plain;

    if (size > LXE_IPC_MAX_BODY)
        return 0;
    if (lxe_ipc_decode(data, size, &m, &err)) {
        need(err.code < 0 && *err.text);
        return 0;
    }
    plain = is_plain(m.context, &texts);
    plain = is_plain(m.text, &texts) && plain;
    need(texts + fixed_bytes(&m) <= size);
    if (!plain || texts + fixed_bytes(&m) != size)
        return 0;
    need(lxe_ipc_encode(&m, buf) == size + 2);
    need(!memcmp(buf + 2, data, size));
    return 0;
}
