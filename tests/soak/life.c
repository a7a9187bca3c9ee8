/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "life.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "host_sim.h"

#define MIB          UINT64_C(1024)
#define RESIDENT_KIB (512 * MIB)
#define POINTS_MAX   2000u

uint64_t life_between(uint64_t *state, uint64_t low, uint64_t high)
{
    *state = *state * UINT64_C(6364136223846793005) +
             UINT64_C(1442695040888963407);
    return low + (*state >> 33) % (high - low + 1);
}

/* What a guest says, and how it balloons: a third of them is sound. */
static const char *habit(uint64_t *state)
{
    static const char *const habits[] = {
        "\"report\":\"agent\"",
        "\"report\":\"agent\"",
        "\"report\":\"agent\",\"balloon_kib_s\":20480",
        "\"report\":\"agent\",\"stuck_every_s\":300",
        "\"report\":\"agent\",\"stuck\":true",
        "\"report\":\"agent\",\"floor_kib\":114688",
        "\"report\":\"agent\",\"report_percent\":1000",
        "\"report\":\"agent\",\"report_percent\":1",
        "\"report\":\"agent\",\"greedy\":true",
        "\"report\":\"agent\",\"uncooperative\":true",
        "\"report\":\"qubes\"",
        "\"report\":\"xenserver\"",
        "\"report\":\"none\"",
    };

    return habits[life_between(state, 0, sizeof(habits) / sizeof(*habits) -
                                             1)];
}

static void put_demand(FILE *to, uint64_t *state, uint64_t top_kib,
                       uint64_t length_s)
{
    uint64_t at = 0;

    fprintf(to, "\"demand\":[[0,%" PRIu64 "]", top_kib / 4);
    for (unsigned i = 0; i < POINTS_MAX && at < length_s; i++) {
        at += life_between(state, length_s / POINTS_MAX + 1,
                           length_s / POINTS_MAX + 3600);
        fprintf(to, ",[%" PRIu64 ",%" PRIu64 "]", at,
                top_kib * life_between(state, 5, 95) / 100 & ~UINT64_C(3));
    }
    fputc(']', to);
}

/* @node  its own, or LXE_UNKNOWN */
static void put_guest(FILE *to, uint64_t *state, const char *name,
                      uint64_t memory_kib, uint64_t node, uint64_t length_s)
{
    fputc('{', to);
    if (node != LXE_UNKNOWN)
        fprintf(to, "\"node\":%" PRIu64 ",", node);
    fprintf(to, "\"name\":\"%s\",\"memory_kib\":%" PRIu64
            ",\"static_max_kib\":%" PRIu64 ",\"swap_kib\":%" PRIu64 ",%s,",
            name, memory_kib, 2 * memory_kib, memory_kib / 2, habit(state));
    put_demand(to, state, 2 * memory_kib, length_s);
}

unsigned life_visitor_node(unsigned number)
{
    return number % 2;
}

void life_visitor(unsigned number, char name[16], uint64_t *kib)
{
    snprintf(name, 16, "visitor%u", number);
    *kib = (128 + number * 64) * MIB;
}

static char *life_text(uint64_t seed, uint64_t length_s, size_t *len)
{
    uint64_t state = seed, kib;
    char *text = NULL, name[16];
    FILE *to = open_memstream(&text, len);

    if (!to)
        return NULL;
    fprintf(to, "{\"seed\":%" PRIu64 ",\"step_s\":1,\"guests\":[", seed);
    for (unsigned i = 0; i < LIFE_RESIDENTS; i++) {
        snprintf(name, sizeof(name), "resident%u", i);
        put_guest(to, &state, name, RESIDENT_KIB,
                  i % 3 < 2 ? i % 3 : LXE_UNKNOWN, length_s);
        fputs("},", to);
    }
    for (unsigned i = 0; i < LIFE_VISITORS; i++) {
        life_visitor(i, name, &kib);
        put_guest(to, &state, name, kib, life_visitor_node(i), length_s);
        fprintf(to, ",\"absent\":true,\"build_s\":3,\"dying_s\":2}%s",
                i + 1 < LIFE_VISITORS ? "," : "");
    }
    fprintf(to, "],\"host\":{\"nodes\":2,\"total_kib\":%" PRIu64 "}}",
            (LIFE_RESIDENTS * 640 + 1024) * MIB);
    if (!fclose(to))
        return text;
    free(text);
    return NULL;
}

struct lxe_host *life_open(uint64_t seed, uint64_t length_s)
{
    size_t len;
    _cleanup_free_ char *text = life_text(seed, length_s, &len);
    struct lxe_host *host;
    struct lxe_err err = { 0 };

    if (!text) {
        fprintf(stderr, "out of memory\n");
        return NULL;
    }
    if (!lxe_sim_open_text(text, len, "life", LXE_SIM_MANUAL, &host, &err))
        return host;
    fprintf(stderr, "%s\n", err.text);
    return NULL;
}
