/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes what source and target say to each other: what was accepted is
 * within its bounds, and survives being said again.
 */
#include "hello.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool true_thing)
{
    if (!true_thing)
        abort();
}

/* Takes the newline off, and there is just one. */
static void cut_newline(char *line)
{
    char *end = strchr(line, '\n');

    need(end && !end[1]);
    *end = '\0';
}

static void hello(const char *line)
{
    struct mig_hello h, again;
    struct lxe_err err = { 0 };
    char out[MIG_HELLO_MAX_LINE];

    if (mig_hello_parse(line, &h, &err)) {
        need(err.code < 0 && *err.text);
        return;
    }
    need(*h.name && *h.uuid && h.need_kib <= UINT64_C(1) << 40);
    need(!mig_hello_write(&h, out));
    cut_newline(out);
    need(!mig_hello_parse(out, &again, &err));
    need(!strcmp(h.name, again.name) && !strcmp(h.uuid, again.uuid) &&
         h.need_kib == again.need_kib);
}

static void answer(const char *line)
{
    struct mig_hello_answer a, again;
    struct lxe_err err = { 0 };
    char out[MIG_HELLO_MAX_LINE];

    if (mig_hello_parse_answer(line, &a, &err)) {
        need(err.code < 0 && *err.text);
        return;
    }
    need(strlen(a.refusal) <= 400);
    need(!mig_hello_write_answer(&a, out));
    cut_newline(out);
    need(!mig_hello_parse_answer(out, &again, &err));
    need(!*a.refusal == !*again.refusal &&
         a.reserved_kib == again.reserved_kib);
}

static void probe(const char *line)
{
    struct mig_probe_answer a, again;
    struct mig_probe_request r;
    struct lxe_err err = { 0 };
    char out[MIG_HELLO_MAX_LINE];
    uint64_t bytes;

    mig_probe_is_request(line);
    if (!mig_probe_parse(line, &r, &err))
        need(*r.name && *r.uuid);
    if (!mig_probe_parse_count(line, "measure_bytes", &bytes, &err))
        need(bytes <= MIG_PROBE_MAX_MEASURE);
    if (mig_probe_parse_answer(line, &a, &err)) {
        need(err.code < 0 && *err.text);
        return;
    }
    need(a.pv.count <= LXE_CPU_WORDS && a.hvm.count <= LXE_CPU_WORDS);
    need(!mig_probe_write_answer(&a, out));
    cut_newline(out);
    need(!mig_probe_parse_answer(out, &again, &err));
    need(!strcmp(a.xen, again.xen) && a.free_kib == again.free_kib &&
         a.name_taken == again.name_taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = strndup((const char *)data, size);

    need(line);
    hello(line);
    answer(line);
    probe(line);
    free(line);
    return 0;
}
