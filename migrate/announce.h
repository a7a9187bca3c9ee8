/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lets the network know where a guest is now: switches learn from the first
 * frame that it sends. A Linux guest's netfront sends a gratuitous ARP of its
 * own as it resumes. For one that sends nothing at all, dom0 sends a RARP with
 * its MAC on the vif's bridge, as QEMU's announce-self does: its IP address,
 * which an ARP would have to name, is not dom0's to know.
 */
#ifndef MIG_ANNOUNCE_H
#define MIG_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xl_domain.h"

#define MIG_ANNOUNCE_FRAME 60 /* the shortest that Ethernet allows */
#define MIG_ANNOUNCE_MS    3000 /* after it began to run */

/* Pure: a RARP request by this MAC for itself, to all. */
void mig_announce_frame(const uint8_t mac[6],
                        uint8_t frame[MIG_ANNOUNCE_FRAME]);

/* Pure: whether a frame was sent by this MAC. */
bool mig_announce_is_from(const uint8_t *frame, size_t len,
                          const uint8_t mac[6]);

struct mig_announce_vif {
    unsigned devid;
    int fd;     /* keeps what the guest sends; -1: does not listen */
    int bridge; /* interface number */
};

struct mig_announce {
    struct mig_announce_vif vifs[LXE_XL_NICS];
    size_t count;
};

/*
 * Begins to listen on the vifs of a domain that are on a bridge. To be called
 * before it runs; does nothing where it listens already. Asks the kernel
 * alone: xl, which sets the vifs up meanwhile, needs xenstored itself.
 */
void mig_announce_listen(struct mig_announce *a, uint32_t domid);

/*
 * Announces, three times, those of the vifs' MACs that were not heard so far.
 * @nics  as libxl knows them; a vif without one is left out
 * Returns how many it announced.
 */
size_t mig_announce_run(struct mig_announce *a, const struct lxe_xl_nic *nics,
                        size_t count);

/* Listens no more. */
void mig_announce_close(struct mig_announce *a);

#endif
