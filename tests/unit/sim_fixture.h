/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the simulator's tests share: a host from a few words of JSON. */
#ifndef AEROSTAT_TESTS_SIM_FIXTURE_H
#define AEROSTAT_TESTS_SIM_FIXTURE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "host_sim.h"
#include "unit.h"

#define MIB(n)     (UINT64_C(1024) * (n))
#define SECONDS(n) ((uint64_t)((n) * 1e9))

static inline void on_broken(const char *what, void *data)
{
    (void)data;
    printf("  broken: %s\n", what);
    CU_FAIL("an invariant broke");
}

/* Opens a scenario that is written with ' for ". */
static inline int sim_try(const char *text, enum lxe_sim_clock clock,
                          struct lxe_host **out, struct lxe_err *err)
{
    size_t len = strlen(text);
    char *json = strdup(text);
    int rc;

    if (!json)
        return lxe_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < len; i++)
        if (json[i] == '\'')
            json[i] = '"';
    rc = lxe_sim_open_text(json, len, "test.json", clock, out, err);
    free(json);
    return rc;
}

static inline struct lxe_host *sim_open(const char *text)
{
    struct lxe_host *host = NULL;
    struct lxe_err err = { 0 };

    if (sim_try(text, LXE_SIM_MANUAL, &host, &err)) {
        printf("  %s\n", err.text);
        CU_FAIL_FATAL("the scenario is wrong");
    }
    lxe_sim_set_invariant(host, on_broken, NULL);
    return host;
}

/*
 * A host of 4 GiB whose dom0 has 512 MiB and Xen 64, with one guest: 1024 MiB
 * of at most 2048, of which it uses 256. @more is further fields of it.
 */
#define ONE_GUEST(more)                                                       \
    "{'host': {'total_kib': 4194304}, 'guests': [{'name': 'g', "              \
    "'memory_kib': 1048576, 'static_max_kib': 2097152, "                      \
    "'demand': [[0, 262144]]" more "}]}"

static inline struct lxe_domain sim_dom(struct lxe_host *host, uint32_t domid)
{
    struct lxe_domain dom = { 0 };

    CU_ASSERT_EQUAL_FATAL(host->ops->get_domain(host, domid, &dom, NULL), 0);
    return dom;
}

static inline uint64_t sim_current(struct lxe_host *host, uint32_t domid)
{
    return sim_dom(host, domid).current_kib;
}

static inline uint64_t sim_free(struct lxe_host *host)
{
    struct lxe_host_memory memory = { 0 };

    CU_ASSERT_EQUAL_FATAL(host->ops->memory(host, &memory, NULL), 0);
    return memory.free_kib;
}

static inline struct lxe_sim_truth sim_truth(struct lxe_host *host,
                                             uint32_t domid)
{
    struct lxe_sim_truth truth = { 0 };

    CU_ASSERT_EQUAL_FATAL(lxe_sim_truth(host, domid, &truth, NULL), 0);
    return truth;
}

static inline void sim_target(struct lxe_host *host, uint32_t domid,
                              uint64_t kib)
{
    CU_ASSERT_EQUAL(host->ops->set_target(host, domid, kib, NULL), 0);
}

#endif
