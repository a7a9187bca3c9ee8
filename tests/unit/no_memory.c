/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "no_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxlutil.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

static bool armed, failed;
static unsigned count, fail_at;

void no_memory_at(unsigned n)
{
    armed = true;
    failed = false;
    count = 0;
    fail_at = n;
}

unsigned no_memory_end(void)
{
    armed = false;
    return count;
}

bool no_memory_was(void)
{
    return failed;
}

static bool fails(void)
{
    if (!armed || ++count != fail_at)
        return false;
    failed = true;
    return true;
}

/* By ld's --wrap: calls of NAME come here, and __real_NAME is the real one. */
#define WRAP(type, name, params, ...)                                         \
    type __real_##name params;                                                \
    type __wrap_##name params;                                                \
    type __wrap_##name params                                                 \
    {                                                                         \
        return fails() ? NULL : __real_##name(__VA_ARGS__);                   \
    }

WRAP(void *, malloc, (size_t size), size)
WRAP(void *, calloc, (size_t n, size_t size), n, size)
WRAP(void *, realloc, (void *p, size_t size), p, size)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), p, n, size)
WRAP(char *, strdup, (const char *s), s)
WRAP(char *, strndup, (const char *s, size_t n), s, n)
WRAP(FILE *, open_memstream, (char **text, size_t *len), text, len)
WRAP(yajl_handle, yajl_alloc,
     (const yajl_callbacks *c, yajl_alloc_funcs *f, void *ctx), c, f, ctx)
WRAP(yajl_gen, yajl_gen_alloc, (const yajl_alloc_funcs *f), f)
WRAP(XLU_Config *, xlu_cfg_init, (FILE *report, const char *name), report,
     name)
