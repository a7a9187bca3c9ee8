/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a scenario: refused with a word, or a host that adds up. */
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "host_sim.h"

#define FEW_GUESTS 20 /* keeps each run short */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant that breaks aborts the program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lxe_err err = { 0 };
    struct lxe_domain_list list;
    struct lxe_host *host;
    int rc = lxe_sim_open_text((const char *)data, size, "fuzz",
                               LXE_SIM_MANUAL, &host, &err);

    if (rc) {
        if (!err.code || !*err.text)
            __builtin_trap(); /* refused without a word */
        return 0;
    }
    if (!host->ops->list_domains(host, &list, NULL)) {
        for (size_t i = 0; i < list.count && i < FEW_GUESTS; i++) {
            host->ops->prepare_agent(host, list.doms[i].domid, NULL);
            host->ops->set_target(host, list.doms[i].domid,
                                  list.doms[i].target_kib / 2, NULL);
        }
        lxe_domain_list_free(&list);
    }
    lxe_sim_advance(host, LXE_NS_PER_SEC);
    host->ops->close(host);
    return 0;
}
