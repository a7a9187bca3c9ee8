/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define TIMES    3
#define APART_NS (150 * LXE_NS_PER_MS)
#define FRAMES   4096 /* in a look: a flood must not make it last for ever */

void mig_announce_frame(const uint8_t mac[6],
                        uint8_t frame[MIG_ANNOUNCE_FRAME])
{
    static const uint8_t head[] = {
        0x80, 0x35,             /* RARP */
        0, 1, 0x08, 0, 6, 4,    /* Ethernet, IPv4, and their lengths */
        0, 3,                   /* who am I? */
    };

    memset(frame, 0, MIG_ANNOUNCE_FRAME);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mac, 6);
    memcpy(frame + 12, head, sizeof(head));
    memcpy(frame + 22, mac, 6); /* sender; its IP stays 0 */
    memcpy(frame + 32, mac, 6); /* asked for */
}

bool mig_announce_is_from(const uint8_t *frame, size_t len,
                          const uint8_t mac[6])
{
    return len >= 14 && !memcmp(frame + 6, mac, 6);
}

/* The number of the bridge that an interface is on; 0 for none. */
static int bridge_of(const char *interface)
{
    char path[128], target[256], *name;
    ssize_t n;

    snprintf(path, sizeof(path), "/sys/class/net/%s/master", interface);
    n = readlink(path, target, sizeof(target) - 1);
    if (n <= 0)
        return 0;
    target[n] = '\0';
    name = strrchr(target, '/');
    return (int)if_nametoindex(name ? name + 1 : target);
}

static int open_socket(int interface)
{
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = interface,
    };
    /* Bound at once: for protocol 0 it hears nothing before. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && !bind(fd, (struct sockaddr *)&at, sizeof(at)))
        return fd;
    lxe_warn("cannot listen to the guest's network: %m");
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool is_known(const struct mig_announce *a, unsigned devid)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->vifs[i].devid == devid)
            return true;
    return false;
}

void mig_announce_listen(struct mig_announce *a, uint32_t domid)
{
    for (unsigned devid = 0; devid < LXE_XL_NICS; devid++) {
        char name[IF_NAMESIZE];
        int interface, bridge;

        if (is_known(a, devid))
            continue;
        snprintf(name, sizeof(name), "vif%" PRIu32 ".%u", domid, devid);
        interface = (int)if_nametoindex(name);
        bridge = interface ? bridge_of(name) : 0;
        if (bridge)
            a->vifs[a->count++] = (struct mig_announce_vif){
                .devid = devid,
                .fd = open_socket(interface),
                .bridge = bridge,
            };
    }
}

static bool heard(const struct mig_announce_vif *vif, const uint8_t mac[6])
{
    uint8_t frame[64];

    for (int i = 0; vif->fd >= 0 && i < FRAMES; i++) {
        struct sockaddr_ll from = { 0 };
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(vif->fd, frame, sizeof(frame), MSG_TRUNC,
                             (struct sockaddr *)&from, &len);

        if (n < 0)
            break;
        if (from.sll_pkttype != PACKET_OUTGOING &&
            mig_announce_is_from(frame, (size_t)n, mac))
            return true;
    }
    return false;
}

static bool announce(int bridge, const uint8_t mac[6])
{
    uint8_t frame[MIG_ANNOUNCE_FRAME];
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_ifindex = bridge,
        .sll_halen = 6,
        .sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    bool sent;

    mig_announce_frame(mac, frame);
    sent = fd >= 0 && sendto(fd, frame, sizeof(frame), 0,
                             (struct sockaddr *)&to, sizeof(to)) >= 0;
    if (!sent)
        lxe_warn("cannot announce the guest on its network: %m");
    if (fd >= 0)
        close(fd);
    return sent;
}

static const uint8_t *mac_of(const struct mig_announce_vif *vif,
                             const struct lxe_xl_nic *nics, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (nics[i].devid == vif->devid)
            return nics[i].mac;
    return NULL;
}

size_t mig_announce_run(struct mig_announce *a, const struct lxe_xl_nic *nics,
                        size_t count)
{
    const uint8_t *silent[LXE_XL_NICS];
    size_t announced = 0;

    for (size_t i = 0; i < a->count; i++) {
        const uint8_t *mac = mac_of(&a->vifs[i], nics, count);

        silent[i] = mac && !heard(&a->vifs[i], mac) ? mac : NULL;
    }
    for (int time = 0; time < TIMES; time++) {
        for (size_t i = 0; i < a->count; i++)
            if (silent[i] && announce(a->vifs[i].bridge, silent[i]) && !time)
                announced++;
        if (announced)
            lxe_sleep_ns(APART_NS);
    }
    return announced;
}

void mig_announce_close(struct mig_announce *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->vifs[i].fd >= 0)
            close(a->vifs[i].fd);
    a->count = 0;
}
