/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "host_sim.h"

#define MEMORY_KIB (256u << 10)
#define DOM0_KIB   (576u << 10) /* with what Xen keeps */
#define LENGTH_S   80u
#define SWING_S    20u

static void put_demand(FILE *to, size_t guest, bool busy)
{
    unsigned low = (96u + guest % 7 * 16) << 10;
    unsigned high = (224u + guest % 11 * 16) << 10;

    fprintf(to, "[[0,%u]", busy ? low : (low + high) / 2);
    for (unsigned s = SWING_S - guest % SWING_S; busy && s < LENGTH_S;
         s += 2 * SWING_S)
        fprintf(to, ",[%u,%u],[%u,%u]", s, high, s + SWING_S, low);
    fputc(']', to);
}

char *crowd_text(size_t guests, bool busy, size_t *len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, len);

    if (!to)
        return NULL;
    fputs("{\"guests\":[", to);
    for (size_t i = 0; i < guests; i++) {
        fprintf(to, "%s{\"name\":\"g%zu\",\"memory_kib\":%u,"
                "\"static_max_kib\":%u,\"report\":\"agent\",\"demand\":",
                i ? ",\n" : "", i, MEMORY_KIB, 2 * MEMORY_KIB);
        put_demand(to, i, busy);
        fputc('}', to);
    }
    fprintf(to, "],\"host\":{\"total_kib\":%zu}}\n",
            guests * MEMORY_KIB / 10 * 11 + DOM0_KIB);
    if (fclose(to)) {
        free(text);
        return NULL;
    }
    return text;
}

struct lxe_host *crowd_open(size_t guests, bool busy)
{
    size_t len;
    _cleanup_free_ char *text = crowd_text(guests, busy, &len);
    struct lxe_host *host;
    struct lxe_err err = { 0 };

    if (!text) {
        fprintf(stderr, "out of memory\n");
        return NULL;
    }
    if (!lxe_sim_open_text(text, len, "crowd", LXE_SIM_MANUAL, &host, &err))
        return host;
    fprintf(stderr, "%s\n", err.text);
    return NULL;
}
